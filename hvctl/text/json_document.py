"""JSON documents of hvctl's: read with every mistake told by its line and column, written to be read and compared.

What a reader is given is not trusted: size, depth, types and repeated keys are checked.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from hvctl.errors import InputError
from hvctl.model.span import Problem
from hvctl.text.json_fields import Fields, Form, Mistake, root_fields

T = TypeVar("T")
_MOST_PROBLEMS = 20
_WIDTH = 100


class _FormError(ValueError):
    """Valid for Python's json, not for us."""


def read_bytes(path: str, form: Form) -> bytes:
    """The content of a file, `-` being stdin; raises InputError where it cannot be read or is too large."""
    try:
        if path == "-":
            if sys.stdin is None:
                raise ValueError("stdin is closed")
            data = sys.stdin.buffer.read(form.most_bytes + 1)
        else:
            with open(path, "rb") as stream:
                data = stream.read(form.most_bytes + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError([Problem(f"{path}: the {form.name} cannot be read: {reason}")], form.hint) from error
    if len(data) > form.most_bytes:
        raise InputError([Problem(f"{path}: a {form.name} has at most {form.most_bytes} bytes")], form.hint)
    return data


def decode(data: bytes, path: str, form: Form) -> str:
    """The text of a file; raises InputError for what is not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            [Problem(f"{path}: a {form.name} is UTF-8; byte {error.start + 1} is not")], form.hint
        ) from error


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
    document = _parse(text, path, form)
    mistakes: list[Mistake] = []
    root = root_fields(document, form, mistakes)
    record = decode_root(root) if root else None
    if record is None or mistakes:
        raise _mistaken(text, path, form, mistakes)
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
    from hvctl.text.json_places import span_at

    at = min(error.pos, len(text))
    ended = not text[at:].strip() or error.msg.startswith("Unterminated string")
    message = "the file ends in the middle of its JSON" if ended else f"this is not JSON: {error.msg}"
    return InputError([Problem(message, span_at(text, path, at, at + 1))], form.hint)


def _bad_form(text: str, path: str, form: Form, what: str) -> InputError:
    from hvctl.text.json_places import find_places, span_at

    places = find_places(text)
    if what == "repeated":
        problems = [
            Problem(f'"{where[-1]}" is there twice', span_at(text, path, *place)) for where, place in places.repeated
        ]
        return InputError(problems[:_MOST_PROBLEMS] or [Problem(f"{path}: a key is there twice")], form.hint)
    message = f"{what[:40]} is not a value that a {form.name} can hold"
    found = [place for place in places.values.values() if text[slice(*place)] == what]
    if not found:
        return InputError([Problem(f"{path}: {message}")], form.hint)
    return InputError([Problem(message, span_at(text, path, *found[0]))], form.hint)


def _mistaken(text: str, path: str, form: Form, mistakes: list[Mistake]) -> InputError:
    from hvctl.text.json_places import find_places, span_at

    values = find_places(text).values
    problems = []
    for mistake in mistakes[:_MOST_PROBLEMS]:
        start, end = values.get(mistake.path, (0, 1))
        # A container is pointed at, not underlined to its end.
        end = start + 1 if "\n" in text[start:end] else end
        problems.append(Problem(mistake.message, span_at(text, path, start, end)))
    return InputError(sorted(problems, key=_position), form.hint)


def _position(problem: Problem) -> tuple[int, int]:
    return (problem.span.line, problem.span.column) if problem.span else (0, 0)


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
