"""What QEMU writes to stderr, made fit to be shown: it may hold anything that a guest or a disk image's name holds."""

from __future__ import annotations

import codecs
from collections.abc import Callable

MAX_LINE = 4096
# A refusal comes first of all; a guest that makes QEMU talk for days must not fill hvctl's memory.
MAX_KEPT = 100


def harmless(text: str, limit: int = MAX_LINE) -> str:
    """One line of at most `limit` characters, in which control and formatting characters are written as escapes."""
    cut = text[:limit]
    shown = "".join(char if char.isprintable() or char == "\t" else ascii(char)[1:-1] for char in cut)
    return shown + ("…" if len(text) > limit else "")


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
