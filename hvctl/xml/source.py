"""XML text to a tree of elements that know the bytes they stand on.

First the file is found well-formed (xml_check), then its elements are looked for (xml_scan), and what is in a tag when
it is asked for (xml_tree).
"""

from __future__ import annotations

import stat
import sys
from typing import TYPE_CHECKING

from hvctl.errors import InputError
from hvctl.model.span import Problem
from hvctl.xml.check import DEEPEST, problem_of
from hvctl.xml.document import Document
from hvctl.xml.scan import Comment, around_devices, tree
from hvctl.xml.tree import Attribute, Element, Piece

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DEEPEST", "LARGEST", "Attribute", "Comment", "Document", "Element", "Piece", "parse", "parse_all", "read"]

LARGEST = 16 << 20  # bytes


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
    problem = problem_of(document, len(data) if most is None else most)
    if problem:
        raise problem
    return _built(document, shallow=shallow, most=most, mark=mark)


def parse_all(
    files: Iterable[tuple[bytes, str]],
    *,
    many: bool = False,
    shallow: bool = False,
    most: int | None = None,
    mark: str = "",
) -> list[Document | InputError]:
    """The same of several files, each with its name: what is wrong with one stands in its place.

    `many` is whether there are so many, these and others, that an import of lxml is nothing beside them.

    First all are checked, then all are read. For a processor that is less than to do both with one after the other: it
    keeps the instructions of one step at hand, and hardly those of all.
    """
    documents = [Document(data, path) for data, path in files]
    problems = [problem_of(document, len(document.data) if most is None else most, many=many) for document in documents]
    found: list[Document | InputError] = []
    for document, problem in zip(documents, problems, strict=True):
        try:
            found.append(problem or _built(document, shallow=shallow, most=most, mark=mark))
        except InputError as error:
            found.append(error)
    return found


def _built(document: Document, *, shallow: bool, most: int | None, mark: str) -> Document:
    size = len(document.data)
    parts = around_devices(document) if shallow else ((0, size),)
    document.root, document.comments = tree(document, parts, most=size if most is None else most, mark=mark)
    return document


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
