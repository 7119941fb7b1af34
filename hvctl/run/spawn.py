"""Starting QEMU so that it cannot outlive hvctl."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from typing import NamedTuple

from hvctl.errors import HostError
from hvctl.guest.command.options import scan
from hvctl.host.pdeathsig import die_with_parent
from hvctl.run.terminal import Terminal

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

    `resumes` is whether the guest is started by hvctl over QMP; otherwise the caller wants it paused.
    """

    process: subprocess.Popen[bytes]
    qmp: socket.socket
    resumes: bool

    @property
    def pid(self) -> int:
        """Process and process group."""
        return self.process.pid


def start(argv: Sequence[str], terminal: Terminal, *, lend: bool, exit_with_parent: bool) -> Child:
    """Start QEMU with a QMP connection and its stderr in a pipe.

    Args:
        argv: the program's path and its arguments.
        terminal: what is lent to QEMU if `lend` is set.
        lend: whether QEMU becomes the terminal's foreground job.
        exit_with_parent: whether this QEMU knows `-run-with exit-with-parent=on`.

    Raises:
        HostError: the program cannot be started.
    """
    ours, theirs = socket.socketpair()
    words = [*argv, *_control(theirs.fileno()), *(("-run-with", "exit-with-parent=on") if exit_with_parent else ())]
    ours.sendall(NEGOTIATE)
    resumes = not any(option.name in PAUSED for option in scan(argv[1:]))
    if resumes:
        words.append("-S")
        ours.sendall(CONTINUE)
    os.set_inheritable(theirs.fileno(), True)
    try:
        # The caller's own descriptors (fd= of a netdev, of -incoming) must reach QEMU; Python's are close-on-exec.
        process = subprocess.Popen(
            words, stderr=subprocess.PIPE, close_fds=False, preexec_fn=_child_setup(terminal, lend=lend)
        )
    except OSError as error:
        ours.close()
        raise HostError(*_why(argv[0], error)) from error
    finally:
        theirs.close()
    return Child(process, ours, resumes)


def _control(fd: int) -> tuple[str, ...]:
    return ("-chardev", f"socket,id={QMP_ID},fd={fd}", "-mon", f"chardev={QMP_ID},mode=control")


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
