"""What the readers of a domain's parts share: words and numbers of attributes, mistakes, and doubts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hvctl.text import c_numbers
from hvctl.text.problems import Problems, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hvctl.xml.source import Element

# strtoull with base 10 and without a minus, as virStrToLong_ullp takes it.
_DECIMAL = re.compile(r"[ \t\n\v\f\r]*\+?([0-9]+)", re.ASCII)
_LONGEST_NUMBER = 40
# A file of 16 MiB can give rise to a million; nobody reads more than these.
_MOST_DOUBTS = 50


class Reading:
    """Mistakes, which are all told at once, and sentences about what is there and could not be read."""

    def __init__(self) -> None:
        self.problems = Problems()
        self.doubts: list[str] = []

    def doubt(self, sentence: str) -> None:
        """Remember a sentence, once."""
        if len(self.doubts) < _MOST_DOUBTS and sentence not in self.doubts:
            self.doubts.append(sentence)

    def word(self, element: Element, name: str, words: Sequence[str]) -> str | None:
        """The attribute's value if it is one of the words; None where it is not there, or wrong and reported."""
        text = element.get(name)
        if text is None or text in words:
            return text
        hint = f"write {' or '.join(words)}"
        self.problems.add(f"{name} of <{element.tag}> cannot be {quoted(text)}", element.value_span(name), hint)
        return None

    def state(self, element: Element) -> bool | None:
        """Whether the element's `state` is on; None where that is missing or wrong, and reported."""
        if element.get("state") is None:
            self.problems.add(f"<{element.tag}> has no state", element.span, "write state='on' or state='off'")
        word = self.word(element, "state", ("on", "off"))
        return None if word is None else word == "on"

    def number(self, element: Element, name: str, minimum: int, maximum: int, *, decimal: bool = False) -> int | None:
        """The attribute's number; None where it is not there, or wrong and reported."""
        text = element.get(name)
        number = None if text is None else whole_number(text, decimal=decimal)
        if text is None or (number is not None and minimum <= number <= maximum):
            return number
        hint = f"write a whole number from {minimum} to {maximum}"
        self.problems.add(f"{name} of <{element.tag}> cannot be {quoted(text)}", element.value_span(name), hint)
        return None


def whole_number(text: str, *, decimal: bool = False) -> int | None:
    """The number that libvirt reads in a text with base 0, or with base 10; None where it reads none."""
    if not decimal:
        return c_numbers.whole_number(text)
    match = _DECIMAL.fullmatch(text) if len(text) <= _LONGEST_NUMBER else None
    return match and int(match[1])
