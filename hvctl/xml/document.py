"""An XML file as a tree of elements, with the places of all that they are written with.

An element knows the offsets of its start and of its end tag. All else is looked for in the file's bytes when it is
asked for: expat has found the file well-formed, so that the scans here need no errors of their own.

Offsets are in bytes of the file, so that an edit can splice them, also where the file is UTF-16.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple

from hvctl.errors import Span
from hvctl.text.problems import short
from hvctl.xml.source import Source

_XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"
_PREDEFINED = {"xml": _XML_NAMESPACE}
# XML's space is written out: `\s` also matches what XML takes for part of a name.
_TAG_NAME = re.compile(r"<([^ \t\r\n/>]+)")
_ATTRIBUTE = re.compile(r"""[ \t\r\n]+([^ \t\r\n=/>]+)[ \t\r\n]*=[ \t\r\n]*(?:"([^"]*)"|'([^']*)')""")
# What is not taken as it is written: line ends and tabs are spaces, references what they mean.
_CHANGES = re.compile(r"[&\t\r\n]")
_SPACE = r"\r\n|[\t\r\n]"
_PIECE = r"(?s)<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|[^<]+"
_KINDS = {"<!-": "comment", "<![": "cdata"}
_REFERENCE = r"&(?:#x([0-9a-fA-F]+)|#([0-9]+)|([a-z]+));"
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


class Attribute(NamedTuple):
    """One attribute: its value as a reader takes it, and its places. The quotes stand outside of the value's."""

    name: str
    value: str
    name_start: int
    name_end: int
    value_start: int
    value_end: int


class Piece(NamedTuple):
    """What stands between elements: `kind` is text, cdata, comment or instruction; the offsets take its markup in."""

    kind: str
    start: int
    end: int


START, EMPTY, END = range(3)
"""The kinds of tags: `<a>`, `<a/>` and `</a>`."""


class Tag:
    """A tag as it is written: one for all that are written alike.

    `values` are a start tag's attributes by their names, as a reader takes them, in the order of the file; not to be
    changed. `declares` are the prefixes that they declare, with their URIs; the empty prefix is the default namespace.
    """

    __slots__ = ("declares", "kind", "name", "text", "values")

    def __init__(self, text: str) -> None:
        self.text = text
        name = _TAG_NAME.match(text)
        self.name = name[1] if name else ""
        self.kind = EMPTY if text.endswith("/>") else START if name else END
        found = _ATTRIBUTE.findall(text, 1 + len(self.name)) if name else ()
        self.values = {name: _normal(double or single) for name, double, single in found}
        names = [name for name in self.values if name.startswith("xmlns") and name[5:6] in ("", ":")]
        self.declares = {name.partition(":")[2]: self.values[name] for name in names}


