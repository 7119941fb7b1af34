"""Edits of an XML file that change the bytes of what they are about, and no others.

What is written anew looks like its surroundings: the file's line ends, indentation, quotes and encoding.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hvctl.formats.xml_source import Document, Element, Piece

_BREAK = re.compile(r"\r\n|\r|\n")
_COMMENTS = re.compile(r"(?:[ \t]*<!--(?:(?!-->).)*-->)+")
_UNIT = "  "
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}


class Node(NamedTuple):
    """A new element: its tag, attributes, children or text."""

    tag: str
    attributes: tuple[tuple[str, str], ...] = ()
    children: tuple[Node, ...] = ()
    text: str = ""


class Editor:
    """Collects edits of one document; `result` carries them out. An element is removed or edited, not both."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._splices: list[tuple[int, int, str]] = []
        self._inside: dict[Element, list[tuple[Element | None, Node]]] = {}
        match = _BREAK.search(document.text(0, len(document.data)))
        self._break = match[0] if match else ""
        self._common_quote = ""
        self._step: str | None = None

    def set(self, element: Element, name: str, value: str) -> None:
        """Give an attribute a value; nothing is changed where it has it."""
        if element.get(name) == value:
            return
        found = element.attribute(name)
        if found:
            quote = self._document.text(found.value_end, found.value_end + self._document.width('"'))
            self._splice(found.value_start, found.value_end, escaped(value, quote))
            return
        quote = self._quote(element)
        last = max((one.value_end + self._document.width(quote) for one in element.attributes()), default=None)
        at = element.start + self._document.width(f"<{element.tag}") if last is None else last
        self._splice(at, at, f" {name}={quote}{escaped(value, quote)}{quote}")

    def drop(self, element: Element, name: str) -> None:
        """Take an attribute away, with the space before it."""
        found = element.attribute(name)
        if found is None:
            return
        before = element.start + self._document.width(f"<{element.tag}")
        for other in element.attributes():
            if other.value_end < found.name_start:
                before = max(before, other.value_end + self._document.width('"'))
        self._splice(before, found.value_end + self._document.width('"'), "")

    def remove(self, element: Element) -> None:
        """Take an element away, with its line where nothing else stands on it."""
        start, end = element.start, element.end
        parent = element.parent
        if parent is not None:
            around = list(parent.content())
            place = around.index(element)
            before = self._text_of(around[place - 1]) if place else ""
            after = self._text_of(around[place + 1]) if place + 1 < len(around) else "\n"
            blank = before[len(before.rstrip(" \t")) :]
            head = before[: len(before) - len(blank)]
            alone = after.lstrip(" \t").startswith(("\r", "\n"))
            if alone and (match := re.search(r"(?:\r\n|\r|\n)\Z", head)):
                start -= self._document.width(match[0] + blank)
        self._splice(start, end, "")

    def replace(self, element: Element, node: Node) -> None:
        """Put a new element in the place of one."""
        self._splice(element.start, element.end, self._written(node, self._indent(element)))

    def insert(self, parent: Element, node: Node, after: Element | None) -> None:
        """Add a child behind another one, or as the first."""
        self._inside.setdefault(parent, []).append((after, node))

    def result(self) -> bytes:
        """The file with all edits."""
        for parent, entries in self._inside.items():
            self._insert_all(parent, entries)
        self._inside.clear()
        data = self._document.data
        parts: list[bytes] = []
        at = 0
        for start, end, text in sorted(self._splices, key=lambda splice: splice[:2]):
            parts += [data[at:start], text.encode(self._document.codec, "xmlcharrefreplace")]
            at = end
        return b"".join([*parts, data[at:]])

    def _insert_all(self, parent: Element, entries: Sequence[tuple[Element | None, Node]]) -> None:
        inner = self._inner_indent(parent)
        if parent.self_closing:
            text = "".join(inner + self._written(node, inner) for _, node in entries)
            slash = parent.end - self._document.width("/>")
            start = slash - self._document.width(self._space_before(slash))
            self._splice(start, parent.end, f">{text}{self._indent(parent)}</{parent.tag}>")
            return
        for after, node in entries:
            at = self._behind(parent, after)
            self._splice(at, at, inner + self._written(node, inner))
        if not parent.children and inner and not _BREAK.search(self._space_before(parent.close_start)):
            self._splice(parent.close_start, parent.close_start, self._indent(parent))

    def _behind(self, parent: Element, after: Element | None) -> int:
        """Where to add behind a child, or behind the start tag: after the comments that end the same line."""
        at = parent.open_end if after is None else after.end
        if self._document.text(at, at + self._document.width(" ")) not in (" ", "\t", "<"):
            return at
        # Nobody writes a longer comment behind an element.
        line = _BREAK.split(self._document.text(at, at + 2000 * self._document.width(" ")), 1)[0]
        comments = _COMMENTS.match(line)
        return at + self._document.width(comments[0]) if comments else at

    def _written(self, node: Node, indent: str) -> str:
        """A node as text; `indent` is the line break and the space before it, empty in a file without line breaks."""
        quote = self._quote(self._document.root)
        attributes = "".join(f" {name}={quote}{escaped(value, quote)}{quote}" for name, value in node.attributes)
        if not node.children and not node.text:
            return f"<{node.tag}{attributes}/>"
        deeper = indent + self._unit() if indent else ""
        inside = "".join(deeper + self._written(child, deeper) for child in node.children) or escaped(node.text, "")
        return f"<{node.tag}{attributes}>{inside}{indent if node.children else ''}</{node.tag}>"

    def _quote(self, element: Element) -> str:
        """The quotes of the element's own attributes, else of the first in the file."""
        if element.pairs:
            end = element.attributes()[0].value_end
            return self._document.text(end, end + self._document.width('"'))
        if not self._common_quote:
            first = next((one for one in self._document.root.walk() if one.pairs), None)
            self._common_quote = self._quote(first) if first else "'"
        return self._common_quote

    def _indent(self, element: Element) -> str:
        """The line break and space before an element; empty where it does not begin its line."""
        space = self._space_before(element.start)
        match = list(_BREAK.finditer(space))
        if match:
            return self._break + space[match[-1].end() :]
        return self._break if element.parent is None else ""

    def _inner_indent(self, parent: Element) -> str:
        """The same for a child of an element: as its other children, else one step deeper."""
        if parent.children:
            return self._indent(parent.children[0])
        own = self._indent(parent)
        return own + self._unit() if own else ""

    def _unit(self) -> str:
        """One step of indentation: of the root's first child."""
        if self._step is None:
            root = self._document.root
            own, first = (self._indent(one).removeprefix(self._break) for one in (root, *root.children[:1], root)[:2])
            self._step = first.removeprefix(own) if root.children else _UNIT
        return self._step

    def _space_before(self, offset: int) -> str:
        """The blanks and line breaks directly before an offset."""
        # The most that is looked at; nobody indents deeper.
        width = self._document.width(" ")
        start = max(0, offset - 500 * width)
        text = self._document.text(start, offset)
        return text[len(text.rstrip(" \t\r\n")) :]

    def _text_of(self, entry: Element | Piece) -> str:
        return self._document.text(entry.start, entry.end) if getattr(entry, "kind", "") else "<"

    def _splice(self, start: int, end: int, text: str) -> None:
        self._splices.append((start, end, text))


def escaped(text: str, quote: str) -> str:
    """A text as an attribute's value between such quotes, or as content where there are none."""
    escapes = {**_ESCAPES, **({quote: "&quot;" if quote == '"' else "&apos;"} if quote else {})}
    if not quote:
        escapes = {character: escapes[character] for character in "&<>"}
    return "".join(escapes.get(character, character) for character in text)
