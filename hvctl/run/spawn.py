"""A QEMU started so that it cannot outlive hvctl, and ended with whatever was to be watched of it."""

import errno
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from hvctl.errors import HostError
from hvctl.guest.command.options import scan
from hvctl.host import watcher
from hvctl.run.terminal import Inbox, Terminal

QMP_ID = "hvctl-qmp"
NEGOTIATE_ID = "hvctl-negotiate"
# QEMU reports its events only to a client that has negotiated, and a guest that crashes before that would crash unseen.
# So QEMU starts paused (-S), and the first two lines wait in the socket for its monitor.
NEGOTIATE = b'{"execute":"qmp_capabilities","id":"hvctl-negotiate"}\n'
CONTINUE = b'{"execute":"cont"}\n'
STATUS = b'{"execute":"query-status"}\n'
POWERDOWN = b'{"execute":"system_powerdown"}\n'
QUIT = b'{"execute":"quit"}\n'
# A guest that the caller wants paused stays so; before x-exit-preconfig there is no `cont`.
PAUSED = ("S", "preconfig")


class Child(NamedTuple):
    """A running QEMU: its watcher, which leads a process group of theirs, and hvctl's end of the QMP connection.

    From `stops` come the numbers of the signals that stop QEMU (`hvctl.host.watcher.start`). `inbox` collects hvctl's
    own signals, `terminal` is what the guest may borrow.
    """

    process: subprocess.Popen[bytes]
    qmp: socket.socket
    stops: int
    inbox: Inbox
    terminal: Terminal

    @property
    def pid(self) -> int:
        """The watcher, and the process group."""
        return self.process.pid


@contextmanager
def started(argv: Sequence[str], *, stdio: bool, exit_with_parent: bool = False) -> Iterator[Child]:
    """A QEMU with a QMP connection and its stderr in a pipe; at the end of the block nothing is left of it.

    Args:
        argv: the program's path and its arguments.
        stdio: whether the arguments use standard input: QEMU then gets the terminal, and with it Ctrl-C.
        exit_with_parent: whether this QEMU supports `-run-with exit-with-parent=on`.

    Raises:
        HostError: the program cannot be started.
    """
    with Inbox(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD) as inbox, Terminal() as terminal:
        terminal.lent = stdio and terminal.lendable()
        child = _start(argv, inbox, terminal, exit_with_parent=exit_with_parent)
        try:
            yield child
        finally:
            _leave_nothing(child)


def _start(argv: Sequence[str], inbox: Inbox, terminal: Terminal, *, exit_with_parent: bool) -> Child:
    ours, theirs = socket.socketpair()
    stops, reported = os.pipe()
    words = [*argv, *_control(theirs.fileno()), *(("-run-with", "exit-with-parent=on") if exit_with_parent else ())]
    paused = any(option.name in PAUSED for option in scan(argv[1:]))
    # That the guest does not run is known; that it could is what an answer shows.
    ours.sendall(NEGOTIATE + (STATUS if paused else CONTINUE))
    os.set_inheritable(theirs.fileno(), True)
    try:
        # The caller's own descriptors (fd= of a netdev, of -incoming) must reach QEMU; Python's are close-on-exec.
        process = watcher.start(
            words if paused else [*words, "-S"],
            setup=partial(terminal.lend_in_child, lend=terminal.lent),
            stops=reported,
            stderr=subprocess.PIPE,
            close_fds=False,
        )
    except OSError as error:
        ours.close()
        os.close(stops)
        raise HostError(*_why(argv[0], error)) from error
    finally:
        theirs.close()
        os.close(reported)
    return Child(process, ours, stops, inbox, terminal)


def _leave_nothing(child: Child) -> None:
    watcher.end(child.process)
    child.qmp.close()
    os.close(child.stops)
    if child.process.stderr is not None:
        child.process.stderr.close()


def _control(fd: int) -> tuple[str, ...]:
    # Not -mon: QEMU 11.1 warns that it is deprecated.
    return ("-chardev", f"socket,id={QMP_ID},fd={fd}", "-qmp", f"chardev:{QMP_ID}")


def _why(program: str, error: OSError) -> tuple[str, str]:
    if error.errno == errno.ENOENT:
        return f"QEMU was not found: {program}", "install qemu-system-x86, or name a binary with --qemu"
    return f"{program} cannot be started: {error.strerror}", "name another QEMU with --qemu"


def replace_process(argv: Sequence[str]) -> None:
    """Become QEMU; returns only by raising HostError."""
    # Python ignores SIGPIPE, and what is ignored stays so across exec.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execv(argv[0], list(argv))
    except OSError as error:
        raise HostError(*_why(argv[0], error)) from error
