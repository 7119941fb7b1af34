"""XML text to a tree of elements with the places of their bytes.

First the file is found well-formed (check.py), then one pass over its tags makes the tree: in such a file each `<`
outside of comments, CDATA sections and instructions begins a tag, so that a regular expression finds them all. A call
back of expat's for each costs three times as much. What is in a tag is looked for when it is asked for (document.py).
"""

import re
from collections.abc import Iterable, Iterator
from typing import TypeVar

from hvctl.errors import InputError
from hvctl.text.files import LARGEST_XML, check_size, name_of, read
from hvctl.text.recognition import FileKind, check_kind
from hvctl.xml.check import DEEPEST, half_a_character, problem_of, too_deep, too_many
from hvctl.xml.document import END, START, Comment, Document, Element, Tag

T = TypeVar("T")

MOST_ELEMENTS = 100_000
"""What a domain never has."""
MARK = "hvctl:"
"""What begins a comment that is meant for hvctl."""

# The rest of a tag behind its `<`. Quotes are taken whole: a value may hold a `>`. The possessive `*+` keeps no place
# to return to: a tag may be as long as a file may be large.
_TAG = re.compile(r"[^>\"']*+(?:\"[^\"]*+\"[^>\"']*+|'[^']*+'[^>\"']*+)*+>")
_HIDDEN = r"(?s)<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>"
_OPEN, _CLOSE = b"<devices>", b"</devices>"
# What is read of the devices of a domain.
_READ = (b"<panic", b"hostdev")
# Not a character of XML: it makes up for the second half of those that are two units of UTF-16.
_FILLER = "\uffff"
# Of UTF-16, which few files are in, and so not compiled before.
_TWO_UNITS = "[\U00010000-\U0010ffff]"
_HALF = "[\ud800-\udfff]"
# Most tags stand in many files, and more than once in one: by what follows their `<`, up to their end, and up to the
# next one where that is but space.
_TAGS: dict[str, Tag] = {}
_Piece = tuple[Tag, int, int, int]
"""A tag, its kind, its length, and that of the tag with the text behind it."""

_PIECES: dict[str, _Piece] = {}
_MOST, _SHORT = 4096, 300


def parse(data: bytes, path: str, *, shallow: bool = False, most: int = MOST_ELEMENTS, mark: str = "") -> Document:
    """Read an XML file.

    Args:
        data: the whole file.
        path: its name, for messages and spans.
        shallow: whether `<devices>`, which is most of a domain, may come without what is in it. It comes whole where
            it has a device that readers look at.
        most: the most elements that it may have.
        mark: what begins the comments that are wanted; empty for none.

    Raises:
        InputError: it is not well-formed, has a document type declaration (and so could have entities), is nested
            deeper than `DEEPEST`, or is in an encoding that expat cannot read.
        UnreadableError: it is too large, or has too many elements.
    """
    check_size(data, LARGEST_XML, path)
    document = Document(data, path)
    problem = problem_of(document, most)
    if problem:
        raise problem
    return _built(document, shallow=shallow, most=most, mark=mark)


def parse_file(path: str, *, shallow: bool = False) -> Document:
    """The same of a domain's file, `-` being stdin; raises UnreadableError, too."""
    data = read(path, LARGEST_XML)
    try:
        return parse(data, name_of(path), shallow=shallow)
    except InputError:
        check_kind(data, name_of(path), FileKind.DOMAIN)
        raise


def parse_all(
    files: Iterable[tuple[bytes, str]],
    *,
    many: bool = False,
    shallow: bool = True,
    most: int = MOST_ELEMENTS,
    mark: str = MARK,
) -> list[Document | InputError]:
    """The same of several files, each with its name: what is wrong with one is in its place.

    `many` is whether there are so many, these and others, that an import of lxml is nothing beside them.

    First all are checked, then all are read. For a processor that is less than to do both with one after the other: it
    keeps the instructions of one step at hand, and hardly those of all.
    """
    documents = [Document(data, path) for data, path in files]
    problems = [problem_of(document, most, many=many) for document in documents]
    found: list[Document | InputError] = []
    for document, problem in zip(documents, problems, strict=True):
        try:
            found.append(problem or _built(document, shallow=shallow, most=most, mark=mark))
        except InputError as error:
            found.append(error)
    return found


def _built(document: Document, *, shallow: bool, most: int, mark: str) -> Document:
    parts = _around_devices(document) if shallow else ((0, len(document.data)),)
    document.root, document.comments = _tree(document, parts, most=most, mark=mark)
    return document


