"""The types of what QEMU answers over QMP: nothing in an answer is believed unseen."""

from __future__ import annotations

from typing import Any

MOST_ENTRIES = 5000
MOST_CHARACTERS = 200


class BadReplyError(ValueError):
    """A QMP answer has not the form that QEMU documents."""


def record(value: Any) -> dict[str, Any]:
    """An object of reasonable size; raises BadReplyError."""
    if not isinstance(value, dict) or len(value) > MOST_ENTRIES:
        raise BadReplyError("an answer is not an object of reasonable size")
    return value


def listed(value: Any) -> list[Any]:
    """A list of reasonable length; raises BadReplyError."""
    if not isinstance(value, list) or len(value) > MOST_ENTRIES:
        raise BadReplyError("an answer is not a list of reasonable length")
    return value


def text(value: Any) -> str:
    """A short printable text; raises BadReplyError."""
    if not isinstance(value, str) or len(value) > MOST_CHARACTERS or not value.isprintable():
        raise BadReplyError("an answer has something else where a short text is expected")
    return value


def number(value: Any) -> int:
    """A number that is not negative and fits into 31 bits; raises BadReplyError."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 31:
        raise BadReplyError("an answer has something else where a number is expected")
    return value
