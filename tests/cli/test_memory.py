"""What hvctl says where there is not enough memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hvctl.cli import _failed
from tests.paths import ROOT, RULE_CASES

# All modules are imported by a small run. Then 2 MB more are left than are in use.
_RUN = """
import contextlib, os, re, resource, sys
from pathlib import Path
from hvctl.__main__ import main
from hvctl.cli import run
small, *words = sys.argv[1:]
with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing), contextlib.redirect_stderr(nothing):
    run([*words, small])
sys.argv[1:] = [*words, "large"]
used = int(re.search("VmSize:[^0-9]*([0-9]+)", Path("/proc/self/status").read_text())[1]) << 10
resource.setrlimit(resource.RLIMIT_AS, (used + (2 << 20),) * 2)
main()
"""
_DOMAIN = (RULE_CASES / "hpet-on" / "fires.xml").read_text()
_LOG = "qemu-system-x86_64: -cpu host: Property not found\n"


@pytest.mark.parametrize("words", ["lint --no-config", "convert --to json", "diagnose"])
def test_too_little_for_a_large_file(tmp_path: Path, words: str) -> None:
    # Below the 4 MiB that it may have, and in one piece, so that it is this that there is no memory for.
    large = _LOG * 80_000 if words == "diagnose" else _DOMAIN.replace("</domain>", f"<!--{'x' * 4_100_000}--></domain>")
    (tmp_path / "small").write_text(_LOG if words == "diagnose" else _DOMAIN)
    (tmp_path / "large").write_text(large)
    command = [sys.executable, "-c", _RUN, "small", *words.split()]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "error: there is not enough memory\n")


def test_too_little_for_a_module(capfd: pytest.CaptureFixture[str]) -> None:
    """As seen under `prlimit --as` of a module that was imported late."""
    said = "unicodedata.cpython-311-x86_64-linux-gnu.so: failed to map segment from shared object"
    assert _failed(ImportError(said), []) == 3
    assert capfd.readouterr().err == "error: there is not enough memory\n"
    assert _failed(ImportError("cannot import name 'x'"), []) == 70
