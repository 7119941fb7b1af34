"""A JSON document with one long list, written in parts: what stands before the list, its elements, what follows it."""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

# In the place of the elements; no text of the document's own has it.
MARK = "\0"
_MARKED = json.dumps(MARK)


class Frame(NamedTuple):
    """What stands around the elements, at their indentation, and between two of them; all of it where there is none."""

    head: str
    tail: str
    between: str
    empty: str


def frame(document: dict[str, Any], elements: list[str]) -> Frame:
    """The frame of a document whose list `elements` is `[MARK]`; that list is empty afterwards."""
    head, _, tail = _text(document).partition(_MARKED)
    elements.clear()
    return Frame(head, f"{tail}\n", f",{_break(head)}", f"{_text(document)}\n")


def parts(elements: "Iterable[dict[str, Any]]", depth: int) -> str:
    """Elements of a list in which each stands `depth` spaces deep, with what is between them."""
    line = f"\n{' ' * depth}"
    return f",{line}".join(_text(element).replace("\n", line) for element in elements)


def _break(head: str) -> str:
    return head[head.rindex("\n") :]


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=True)
