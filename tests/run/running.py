"""Starting supervised guests in tests, and looking at their processes; every wait is bounded."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.paths import ROOT

QEMU = "/usr/bin/qemu-system-x86_64"
PAUSED = (QEMU, "-accel", "tcg", "-machine", "pc", "-nodefaults", "-display", "none", "-S")
LONG = 60.0


def wait_for(what: Callable[[], Any], seconds: float = 30.0) -> Any:
    """The first true answer of `what`."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"waited {seconds} s in vain"
        time.sleep(0.02)
    return found


def children(pid: int) -> list[int]:
    """The processes that `pid` has started and that are alive."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def state(pid: int) -> str:
    """The letter of /proc/PID/stat, empty where there is no such process any more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def gone(pid: int) -> bool:
    """Whether a process has ended; a zombie that waits for its new parent has."""
    return state(pid) in ("", "Z", "X")


def descendants(pid: int) -> list[int]:
    """The processes that `pid` and its children have started."""
    return [found for child in children(pid) for found in (child, *descendants(child))]


def qemus(pid: int) -> list[int]:
    """The QEMUs among them; a fork of Python is none yet."""
    found = []
    for child in descendants(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if "qemu" in os.path.basename(os.readlink(f"/proc/{child}/exe")):
                found.append(child)
    return found


def running(pid: int, program: str) -> list[int]:
    """Those that run a script of this path."""
    found = []
    for child in descendants(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if program in Path(f"/proc/{child}/cmdline").read_text(errors="replace").split("\0")[:2]:
                found.append(child)
    return found


def qemu_of(pid: int) -> int:
    """The QEMU that a supervisor runs, as soon as there is one."""
    return int(wait_for(lambda: qemus(pid))[0])


# Scripts that start QEMU and do not become it.
WRAPPERS = {
    "waits": '{qemu} "$@"; exit $?',
    "in the background": '{qemu} "$@" & wait $!',
    "another session": 'setsid {qemu} "$@"; exit $?',
    "a daemon": 'setsid sh -c \'{qemu} "$@" &\' qemu "$@"; sleep 600',
    "jobs": 'set -m; {qemu} "$@" & wait $!',
}


def wrapper(folder: Path, text: str, qemu: str = QEMU) -> str:
    """The path of a script with this text, in which `{qemu}` is the program."""
    path = folder / "wrapper"
    path.write_text(f"#!/bin/bash\n{text.format(qemu=qemu)}\n")
    path.chmod(0o755)
    return str(path)


def fake_qemu(folder: Path, lie: str) -> str:
    """The path of a program that lies as tests/host/fake_qemu.py does under this name."""
    path = folder / lie
    path.write_text(f"#!{sys.executable}\n{(ROOT / 'tests/host/fake_qemu.py').read_text()}")
    path.chmod(0o755)
    return str(path)


def words(
    result: Path, argv: Sequence[str], *, stdio: bool = False, powerdown: float = LONG, quit_: float = LONG
) -> list[str]:
    """The command line of a supervisor in a process of its own."""
    module = [sys.executable, "-m", "tests.run.supervised"]
    return [*module, str(result), str(int(stdio)), str(powerdown), str(quit_), *argv]


class Supervisor:
    """A supervisor process; a context manager that leaves no process behind."""

    def __init__(
        self,
        folder: Path,
        argv: Sequence[str] = PAUSED,
        *,
        powerdown: float = LONG,
        quit_: float = LONG,
        pass_fds: Sequence[int] = (),
        stderr: int = subprocess.PIPE,
    ) -> None:
        self.result = folder / "ending.json"
        self.process = subprocess.Popen(
            words(self.result, argv, powerdown=powerdown, quit_=quit_),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            pass_fds=pass_fds,
            stderr=stderr,
            text=True,
            # The test's own group must not be signalled by a terminal that it may have.
            start_new_session=True,
        )

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()

    def line(self) -> str:
        """The next line of its stderr."""
        assert self.process.stderr is not None
        return self.process.stderr.readline()

    def ending(self, seconds: float = 30.0) -> dict[str, Any]:
        """Its result, once it has ended."""
        self.process.wait(seconds)
        found: dict[str, Any] = json.loads(self.result.read_text())
        return found
