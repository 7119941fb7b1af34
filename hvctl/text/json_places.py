"""Where the values of a JSON text stand: a second, slow look at a file in which something is wrong.

`json.loads` is written in C and keeps no positions, so it reads every file; this scanner runs only to say where a
mistake is. It takes any text, finished or not, and never raises.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from hvctl.model.span import Span

Path = tuple[str | int, ...]
_SPACE = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_SCALAR = re.compile(r"[^\s,:\]}{\[]+")


class Places(NamedTuple):
    """Offsets (start, end) of values by their paths, and of the keys that occur again in the same object."""

    values: dict[Path, tuple[int, int]]
    repeated: tuple[tuple[Path, tuple[int, int]], ...]


class _Open(NamedTuple):
    """A container that the scanner is in. `keys` is None in a list."""

    path: Path
    start: int
    keys: set[str] | None


def find_places(text: str, *, most_depth: int = 100) -> Places:
    """Scan as far as the text is JSON, and no deeper than `most_depth`."""
    return _Scanner(text, most_depth).run()


def span_at(text: str, path: str, start: int, end: int) -> Span:
    """The span of the characters from `start` up to `end` (exclusive) of a file's text."""
    first = text.rfind("\n", 0, start) + 1
    line = text.count("\n", 0, start) + 1
    last = text.rfind("\n", 0, end) + 1
    end_line = text.count("\n", 0, end) + 1
    stop = text.find("\n", first)
    excerpt = text[first : stop if stop >= 0 else len(text)].rstrip("\r")
    return Span(path, line, start - first + 1, end_line, end - last + 1, excerpt)


class _Scanner:
    def __init__(self, text: str, most_depth: int) -> None:
        self._text = text
        self._most_depth = most_depth
        self._values: dict[Path, tuple[int, int]] = {}
        self._repeated: list[tuple[Path, tuple[int, int]]] = []
        self._stack: list[_Open] = []
        self._next: Path = ()

    def run(self) -> Places:
        position = 0
        while position >= 0 and len(self._stack) <= self._most_depth:
            match = _SPACE.match(self._text, position)
            position = self._token(match.end() if match else position)
        return Places(self._values, tuple(self._repeated))

    def _token(self, at: int) -> int:
        """Take one token; the offset after it, or -1 at the end."""
        character = self._text[at : at + 1]
        if character in ("{", "["):
            self._values.setdefault(self._next, (at, at + 1))
            self._stack.append(_Open(self._next, at, set() if character == "{" else None))
            self._next = (*self._next, 0)
            return at + 1
        if character in ("}", "]"):
            return self._close(at + 1)
        if character == ",":
            return self._comma(at + 1)
        if character == ":":
            return at + 1
        match = (_STRING if character == '"' else _SCALAR).match(self._text, at)
        return self._scalar(at, match.end()) if match else -1

    def _close(self, after: int) -> int:
        if not self._stack:
            return -1
        closed = self._stack.pop()
        self._values[closed.path] = (closed.start, after)
        self._next = closed.path
        return after if self._stack else -1

    def _comma(self, after: int) -> int:
        if not self._stack:
            return -1
        current = self._stack[-1]
        last = self._next[-1]
        if current.keys is None and isinstance(last, int):
            self._next = (*current.path, last + 1)
        return after

    def _scalar(self, at: int, after: int) -> int:
        current = self._stack[-1] if self._stack else None
        if current is not None and current.keys is not None and self._is_key(after):
            self._key(current, at, after)
        else:
            self._values[self._next] = (at, after)
        return after if self._stack else -1

    def _is_key(self, after: int) -> bool:
        match = _SPACE.match(self._text, after)
        return self._text[match.end() if match else after :][:1] == ":"

    def _key(self, current: _Open, at: int, after: int) -> None:
        try:
            key = str(json.loads(self._text[at:after]))
        except ValueError:
            key = self._text[at:after]
        assert current.keys is not None
        self._next = (*current.path, key)
        if key in current.keys:
            self._repeated.append((self._next, (at, after)))
        current.keys.add(key)
