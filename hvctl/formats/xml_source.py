"""XML text to a tree of elements that know the bytes they stand on.

expat reads, because it is the parser at hand that gives byte offsets (libxml2 and ElementTree know an element's line
alone), and decodes UTF-8, UTF-16 and 8-bit encodings itself. While it reads, only the start and the end of each element
are noted; see xml_tree for the rest.
"""

from __future__ import annotations

import re
import stat
import sys
from xml.parsers import expat

from hvctl.errors import InputError
from hvctl.formats.xml_document import Document
from hvctl.formats.xml_problems import encoding_problem, no_doctype, not_well_formed, too_deep
from hvctl.formats.xml_tree import Attribute, Element, Piece
from hvctl.model.span import Problem

__all__ = ["DEEPEST", "LARGEST", "Attribute", "Document", "Element", "Piece", "parse", "read"]

DEEPEST = 200
LARGEST = 16 << 20  # bytes

# One for all elements without attributes, of which a file of that size can hold four million.
_NONE: list[str] = []


def parse(data: bytes, path: str, *, shallow: bool = False) -> Document:
    """Read an XML file.

    Args:
        data: the whole file.
        path: its name, for messages and spans.
        shallow: whether `<devices>`, which is most of a domain, may come without what is in it. It comes whole where
            it has a `<panic>`.

    Raises:
        InputError: it is not well-formed, has a document type declaration (and so could have entities), is nested
            deeper than `DEEPEST`, or is in an encoding that expat cannot read.
    """
    document = Document(data, path)
    parser = expat.ParserCreate()
    parser.ordered_attributes = True
    path_to: list[Element] = []  # the elements that are open

    # Closures, and nothing looked up twice: these two take most of the time of reading a file.
    def start(tag: str, pairs: list[str]) -> None:
        if path_to:
            above = path_to[-1]
            element = Element(document, tag, pairs or _NONE, parser.CurrentByteIndex, above)
            if above.below is None:
                above.below = [element]
            else:
                above.below.append(element)
            if len(path_to) >= DEEPEST:
                raise too_deep(document, element.start, DEEPEST)
        else:
            document.root = element = Element(document, tag, pairs or _NONE, parser.CurrentByteIndex, None)
        path_to.append(element)

    def end(_tag: str) -> None:
        path_to.pop().close_start = parser.CurrentByteIndex

    def declaration(_version: str, encoding: str | None, _standalone: int) -> None:
        document.declare(encoding)

    def doctype(*_: object) -> None:
        raise no_doctype(document, parser.CurrentByteIndex)

    parser.XmlDeclHandler = declaration
    parser.StartDoctypeDeclHandler = doctype
    try:
        for part, listened, last in around_devices(data) if shallow else ((data, True, True),):
            parser.StartElementHandler = start if listened else None
            parser.EndElementHandler = end if listened else None
            parser.Parse(part, last)
    except expat.ExpatError as error:
        current = path_to[-1] if path_to else None
        raise not_well_formed(document, error.code, parser.ErrorByteIndex, current) from error
    except (LookupError, ValueError) as error:
        # What Python's codecs say of a declared encoding that expat does not know itself.
        raise encoding_problem(document) from error
    return document


_OPEN, _CLOSE = b"<devices>", b"</devices>"
# What could hide one of these two, or is looked for inside of them.
_READ_WHOLE = re.compile(rb"<!|<\?(?!xml )|<panic|</?[^\s<>/]*:devices")


def around_devices(data: bytes) -> tuple[tuple[bytes, bool, bool], ...]:
    """A file in parts: what is inside of its only `<devices>` and what is not, with whether that is to be listened to
    and whether it is the last; in one where that cannot be told by its bytes, or where it is looked for a `<panic>`."""
    start = data.find(_OPEN)
    end = data.find(_CLOSE, start)
    if start < 0 or end < 0 or _READ_WHOLE.search(data):
        return ((data, True, True),)
    start += len(_OPEN)
    if data.find(_OPEN, start) >= 0 or data.find(_CLOSE, end + len(_CLOSE)) >= 0:
        return ((data, True, True),)
    return (data[:start], True, False), (data[start:end], False, False), (data[end:], True, True)


def read(path: str) -> bytes:
    """The bytes of a file; `-` is stdin.

    Raises:
        InputError: it cannot be read, is not a regular file, or is larger than `LARGEST`.
    """
    name = "<stdin>" if path == "-" else path
    try:
        data = _from_stdin() if path == "-" else _from_file(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _unreadable(name, reason[:1].lower() + reason[1:]) from error
    if len(data) > LARGEST:
        raise _unreadable(name, f"it is larger than {LARGEST >> 20} MiB")
    return data


def _from_stdin() -> bytes:
    if sys.stdin is None:  # closed by whoever started hvctl
        raise ValueError("it is closed")
    return sys.stdin.buffer.read(LARGEST + 1)


def _from_file(path: str) -> bytes:
    from pathlib import Path

    mode = Path(path).stat().st_mode
    if stat.S_ISDIR(mode):
        raise ValueError("it is a directory")
    if not stat.S_ISREG(mode):
        # A named pipe or a device could hold hvctl up.
        raise _unreadable(path, "it is not a regular file", "pass it on stdin, as `-`")
    with open(path, "rb") as stream:
        return stream.read(LARGEST + 1)


def _unreadable(path: str, reason: str, hint: str = "") -> InputError:
    return InputError([Problem(f"{path} cannot be read: {reason}", None, hint)])
