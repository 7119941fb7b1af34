"""The tree of an XML file that is known to be well-formed, from one pass over its tags.

In such a file each `<` outside of comments, CDATA sections and instructions begins a tag, so that a
regular expression finds them all. A call back of expat's for each costs three times as much.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from hvctl.xml.check import DEEPEST
from hvctl.xml.problems import half_a_character, too_deep, too_many
from hvctl.xml.tree import END, START, Element, Tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hvctl.xml.document import Document

T = TypeVar("T")

# The rest of a tag behind its `<`. Quotes are taken whole: a value may hold a `>`. The possessive `*+` keeps no place
# to return to: a tag may be as long as a file may be large.
_TAG = re.compile(r"[^>\"']*+(?:\"[^\"]*+\"[^>\"']*+|'[^']*+'[^>\"']*+)*+>")
_HIDDEN = re.compile(r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>", re.DOTALL)
_OPEN, _CLOSE, _PANIC = b"<devices>", b"</devices>", b"<panic"
# Not a character of XML: it makes up for the second half of those that are two units of UTF-16.
_FILLER = "\uffff"
# Of UTF-16, which few files are in, and so not compiled before.
_TWO_UNITS = "[\U00010000-\U0010ffff]"
_HALF = "[\ud800-\udfff]"
# Most tags stand in many files, and more than once in one: by what follows their `<`, up to their end, and up to the
# next one where that is but space.
_TAGS: dict[str, Tag] = {}
_PIECES: dict[str, tuple[Tag, int]] = {}
_MOST, _SHORT = 4096, 300


class Comment(NamedTuple):
    """A comment that was asked for: its text, its offset, and the element that follows it, if any."""

    text: str
    start: int
    element: Element | None


def tree(
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
            raise too_many(most)
        for piece in pieces:
            tag, length = _PIECES.get(piece) or _piece(piece, document)
            kind = tag.kind
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
            at += len(piece) + 1
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
    for text, start in comments:
        at = view.find("<", start // unit)
        if at >= 0:
            yield Comment(text, start, elements.get(at * unit))


def around_devices(document: Document) -> tuple[tuple[int, int], ...]:
    """The parts of a file around what is inside of its `<devices>`; all of it where that cannot be told by its bytes,
    or where there is a `<panic>` inside."""
    data = document.data
    open_, close = data.find(_OPEN[:-1]), data.rfind(_CLOSE)
    start = open_ + len(_OPEN)
    # Where the one stands once, and the file is well-formed, the other ends it.
    if (
        (0 <= open_ < close and data.startswith(_OPEN, open_) and data.find(_OPEN[:-1], start) < 0)
        and data.find(_PANIC, start, close) < 0
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
    for match in _HIDDEN.finditer(view):
        start, end = match.span()
        parts += [view[at:start], " " * (end - start)]
        at = end
        if mark and view.startswith("<!--", start):
            text = document.text(start * unit, end * unit)[len("<!--") : -len("-->")].strip()
            if text.startswith(mark):
                comments.append((text, start * unit))
    return "".join([*parts, view[at:]]), comments


def _piece(piece: str, document: Document) -> tuple[Tag, int]:
    """The tag that begins a piece of the view, without its `<`, and its length there with that."""
    token = piece[: piece.find(">") + 1]
    tag = _TAGS.get(token)
    if tag is None:
        token = _token(piece)
        tag = _tag(token, document)
    found = (tag, len(token) + 1)
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
