"""The elements of an XML file, with the places of all that they are written with.

An element knows the offsets of its start and of its end tag. All else is looked for in the file's bytes when it is
asked for: by then expat has found the file well-formed, so that the scans here need no errors of their own.

Offsets are in bytes of the file, so that an edit can splice them, also where the file is UTF-16.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from hvctl.formats.xml_document import Document
    from hvctl.model.span import Span

_XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"
# XML's space is written out: `\s` also matches what XML takes for part of a name.
_TAG_NAME = re.compile(r"<[^ \t\r\n/>]+")
_ATTRIBUTE = re.compile(r"""[ \t\r\n]+([^ \t\r\n=/>]+)[ \t\r\n]*=[ \t\r\n]*(?:"([^"]*)"|'([^']*)')""")
_TAG_END = re.compile(r"[ \t\r\n]*/?>")
_PIECE = re.compile(r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|[^<]+", re.DOTALL)
_KINDS = {"<!-": "comment", "<![": "cdata"}
_REFERENCE = re.compile(r"&(?:#x([0-9a-fA-F]+)|#([0-9]+)|([a-z]+));")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


class Attribute(NamedTuple):
    """One attribute: its value as a reader takes it, and its places. The quotes stand outside of the value's."""

    name: str
    value: str
    name_start: int
    name_end: int
    value_start: int
    value_end: int


class _StartTag(NamedTuple):
    """What a scan of a start tag finds: the attributes, the offset after the tag, and whether that ends in `/>`."""

    attributes: tuple[Attribute, ...]
    end: int
    empty: bool


class Piece(NamedTuple):
    """What stands between elements: `kind` is text, cdata, comment or instruction; the offsets take its markup in."""

    kind: str
    start: int
    end: int


class Element:
    """One element. `tag` is its name as written, with its prefix; `start` is the offset of its start tag.

    `pairs` are the names and values of its attributes in turn, as expat gives them; `below` are its child elements,
    None where it has none, and `close_start` is the offset of its end tag, or after `<a/>`: the parser sets both.
    """

    __slots__ = ("_bound", "_scanned", "below", "close_start", "document", "pairs", "parent", "start", "tag")

    def __init__(self, document: "Document", tag: str, pairs: list[str], start: int, parent: "Element | None") -> None:
        self.document = document
        self.tag = tag
        self.pairs = pairs
        self.start = start
        self.close_start = start
        self.parent = parent
        self.below: list[Element] | None = None
        self._bound: dict[str, str] | None = None
        self._scanned: _StartTag | None = None

    @property
    def children(self) -> tuple["Element", ...]:
        """The elements directly in it."""
        return tuple(self.below or ())

    @property
    def local(self) -> str:
        """The name without its prefix."""
        return self.tag.rpartition(":")[2]

    @property
    def namespace(self) -> str | None:
        """The namespace's URI; None where there is none, or the prefix is not declared."""
        if not self.document.has_namespaces:
            return _XML_NAMESPACE if self.tag.startswith("xml:") else None
        return self._bindings().get(self.tag.rpartition(":")[0]) or None

    def named(self, name: str) -> list["Element"]:
        """The children of a name and without a namespace: what the XPath `./name` finds."""
        return [child for child in self.below or () if child.tag == name and child.namespace is None]

    def walk(self) -> Iterator["Element"]:
        """The element and all below it, in the order of the file."""
        waiting = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting.extend(reversed(element.below or ()))

    def get(self, name: str) -> str | None:
        """The value of an attribute, None where it is not there."""
        pairs = self.pairs
        for at in range(0, len(pairs), 2):
            if pairs[at] == name:
                return pairs[at + 1]
        return None

    def attributes(self) -> tuple[Attribute, ...]:
        """The attributes in the order of the file, declarations of namespaces among them."""
        return self._scan().attributes

    def attribute(self, name: str) -> Attribute | None:
        """One attribute with its places, None where it is not there."""
        return next((each for each in self.attributes() if each.name == name), None)

    @property
    def open_end(self) -> int:
        """The offset after the start tag."""
        return self._scan().end

    @property
    def self_closing(self) -> bool:
        """Whether it is written `<a/>`."""
        return self._scan().empty

    @property
    def end(self) -> int:
        """The offset after the element."""
        if self.self_closing:
            return self.close_start
        return self.document.find(">", self.close_start) + self.document.width(">")

    @property
    def span(self) -> "Span":
        """The place of the start tag: of an element over many lines, what a caret can point at."""
        return self.document.span(self.start, self.open_end)

    def value_span(self, name: str) -> "Span":
        """The place of an attribute's value, between its quotes; that of the start tag where it is not there."""
        found = self.attribute(name)
        return self.document.span(found.value_start, found.value_end) if found else self.span

    def attribute_span(self, name: str) -> "Span":
        """The place of an attribute, from its name to the closing quote; that of the start tag where it is missing."""
        found = self.attribute(name)
        if found is None:
            return self.span
        return self.document.span(found.name_start, found.value_end + self.document.width('"'))

    def content(self) -> Iterator["Element | Piece"]:
        """What stands between the start and the end tag, in the order of the file."""
        at = self.open_end
        for child in self.below or ():
            yield from self._pieces(at, child.start)
            yield child
            at = child.end
        if not self.self_closing:
            yield from self._pieces(at, self.close_start)

    def text(self) -> str:
        """The text directly in it, as a reader takes it: without comments, with references replaced."""
        found = []
        for piece in self.content():
            if isinstance(piece, Element) or piece.kind not in ("text", "cdata"):
                continue
            text = self.document.text(piece.start, piece.end).replace("\r\n", "\n").replace("\r", "\n")
            found.append(unescaped(text) if piece.kind == "text" else text[len("<![CDATA[") : -len("]]>")])
        return "".join(found)

    def _pieces(self, at: int, end: int) -> Iterator[Piece]:
        for match in _PIECE.finditer(self.document.text(at, end)):
            part = match[0]
            after = at + self.document.width(part)
            kind = _KINDS.get(part[:3], "instruction") if part.startswith("<") else "text"
            yield Piece(kind, at, after)
            at = after

    def _scan(self) -> _StartTag:
        """The start tag taken apart, once."""
        if self._scanned is None:
            self._scanned = self._scan_anew()
        return self._scanned

    def _scan_anew(self) -> _StartTag:
        document = self.document
        text = document.text(self.start, self.below[0].start if self.below else self.close_start)
        single = document.single_bytes(text)
        at, offset = 0, self.start
        found: list[Attribute] = []

        def offset_of(place: int) -> int:
            # From the last place on, not from the tag's start: a tag may be as long as a file may be large.
            nonlocal at, offset
            offset += place - at if single else document.width(text[at:place])
            at = place
            return offset

        name = _TAG_NAME.match(text)
        stop = name.end() if name else 0
        while match := _ATTRIBUTE.match(text, stop):
            start, end = match.span(1)
            first, last = match.span(2 if match[2] is not None else 3)
            value = self.pairs[2 * len(found) + 1]
            places = offset_of(start), offset_of(end), offset_of(first), offset_of(last)
            found.append(Attribute(match[1], value, *places))
            stop = match.end()
        closing = _TAG_END.match(text, stop)
        stop = closing.end() if closing else stop
        return _StartTag(tuple(found), offset_of(stop), text.startswith("/>", stop - 2))

    def _bindings(self) -> dict[str, str]:
        """The prefixes that are declared here, with their URIs; the empty prefix is the default namespace."""
        path: list[Element] = []
        above: Element | None = self
        while above is not None and above._bound is None:
            path.append(above)
            above = above.parent
        bound = {"xml": _XML_NAMESPACE} if above is None else above._bound or {}
        for element in reversed(path):
            own = _declarations(element.pairs)
            bound = element._bound = {**bound, **own} if own else bound
        return bound


def unescaped(text: str) -> str:
    """Source text with its references replaced; XML without a document type knows five names beside the numbers."""
    return _REFERENCE.sub(_character, text) if "&" in text else text


def _character(match: re.Match[str]) -> str:
    hexadecimal, decimal, name = match.groups()
    if name:
        return _ENTITIES.get(name, match[0])
    return chr(int(hexadecimal, 16) if hexadecimal else int(decimal))


def _declarations(pairs: list[str]) -> dict[str, str]:
    names = [(pairs[at], pairs[at + 1]) for at in range(0, len(pairs), 2) if pairs[at].startswith("xmlns")]
    return {name.partition(":")[2]: uri for name, uri in names if name == "xmlns" or name.startswith("xmlns:")}
