"""Edits of an XML file that change the bytes of what they are about, and no others.

What is written anew looks like its surroundings: the file's line ends, indentation, quotes and encoding.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

from hvctl.xml import Node
from hvctl.xml.document import Document, Element

_BREAK = re.compile(r"\r\n|\r|\n")
_COMMENTS = r"(?:[ \t]*<!--(?:(?!-->).)*-->)+"
_QUOTE = re.compile("[\"']")
_UNIT = "  "
_EARLY = 1000  # bytes
_DEEPEST = 500  # characters
_CONTENT = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_VALUE = {**_CONTENT, "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
# By the quotes around.
_ESCAPES = {
    "": str.maketrans(_CONTENT),
    '"': str.maketrans({**_VALUE, '"': "&quot;"}),
    "'": str.maketrans({**_VALUE, "'": "&apos;"}),
}
_ESCAPED = re.compile(r"[&<>\t\r\n\"']")


class Editor:
    """Collects edits of one document; `result` carries them out. An element is removed or edited, not both."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._splices: list[tuple[int, int, str]] = []
        self._inside: dict[Element, list[tuple[Element | None, Node]]] = {}
        self._blank = document.width(" ")
        # Found when they are needed: there may be thousands of editors of one file, one for each fix.
        self._line_end: str | None = None
        self._common_quote = ""
        self._root_quote = ""
        self._indents: dict[Element, str] = {}
        self._step: str | None = None

    def set(self, element: Element, name: str, value: str) -> None:
        """Give an attribute a value; nothing is changed where it has it."""
        if element.get(name) == value:
            return
        if found := element.attribute(name):
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
        if parent is not None and (end == parent.close_start or self._ends_its_line(end)):
            start -= self._document.width(self._line_begun(start))
        self._splice(start, end, "")

    def _ends_its_line(self, offset: int) -> bool:
        """Whether only blanks follow on the line."""
        text = self._document.text(offset, offset + _DEEPEST * self._blank)
        return text.lstrip(" \t").startswith(("\r", "\n"))

    def _line_begun(self, offset: int) -> str:
        """The line break and the blanks before an offset; empty where something else stands on the line."""
        # What is looked at is the most that anybody indents by.
        text = self._document.text(max(0, offset - _DEEPEST * self._blank), offset)
        line = text.rstrip(" \t")
        if not line.endswith(("\n", "\r")):
            return ""
        return text[len(line) - (2 if line.endswith("\r\n") else 1) :]

    def replace(self, element: Element, node: Node) -> None:
        """Put a new element in the place of one."""
        self._splice(element.start, element.end, self._written(node, self._indent(element)))

    def insert(self, parent: Element, node: Node, after: Element | None) -> None:
        """Add a child behind another one, or as the first."""
        self._inside.setdefault(parent, []).append((after, node))

    def splices(self) -> list[tuple[int, int, str]]:
        """All edits in the file's order: where each begins and ends, and the new text."""
        for parent, entries in self._inside.items():
            self._insert_all(parent, entries)
        self._inside.clear()
        return sorted(self._splices, key=itemgetter(0, 1))

    def result(self) -> bytes:
        """The file with all edits."""
        data, parts, at = self._document.data, [], 0
        for start, end, text in self.splices():
            parts += [data[at:start], text.encode(self._document.codec, "xmlcharrefreplace")]
            at = end
        return b"".join([*parts, data[at:]])

    def _insert_all(self, parent: Element, entries: Sequence[tuple[Element | None, Node]]) -> None:
        inner = self._inner_indent(parent)
        if parent.self_closing:
            text = "".join([inner + self._written(node, inner) for _, node in entries])
            slash = parent.end - self._document.width("/>")
            start = slash - self._document.width(self._space_before(slash))
            self._splice(start, parent.end, f">{text}{self._indent(parent)}</{parent.tag}>")
            return
        for after, group in groupby(entries, itemgetter(0)):
            at = self._behind(parent, after)
            self._splice(at, at, "".join([inner + self._written(node, inner) for _, node in group]))
        if not parent.below and inner and not _BREAK.search(self._space_before(parent.close_start)):
            self._splice(parent.close_start, parent.close_start, self._indent(parent))

    def _behind(self, parent: Element, after: Element | None) -> int:
        """Where to add behind a child, or behind the start tag: after the comments that end the same line."""
        at = parent.open_end if after is None else after.end
        if self._document.text(at, at + self._blank) not in (" ", "\t", "<"):
            return at
        # Nobody writes a longer comment behind an element.
        line = _BREAK.split(self._document.text(at, at + 2000 * self._blank), 1)[0]
        comments = re.match(_COMMENTS, line)
        return at + self._document.width(comments[0]) if comments else at

    @property
    def _break(self) -> str:
        """How the file's first line ends; empty where there is one line."""
        if self._line_end is None:
            self._line_end = _first_break(self._document)
        return self._line_end

    def _written(self, node: Node, indent: str) -> str:
        """A node as text; `indent` is the line break and the space before it, empty in a file without line breaks."""
        quote = self._root_quote = self._root_quote or self._quote(self._document.root)
        attributes = "".join([f" {name}={quote}{escaped(value, quote)}{quote}" for name, value in node.attributes])
        if not node.children and not node.text:
            return f"<{node.tag}{attributes}/>"
        deeper = indent + self._unit() if indent else ""
        inside = "".join([deeper + self._written(child, deeper) for child in node.children]) or escaped(node.text, "")
        return f"<{node.tag}{attributes}>{inside}{indent if node.children else ''}</{node.tag}>"

    def _quote(self, element: Element) -> str:
        """The quotes of the element's own attributes, else of the first in the file."""
        if quote := _QUOTE.search(element.written.text):
            return quote[0]
        if not self._common_quote:
            all_ = (_QUOTE.search(one.written.text) for one in self._document.root.walk())
            self._common_quote = next((quote[0] for quote in all_ if quote), "'")
        return self._common_quote

    def _indent(self, element: Element) -> str:
        """The line break and space before an element; empty where it does not begin its line."""
        if element not in self._indents:
            begun = self._line_begun(element.start)
            breaks = begun or element is self._document.root
            self._indents[element] = self._break + begun.lstrip("\r\n") if breaks else ""
        return self._indents[element]

    def _inner_indent(self, parent: Element) -> str:
        """The same for a child of an element: as its other children, else one step deeper."""
        if parent.below:
            return self._indent(parent.below[0])
        own = self._indent(parent)
        return own + self._unit() if own else ""

    def _unit(self) -> str:
        """One step of indentation: of the root's first child."""
        if self._step is None:
            root = self._document.root
            own, first = (self._indent(one).removeprefix(self._break) for one in (root, (root.below or [root])[0]))
            self._step = first.removeprefix(own) if root.below else _UNIT
        return self._step

    def _space_before(self, offset: int) -> str:
        """The blanks and line breaks directly before an offset."""
        text = self._document.text(max(0, offset - _DEEPEST * self._blank), offset)
        return text[len(text.rstrip(" \t\r\n")) :]

    def _splice(self, start: int, end: int, text: str) -> None:
        self._splices.append((start, end, text))


def _first_break(document: Document) -> str:
    size = len(document.data)
    text = document.text(0, min(size, _EARLY))
    match = _BREAK.search(text)
    if match is None or match.end() == len(text):
        match = _BREAK.search(document.text(0, size))
    return match[0] if match else ""


def escaped(text: str, quote: str) -> str:
    """A text as an attribute's value between such quotes, or as content where there are none."""
    return text.translate(_ESCAPES[quote]) if _ESCAPED.search(text) else text
