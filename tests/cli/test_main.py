"""The command line as a whole: help, versions, exit codes, pipes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from hvctl import __version__
from hvctl.cli import COMMANDS
from tests.cli.run import hvctl
from tests.paths import RULE_CASES


def test_version() -> None:
    assert hvctl("--version").stdout == f"hvctl {__version__}\n"


def test_help_lists_every_command_and_imports_none() -> None:
    shown = hvctl("--help").stdout
    assert all(name in shown for name in COMMANDS)
    code = "import sys; from hvctl.cli import run; run(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    loaded = set(done.stderr.split())
    assert not loaded & {"yaml", "lxml", "jinja2", "qemu", "asyncio", "hvctl.catalog", "hvctl.model.profile"}


def test_lint_of_yaml_imports_no_other_reader() -> None:
    path = RULE_CASES / "kubevirt-tsc" / "fires.yaml"
    code = "import sys; from hvctl.cli import run; run(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    words = [sys.executable, "-c", code, "lint", str(path), "--no-config"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=True)
    loaded = set(done.stderr.split())
    assert "hvctl.guest.kubevirt.reader" in loaded
    assert not loaded & {"lxml", "hvctl.xml.reader", "hvctl.guest.domain.reader", "hvctl.guest.command.reader"}
    assert not loaded & {"hvctl.guest.proxmox.writer", "hvctl.guest.proxmox.reader", "hvctl.guest.kubevirt.changes"}
    assert not loaded & {"hvctl.model.plan", "hvctl.plan.support"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_fits_80_columns(command: str) -> None:
    shown = hvctl(command, "--help").stdout
    assert shown.startswith(f"Usage: hvctl {command}")
    assert max(len(line) for line in shown.splitlines()) <= 80


def test_an_unknown_command_is_exit_2_with_a_suggestion() -> None:
    assert "unknown command 'chek-host': did you mean 'check-host'?" in hvctl("chek-host", code=2).stderr


def test_a_closed_pipe_is_exit_141_and_silent() -> None:
    words = [sys.executable, "-m", "hvctl", "explain", *["evmcs"] * 200]
    # With PYTHONUNBUFFERED, CPython drops what a short write leaves over and never sees the closed pipe.
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean) as child:
        assert child.stdout
        assert child.stderr
        child.stdout.read(10)
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(timeout=30) == 141


@pytest.mark.parametrize(
    ("words", "environment", "colored"),
    [
        ([], {}, False),
        ([], {"FORCE_COLOR": "1"}, True),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
        (["--color=never"], {"FORCE_COLOR": "1"}, False),
    ],
)
def test_color(words: list[str], environment: dict[str, str], colored: bool) -> None:
    done = hvctl("explain", "nosuch", *words, code=2, **environment)
    assert ("\x1b[" in done.stderr) == colored


@pytest.mark.parametrize("words", [["explain"], ["--help"], ["schema", "host"]])
def test_a_full_disk_is_told(words: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "hvctl", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            check=False,
        )
    assert (done.returncode, done.stderr) == (3, "error: the result cannot be written: No space left on device\n")


def test_a_closed_stdout_is_told() -> None:
    command = 'exec "$0" -m hvctl explain >&-'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable], stderr=subprocess.PIPE, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (3, "error: the result cannot be written: stdout is closed\n")
