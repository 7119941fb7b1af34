"""A QEMU started so that it cannot outlive hvctl, and ended with whatever was to be watched of it."""

import errno
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from hvctl.errors import HostError
from hvctl.guest.command.options import scan
from hvctl.host.hostfs import die_with_parent
from hvctl.run.terminal import Inbox, Terminal

QMP_ID = "hvctl-qmp"
# QEMU tells its events only to a client that has negotiated, and the library that does so takes 0.1 s to import: a
# guest that crashes before that would crash unseen. So QEMU starts paused (-S), and these lines wait in the socket for
# its monitor. Ids keep the library from taking a reply for one of its own.
NEGOTIATE = b'{"execute":"qmp_capabilities","id":"hvctl-negotiate"}\n'
CONTINUE = b'{"execute":"cont","id":"hvctl-continue"}\n'
# A guest that the caller wants paused stays so; before x-exit-preconfig there is no `cont`.
PAUSED = ("S", "preconfig")


class Child(NamedTuple):
    """A running QEMU: its process, which leads a process group of its own, and hvctl's end of the QMP connection.

    `resumes` is whether the guest is started by hvctl over QMP; otherwise the caller wants it paused. `inbox` collects
    hvctl's own signals, `terminal` is what the guest may borrow.
    """

    process: subprocess.Popen[bytes]
    qmp: socket.socket
    resumes: bool
    inbox: Inbox
    terminal: Terminal

    @property
    def pid(self) -> int:
        """Process and process group."""
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
    words = [*argv, *_control(theirs.fileno()), *(("-run-with", "exit-with-parent=on") if exit_with_parent else ())]
    ours.sendall(NEGOTIATE)
    if resumes := not any(option.name in PAUSED for option in scan(argv[1:])):
        words.append("-S")
        ours.sendall(CONTINUE)
    os.set_inheritable(theirs.fileno(), True)
    try:
        # The caller's own descriptors (fd= of a netdev, of -incoming) must reach QEMU; Python's are close-on-exec.
        process = subprocess.Popen(
            words, stderr=subprocess.PIPE, close_fds=False, preexec_fn=_child_setup(terminal, lend=terminal.lent)
        )
    except OSError as error:
        ours.close()
        raise HostError(*_why(argv[0], error)) from error
    finally:
        theirs.close()
    return Child(process, ours, resumes, inbox, terminal)


def _leave_nothing(child: Child) -> None:
    process = child.process
    if process.returncode is None:
        process.kill()
        process.wait()
    child.qmp.close()
    if process.stderr is not None:
        process.stderr.close()


def _control(fd: int) -> tuple[str, ...]:
    # Not -mon: QEMU 11.1 warns that it is deprecated.
    return ("-chardev", f"socket,id={QMP_ID},fd={fd}", "-qmp", f"chardev:{QMP_ID}")


def _child_setup(terminal: Terminal, *, lend: bool) -> Callable[[], None]:
    """What the child does before QEMU; also where QEMU has exit-with-parent, which it reads only later."""
    die = die_with_parent()

    def setup() -> None:
        terminal.lend_in_child(lend)
        die()

    return setup


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