class Element:
    """One element. `tag` is its name as written, with its prefix; `start` is the offset of its start tag.

    `written` is its start tag; `open_end` is the offset after that, `close_start` that of the end tag, or after
    `<a/>`; `below` are the child elements.
    """

    __slots__ = ("below", "close_start", "document", "open_end", "start", "tag", "written")

    def __init__(self, document: "Document", written: Tag, start: int, open_end: int) -> None:
        self.document = document
        self.written = written
        self.tag = written.name
        self.start = start
        self.open_end = self.close_start = open_end
        self.below: Sequence[Element] = ()

    @property
    def values(self) -> dict[str, str]:
        """Its attributes by their names, as a reader takes them, in the order of the file; not to be changed."""
        return self.written.values

    @property
    def parent(self) -> "Element | None":
        """The element that it stands in."""
        path = self.document.path_to(self)
        return path[-2] if len(path) > 1 else None

    @property
    def children(self) -> tuple["Element", ...]:
        """The elements directly in it."""
        return tuple(self.below)

    @property
    def local(self) -> str:
        """The name without its prefix."""
        tag = self.tag
        return tag.rpartition(":")[2] if ":" in tag else tag

    @property
    def namespace(self) -> str | None:
        """The namespace's URI; None where there is none, or the prefix is not declared."""
        if not self.document.has_namespaces:
            return _XML_NAMESPACE if self.tag.startswith("xml:") else None
        return self.bindings().get(self.tag.rpartition(":")[0]) or None

    def named(self, name: str) -> list["Element"]:
        """The children of a name and without a namespace: what the XPath `./name` finds."""
        found = [child for child in self.below if child.tag == name]
        if not found or not self.document.has_namespaces:
            return found if not name.startswith("xml:") else []
        return [child for child in found if child.namespace is None]

    def walk(self) -> Iterator["Element"]:
        """The element and all below it, in the order of the file."""
        waiting = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting.extend(reversed(element.below))

    def get(self, name: str) -> str | None:
        """The value of an attribute, None where it is not there."""
        return self.written.values.get(name)

    def attributes(self) -> tuple[Attribute, ...]:
        """The attributes in the order of the file, declarations of namespaces among them."""
        return tuple(self._scan())

    def attribute(self, name: str) -> Attribute | None:
        """One attribute with its places, None where it is not there."""
        return next((each for each in self._scan() if each.name == name), None)

    @property
    def self_closing(self) -> bool:
        """Whether it is written `<a/>`."""
        return self.written.kind is EMPTY

    @property
    def end(self) -> int:
        """The offset after the element."""
        if self.self_closing:
            return self.close_start
        return self.document.find(">", self.close_start) + self.document.width(">")

    @property
    def span(self) -> Span:
        """The place of the start tag: of an element over many lines, what a caret can point at."""
        return self.document.span(self.start, self.open_end)

    def attribute_span(self, name: str) -> Span:
        """The place of an attribute, from its name to the closing quote; that of the start tag where it is missing."""
        found = self.attribute(name)
        if found is None:
            return self.span
        return self.document.span(found.name_start, found.value_end + self.document.width('"'))

    def content(self) -> Iterator["Element | Piece"]:
        """What stands between the start and the end tag, in the order of the file."""
        at = self.open_end
        for child in self.below:
            yield from self._pieces(at, child.start)
            yield child
            at = child.end
        if not self.self_closing:
            yield from self._pieces(at, self.close_start)

    def text(self) -> str:
        """The text directly in it, as a reader takes it: without comments, with references replaced."""
        document = self.document
        plain = document.data[self.open_end : self.close_start]
        if plain.isalnum() and document.codec == "utf-8":  # of ASCII
            return plain.decode()
        if (
            document.codec == "utf-8"
            and plain.isascii()
            and b"<" not in plain
            and b"&" not in plain
            and b"\r" not in plain
        ):
            return plain.decode()  # most texts, in a tenth of the time
        found = []
        for piece in self.content():
            if isinstance(piece, Element) or piece.kind not in ("text", "cdata"):
                continue
            text = self.document.text(piece.start, piece.end).replace("\r\n", "\n").replace("\r", "\n")
            found.append(unescaped(text) if piece.kind == "text" else text[len("<![CDATA[") : -len("]]>")])
        return "".join(found)

    def _pieces(self, at: int, end: int) -> Iterator[Piece]:
        for match in re.finditer(_PIECE, self.document.text(at, end)):
            part = match[0]
            after = at + self.document.width(part)
            kind = _KINDS.get(part[:3], "instruction") if part.startswith("<") else "text"
            yield Piece(kind, at, after)
            at = after

    def _scan(self) -> Iterator[Attribute]:
        document = self.document
        text = self.written.text
        single = document.single_bytes(text)
        at, offset = 0, self.start

        def offset_of(place: int) -> int:
            # From the last place on, not from the tag's start: a tag may be as long as a file may be large.
            nonlocal at, offset
            offset += place - at if single else document.width(text[at:place])
            at = place
            return offset

        for match in _ATTRIBUTE.finditer(text, 1 + len(self.tag)):
            start, end = match.span(1)
            first, last = match.span(2 if match[2] is not None else 3)
            places = offset_of(start), offset_of(end), offset_of(first), offset_of(last)
            yield Attribute(match[1], self.values[match[1]], *places)

    def bindings(self) -> dict[str, str]:
        """The prefixes that are declared here, with their URIs; the empty prefix is the default namespace."""
        bound = _PREDEFINED
        for element in self.document.path_to(self):
            if own := element.written.declares:
                bound = {**bound, **own}
        return bound


class Comment(NamedTuple):
    """A comment that was asked for: its text, its offset, and the element that follows it, if any."""

    text: str
    start: int
    element: Element | None


class Document(Source):
    """A file with its outermost element, and the comments that were asked for."""

    __slots__ = ("comments", "root")

    root: Element
    comments: tuple[Comment, ...]

    def path_to(self, element: Element) -> list[Element]:
        """The elements that stand around one, from the outermost on, and itself."""
        path = [self.root]
        while path[-1] is not element:
            inside = path[-1].below
            assert inside, "an element is in its document"
            path.append(inside[bisect_right(inside, element.start, key=_start_of) - 1])
        return path

    def release(self) -> None:
        """Let the tree go, so that its memory is free at once: its elements refer to the file, and that to them."""
        del self.root, self.comments


def named(tag: str) -> str:
    """A tag for a message: short, with nothing that a terminal would obey."""
    return f"<{short(tag)}>"


def _normal(value: str) -> str:
    """An attribute's value as a reader takes it (XML 1.0, 3.3.3)."""
    return unescaped(re.sub(_SPACE, " ", value)) if _CHANGES.search(value) else value


def unescaped(text: str) -> str:
    """Source text with its references replaced; XML without a document type knows five names beside the numbers."""
    return re.sub(_REFERENCE, _character, text) if "&" in text else text


def _character(match: re.Match[str]) -> str:
    hexadecimal, decimal, name = match.groups()
    if name:
        return _ENTITIES.get(name, match[0])
    # Without the zeros: int() refuses more than 4300 decimal digits.
    return chr(int(hexadecimal, 16) if hexadecimal else int(decimal.lstrip("0")))


_start_of = attrgetter("start")
