"""hvctl in processes that cannot import qemu.qmp, as with Debian's package where that is not packaged."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from hvctl.errors import NO_QMP, NoQmpError
from tests.cli.run import hvctl
from tests.cli.test_check_host import own_code
from tests.paths import HOSTS

HOST = str(HOSTS / "debian-12.json")


@pytest.fixture
def without(tmp_path: Path) -> dict[str, str]:
    """The environment of processes to which the module is missing; no answer of QEMU's is kept from before."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text('import sys\nsys.modules["qemu"] = None\n')
    return {"PYTHONPATH": str(tmp_path / "site"), "XDG_CACHE_HOME": str(tmp_path)}


def told(text: str) -> str:
    return " ".join(text.split())


def test_check_host_says_so_and_goes_on(without: dict[str, str], tmp_path: Path) -> None:
    done = hvctl("check-host", "--record", str(tmp_path / "host.json"), code=own_code(), **without)
    if done.stdout:  # there is a KVM
        assert f"note: {NO_QMP}; install it: `pip install qemu.qmp`" in told(done.stdout)
        assert NO_QMP in (tmp_path / "host.json").read_text()


def test_a_running_qemu_and_one_without_kvm_are_not_asked(without: dict[str, str], tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "qmp"))
        server.listen()
        said = [
            hvctl("convert", str(tmp_path / "qmp"), code=3, **without).stderr,
            hvctl("verify", "minimal", "--accel", "tcg", "--qemu", "/bin/true", code=3, **without).stderr,
        ]
    assert all(f"error: {NO_QMP}" in told(text) and "pip install qemu.qmp" in text for text in said)
    assert "predict the start by --dry-run --host FILE" in told(said[1])


@pytest.mark.parametrize(
    "words",
    [
        ("gen", "minimal", "--host", HOST),
        ("pool", HOST),
        ("verify", "minimal", "--dry-run", "--host", HOST),
        ("convert", "host,hv-relaxed", "--to", "libvirt"),
        ("lint", "--list-rules"),
    ],
    ids=lambda words: words[0],
)
def test_what_asks_no_qemu_does_not_miss_it(words: tuple[str, ...], without: dict[str, str]) -> None:
    hvctl(*words, code=0, **without)


def test_each_command_names_what_works_without() -> None:
    for command, instead in (("gen", "--host"), ("check-migration", "--from"), ("check-host", "--raw")):
        assert (
            f"`hvctl collector`, which needs no module, and name the record by {instead}"
            in NoQmpError().within(command).hint
        )
    assert NoQmpError().within("bench").hint == NoQmpError().hint


def test_a_module_that_is_there_but_broken_is_not_missing(tmp_path: Path) -> None:
    package = tmp_path / "qemu/qmp"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("import a_module_that_is_missing\n")
    done = hvctl("verify", "minimal", "--accel", "tcg", "--qemu", "/bin/true", code=70, PYTHONPATH=str(tmp_path))
    assert "a_module_that_is_missing" in done.stderr
    assert os.path.isdir(package)
