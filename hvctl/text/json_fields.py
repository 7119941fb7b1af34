"""JSON values with the types that they must have, and every mistake noted by its path.

Unknown keys are passed over: a newer hvctl may have added them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from hvctl.catalog.kvm import REGISTERS
from hvctl.model.host import CpuidLeaf
from hvctl.text.recognition import FileKind

FORMAT_VERSION = 1
"""Of every JSON document that hvctl prints, keeps or reads."""
_HEX = r"0x[0-9a-f]{8}"
_NAMES = {dict: "an object", list: "a list", str: "a string", int: "a whole number", bool: "true or false"}
_MISSING = object()
_LONGEST_TEXT = 1000
_LONGEST_RAW = 64 * 1024
MOST_MISTAKES = 20
"""Of a document, as many as are shown."""
_SMALLEST, _LARGEST = -(1 << 63), (1 << 64) - 1


def is_line(value: Any) -> bool:
    """Whether a text can be printed and kept: texts reach the terminal."""
    return type(value) is str and value.isprintable() and len(value) <= _LONGEST_TEXT


class Mistake(NamedTuple):
    """What is wrong at a path of the document."""

    path: tuple[str | int, ...]
    message: str


class EnoughError(Exception):
    """There are as many mistakes as are shown."""


class Form(NamedTuple):
    """A form of document: what messages call it, how one comes by it."""

    name: str
    hint: str
    wanted: FileKind


def root_fields(document: Any, form: Form, mistakes: list[Mistake]) -> Fields | None:
    """The fields of a whole document; None where it is not one of this form and version at all."""
    if not isinstance(document, dict):
        mistakes.append(Mistake((), f"a {form.name} holds {_NAMES[dict]}, not {kind_of(document)}"))
        return None
    found = document.get("format_version", _MISSING)
    if found is _MISSING:
        mistakes.append(Mistake((), f'this is not a {form.name}: it has no "format_version"'))
    elif type(found) is not int:
        mistakes.append(Mistake(("format_version",), f"format_version is a whole number, not {kind_of(found)}"))
    elif found != FORMAT_VERSION:
        reads = f"this hvctl reads {form.name}s of format_version {FORMAT_VERSION}, not {found}"
        mistakes.append(Mistake(("format_version",), reads))
    return None if mistakes else Fields(mistakes, document, ())


class Fields:
    """One object of the document. A getter notes a wrong or missing value and gives a harmless one instead."""

    def __init__(self, mistakes: list[Mistake], values: dict[str, Any], path: tuple[str | int, ...]) -> None:
        self._mistakes = mistakes
        self._values = values
        self._path = path

    @property
    def mistakes(self) -> list[Mistake]:
        """All mistakes of the document so far."""
        return self._mistakes

    def wrong(self, key: str, message: str) -> None:
        """Note that the value of a key is wrong."""
        self._wrong(message, key)

    def says(self, key: str, value: str) -> bool:
        """Whether a key has this very text."""
        return self._values.get(key) == value

    def without(self, key: str) -> dict[str, Any]:
        """The object less one key."""
        return {name: value for name, value in self._values.items() if name != key}

    def _wrong(self, message: str, *path: str | int) -> None:
        self._mistakes.append(Mistake((*self._path, *path), message))
        if len(self._mistakes) == MOST_MISTAKES:  # a file can have a million
            raise EnoughError

    def _get(self, key: str, kind: type, *, optional: bool = False, needed: bool = True) -> Any:
        """The value of this exact type; None where it is null, missing or wrong."""
        value = self._values.get(key, _MISSING)
        # `type() is`: bool is an int to isinstance.
        if type(value) is kind:
            return value if self._fits(key, value) else None
        if value is _MISSING:
            if needed and not optional:
                self._wrong(f'"{key}" is missing')
        elif value is not None or not optional:
            or_null = " or null" if optional else ""
            self._wrong(f'"{key}" must be {_NAMES[kind]}{or_null}, not {kind_of(value)}', key)
        return None

    def _fits(self, key: str, value: Any) -> bool:
        """Whether a scalar is one that can be printed and counted with: texts reach the terminal."""
        if type(value) is str and not (value.isprintable() and len(value) <= _LONGEST_TEXT):
            self._wrong(f'"{key}" must be one printable line of at most {_LONGEST_TEXT} characters', key)
            return False
        if type(value) is int and not _SMALLEST <= value <= _LARGEST:
            self._wrong(f'"{key}" does not fit into 64 bits', key)
            return False
        return True

    def _keys(self) -> list[str]:
        """The keys that are used as names."""
        for key in self._values:
            if not key.isprintable() or len(key) > _LONGEST_TEXT:
                self._wrong("a key must be printable", key)
        return list(self._values)

    def names(self) -> set[str]:
        """The keys, which can be used as names."""
        return set(self._keys())

    def raw(self, key: str) -> str:
        """A text of any content, to be cleaned before it is shown; empty where it is null or missing."""
        value = self._values.get(key)
        if value is None or (type(value) is str and len(value) <= _LONGEST_RAW):
            return value or ""
        self._wrong(f'"{key}" must be null or a string of at most {_LONGEST_RAW} characters', key)
        return ""

    def raw_items(self) -> dict[str, str]:
        return {key: self.raw(key) for key in self._keys()}

    def signed(self, key: str) -> int:
        """A number that may be negative."""
        return self._get(key, int) or 0

    def numbers(self, key: str, *, below: int) -> tuple[int, ...]:
        """A list of numbers from 0 on."""
        values = self._get(key, list) or []
        if not all(type(value) is int and 0 <= value < below for value in values):
            self._wrong(f'"{key}" holds whole numbers from 0 to {below - 1}', key)
            return ()
        return tuple(values)

    def rows(self, key: str, width: int, *, below: int) -> list[tuple[int, ...]]:
        """A list of lists of so many numbers from 0 on."""
        found = []
        for position, row in enumerate(self._get(key, list) or []):
            fits = type(row) is list and len(row) == width
            if fits and all(type(value) is int and 0 <= value < below for value in row):
                found.append(tuple(row))
            else:
                self._wrong(f'"{key}" holds lists of {width} whole numbers from 0 to {below - 1}', key, position)
        return found

    def text(self, key: str, *, optional: bool = False) -> str | None:
        value: str | None = self._get(key, str, optional=optional)
        return value

    def word(self, key: str, words: Sequence[str]) -> str:
        """One of some words; the first of them where it is another or missing."""
        value = self.text(key)
        return words[0] if value is None else self.word_of(key, value, words)

    def word_of(self, key: str, value: str, words: Sequence[str]) -> str:
        """The value of a key if it is one of some words, else the first of them and a mistake."""
        if value in words:
            return value
        self._wrong(f'"{key}" is one of {", ".join(words)}, not "{value[:40]}"', key)
        return words[0]

    def number(self, key: str, *, optional: bool = True, limits: tuple[int, int] | None = None) -> int | None:
        value: int | None = self._get(key, int, optional=optional)
        if value is not None and value < 0:
            self._wrong(f'"{key}" must not be negative', key)
        elif value is not None and limits and not limits[0] <= value <= limits[1]:
            self._wrong(f'"{key}" must be null or from {limits[0]} to {limits[1]}, not {value}', key)
        return value

    def flag(self, key: str) -> bool | None:
        value: bool | None = self._get(key, bool, optional=True)
        return value

    def fields(self, key: str, *, optional: bool = False, needed: bool = True) -> Any:
        """The object under a key; where it is missing an empty one, or None if `optional`."""
        before = len(self._mistakes)
        value = self._get(key, dict, optional=optional, needed=needed)
        if value is None and optional:
            return None
        if value is None and len(self._mistakes) > before:
            return Absent(self._mistakes, {}, (*self._path, key))
        return Fields(self._mistakes, value or {}, (*self._path, key))

    def records_or_none(self, key: str) -> list[Fields] | None:
        """The objects of a list, or None for null."""
        return None if self._get(key, list, optional=True) is None else self.records(key)

    def records(self, key: str, *, needed: bool = True) -> list[Fields]:
        values = self._get(key, list, needed=needed) or []
        found = []
        for position, value in enumerate(values):
            if type(value) is dict:
                found.append(Fields(self._mistakes, value, (*self._path, key, position)))
            else:
                self._wrong(f'"{key}" holds objects, not {kind_of(value)}', key, position)
        return found

    def texts(self, key: str, *, needed: bool = True) -> tuple[str, ...]:
        return self._strings(key, self._get(key, list, needed=needed) or [])

    def texts_or_none(self, key: str, *, lines: bool = True) -> tuple[str, ...] | None:
        """A list of strings, or None for null; of any length and content where they need not be `lines`."""
        values = self._get(key, list, optional=True)
        return None if values is None else self._strings(key, values, lines=lines)

    def _strings(self, key: str, values: list[Any], *, lines: bool = True) -> tuple[str, ...]:
        for position, value in enumerate(values):
            if type(value) is not str:
                self._wrong(f'"{key}" holds strings, not {kind_of(value)}', key, position)
            elif lines and (not value.isprintable() or len(value) > _LONGEST_TEXT):
                self._wrong(f'"{key}" holds printable lines of at most {_LONGEST_TEXT} characters', key, position)
        return tuple(value for value in values if type(value) is str)

    def text_items(self) -> tuple[tuple[str, str], ...]:
        return tuple((key, self.text(key) or "") for key in self._keys())

    def number_items(self) -> tuple[tuple[str, int], ...]:
        return tuple((key, self.number(key, optional=False) or 0) for key in self._keys())

    def scalar_items(self) -> tuple[tuple[str, bool | int | str], ...]:
        for key in self._keys():
            if type(self._values[key]) not in (bool, int, str):
                what = kind_of(self._values[key])
                self._wrong(f'"{key}" must be true, false, a whole number or a string, not {what}', key)
        found = ((key, value) for key, value in self._values.items() if type(value) in (bool, int, str))
        return tuple((key, value) for key, value in found if self._fits(key, value))

    def leaf_items(self) -> tuple[CpuidLeaf, ...]:
        leaves = []
        for key in self._values:
            if not re.fullmatch(_HEX, key):
                self._wrong(f'a CPUID leaf is written like "0x40000003", not "{key[:40]}"', key)
                continue
            registers = self.fields(key)
            leaves.append(CpuidLeaf(int(key, 16), *(registers.hexadecimal(name) for name in REGISTERS)))
        return tuple(sorted(leaves))

    def hexadecimal(self, key: str) -> int:
        value = self.text(key)
        if value is None:
            return 0
        if not re.fullmatch(_HEX, value):
            self._wrong(f'"{key}" is written like "0x00002aff", not "{value[:40]}"', key)
            return 0
        return int(value, 16)


class Absent(Fields):
    """An object that is not there, which was said once: `_get` is asked as for any other and has nothing to give."""

    def _get(self, key: str, kind: type, *, optional: bool = False, needed: bool = True) -> Any:  # noqa: ARG002 - Fields'
        return None


def kind_of(value: Any) -> str:
    return "null" if value is None else _NAMES.get(type(value), "a number with a fraction")
