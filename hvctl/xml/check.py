"""Whether a file is well-formed, and what is wrong with one that is not.

expat decides: it is the parser at hand that gives byte offsets (libxml2 and ElementTree know an element's line alone),
and decodes UTF-8, UTF-16 and 8-bit encodings itself. libxml2 only says of most files of a multitude that nothing is
wrong with them: that takes half of expat's time, but its import takes as long as expat for 300 files.
"""

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn
from xml.parsers import expat
from xml.parsers.expat import ErrorString, errors

from hvctl.errors import InputError, Problem, Span
from hvctl.text.files import UnreadableError
from hvctl.text.problems import quoted
from hvctl.xml.source import Source

Opened = tuple[str, int]
"""A start tag: its name, and its offset."""

DEEPEST = 200
# Line ends in a large file: twenty bytes for each line, which may end with two. A difference of more takes gigabytes.
_MOST_LINE_ENDS = 400_000
# What expat keeps of tags that are open takes little memory in a file of that size, be it nothing else.
_SMALL = 256 << 10  # bytes
_WORDS = {
    errors.XML_ERROR_SYNTAX: ("this is not XML", ""),
    errors.XML_ERROR_UNCLOSED_TOKEN: ("unclosed tag, comment or quote", "close it"),
    errors.XML_ERROR_UNCLOSED_CDATA_SECTION: ("unclosed CDATA section", "end it with ]]>"),
    errors.XML_ERROR_PARTIAL_CHAR: ("the file ends in the middle of a character", ""),
    errors.XML_ERROR_DUPLICATE_ATTRIBUTE: ("duplicate attribute", ""),
    errors.XML_ERROR_UNDEFINED_ENTITY: ("undefined reference", "write &amp; for &"),
    errors.XML_ERROR_BAD_CHAR_REF: ("invalid character reference", ""),
    errors.XML_ERROR_MISPLACED_XML_PI: (
        "the XML declaration is not at the beginning of the file",
        "remove everything before it",
    ),
    errors.XML_ERROR_XML_DECL: (
        "the XML declaration is wrong",
        'write <?xml version="1.0" encoding="UTF-8"?>, or leave it out',
    ),
}
_REFERENCE_BEGUN = r"&#?\w*$"
_ENCODING = (errors.XML_ERROR_UNKNOWN_ENCODING, errors.XML_ERROR_INCORRECT_ENCODING)


def problem_of(source: Source, most: int, *, many: bool = False) -> InputError | None:
    """What is wrong with a file: it is not well-formed, has a document type declaration (and so could have entities),
    or is in an encoding that expat cannot read. A large one may also have too many elements, or too deep ones.

    Args:
        source: the file; its encoding is set to the declared one.
        most: the most elements that a large file may have.
        many: whether it is one of so many files that an import of lxml is nothing beside them.
    """
    small = len(source.data) <= _SMALL
    if small and ((many and _libxml2_takes(source.data)) or _expat_takes(source)):
        return None
    try:
        _check(source, most)
    except InputError as error:
        return error
    return None


def _libxml2_takes(data: bytes) -> bool:
    """Whether libxml2 finds a file well-formed that is plain: without declarations, of which it and expat may think
    differently, and in ASCII, whose bytes both take for the same characters."""
    # A single byte is looked for in a tenth of the time that more take, and few files have a `!`.
    plain = data.isascii() and b"?" not in data and b"\0" not in data and (b"!" not in data or b"<!D" not in data)
    return plain and _libxml2()(data)


@functools.cache
def _libxml2() -> Callable[[bytes], bool]:
    from lxml import etree

    class Nothing:
        """What is made of a file: without methods for its parts libxml2 has none to tell, and builds no tree."""

        def close(self) -> None:
            """The end of it."""

    # lxml asks which of the methods there are; its types want them all.
    target: Any = Nothing()
    parser = etree.XMLParser(target=target, resolve_entities=False, no_network=True)

    def takes(data: bytes) -> bool:
        try:
            etree.fromstring(data, parser)
        except etree.XMLSyntaxError:
            return False
        # Behind a prefix that is not declared, which is no error here, libxml2 2.14 overlooks others.
        return not parser.error_log

    # libxml2 2.12.3, as in lxml 5.0, overlooks this one; where it does, expat is asked of every file.
    return takes if not takes(b"<a xml:lang='b' xml:lang='c'/>") else _nothing


def _nothing(_: bytes) -> bool:
    return False


class _RefusedError(Exception):
    """A document type declaration begins."""


def _refuse(*_: object) -> NoReturn:
    raise _RefusedError


def _expat_takes(source: Source) -> bool:
    """Whether expat takes a file; else it must be looked at again to tell why."""
    parser = _parser(source)
    try:
        parser.Parse(source.data, True)
    except (expat.ExpatError, LookupError, ValueError, _RefusedError):
        return False
    return True


def _parser(source: Source) -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.XmlDeclHandler = source.declared
    parser.StartDoctypeDeclHandler = _refuse
    return parser


def _check(source: Source, most: int) -> None:
    """Raise the InputError of what is wrong with a file, and be it its size, as soon as that shows."""
    if source.data.count(b"\n") + source.data.count(b"\r") > _MOST_LINE_ENDS:
        raise UnreadableError(source.path, f"it has more than {_MOST_LINE_ENDS} line ends")
    parser = _parser(source)
    path: list[Opened] = []
    root = ""
    count = 0

    def start(tag: str, _: object) -> None:
        nonlocal count, root
        root = root or tag
        count += 1
        if len(path) >= DEEPEST:
            raise too_deep(source, parser.CurrentByteIndex, DEEPEST)
        if count > most:
            raise too_many(source, most)
        path.append((tag, parser.CurrentByteIndex))

    def end(_: str) -> None:
        path.pop()

    parser.StartElementHandler, parser.EndElementHandler = start, end
    try:
        parser.Parse(source.data, True)
    except _RefusedError:
        raise _no_doctype(source, parser.CurrentByteIndex) from None
    except expat.ExpatError as error:
        raise _not_well_formed(source, error.code, parser.ErrorByteIndex, path, root) from error
    except (LookupError, ValueError) as error:
        # What Python's codecs say of a declared encoding that expat does not know itself.
        raise _encoding_problem(source) from error
    finally:
        # They refer to the parser, and it to them.
        parser.StartElementHandler = parser.EndElementHandler = None


