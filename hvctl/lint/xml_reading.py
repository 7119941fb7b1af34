"""XML files for lint: positions for what rules look at, expat's own speed for the rest.

`<devices>` is most of a domain, and no rule reads more of it than `<panic>`: where it has none, and no comment that
could concern rules, expat checks it without a call back. All that is recorded stands as `hvctl.formats.xml_source`
would record it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from xml.parsers import expat

from hvctl.errors import InputError
from hvctl.formats.xml_document import Document
from hvctl.formats.xml_problems import encoding_problem, no_doctype, not_well_formed, too_deep
from hvctl.formats.xml_source import DEEPEST
from hvctl.formats.xml_tree import Element
from hvctl.model.span import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MOST_ELEMENTS = 200_000
MARK = "hvctl:"

_NONE: list[str] = []
_OPEN, _CLOSE = b"<devices>", b"</devices>"
_PANIC = b"<panic"


class Comment(NamedTuple):
    """A comment that begins with `hvctl:`: its text, its offset, and the element that follows it, if any."""

    text: str
    start: int
    element: Element | None


class Read(NamedTuple):
    """A parsed file and the comments in it that are meant for hvctl."""

    document: Document
    comments: tuple[Comment, ...]

    def release(self) -> None:
        """Take the tree apart, so that its memory is free at once: elements and their parents refer to each other."""
        waiting = [self.document.root]
        del self.document.root
        while waiting:
            element = waiting.pop()
            if element.below:
                waiting += element.below
                element.below = None


class _Builder:
    """What expat calls: functions that share variables, which cost half of what methods and attributes do."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.comments: list[Comment] = []
        self.parser = parser = expat.ParserCreate()
        parser.ordered_attributes = True
        parser.XmlDeclHandler = self.declaration
        parser.StartDoctypeDeclHandler = self.doctype
        current: Element | None = None
        depth = count = 0
        waiting: list[tuple[str, int]] = []
        comments = self.comments

        def start(tag: str, pairs: list[str]) -> None:
            nonlocal current, depth, count
            above = current
            current = element = Element(document, tag, pairs or _NONE, parser.CurrentByteIndex, above)
            if above is None:
                document.root = element
            elif above.below is None:
                above.below = [element]
            else:
                above.below.append(element)
            depth += 1
            count += 1
            if depth > DEEPEST:
                raise too_deep(document, element.start, DEEPEST)
            if count > MOST_ELEMENTS:
                raise InputError([Problem(f"it has more than {MOST_ELEMENTS} elements")])
            if waiting:
                settle(element)

        def end(_tag: str) -> None:
            nonlocal current, depth
            assert current is not None, "expat refuses an end tag without a start tag"
            current.close_start = parser.CurrentByteIndex
            current = current.parent
            depth -= 1
            if waiting:
                settle(None)

        def comment(text: str) -> None:
            if text.lstrip().startswith(MARK):
                waiting.append((text.strip(), parser.CurrentByteIndex))

        def settle(element: Element | None) -> None:
            """The comments that wait have found the element behind them, or that there is none."""
            comments.extend(Comment(text, at, element) for text, at in waiting)
            waiting.clear()

        self.start, self.end, self.comment = start, end, comment
        self.innermost: Callable[[], Element | None] = lambda: current

    def declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        self.document.declare(encoding)

    def doctype(self, *_: object) -> None:
        raise no_doctype(self.document, self.parser.CurrentByteIndex)

    def listen(self, on: bool) -> None:
        self.parser.StartElementHandler = self.start if on else None
        self.parser.EndElementHandler = self.end if on else None

    def feed(self, chunks: Iterable[tuple[bytes, bool, bool]]) -> None:
        for data, listened, last in chunks:
            self.listen(listened)
            self.parser.Parse(data, last)

    def release(self) -> None:
        """Let the parser go: it refers to this builder by its handlers."""
        parser = self.parser
        self.listen(False)
        parser.XmlDeclHandler = parser.StartDoctypeDeclHandler = parser.CommentHandler = None
        parser.ProcessingInstructionHandler = parser.StartCdataSectionHandler = None


class _WholeError(Exception):
    """The file has what could hide the ends of `<devices>`: it must be read whole."""


def read_xml(data: bytes, path: str) -> Read:
    """Parse a file.

    Args:
        data: the whole file.
        path: its name, for spans.

    Raises:
        InputError: as `hvctl.formats.xml_source.parse`; a problem without a place is not the file's but its size's.
    """
    parts = _parts(data)
    try:
        return _read(data, path, parts or ((data, True, True),), whole=parts is None)
    except _WholeError:
        return _read(data, path, ((data, True, True),), whole=True)


def _read(data: bytes, path: str, parts: Iterable[tuple[bytes, bool, bool]], *, whole: bool) -> Read:
    document = Document(data, path)
    builder = _Builder(document)
    parser = builder.parser
    if whole:
        parser.CommentHandler = builder.comment
    else:
        parser.CommentHandler = parser.ProcessingInstructionHandler = parser.StartCdataSectionHandler = _hidden
    try:
        builder.feed(parts)
    except expat.ExpatError as error:
        raise not_well_formed(document, error.code, parser.ErrorByteIndex, builder.innermost()) from error
    except (LookupError, ValueError) as error:
        raise encoding_problem(document) from error
    finally:
        builder.release()
    return Read(document, tuple(builder.comments))


def _hidden(*_: object) -> None:
    raise _WholeError


def _parts(data: bytes) -> tuple[tuple[bytes, bool, bool], ...] | None:
    """The file in three, of which the middle is inside of its only `<devices>`; None where it must be read whole."""
    start = data.find(_OPEN) + len(_OPEN)
    end = data.rfind(_CLOSE)
    if start < len(_OPEN) or end < start or data.find(_CLOSE, start, end) >= 0 or data.find(_PANIC, start, end) >= 0:
        return None
    return (data[:start], True, False), (data[start:end], False, False), (data[end:], True, True)
