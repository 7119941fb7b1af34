"""How a QEMU ended: its exit status, its guest's crashes, and what it wrote to stderr.

That may hold anything that a guest or a disk image's name holds, and is made fit to be shown. A refusal to start is
explained in the catalog's words: the enlightenment that it is about, and what is known of it.
"""

import codecs
import re
import signal
from collections.abc import Callable, Sequence
from typing import NamedTuple

from hvctl.catalog import ROWS
from hvctl.catalog.types import Row
from hvctl.run.crash import Crash
from hvctl.text.problems import printable

MAX_LINE = 4096
# A refusal comes first of all; a guest that makes QEMU talk for days must not fill hvctl's memory.
MAX_KEPT = 100
# "failed to turn on HyperV SynIC in KVM", "kernel doesn't allow setting HyperV VP_INDEX" (qemu:target/i386/kvm/kvm.c):
# messages from outside QEMU's table of enlightenments name them in this way only.
_LOOSE = re.compile(r"Hyper-?V (\w+)", re.IGNORECASE)
_PROPERTY = re.compile(r"\b(?:x-)?hv[-_][\w-]+")


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


def about(lines: Sequence[str]) -> tuple[Row, ...]:
    """The rows that QEMU's messages name, in the order in which they are first named."""
    found: list[Row] = []
    for line in lines:
        named = [row for name in _PROPERTY.findall(line) if (row := _by_property(name))]
        found += named or [row for word in _LOOSE.findall(line) if (row := _by_word(word))]
    return tuple({row.id: row for row in found}.values())


def explain(lines: Sequence[str]) -> tuple[str, ...]:
    """What hvctl knows of each enlightenment that QEMU refused over; a line for each statement."""
    said: list[str] = []
    for row in about(lines):
        said.append(f"{row.id} ({row.title}): {row.advice_text}")
        if row.requires:
            said.append(f"  it requires {', '.join(row.requires)}")
        if row.caps:
            said.append(f"  the host's kernel shows it as {', '.join(row.caps)}")
        if row.avoid:
            said.append(f"  {row.avoid}")
        said.append(f"  see: hvctl explain {row.id}; hvctl check-host shows what this host supports")
    return tuple(said)


def _by_property(name: str) -> Row | None:
    wanted = name.replace("_", "-")
    return next(
        (
            row
            for row in ROWS
            if wanted in (*(known.name for known in row.properties), *(f"hv-{alias}" for alias in row.property_aliases))
            or wanted in row.property_aliases
        ),
        None,
    )


def _by_word(word: str) -> Row | None:
    wanted = re.sub(r"[\W_]", "", word).lower()
    return next((row for row in ROWS if row.id.replace("-", "") == wanted), None)


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
