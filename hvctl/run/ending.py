"""How a supervised guest ended, and what is to be said of it."""

from __future__ import annotations

import signal
from typing import NamedTuple

from hvctl.run.crash import Crash
from hvctl.run.refusal import explain


class Ending(NamedTuple):
    """The end of QEMU.

    `status` is its exit status, or the negative number of the signal that killed it. `started` is whether it ever
    answered a command, `stderr` the first lines that it wrote, `killed` whether hvctl had to kill it.
    """

    status: int
    started: bool
    crashes: tuple[Crash, ...] = ()
    stderr: tuple[str, ...] = ()
    killed: bool = False

    @property
    def exit_code(self) -> int:
        """hvctl's own: 0 where QEMU ended with 0 and no guest crashed, else 1."""
        return 1 if self.status or self.crashes else 0


def verdict(ending: Ending) -> tuple[str, ...]:
    """What to tell the user beside what was said while the guest ran; nothing after a normal end."""
    if ending.status == 0:
        return ()
    if ending.status < 0:
        by = "hvctl, since it did not quit" if ending.killed else "a signal from outside"
        if not ending.killed and -ending.status in (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL):
            by = "a fault of its own"
        return (f"QEMU was killed by {_signal(-ending.status)}: {by}", *_known(ending))
    if ending.status == 1 and not ending.started:
        return (f"QEMU refused to start (exit status {ending.status})", *_known(ending))
    return (f"QEMU ended with exit status {ending.status}",)


def _known(ending: Ending) -> tuple[str, ...]:
    return () if ending.started else explain(ending.stderr)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