def _tree(
    document: Document, parts: Iterable[tuple[int, int]], *, most: int, mark: str
) -> tuple[Element, tuple[Comment, ...]]:
    """The outermost element, and the comments that begin with `mark`; none where it is empty.

    Args:
        document: the file.
        parts: from where to where its bytes are looked at; what is left out must be balanced.
        most: the most elements that there may be.
        mark: how a comment begins that is asked for.

    Raises:
        InputError: elements are nested too deeply, or there are too many.
    """
    view, unit = _view(document)
    wanted: list[tuple[str, int]] = []
    if "!" in view or "?" in view:  # looked for in a tenth of the time that two characters take
        view, wanted = _without_hidden(document, view, unit, mark)
    outermost: list[Element] = []
    inside = outermost  # what is directly in the innermost element that is open
    path: list[tuple[Element, list[Element]]] = []  # the elements that are open, with what is around them
    for begin, stop in parts:
        at = view.find("<", begin // unit)
        pieces = view[at + 1 : stop // unit].split("<")
        if len(pieces) > most and sum(not piece.startswith("/") for piece in pieces) > most:
            raise too_many(document, most)
        for piece in pieces:
            if (known := _PIECES.get(piece)) is not None:
                tag, kind, length, step = known
            elif (named := _TAGS.get(piece[: (end := piece.find(">") + 1)])) and piece[end:].strip():
                # A tag that is known, with text behind it, which is another one in each file.
                tag, kind, length, step = named, named.kind, end + 1, len(piece) + 1
            else:
                tag, kind, length, step = _piece(piece, document)
            if kind is END:
                closed, inside = path.pop()
                closed.close_start = at
            else:
                element = Element(document, tag, at, at + length)
                if len(path) >= DEEPEST:
                    raise too_deep(document, at * unit, DEEPEST)
                inside.append(element)
                if kind is START:
                    path.append((element, inside))
                    element.below = inside = []
            at += step
    root = outermost[0]
    if unit > 1:
        _scale(root, unit)
    return root, tuple(_followed(wanted, root, view, unit))


def _scale(root: Element, unit: int) -> None:
    """Make offsets in bytes of places in a view."""
    for element in root.walk():
        element.start *= unit
        element.open_end *= unit
        element.close_start *= unit


def _followed(comments: list[tuple[str, int]], root: Element, view: str, unit: int) -> Iterator[Comment]:
    """Comments, each with the element behind it; those behind the outermost one mean nothing."""
    elements = {element.start: element for element in root.walk()} if comments else {}
    found: list[Comment] = []
    # From the last one on, so that what is after many comments is looked for once.
    following, end = -1, len(view)
    for text, start in reversed(comments):
        at = view.find("<", start // unit, end)
        following, end = at if at >= 0 else following, start // unit
        if following >= 0:
            found.append(Comment(text, start, elements.get(following * unit)))
    return reversed(found)


def _around_devices(document: Document) -> tuple[tuple[int, int], ...]:
    """The parts of a file around what is inside of its `<devices>`; all of it where that cannot be told by its bytes,
    or where it has a device that is read."""
    data = document.data
    open_, close = data.find(_OPEN[:-1]), data.rfind(_CLOSE)
    start = open_ + len(_OPEN)
    # Where the one stands once, and the file is well-formed, the other ends it. What is hardly ever there is looked for
    # from the end: CPython's rfind takes half of the time of its find.
    if (
        (0 <= open_ < close and data.startswith(_OPEN, open_) and data.rfind(_OPEN[:-1], start) < 0)
        and data.rfind(_READ[0], start, close) < 0
        and data.rfind(_READ[1], start, close) < 0
        and not _hides(data, open_)
        and not document.codec.startswith("utf-16")
    ):
        return (0, start), (close, len(data))
    return ((0, len(data)),)


def _hides(data: bytes, at: int) -> bool:
    """Whether there is what could hide a tag: instructions, CDATA sections, and comments that do not end before it."""
    if b"?" in data and data.find(b"<?", 1) >= 0:
        return True
    if b"!" not in data or (last := data.rfind(b"<!")) < 0:
        return False
    return b"<![" in data or last > at or not last < data.find(b"-->", last) < at


def _view(document: Document) -> tuple[str, int]:
    """The file as text in which the place of a character, times the second, is its offset in bytes."""
    data, codec = document.data, document.codec
    if codec == "utf-8":
        return data.decode("latin-1"), 1
    text = document.text(0, len(data))
    if not codec.startswith("utf-16"):
        return text, 1
    if half := re.search(_HALF, text):
        # expat takes it, and what follows it, for a character.
        raise half_a_character(document, document.width(text[: half.start()]))
    return re.sub(_TWO_UNITS, rf"\g<0>{_FILLER}", text), 2


def _without_hidden(document: Document, view: str, unit: int, mark: str) -> tuple[str, list[tuple[str, int]]]:
    """The view with space in the place of what is no tag and can hold a `<`, and the comments among it that begin with
    `mark`, with their offsets."""
    parts: list[str] = []
    comments: list[tuple[str, int]] = []
    at = 0
    for match in re.finditer(_HIDDEN, view):
        start, end = match.span()
        parts += [view[at:start], " " * (end - start)]
        at = end
        if mark and view.startswith("<!--", start):
            text = document.text(start * unit, end * unit)[len("<!--") : -len("-->")].strip()
            if text.startswith(mark):
                comments.append((text, start * unit))
    return "".join([*parts, view[at:]]), comments


def _piece(piece: str, document: Document) -> _Piece:
    """The tag that begins a piece of the view, without its `<`; and its length, and the piece's, with that."""
    token = piece[: piece.find(">") + 1]
    tag = _TAGS.get(token)
    if tag is None:
        token = _token(piece)
        tag = _tag(token, document)
    found = (tag, tag.kind, len(token) + 1, len(piece) + 1)
    if len(piece) <= _SHORT and piece.isascii() and not piece[len(token) :].strip():
        _keep(_PIECES, piece, found)
    return found


def _token(piece: str) -> str:
    match = _TAG.match(piece)
    assert match, "expat refuses a tag without an end"
    return match[0]


def _tag(token: str, document: Document) -> Tag:
    if token.isascii():
        tag = Tag(f"<{token}")
        if len(token) <= _SHORT:
            _keep(_TAGS, token, tag)
        return tag
    # Not kept: in files of other encodings it is another one.
    token = token.encode("latin-1").decode() if document.codec == "utf-8" else token.replace(_FILLER, "")
    return Tag(f"<{token}")


def _keep(known: dict[str, T], key: str, value: T) -> None:
    if len(known) >= _MOST:
        known.clear()
    known[key] = value
