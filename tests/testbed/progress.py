"""Progress of a boot on a terminal: one line that counts seconds and gives way to the command's output."""

import sys
from collections.abc import Callable
from typing import BinaryIO


class Progress:
    """Says on stderr what L1 does; silent unless `show`."""

    def __init__(self, name: str, show: bool) -> None:
        self._name = name
        self._show = show
        self._booting = True
        self._last = -1

    def say(self, text: str) -> None:
        self._clear()
        if self._show:
            print(text, file=sys.stderr, flush=True)

    def started(self, seconds: float) -> None:
        self.say(f"{self._name}: booted in {seconds:.1f} s")
        self._booting = False

    def tick(self, seconds: float) -> None:
        if self._show and self._booting and int(seconds) != self._last:
            self._last = int(seconds)
            print(f"\r{self._name}: booting, {self._last} s ", end="", file=sys.stderr, flush=True)

    def _clear(self) -> None:
        if self._show and self._last >= 0 and self._booting:
            print("\r\033[K", end="", file=sys.stderr)


def copier(stream: BinaryIO) -> Callable[[bytes], None]:
    """Writes to `stream` at once."""

    def copy(data: bytes) -> None:
        stream.write(data)
        stream.flush()

    return copy
