"""A program that is started so that nothing of it is left, whatever happens to hvctl.

Between hvctl and the program is a watcher: a fork of hvctl that only waits. The kernel's own means end one process with
its parent, but a QEMU may be started by a script that does not exec it, by `setsid`, or in the background. All of these
are the watcher's: it is their child subreaper (prctl(2)), so whoever loses its parent becomes its child. It ends all of
them, and then itself in the way in which the program ended, as soon as

- the program ends: what that left in the background goes with it;
- hvctl asks for it, by `end`;
- hvctl dies, even by SIGKILL: the kernel then sends the watcher a signal.

Not covered: processes of other users (a wrapper with sudo), which may not be signalled; those that other daemons start
(systemd-run, docker run); processes that fork faster than they are found; a SIGKILL that ends hvctl and the watcher at
the same moment, after which the program still dies, but not what a wrapper has started.
"""

import contextlib
import ctypes
import errno
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from hvctl.host.hostfs import die_with_parent

# linux:include/uapi/linux/prctl.h
_PR_SET_DUMPABLE, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 4, 15, 36
# Neither a terminal nor a user sends it; all other signals leave the watcher alone, which is in the program's group.
_END = signal.SIGUSR2
# Seconds for the watcher to end all. It needs milliseconds, unless a process hangs in the kernel.
_PATIENCE = 5.0


def start(
    words: Sequence[str], *, setup: Callable[[], None] = lambda: None, stops: int = -1, **options: Any
) -> subprocess.Popen[bytes]:
    """Start a program below a watcher. The process is the watcher, whose end has the program's exit status or signal.

    Args:
        words: the program and its arguments.
        setup: what watcher and program do first.
        stops: a descriptor for the number of each signal that stops the program, as one byte each; and SIGKILL where
            the program ended before others that it had started.
        options: others of Popen's. In a session or process group of its own, the watcher leads it.

    Raises:
        OSError: it cannot be started.
    """
    try:
        return subprocess.Popen(words, preexec_fn=_watched(setup, stops), **options)
    except subprocess.SubprocessError as error:
        # What Popen makes of an exception before exec: here only of a fork that failed.
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from error


def end(process: subprocess.Popen[bytes]) -> None:
    """End a program and all that it has started; nothing if it has ended."""
    if process.poll() is None:
        process.send_signal(_END)
        # The watcher goes on without hvctl where it takes longer.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)


def _watched(setup: Callable[[], None], stops: int) -> Callable[[], None]:
    """Becomes the watcher, and returns in the program's process alone."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    die_with_hvctl = die_with_parent(_END)

    def fork() -> None:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        # Before there is a child: this throws away a SIGCHLD that is pending. Where it is ignored, there is none.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        setup()
        die_with_hvctl()
        prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        die_with_watcher = die_with_parent()
        program = os.fork()
        if program:
            try:
                prctl(_PR_SET_NAME, b"hvctl-watcher", 0, 0, 0)
                _end_as(_watch(program, stops), prctl)
            finally:
                os._exit(1)
        die_with_watcher()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    return fork


def _watch(program: int, stops: int) -> int:
    """The wait status of the program, once it and all that it has started are gone."""
    status = None
    # Whatever goes wrong here, what was started ends.
    with contextlib.suppress(Exception):
        status = _end_of(program, stops)
    ended = _end_all()
    if status is None:
        return ended.get(program, signal.SIGKILL)
    if ended:
        _report(stops, signal.SIGKILL)
    return status


def _end_of(program: int, stops: int) -> int | None:
    """Wait for the program's end, and give its wait status; None where its end is asked for."""
    # Whoever reads from a pipe of hvctl's or of QEMU's must see its end.
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor != stops:
            with contextlib.suppress(OSError):
                os.close(descriptor)
    while signal.sigwait((signal.SIGCHLD, _END)) == signal.SIGCHLD:
        for child, status in _changes():
            if child == program and not os.WIFSTOPPED(status):
                return status
            if child == program:
                _report(stops, os.WSTOPSIG(status))
    return None


def _report(stops: int, number: int) -> None:
    if stops >= 0:
        with contextlib.suppress(OSError):
            os.write(stops, bytes((number,)))


def _changes() -> list[tuple[int, int]]:
    """The children that have ended or stopped, with their wait status; those that have ended are gone afterwards."""
    changes = []
    with contextlib.suppress(ChildProcessError):
        while (change := os.waitpid(-1, os.WNOHANG | os.WUNTRACED))[0]:
            changes.append(change)
    return changes


def _end_all() -> dict[int, int]:
    """End all children, and theirs, which become children as their parents end; gives their wait status."""
    ended: dict[int, int] = {}
    while killed := [child for child in _children() if _kill(child)]:
        ended.update(os.waitpid(child, 0) for child in killed)
    return ended


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except PermissionError:
        return False
    return True


def _children() -> list[int]:
    """All children; /proc/PID/task/PID/children is not in every kernel."""
    found: list[int] = []
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return found  # nearly always, and sooner than by a look at all processes
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as stat:
                if int(stat.read().rpartition(b")")[2].split()[1]) == os.getpid():
                    found.append(int(name))
    return found


def _end_as(status: int, prctl: Callable[..., int]) -> NoReturn:
    """End with this wait status, without a core file of one's own."""
    if os.WIFSIGNALED(status):
        prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        number = os.WTERMSIG(status)
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (number,))
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 1)
