"""The Python interface: its examples, its types, and that importing it costs next to nothing."""

from __future__ import annotations

import doctest
import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from hvctl import api
from hvctl.errors import RefusedError
from hvctl.text.recognition import MisplacedError
from tests.cli.run import inside
from tests.paths import HOSTS, ROOT


def test_the_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = doctest.testmod(api)
    assert result.attempted > 10
    assert not result.failed


def test_the_readmes_example(tmp_path: Path) -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "hosts").mkdir()
    shutil.copy(HOSTS / "debian-12.json", tmp_path / "hosts")
    shutil.copy(ROOT / "tests/rules/not-kvm/fires.xml", tmp_path / "win11.xml")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", block], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert "hv_relaxed=on" in done.stdout
    assert "not-kvm the guest does not use KVM" in done.stdout


def test_every_function_is_documented_and_in_an_example() -> None:
    functions = {
        name: function
        for name, function in vars(api).items()
        if inspect.getmodule(function) is api and inspect.isfunction(function)
    }
    session = api.__doc__ or ""
    assert len(functions) > 12
    for name, function in functions.items():
        assert function.__doc__, name
        # The one asks this machine, the other opens a file and does what its example does.
        assert f"{name}(" in session or name in ("this_host", "read_guest"), name


def test_its_import_brings_no_other_room() -> None:
    code = "import sys, hvctl.api; print(*sorted(name for name in sys.modules if name.startswith('hvctl')))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, cwd=ROOT
    )
    assert done.stdout.split() == ["hvctl", "hvctl.api"]


@pytest.mark.parametrize("syntax", get_args(api.Form))
def test_it_says_what_convert_prints(syntax: api.Form, tmp_path: Path) -> None:
    path = tmp_path / "a.args"
    path.write_text("-accel kvm -cpu host,hv_relaxed,hv_time")
    assert api.convert(api.read_guest(str(path)), syntax).text == inside("convert", str(path), "--to", syntax).stdout


def test_errors_are_raised() -> None:
    hosts = api.load_hosts([str(HOSTS / "no-hyperv.json")]).representatives()
    with pytest.raises(RefusedError, match="profile windows-11 is refused"):
        api.check(api.resolve(api.load_profile("windows-11"), hosts))
    with pytest.raises(MisplacedError, match=r"host\.json is a host file, not a guest"):
        api.read_text((HOSTS / "debian-12.json").read_bytes(), "host.json")
    with pytest.raises(MisplacedError, match="is a host file, not a profile"):
        api.load_profile(str(HOSTS / "debian-12.json"))
