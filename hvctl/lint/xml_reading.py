"""XML files as lint reads them: without what no rule looks at, with the comments that are meant for hvctl."""

from __future__ import annotations

from collections.abc import Iterable

from hvctl.errors import InputError
from hvctl.xml.source import Document, parse, parse_all

MOST_ELEMENTS = 100_000
MARK = "hvctl:"


def read_xml(data: bytes, path: str) -> Document:
    """Parse a file.

    Args:
        data: the whole file.
        path: its name, for spans.

    Raises:
        InputError: as `hvctl.xml.source.parse`; a problem without a place is not the file's but its size's.
    """
    return parse(data, path, shallow=True, most=MOST_ELEMENTS, mark=MARK)


def read_all(files: Iterable[tuple[bytes, str]], *, many: bool) -> list[Document | InputError]:
    """The same of several files; what is wrong with one stands in its place. `many` as in `xml_source.parse_all`."""
    return parse_all(files, many=many, shallow=True, most=MOST_ELEMENTS, mark=MARK)
