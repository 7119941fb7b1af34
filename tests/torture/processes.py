"""A run's process, from its start to its end, with what it prints, needs and leaves behind.

The caller is to be a subreaper (`adopt_orphans`), so that whatever is left behind becomes its child.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, NamedTuple

from tests.torture.runs import Run

HVCTL = (str(Path(sys.executable).with_name("hvctl")),)
HANG = 60.0
"""Seconds after which a run has no end."""

# The most that a process has used includes what it was before its exec (linux:fs/exec.c, exec_mmap, which calls
# setmax_mm_hiwater_rss of the old memory), and of a child of vfork that is its parent's: /bin/true of a Python with
# 1 GB has 1 GB, too. setsid is small, and forks before it starts another.
_LAUNCHER = ("setsid", "--fork")
_SHOWN = 1 << 26
_PR_SET_CHILD_SUBREAPER = 36
Meanwhile = Callable[[int], object]


class Ended(NamedTuple):
    """The end of a process, and all that it printed; `seconds` without those in which others had the processors."""

    code: int
    seconds: float
    megabytes: float
    out: bytes
    err: bytes
    left: tuple[str, ...]
    hung: bool = False


def adopt_orphans() -> None:
    """Make this process the parent of whatever its children leave behind."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def environment(run: Run, place: Path) -> dict[str, str]:
    """The environment of a run: little of this process's own."""
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(place / "home"),
        "TMPDIR": str(place / "tmp"),
        "TERM": "xterm",
        "PYTHONDONTWRITEBYTECODE": "1",
        **dict(run.environment),
    }


def start(run: Run, place: Path, prefix: Sequence[str] = (), meanwhile: Meanwhile | None = None) -> Ended:
    """Start a run's process, give it what it reads, and wait for its end; what it has started is ended, too.

    `prefix` are words before those of hvctl; `meanwhile` is given the process's id once it has begun.
    """
    pipes = [os.pipe() for _ in run.pipes]
    names = {f"pipe{number}": f"/dev/fd/{reader}" for number, (reader, _) in enumerate(pipes)}
    words = [_filled(word, {**names, "cwd": str(place / "cwd")}) for word in run.words]
    ours, theirs = os.openpty() if run.terminal else (-1, -1)
    with TemporaryFile() as out, TemporaryFile() as err:
        known = children()
        began = time.monotonic()
        launcher = subprocess.Popen(
            [*_LAUNCHER, *prefix, *HVCTL, *words],
            cwd=place / "cwd",
            env=environment(run, place),
            stdin=subprocess.DEVNULL if run.stdin is None else subprocess.PIPE,
            stdout=theirs if run.terminal else out,
            stderr=theirs if run.terminal else err,
            pass_fds=[reader for reader, _ in pipes],
        )
        for (reader, writer), data in zip(pipes, run.pipes, strict=True):
            os.close(reader)
            _feed(os.fdopen(writer, "wb"), data)
        if launcher.stdin and run.stdin is not None:
            _feed(launcher.stdin, run.stdin)
            launcher.stdin = None
        pid = _adopted(launcher, known)
        if run.terminal:
            os.close(theirs)
            reading = threading.Thread(target=_drain, args=(ours, out), daemon=True)
            reading.start()
        if meanwhile:
            meanwhile(pid)
        hung = not ends(pid, HANG)
        if hung:
            end_all()
        seconds = time.monotonic() - began - _waited_for_cpu(pid)
        code, used = reap(pid)
        left = left_behind()
        if run.terminal:
            reading.join(5)
            os.close(ours)
        out.seek(0)
        err.seek(0)
        return Ended(code, seconds, used, out.read(_SHOWN), err.read(_SHOWN), left, hung)


def _adopted(launcher: subprocess.Popen[bytes], known: Sequence[int]) -> int:
    """The process that a launcher leaves behind, once it leads a session of its own."""
    launcher.wait()
    pid = next(pid for pid in children() if pid not in known)  # in the order in which they became ours
    while os.getsid(pid) != pid and _state(pid) != "Z":
        time.sleep(0.001)
    return pid


def _filled(word: str, names: Mapping[str, str]) -> str:
    """Only these names: other braces are the word's own."""
    for name, value in names.items():
        word = word.replace(f"{{{name}}}", value)
    return word.replace("\0", "")


def _feed(stream: IO[bytes], data: bytes) -> None:
    """Write while it is read; its reader may go at any time."""

    def write() -> None:
        try:
            stream.write(data)
            stream.close()
        except OSError:
            pass

    threading.Thread(target=write, daemon=True).start()


def _drain(terminal: int, out: IO[bytes]) -> None:
    try:
        while data := os.read(terminal, 65536):
            out.write(data)
    except OSError:  # the last writer is gone
        pass


def ends(pid: int, seconds: float, *others: int) -> bool:
    """Wait so long for a child's end, or for something to be read of other descriptors; whether it has come."""
    handle = os.pidfd_open(pid)
    try:
        return bool(select.select([handle, *others], [], [], seconds)[0])
    finally:
        os.close(handle)


def _waited_for_cpu(pid: int) -> float:
    """The seconds for which a process could have run, and others ran: they are not its own."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


def reap(pid: int) -> tuple[int, float]:
    """A process's exit code and most megabytes, those of what it waited for included."""
    _, status, usage = os.wait4(pid, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_maxrss / 1024


def children() -> list[int]:
    """This process's children, threads' included."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        try:
            found += [int(word) for word in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def left_behind(patience: float = 3.0) -> tuple[str, ...]:
    """Commands of what is still running; it is ended. What ends by itself within `patience` seconds is not left."""
    end = time.monotonic() + patience
    while True:
        _collect()
        running = children()
        if not running:
            return ()
        if time.monotonic() > end:
            break
        time.sleep(0.01)
    commands = tuple(_command(pid) for pid in running)
    end_all()
    return commands


def end_all() -> None:
    """End all children, and theirs, which become ours; the first generation is left for whoever waits for it."""
    for _ in range(20):
        running = [pid for pid in children() if _state(pid) not in ("Z", "")]
        for pid in running:
            os.kill(pid, signal.SIGKILL)
        if not running:
            return
        time.sleep(0.05)


def _collect() -> None:
    for pid in children():
        if _state(pid) == "Z":
            os.waitpid(pid, os.WNOHANG)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:200]
    except OSError:
        return f"process {pid}"
