"""The bytes of an XML file, with lines and columns for their offsets, whatever the encoding."""

from __future__ import annotations

import codecs
import re
from array import array
from bisect import bisect_right
from itertools import accumulate

from hvctl.errors import Span

_STEP = 4096
_FEW = 16
_EVERY_BYTE = bytes(range(256))


class Source:
    """A file: `data` are its bytes, `codec` is Python's name of its encoding.

    Lines are counted as XML (2.11) and editors do, columns in code points. Nothing of it is computed before the first
    span is asked for.
    """

    __slots__ = (
        *("_begin", "_counted", "_errors", "_excerpt", "_lines", "_units"),
        *("codec", "data", "has_namespaces", "path"),
    )

    def __init__(self, data: bytes, path: str) -> None:
        self.data = data
        self.path = path
        self._lines: array[int] | None = None
        self._units: _Units | None = None
        self._counted = 0
        self._excerpt = (0, "")
        self.declare(None)

    def declare(self, encoding: str | None) -> None:
        """Take the encoding that the XML declaration names, as expat does: UTF-16 shows by its bytes alone."""
        self.codec, self._begin = _codec(self.data, encoding)
        # Most files declare none; then no element has one.
        self.has_namespaces = "xmlns".encode(self.codec) in self.data
        # expat takes lone surrogates in UTF-16; they must survive the way to text and back, or offsets would be wrong.
        self._errors = "surrogatepass" if self.codec.startswith("utf-16") else "replace"

    def declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        """The same, as expat calls it."""
        self.declare(encoding)

    def span(self, start: int, end: int) -> Span:
        """The place of the bytes from `start` up to `end` (exclusive)."""
        line, begin = self._line_of(start)
        last, last_begin = self._line_of(end)
        columns = self._column(begin, start), self._column(last_begin, end)
        return Span(self.path, line, columns[0], last, columns[1], self._line(line, begin))

    def text(self, start: int, end: int) -> str:
        """The source text from `start` up to `end`, with its references and line ends as they are written."""
        return self.data[start:end].decode(self.codec, self._errors)

    def width(self, text: str) -> int:
        """How many bytes a part of the source text takes."""
        if self.codec == "utf-8":
            return len(text) if text.isascii() else len(text.encode())
        return len(text.encode(self.codec, self._errors)) if self.codec.startswith("utf-16") else len(text)

    def single_bytes(self, text: str) -> bool:
        """Whether each character of a part of the source text is one byte."""
        return text.isascii() and not self.codec.startswith("utf-16")

    def find(self, char: str, at: int) -> int:
        """The offset of the first such character at or after `at`; it is known to be there."""
        wanted = char.encode(self.codec)
        found = self.data.index(wanted, at)
        while (found - at) % len(wanted):
            found = self.data.index(wanted, found + 1)
        return found

    def _line_of(self, offset: int) -> tuple[int, int]:
        """The line that an offset is in, and the offset where that begins."""
        if self._lines is None and self._counted < _FEW and self._ends_are_feeds():
            # For a few places that takes a tenth of the time that all lines take.
            self._counted += 1
            return self.data.count(b"\n", 0, offset) + 1, self.data.rfind(b"\n", 0, offset) + 1 or self._begin
        if self._lines is None:
            self._lines = _line_starts(self.data, self.codec, self._begin)
        line = max(1, bisect_right(self._lines, offset))
        return line, self._lines[line - 1]

    def _ends_are_feeds(self) -> bool:
        return not self.codec.startswith("utf-16") and b"\r" not in self.data

    def _column(self, begin: int, offset: int) -> int:
        if self._units is None:
            self._units = _Units(self.data, self.codec)
        # What points at the beginning of a file points before its byte order mark.
        return max(0, self._units.characters(offset) - self._units.characters(begin)) + 1

    def _line(self, line: int, begin: int) -> str:
        # Kept, since a file may be one line of 16 MiB, and each of its problems shows it.
        if self._excerpt[0] != line:
            if self._lines is None:
                found = self.data.find(b"\n", begin)
                end = found if found >= 0 else len(self.data)
            else:
                end = self._lines[line] if line < len(self._lines) else len(self.data)
            text = self.data[begin:end].decode(self.codec, "replace")
            self._excerpt = (line, text.rstrip("\r\n"))
        return self._excerpt[1]


class _Units:
    """Counts characters by their first units alone, in steps that are summed up once: a file may be one long line."""

    def __init__(self, data: bytes, codec: str) -> None:
        self.later, self.size = b"", 1
        if codec.startswith("utf-16"):
            # The second halves of what takes two units, by the byte of a unit that tells them.
            self.later, self.size = bytes(range(0xDC, 0xE0)), 2
            data = data[codec.endswith("le") :: 2]
        elif codec == "utf-8" and not data.isascii():
            self.later = bytes(range(0x80, 0xC0))
        self.tells = data
        steps = range(0, len(data), _STEP) if self.later else ()
        self.sums = array("I", accumulate((self._count(at, at + _STEP) for at in steps), initial=0))

    def characters(self, offset: int) -> int:
        """How many characters begin before an offset."""
        unit = offset // self.size
        if not self.later:
            return unit
        step = unit // _STEP
        return self.sums[step] + self._count(step * _STEP, unit)

    def _count(self, start: int, end: int) -> int:
        return len(self.tells[start:end].translate(None, self.later))


def _codec(data: bytes, declared: str | None) -> tuple[str, int]:
    """Python's name of the encoding, and how many bytes its byte order mark takes."""
    if declared is None and data[:1] == b"<" and data[1:2] > b"\0":
        return "utf-8", 0  # most files
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16-le" if data.startswith(codecs.BOM_UTF16_LE) else "utf-16-be", 2
    if len(data) > 1 and 0 in data[:2]:
        return "utf-16-be" if data[0] == 0 else "utf-16-le", 0
    begin = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    return declared.lower() if declared and _has_eight_bits(declared) else "utf-8", begin


def _has_eight_bits(encoding: str) -> bool:
    """Whether each byte is a character: the same question as pyexpat's, which takes no other codecs of Python's."""
    try:
        return len(_EVERY_BYTE.decode(encoding, "replace")) == len(_EVERY_BYTE)
    except (LookupError, ValueError):
        return False


def _line_starts(data: bytes, codec: str, begin: int) -> array[int]:
    if not codec.startswith("utf-16"):
        # splitlines() of bytes knows the same three line ends; what it takes for a line's end may be none of another
        # encoding, but each 8-bit encoding that expat reads has ASCII in its place.
        starts = array("I", accumulate(map(len, data.splitlines(keepends=True)), initial=0))
        starts[0] = begin
        return starts if data.endswith((b"\r", b"\n")) else starts[: max(1, len(starts) - 1)]
    starts = array("I", [begin])
    feed, back = "\n".encode(codec), "\r".encode(codec)
    pattern = re.compile(b"|".join(map(re.escape, (back + feed, back, feed))))
    # At an odd offset it is the second half of one character and the first of the next.
    starts.extend(match.end() for match in pattern.finditer(data) if match.start() % 2 == 0)
    return starts