def _not_well_formed(source: Source, code: int, offset: int, path: Sequence[Opened], root: str) -> InputError:
    """The error for expat's error number and offset; `path` are the elements that are open there, `root` the name of
    the outermost one, also where that is closed."""
    reason = ErrorString(code) or ""
    opened = path[-1] if path else None
    if reason in _ENCODING:
        return _encoding_problem(source)
    if reason == errors.XML_ERROR_NO_ELEMENTS:
        return _ended(source, opened)
    if reason == errors.XML_ERROR_TAG_MISMATCH and opened:
        return _mismatch(source, offset, opened)
    span = source.span(offset, offset)
    span = span._replace(end_column=span.column + 1)
    if reason == errors.XML_ERROR_INVALID_TOKEN:
        return InputError([_invalid(span, source.codec, source.data[offset : offset + 1])])
    if reason == errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT:
        return InputError([Problem(f"content after the end of <{root}>", span, "write one element per file")])
    message, hint = _WORDS.get(reason, (f"this is not XML: {reason}", ""))
    return InputError([Problem(message, span, hint)])


def _encoding_problem(source: Source) -> InputError:
    """The declared encoding is unknown, or not the file's."""
    message = "unsupported or wrong encoding declaration"
    return InputError([Problem(message, source.span(0, 0), "save the file as UTF-8, and declare that")])


def half_a_character(source: Source, offset: int) -> InputError:
    """UTF-16 has one half of a pair alone, at an offset."""
    span = source.span(offset, offset)
    return InputError([_half(span._replace(end_column=span.column + 1))])


def _half(span: Span) -> Problem:
    return Problem("this is half a character of UTF-16", span, "save the file as UTF-8")


def too_many(source: Source, most: int) -> UnreadableError:
    """There are more elements than are read."""
    return UnreadableError(source.path, f"it has more than {most} elements")


def too_deep(source: Source, start: int, deepest: int) -> InputError:
    """Elements stand in each other too deeply, at an offset."""
    return InputError([Problem(f"nested more than {deepest} levels deep", source.span(start, start + 1))])


def _no_doctype(source: Source, offset: int) -> InputError:
    """There is a document type declaration: the last one that begins at or before an offset."""
    mark = "<!DOCTYPE"
    width = source.width(mark)
    start = source.data.rfind(mark.encode(source.codec), 0, offset + width)
    hint = "leave it out: libvirt needs none, and what it could define (entities) is not read"
    span = source.span(max(start, 0), max(start, 0) + width)
    return InputError([Problem("a document type declaration is refused", span, hint)])


def _ended(source: Source, opened: Opened | None) -> InputError:
    # The end of the last line that has something on it, not an empty line after it.
    end = len(source.data.rstrip(b" \t\r\n\0"))
    span = source.span(end, end)
    span = span._replace(end_column=span.column + 1)
    if opened:
        return InputError([Problem(f"the file ends inside <{opened[0]}>", span, "", _begun(source, opened))])
    return InputError([Problem("there is no element in this file" if end else "the file is empty", span)])


def _mismatch(source: Source, offset: int, opened: Opened) -> InputError:
    length = len(source.data[offset : source.find(">", offset)].decode(source.codec, "replace").rstrip())
    at = source.span(offset, offset)
    name = at.excerpt[at.column - 1 : at.column - 1 + length]
    span = at._replace(end_column=at.column + max(1, len(name)))
    message = f"found {quoted(f'</{name}>')}, expected {quoted(f'</{opened[0]}>')}"
    return InputError([Problem(message, span, "", _begun(source, opened))])


def _begun(source: Source, opened: Opened) -> tuple[tuple[str, Span]]:
    tag, start = opened
    return (("begun here", source.span(start, start + source.width(f"<{tag}"))),)


def _invalid(span: Span, codec: str, byte: bytes) -> Problem:
    """What is wrong with a character that may not stand where it does, judged by what stands before it."""
    char, before = span.excerpt[span.column - 1 : span.column], span.excerpt[: span.column - 1]
    if char == "\ufffd" and codec.startswith("utf-16"):  # expat 2.6 and older take it
        return _half(span)
    if char == "\ufffd" and byte not in (b"\xef", b""):
        return Problem(f"the byte 0x{byte[0]:02x} is not {codec.upper()}", span, "save the file as UTF-8")
    if char and not char.isprintable() and char not in "\t\r\n":
        return Problem(f"the character U+{ord(char):04X} is not allowed here", span)
    if reference := re.search(_REFERENCE_BEGUN, before):
        span = span._replace(column=reference.start() + 1, end_column=reference.end() + 1)
        return Problem("unescaped &", span, "write &amp; for &")
    return Problem(f"{quoted(char) if char else 'the end of the line'} is not allowed here", span, _hint(before, char))


def _hint(before: str, char: str) -> str:
    if before.rstrip().endswith("="):
        return "put the attribute's value in quotes"
    if before.endswith("--"):
        return "remove -- from the comment"
    if before.endswith("]]") and char == ">":
        return "write ]]&gt;"
    return "write &lt; in a text or value, or close the tag or quote before it" if char == "<" else ""
