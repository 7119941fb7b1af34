"""JSON documents of hvctl's: read with every mistake told by its line and column, written to be read and compared.

What a reader is given is not trusted: size, depth, types and repeated keys are checked.
"""

import contextlib
import functools
import json
import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple, TypeVar

from hvctl.errors import InputError, Problem, Span
from hvctl.text.files import LARGEST_JSON, name_of, read
from hvctl.text.json_fields import FORMAT_VERSION, MOST_MISTAKES, EnoughError, Fields, Form, Mistake, root_fields
from hvctl.text.recognition import check_kind

T = TypeVar("T")
_WIDTH = 100
Path = tuple[str | int, ...]
_SPACE = r"[ \t\r\n]*"
_STRING = r'"(?:[^"\\\x00-\x1f]|\\.)*"'
_SCALAR = r"[^\s,:\]}{\[]+"


class _FormError(ValueError):
    """Valid for Python's json, not for us."""


def read_bytes(path: str, form: Form) -> bytes:
    """The content of a file, `-` being stdin; raises UnreadableError."""
    return read(path, LARGEST_JSON, name=f"{form.name} {name_of(path)}", hint=form.hint)


def load(text: str, path: str, form: Form, decode_root: Callable[[Fields], T | None]) -> T:
    """What a document says.

    Args:
        text: the whole text.
        path: its path, for messages.
        form: what kind of document it must be.
        decode_root: makes a record of the fields, and notes in them what is wrong.

    Raises:
        InputError: it is not such a document; with every mistake and its place.
    """
    try:
        document = _parse(text, path, form)
        mistakes: list[Mistake] = []
        root = root_fields(document, form, mistakes)
        record = None
        with contextlib.suppress(EnoughError):
            record = decode_root(root) if root else None
        if record is None or mistakes:
            raise _mistaken(text, path, form, mistakes)
    except InputError:
        check_kind(text, name_of(path), form.wanted)
        raise
    return record


def _parse(text: str, path: str, form: Form) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise _broken(text, path, form, error) from error
    except _FormError as error:
        raise _bad_form(text, path, form, str(error)) from error
    except (RecursionError, ValueError) as error:
        # ValueError: a whole number of more than 4300 digits.
        what = "it is nested too deeply" if isinstance(error, RecursionError) else "it has a number that is too long"
        raise InputError([Problem(f"{path}: this is not a {form.name}: {what}")], form.hint) from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise _FormError("repeated")
    return values


def _no_constant(name: str) -> Any:
    raise _FormError(name)


def _broken(text: str, path: str, form: Form, error: json.JSONDecodeError) -> InputError:
    at = min(error.pos, len(text))
    ended = not text[at:].strip() or error.msg.startswith("Unterminated string")
    message = "the file ends in the middle of its JSON" if ended else f"this is not JSON: {error.msg}"
    return InputError([Problem(message, span_at(text, path, at, at + 1))], form.hint)


def _bad_form(text: str, path: str, form: Form, what: str) -> InputError:
    places = find_places(text)
    if what == "repeated":
        problems = [
            Problem(f'"{where[-1]}" is there twice', span_at(text, path, *place)) for where, place in places.repeated
        ]
        return InputError(problems[:MOST_MISTAKES] or [Problem(f"{path}: a key is there twice")], form.hint)
    message = f"{what[:40]} is not a value that a {form.name} can hold"
    found = [place for place in places.values.values() if text[slice(*place)] == what]
    if not found:
        return InputError([Problem(f"{path}: {message}")], form.hint)
    return InputError([Problem(message, span_at(text, path, *found[0]))], form.hint)


def _mistaken(text: str, path: str, form: Form, mistakes: list[Mistake]) -> InputError:
    values = find_places(text).values
    problems = []
    for mistake in mistakes:
        start, end = values.get(mistake.path, (0, 1))
        # A container is pointed at, not underlined to its end.
        end = start + 1 if "\n" in text[start:end] else end
        problems.append(Problem(mistake.message, span_at(text, path, start, end)))
    return InputError(sorted(problems, key=_position), form.hint)


def _position(problem: Problem) -> tuple[int, int]:
    return (problem.span.line, problem.span.column) if problem.span else (0, 0)


def dump(content: Mapping[str, Any]) -> str:
    """The text of a result, with its version and a final newline; in ASCII, which is the same in every encoding."""
    # ASCII's DEL is the one control character that JSON lets stay.
    return json.dumps({"format_version": FORMAT_VERSION, **content}, indent=2).replace("\x7f", "\\u007f") + "\n"


def write(value: Any, indent: int = 0) -> str:
    """JSON with one line for each entry; an object or list of scalars that fits on a line stays on it."""
    flat = json.dumps(value)
    entries = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(entries, list | tuple) or not entries:
        return flat
    if len(flat) + indent <= _WIDTH and not any(isinstance(entry, dict | list | tuple) for entry in entries):
        return flat
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        lines = [f"{inner}{json.dumps(key)}: {write(value[key], indent + 2)}" for key in value]
        opening, closing = "{", "}"
    else:
        lines = [inner + write(entry, indent + 2) for entry in value]
        opening, closing = "[", "]"
    return opening + "\n" + ",\n".join(lines) + "\n" + " " * indent + closing


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
    begins = _line_begins(text)
    line, end_line = bisect_right(begins, start), bisect_right(begins, end)
    first, last = begins[line - 1], begins[end_line - 1]
    return Span(path, line, start - first + 1, end_line, end - last + 1, _line(text, line))


# Kept, since a command line can have 50,000 mistakes, all of them on one line.
@functools.lru_cache(maxsize=1)
def _line(text: str, number: int) -> str:
    begins = _line_begins(text)
    return text[begins[number - 1] : begins[number] - 1 if number < len(begins) else len(text)].rstrip("\r")


@functools.lru_cache(maxsize=1)
def _line_begins(text: str) -> Sequence[int]:
    return array("I", accumulate((len(line) + 1 for line in text.split("\n")), initial=0))[:-1]


class _Scanner:
    """A second, slow look at a file in which something is wrong: `json.loads` is written in C and keeps no positions.

    It takes any text, finished or not, and never raises.
    """

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
            match = re.compile(_SPACE).match(self._text, position)
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
        match = re.compile(_STRING if character == '"' else _SCALAR).match(self._text, at)
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
        match = re.compile(_SPACE).match(self._text, after)
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
