"""Whether a file is well-formed, and what is wrong with one that is not.

expat decides: it is the parser at hand that gives byte offsets (libxml2 and ElementTree know an element's line alone),
and decodes UTF-8, UTF-16 and 8-bit encodings itself. libxml2 only says of most files of a multitude that nothing is
wrong with them: that takes half of expat's time, but its import takes as long as expat for 300 files.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

from hvctl.errors import InputError
from hvctl.xml.problems import encoding_problem, no_doctype, not_well_formed, too_deep, too_many

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from hvctl.xml.document import Document
    from hvctl.xml.problems import Opened

DEEPEST = 200
# What expat keeps of tags that are open takes little memory in a file of that size, be it nothing else.
_SMALL = 256 << 10  # bytes


def problem_of(document: Document, most: int, *, many: bool = False) -> InputError | None:
    """What is wrong with a file: it is not well-formed, has a document type declaration (and so could have entities),
    or is in an encoding that expat cannot read. A large one may also have too many elements, or too deep ones.

    Args:
        document: the file; its encoding is set to the declared one.
        most: the most elements that a large file may have.
        many: whether it is one of so many files that an import of lxml is nothing beside them.
    """
    small = len(document.data) <= _SMALL
    if small and ((many and _libxml2_takes(document.data)) or _expat_takes(document)):
        return None
    try:
        _check(document, most)
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


def _expat_takes(document: Document) -> bool:
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
