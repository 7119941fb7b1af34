"""Ctrl-C at any moment: one word on stderr, exit code 130, and never a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.paths import HOSTS, RULE_CASES

# Of each command; HVCTL_INTERRUPTS says how many, as 60, which take some minutes.
MOMENTS = int(os.environ.get("HVCTL_INTERRUPTS") or 15)
SECONDS = 60
HOST = str(HOSTS / "debian-12.json")
DOMAIN = str(RULE_CASES / "not-kvm" / "fires.xml")
SAID = "\ninterrupted\n"

# What a console script does. Python's own start shows tracebacks: until hvctl looks after it, Ctrl-C has to wait.
START = """
import signal
from hvctl import __main__ as command

def look_after(*words, now=command.signal):
    now(*words)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])

command.signal = look_after
command.main()
"""

COMMANDS = {
    "gen": ("gen", "windows-11", "--libvirt", "--host", HOST),
    "check-host": ("check-host",),
    "explain": ("explain", "hpet-on"),
    "convert": ("convert", DOMAIN, "--to", "profile"),
    "apply": ("apply", "windows-11", "test", "--connect", "test:///default", "--host", HOST, "--dry-run", "--force"),
    "verify": ("verify", "windows-11", "--dry-run", "--host", HOST),
    "lint": ("lint", ".", "--jobs", "2", "--format", "concise", "--no-config"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Enough files for several processes."""
    for number in range(250):
        (tmp_path / f"{number}.xml").write_bytes(Path(DOMAIN).read_bytes())
    return tmp_path


def blocked() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # it may be ignored here
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])


def ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def run(words: tuple[str, ...], folder: Path, *moments: float) -> tuple[int, str]:
    """Exit code and stderr of a command that gets Ctrl-C so many seconds after its start, as from a terminal."""
    with subprocess.Popen(
        [sys.executable, "-c", START, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=blocked,
        cwd=folder,
        text=True,
    ) as process:
        begin = time.monotonic()
        for moment in moments:
            time.sleep(max(0.0, begin + moment - time.monotonic()))
            os.killpg(process.pid, signal.SIGINT)  # not waited for, it is there
        _, said = process.communicate(timeout=SECONDS)
    return process.returncode, said


@pytest.mark.parametrize("name", COMMANDS)
def test_at_any_moment(name: str, folder: Path) -> None:
    words = COMMANDS[name]
    own = run(words, folder)
    begin = time.monotonic()
    assert run(words, folder) == own
    length = time.monotonic() - begin
    codes = set()
    for number in range(MOMENTS):
        # Every third time once more, right after it.
        moments = [length * number / MOMENTS] * (1 + (number % 3 == 0))
        code, said = run(words, folder, *moments)
        assert "Traceback" not in said, said
        assert "Exception ignored" not in said, said
        assert code == own[0] or (code == 130 and said.endswith(SAID)), (code, said)
        codes.add(code)
    assert 130 in codes


def test_ctrl_c_that_is_ignored_stays_ignored() -> None:
    """As in the background of a script."""
    command = [sys.executable, "-m", "hvctl", *COMMANDS["gen"]]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=ignored) as process:
        for _ in range(20):
            process.send_signal(signal.SIGINT)
            time.sleep(0.01)
        assert process.wait(SECONDS) == 0
