"""XML text to a tree of elements that know the bytes they stand on.

expat checks, because it is the parser at hand that gives byte offsets (libxml2 and ElementTree know an element's line
alone), and decodes UTF-8, UTF-16 and 8-bit encodings itself. It does so without a call back for each tag; the elements
are looked for when it has found the file well-formed: see xml_scan, and xml_tree for what is in a tag.
"""

from __future__ import annotations

import stat
import sys
from typing import TYPE_CHECKING
from xml.parsers import expat

from hvctl.errors import InputError
from hvctl.formats.xml_document import Document
from hvctl.formats.xml_problems import encoding_problem, no_doctype, not_well_formed, too_deep, too_many
from hvctl.formats.xml_scan import DEEPEST, Comment, around_devices, tree
from hvctl.formats.xml_tree import Attribute, Element, Piece
from hvctl.model.span import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

    from hvctl.formats.xml_problems import Opened

__all__ = ["DEEPEST", "LARGEST", "Attribute", "Comment", "Document", "Element", "Piece", "parse", "parse_all", "read"]

LARGEST = 16 << 20  # bytes
# What expat keeps of tags that are open takes little memory in a file of that size, be it nothing else.
_SMALL = 256 << 10  # bytes


def parse(data: bytes, path: str, *, shallow: bool = False, most: int | None = None, mark: str = "") -> Document:
    """Read an XML file.

    Args:
        data: the whole file.
        path: its name, for messages and spans.
        shallow: whether `<devices>`, which is most of a domain, may come without what is in it. It comes whole where
            it has a `<panic>`.
        most: the most elements that it may have; None for as many as there are. What is left out does not count.
        mark: what begins the comments that are wanted; empty for none.

    Raises:
        InputError: it is not well-formed, has a document type declaration (and so could have entities), is nested
            deeper than `DEEPEST`, is in an encoding that expat cannot read, or has too many elements; the last
            problem is the only one without a place.
    """
    document = Document(data, path)
    problem = _problem(document, len(data) if most is None else most)
    if problem:
        raise problem
    return _built(document, shallow=shallow, most=most, mark=mark)


def parse_all(
    files: Iterable[tuple[bytes, str]], *, shallow: bool = False, most: int | None = None, mark: str = ""
) -> list[Document | InputError]:
    """The same of several files, each with its name: what is wrong with one stands in its place.

    First all are checked, then all are read. For a processor that is less than to do both with one after the other: it
    keeps the instructions of one step at hand, and hardly those of all.
    """
    documents = [Document(data, path) for data, path in files]
    problems = [_problem(document, len(document.data) if most is None else most) for document in documents]
    found: list[Document | InputError] = []
    for document, problem in zip(documents, problems, strict=True):
        try:
            found.append(problem or _built(document, shallow=shallow, most=most, mark=mark))
        except InputError as error:
            found.append(error)
    return found


def _problem(document: Document, most: int) -> InputError | None:
    """What is wrong with a file, as far as expat is asked."""
    try:
        if len(document.data) > _SMALL or not _is_fine(document):
            _check(document, most)
    except InputError as error:
        return error
    return None


def _built(document: Document, *, shallow: bool, most: int | None, mark: str) -> Document:
    size = len(document.data)
    parts = around_devices(document) if shallow else ((0, size),)
    document.root, document.comments = tree(document, parts, most=size if most is None else most, mark=mark)
    return document


class _RefusedError(Exception):
    """A document type declaration begins."""


def _refuse(*_: object) -> NoReturn:
    raise _RefusedError


def _is_fine(document: Document) -> bool:
    """Whether expat takes a file; else it must be looked at again to tell why."""
    parser = _parser(document)
    try:
        parser.Parse(document.data, True)
    except (expat.ExpatError, LookupError, ValueError, _RefusedError):
        return False
    return True


def _parser(document: Document) -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.XmlDeclHandler = document.declared
    parser.StartDoctypeDeclHandler = _refuse
    return parser


def _check(document: Document, most: int) -> None:
    """Raise the InputError of what is wrong with a file, and be it its size, as soon as that shows."""
    parser = _parser(document)
    path: list[Opened] = []
    root = ""
    count = 0

    def start(tag: str, _: object) -> None:
        nonlocal count, root
        root = root or tag
        count += 1
        if len(path) >= DEEPEST:
            raise too_deep(document, parser.CurrentByteIndex, DEEPEST)
        if count > most:
            raise too_many(most)
        path.append((tag, parser.CurrentByteIndex))

    def end(_: str) -> None:
        path.pop()

    parser.StartElementHandler, parser.EndElementHandler = start, end
    try:
        parser.Parse(document.data, True)
    except _RefusedError:
        raise no_doctype(document, parser.CurrentByteIndex) from None
    except expat.ExpatError as error:
        raise not_well_formed(document, error.code, parser.ErrorByteIndex, path, root) from error
    except (LookupError, ValueError) as error:
        # What Python's codecs say of a declared encoding that expat does not know itself.
        raise encoding_problem(document) from error
    finally:
        # They refer to the parser, and it to them.
        parser.StartElementHandler = parser.EndElementHandler = None


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
