"""The terminal, on a real pty: who is in the foreground, whose Ctrl-C it is, and what is left afterwards."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.paths import ROOT
from tests.run.running import PAUSED, children, gone, qemu_of, state, wait_for, words
from tests.verify import firmware

CTRL_C, CTRL_Z = b"\x03", b"\x1a"
STDIO_MONITOR = (*PAUSED, "-monitor", "stdio")
INTACT = {"foreground": True, "modes": True, "flags": True}


class Pty:
    """A terminal with one job on it (tests/run/job.py)."""

    def __init__(self, folder: Path, argv: tuple[str, ...], *, stdio: bool = True) -> None:
        self.report = folder / "report.json"
        self.result = folder / "ending.json"
        self.master, self.slave = pty.openpty()
        os.set_blocking(self.master, False)
        job = words(self.result, argv, stdio=stdio)
        self.leader = subprocess.Popen(
            [sys.executable, "-m", "tests.run.job", str(self.report), *job],
            cwd=ROOT,
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            start_new_session=True,
        )
        self.seen = b""

    @property
    def supervisor(self) -> int:
        """The process of hvctl."""
        return int(wait_for(lambda: children(self.leader.pid))[0])

    def qemu(self) -> int:
        """The process of QEMU."""
        return qemu_of(self.supervisor)

    def read(self) -> bytes:
        """All that was written to the terminal so far."""
        try:
            while data := os.read(self.master, 65536):
                self.seen += data
        except (BlockingIOError, OSError):
            pass
        return self.seen

    def foreground(self) -> int:
        """The process group that Ctrl-C goes to, asked from outside the session."""
        return _foreground(self.master)

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def left(self) -> dict[str, Any]:
        """What the job left, once it has ended."""

        def ended() -> bool:
            self.read()
            return self.leader.poll() is not None

        wait_for(ended)
        found: dict[str, Any] = json.loads(self.report.read_text())
        return found

    def close(self) -> None:
        for pid in children(self.leader.pid):
            os.kill(pid, signal.SIGKILL)
        self.leader.kill()
        self.leader.wait(30)
        os.close(self.master)
        os.close(self.slave)


def _foreground(master: int) -> int:
    answer = fcntl.ioctl(master, termios.TIOCGPGRP, bytes(4))
    return int.from_bytes(answer, sys.byteorder)


@pytest.fixture
def terminals() -> Iterator[list[Pty]]:
    opened: list[Pty] = []
    yield opened
    for each in opened:
        each.close()


def test_qemu_has_the_terminal_and_gives_it_back(tmp_path: Path, terminals: list[Pty]) -> None:
    terminals.append(terminal := Pty(tmp_path, STDIO_MONITOR))
    wait_for(lambda: b"(qemu)" in terminal.read())
    assert terminal.foreground() == os.getpgid(terminal.qemu()) != os.getpgid(terminal.supervisor)
    terminal.type(b"quit\n")
    assert terminal.left() == {"status": 0, **INTACT}


def test_ctrl_c_is_for_qemu_alone(tmp_path: Path, terminals: list[Pty]) -> None:
    terminals.append(terminal := Pty(tmp_path, STDIO_MONITOR))
    wait_for(lambda: b"(qemu)" in terminal.read())
    # QEMU's monitor on stdio leaves Ctrl-C to the terminal driver, which makes a signal of it.
    terminal.type(CTRL_C)
    assert terminal.left() == {"status": 0, **INTACT}
    assert b"hvctl" not in terminal.seen


def test_ctrl_c_reaches_the_guest(tmp_path: Path, terminals: list[Pty]) -> None:
    (tmp_path / "firmware").write_bytes(firmware.echo())
    debug = tmp_path / "debug"
    running = (*PAUSED[:-1], "-bios", str(tmp_path / "firmware"), "-debugcon", f"file:{debug}", "-serial", "mon:stdio")
    terminals.append(terminal := Pty(tmp_path, running))
    wait_for(lambda: debug.exists() and debug.read_bytes() == firmware.READY)
    terminal.type(CTRL_C)
    wait_for(lambda: debug.read_bytes() == firmware.READY + CTRL_C)
    assert not gone(terminal.qemu())
    terminal.type(b"\x01x")  # Ctrl-A x ends QEMU from its multiplexed monitor.
    assert terminal.left() == {"status": 0, **INTACT}


def test_sigterm_asks_for_power_down(tmp_path: Path, terminals: list[Pty]) -> None:
    terminals.append(terminal := Pty(tmp_path, STDIO_MONITOR))
    wait_for(lambda: b"(qemu)" in terminal.read())
    os.kill(terminal.supervisor, signal.SIGTERM)
    wait_for(lambda: b"asked the guest to power down; send SIGTERM again" in terminal.read())
    os.kill(terminal.supervisor, signal.SIGTERM)
    assert terminal.left() == {"status": 0, **INTACT}


def test_a_killed_qemu_leaves_the_terminal_as_it_was(tmp_path: Path, terminals: list[Pty]) -> None:
    terminals.append(terminal := Pty(tmp_path, STDIO_MONITOR))
    wait_for(lambda: b"(qemu)" in terminal.read())
    qemu = terminal.qemu()
    before = termios.tcgetattr(terminal.slave)
    assert not before[3] & termios.ICANON
    os.kill(qemu, signal.SIGKILL)
    assert terminal.left() == {"status": 0, **INTACT}
    assert json.loads(terminal.result.read_text())["status"] == -signal.SIGKILL


def test_without_stdio_ctrl_c_is_for_hvctl(tmp_path: Path, terminals: list[Pty]) -> None:
    terminals.append(terminal := Pty(tmp_path, PAUSED, stdio=False))
    qemu = terminal.qemu()
    assert terminal.foreground() == terminal.supervisor != os.getpgid(qemu)
    terminal.type(CTRL_C)
    wait_for(lambda: b"press Ctrl-C again to end it now" in terminal.read())
    assert not gone(qemu)
    terminal.type(CTRL_C)
    assert terminal.left() == {"status": 0, **INTACT}


def test_a_device_that_was_not_seen_gets_the_terminal_when_it_asks(tmp_path: Path, terminals: list[Pty]) -> None:
    terminals.append(terminal := Pty(tmp_path, STDIO_MONITOR, stdio=False))
    wait_for(lambda: b"(qemu)" in terminal.read())
    assert terminal.foreground() == os.getpgid(terminal.qemu())
    terminal.type(b"quit\n")
    assert terminal.left() == {"status": 0, **INTACT}


def test_ctrl_z_and_fg_in_a_shell(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    shell = subprocess.Popen(
        ["/bin/bash", "--norc", "--noprofile", "-i"],
        cwd=ROOT,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={"PATH": os.environ["PATH"], "PS1": "SHELL> ", "TERM": "dumb"},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.set_blocking(master, False)
    seen = b""

    def shows(text: bytes, times: int = 1) -> bool:
        nonlocal seen
        with contextlib.suppress(BlockingIOError):
            seen += os.read(master, 65536)
        return seen.count(text) >= times

    try:
        wait_for(lambda: shows(b"SHELL> "))
        os.write(master, " ".join(words(tmp_path / "ending.json", STDIO_MONITOR, stdio=True)).encode() + b"\n")
        wait_for(lambda: shows(b"(qemu)"))
        hvctl = children(shell.pid)[0]
        qemu = qemu_of(hvctl)
        os.write(master, CTRL_Z)
        wait_for(lambda: shows(b"Stopped"))
        assert (state(hvctl), state(qemu)) == ("T", "T")
        assert _foreground(master) == shell.pid
        os.write(master, b"fg\n")
        wait_for(lambda: _foreground(master) == os.getpgid(qemu))
        wait_for(lambda: state(qemu) != "T")
        os.write(master, b"quit\n")
        wait_for(lambda: gone(hvctl))
        assert (tmp_path / "ending.json").exists(), seen.decode()
        assert json.loads((tmp_path / "ending.json").read_text())["status"] == 0
    finally:
        for pid in children(shell.pid):
            os.kill(pid, signal.SIGKILL)
        shell.kill()
        shell.wait(30)
        os.close(master)
        os.close(slave)
