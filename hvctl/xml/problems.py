"""What is wrong with a file that is not XML, or not such that hvctl reads it, in plain words and with its place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.parsers.expat import ErrorString, errors

from hvctl.errors import InputError
from hvctl.model.span import Problem
from hvctl.text.problems import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hvctl.model.span import Span
    from hvctl.xml.document import Document

    Opened = tuple[str, int]
    """A start tag: its name, and its offset."""

_WORDS = {
    errors.XML_ERROR_SYNTAX: ("this is not XML", ""),
    errors.XML_ERROR_UNCLOSED_TOKEN: ("what begins here does not end", "close the tag, comment or quote"),
    errors.XML_ERROR_UNCLOSED_CDATA_SECTION: ("this CDATA section does not end", "end it with ]]>"),
    errors.XML_ERROR_PARTIAL_CHAR: ("the file ends in the middle of a character", ""),
    errors.XML_ERROR_DUPLICATE_ATTRIBUTE: ("this attribute stands here twice", ""),
    errors.XML_ERROR_UNDEFINED_ENTITY: ("this reference means nothing", "write &amp; for &"),
    errors.XML_ERROR_BAD_CHAR_REF: ("no character has this number", ""),
    errors.XML_ERROR_MISPLACED_XML_PI: (
        "the XML declaration is not at the beginning of the file",
        "remove what stands before it",
    ),
    errors.XML_ERROR_XML_DECL: (
        "the XML declaration is wrong",
        'write <?xml version="1.0" encoding="UTF-8"?>, or leave it out',
    ),
}
_REFERENCE_BEGUN = re.compile(r"&#?\w*$")
_ENCODING = (errors.XML_ERROR_UNKNOWN_ENCODING, errors.XML_ERROR_INCORRECT_ENCODING)


def not_well_formed(document: Document, code: int, offset: int, path: Sequence[Opened], root: str) -> InputError:
    """The error for expat's error number and offset; `path` are the elements that are open there, `root` the name of
    the outermost one, also where that is closed."""
    reason = ErrorString(code) or ""
    opened = path[-1] if path else None
    if reason in _ENCODING:
        return encoding_problem(document)
    if reason == errors.XML_ERROR_NO_ELEMENTS:
        return _ended(document, opened)
    if reason == errors.XML_ERROR_TAG_MISMATCH and opened:
        return _mismatch(document, offset, opened)
    span = document.span(offset, offset)
    span = span._replace(end_column=span.column + 1)
    if reason == errors.XML_ERROR_INVALID_TOKEN:
        return InputError([_invalid(span, document.codec, document.data[offset : offset + 1])])
    if reason == errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT:
        return InputError([Problem(f"something follows the end of <{root}>", span, "a file holds one")])
    message, hint = _WORDS.get(reason, (f"this is not XML: {reason}", ""))
    return InputError([Problem(message, span, hint)])


def encoding_problem(document: Document) -> InputError:
    """The declared encoding is unknown, or not the file's."""
    message = "hvctl cannot read the encoding that this file declares"
    return InputError([Problem(message, document.span(0, 0), "save the file as UTF-8, and declare that")])


def half_a_character(document: Document, offset: int) -> InputError:
    """UTF-16 has one half of a pair alone, at an offset."""
    span = document.span(offset, offset)
    span = span._replace(end_column=span.column + 1)
    return InputError([Problem("this is half a character of UTF-16", span, "save the file as UTF-8")])


def too_many(most: int) -> InputError:
    """There are more elements than are read: a problem of the file's size, without a place."""
    return InputError([Problem(f"it has more than {most} elements")])


def too_deep(document: Document, start: int, deepest: int) -> InputError:
    """Elements stand in each other too deeply, at an offset."""
    return InputError([Problem(f"nested more than {deepest} levels deep", document.span(start, start + 1))])


def no_doctype(document: Document, offset: int) -> InputError:
    """There is a document type declaration: the last one that begins at or before an offset."""
    mark = "<!DOCTYPE"
    width = document.width(mark)
    start = document.data.rfind(mark.encode(document.codec), 0, offset + width)
    hint = "leave it out: libvirt needs none, and what it could define (entities) is not read"
    span = document.span(max(start, 0), max(start, 0) + width)
    return InputError([Problem("a document type declaration is refused", span, hint)])


def _ended(document: Document, opened: Opened | None) -> InputError:
    # The end of the last line that has something on it, not an empty line after it.
    end = len(document.data.rstrip(b" \t\r\n\0"))
    span = document.span(end, end)
    span = span._replace(end_column=span.column + 1)
    if opened:
        return InputError([Problem(f"the file ends inside <{opened[0]}>", span, "", _begun(document, opened))])
    return InputError([Problem("there is no element in this file" if end else "the file is empty", span)])


def _mismatch(document: Document, offset: int, opened: Opened) -> InputError:
    length = len(document.data[offset : document.find(">", offset)].decode(document.codec, "replace").rstrip())
    at = document.span(offset, offset)
    name = at.excerpt[at.column - 1 : at.column - 1 + length]
    span = at._replace(end_column=at.column + max(1, len(name)))
    message = f"{quoted(f'</{name}>')} stands where {quoted(f'</{opened[0]}>')} should"
    return InputError([Problem(message, span, "", _begun(document, opened))])


def _begun(document: Document, opened: Opened) -> tuple[tuple[str, Span]]:
    tag, start = opened
    return (("begun here", document.span(start, start + document.width(f"<{tag}"))),)


def _invalid(span: Span, codec: str, byte: bytes) -> Problem:
    """What is wrong with a character that may not stand where it does, judged by what stands before it."""
    char, before = span.excerpt[span.column - 1 : span.column], span.excerpt[: span.column - 1]
    if char == "\ufffd" and byte not in (b"\xef", b""):
        return Problem(f"the byte 0x{byte[0]:02x} is not {codec.upper()}", span, "save the file as UTF-8")
    if char and not char.isprintable() and char not in "\t\r\n":
        return Problem(f"the character U+{ord(char):04X} is not allowed here", span)
    if reference := _REFERENCE_BEGUN.search(before):
        span = span._replace(column=reference.start() + 1, end_column=reference.end() + 1)
        return Problem("a & begins a reference, and this is none", span, "write &amp; for &")
    return Problem(f"{quoted(char) if char else 'the end of the line'} may not stand here", span, _hint(before, char))


def _hint(before: str, char: str) -> str:
    if before.rstrip().endswith("="):
        return "an attribute's value stands in quotes"
    if before.endswith("--"):
        return "two hyphens stand in a comment at its end alone"
    if before.endswith("]]") and char == ">":
        return "write ]]&gt;"
    return "write &lt; in a text or value, or close the tag or quote before it" if char == "<" else ""
