"""How a QEMU ended: its exit status, its guest's crashes, and what it wrote to stderr.

That may hold anything that a guest or a disk image's name holds, and is made fit to be shown. A refusal to start is
explained by the catalog's table of messages.
"""

import codecs
import signal
from collections.abc import Callable, Sequence
from typing import NamedTuple

from hvctl.run.crash import Crash
from hvctl.text.problems import printable

# What QEMU writes before it stops a guest for good, and stays (qemu:accel/kvm/kvm-all.c, kvm_cpu_exec and
# kvm_handle_internal_error; qemu:target/i386/kvm/kvm.c, kvm_arch_handle_exit).
STOPPED = ("KVM: entry failed", "KVM internal error", "KVM: unknown exit", "KVM: exception", "error: kvm run failed")
WHY_STOPPED = (
    "the kernel's log (dmesg) may show why; kvm_intel writes there what it could not enter, with dump_invalid_vmcs=1"
)
MAX_LINE = 4096
# A refusal comes first of all; a guest that makes QEMU talk for days must not fill hvctl's memory.
MAX_KEPT = 100


class Ending(NamedTuple):
    """The end of QEMU.

    `status` is its exit status, or the negative number of the signal that killed it. `started` is whether it ever
    answered a command, `crashes` are the first ones, `stderr` the first lines that it wrote. `killed` is whether hvctl
    had to kill it, `failed` whether it stopped the guest for an internal error, `left` whether it was a wrapper that
    ended before its QEMU, which had to be killed.
    """

    status: int
    started: bool
    crashes: tuple[Crash, ...] = ()
    stderr: tuple[str, ...] = ()
    killed: bool = False
    failed: bool = False
    left: bool = False

    @property
    def exit_code(self) -> int:
        """hvctl's own: 3 where the guest could not be run, 0 where QEMU ended with 0 and nothing was wrong with the
        guest, else 1."""
        if self.failed:
            return 3
        return 1 if self.status or self.crashes or self.left else 0


def verdict(ending: Ending) -> tuple[str, ...]:
    """What to tell the user beside what was said while the guest ran; nothing after a normal end."""
    if ending.left:
        return ("QEMU still ran when its wrapper ended, and was ended, too: let the wrapper exec QEMU, or wait for it",)
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


def explain(lines: Sequence[str]) -> tuple[str, ...]:
    """What hvctl knows of QEMU's messages: for each its cause, a remedy, and where there is more, a line each."""
    from hvctl.text.diagnosis import diagnose  # only where QEMU does not start

    said: list[str] = []
    for found in diagnose("\n".join(lines), "").found:
        if found.message.vague:
            continue
        said += [f"cause: {found.cause}", f"remedy: {found.remedy}"]
        said += [f"see: hvctl explain {row.id}" for row in found.rows]
    return tuple(said)


def harmless(text: str, limit: int = MAX_LINE) -> str:
    """One line of at most `limit` characters, in which control and formatting characters are written as escapes."""
    return printable(text[:limit], keep="\t") + ("…" if len(text) > limit else "")


class Relay:
    """Takes bytes as they come and shows whole lines; keeps the first lines in `kept`."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self.kept: list[str] = []
        self._show = show
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._partial = ""

    def feed(self, data: bytes) -> None:
        """Show the lines that `data` completes. A line that is longer than MAX_LINE is shown in parts."""
        *lines, self._partial = (self._partial + self._decoder.decode(data)).split("\n")
        for line in lines:
            self._line(line)
        while len(self._partial) > MAX_LINE:
            self._line(self._partial[:MAX_LINE])
            self._partial = self._partial[MAX_LINE:]

    def end(self) -> None:
        """Show what is left of a line without its end."""
        if self._partial:
            self._line(self._partial)
            self._partial = ""

    def _line(self, text: str) -> None:
        line = harmless(text.removesuffix("\r"))
        if len(self.kept) < MAX_KEPT:
            self.kept.append(line)
        self._show(line)
