"""Errors as text for people, like a compiler's: what is wrong, where, the line with a caret, what to do."""

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from hvctl.errors import HvctlError, InputError, Problem, Span
from hvctl.report.console import BOLD, painted, wrapped
from hvctl.text.problems import printable, visible

WIDTH = 80
_TAB = 4
# Characters of a line that a message has: it may name something that is as long as a file may be large.
_LONGEST = 2000
_RED, _BLUE, _CYAN = "1;31", "1;34", "36"


def render_error(error: HvctlError, color: bool) -> str:
    """The text of an error, every problem of it, ending in a newline."""
    if not isinstance(error, InputError):
        message = _folded(error.message, "error: ")
        return _headline(message, color) + _hint(_folded(error.hint, "hint: "), "", color)
    blocks = [render_problem(problem, color) for problem in error.problems]
    if len(blocks) > 1:
        blocks.append(painted(f"{len(blocks)} problems", BOLD, color) + "\n")
    return "\n".join(blocks) + _hint(error.hint, "", color)


def _folded(text: str, behind: str) -> str:
    """A text in lines, the first of which stands behind a word."""
    first, *others = text.split("\n")
    lines = [*wrapped(first, WIDTH, len(behind)), *(line for other in others for line in wrapped(other, WIDTH))]
    return "\n".join(lines)[len(behind) :]


def render_problem(problem: Problem, color: bool) -> str:
    """The text of one problem: headline, place, line and caret, the other places, hint; ends in a newline."""
    text = _headline(problem.message, color)
    if problem.span is None:
        return text + _hint(problem.hint, "", color)
    places, gutter = located(problem.span, problem.related, color)
    return text + places + _hint(problem.hint, f"{gutter} = ", color)


def located(span: Span, related: Sequence[tuple[str, Span]], color: bool) -> tuple[str, str]:
    """A place and the others that it concerns, each with its line and caret; and the gutter that lines up with them."""
    gutter = " " * max(len(str(one.line)) for one in (span, *(other for _, other in related)))
    text = _place("-->", span, gutter, color) + _excerpt(span, gutter, "^", "", color)
    for label, other in related:
        # The same file needs no second place line to be found, but editors make a link of it.
        text += _place(":::", other, gutter, color) + _excerpt(other, gutter, "-", label, color)
    return text, gutter


def error_json(error: HvctlError | None) -> dict[str, object]:
    """What JSON output says of one input: `ok`, and the problems with 1-based places."""
    if error is None:
        return {"ok": True, "problems": []}
    if not isinstance(error, InputError):
        return {"ok": False, "problems": [{"message": error.message, "hint": error.hint}]}
    return {"ok": False, "problems": [_problem_json(problem) for problem in error.problems]}


def _problem_json(problem: Problem) -> dict[str, object]:
    related = [{"message": label, **_span_json(span)} for label, span in problem.related]
    return {"message": problem.message, "hint": problem.hint, **_span_json(problem.span), "related": related}


def _span_json(span: Span | None) -> dict[str, object]:
    return {"path": span.path, **span.position()} if span else {}


class Snippet(NamedTuple):
    """What is shown of a line: at most as many cells as fit, with the span's own as a range of them."""

    text: str
    start: int
    width: int


def snippet(span: Span, room: int) -> Snippet:
    """The part of the span's line that fits into `room` cells, around the span.

    Tabs become spaces, what a terminal would obey or hide becomes an escape, wide characters count two cells.
    """
    # Only the neighbourhood is looked at: a line may be as long as a file may be large.
    first = max(0, span.column - 1 - room)
    last = span.column - 1 if span.end_line > span.line else span.end_column - 1
    line = span.excerpt[first : first + 4 * room]
    end = len(span.excerpt) if span.end_line > span.line else last
    cells = _cells(line)
    before = _width("".join(cells[: span.column - 1 - first]))
    width = max(1, _width("".join(cells[span.column - 1 - first : end - first])))
    text = "".join(cells).rstrip()
    total = _width(text)
    if first == 0 and total <= room:
        return Snippet(text, before, width)
    return _cropped(text, before, width, room)


def _cropped(text: str, start: int, width: int, room: int) -> Snippet:
    """Cut both ends so that the range stays in view, with an ellipsis where something is missing."""
    skip = max(0, start - room // 2)
    kept, at, shift = "", 0, 0
    for char in text:
        if at < skip:
            shift = at + _width(char)
        elif at - shift < room - 2:
            kept += char
        at += _width(char)
    head = "…" if skip else ""
    tail = "…" if at - shift > room - 2 else ""
    start += len(head) - shift
    return Snippet(head + kept + tail, start, min(width, room - start))


def _cells(line: str) -> list[str]:
    """What each character of a line is shown as."""
    if line.isascii() and line.isprintable():
        return list(line)
    shown = []
    at = 0
    for char in line:
        cell = " " * (_TAB - at % _TAB) if char == "\t" else printable(char)
        shown.append(cell)
        at += _width(cell)
    return shown


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(char) in ("Mn", "Me") else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def _headline(message: str, color: bool) -> str:
    short = "\n".join(line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…" for line in message.split("\n"))
    return f"{painted('error:', _RED, color)} {painted(visible(short), BOLD, color)}\n"


def _hint(hint: str, indent: str, color: bool) -> str:
    return f"{painted(indent + 'hint:', _CYAN, color)} {visible(hint)}\n" if hint else ""


def _place(arrow: str, span: Span, gutter: str, color: bool) -> str:
    return f"{gutter}{painted(arrow, _BLUE, color)} {printable(span.path)}:{span.line}:{span.column}\n"


def _excerpt(span: Span, gutter: str, mark: str, label: str, color: bool) -> str:
    bar = painted(f"{gutter} |", _BLUE, color)
    number = painted(f"{span.line:>{len(gutter)}} |", _BLUE, color)
    part = snippet(span, WIDTH - len(gutter) - 3)
    under = painted(mark * part.width, _RED if mark == "^" else _CYAN, color)
    said = f" {label}" if label else ""
    if said and part.start + part.width + len(said) > WIDTH - len(gutter) - 3:
        said = f"\n{bar} {' ' * max(0, WIDTH - len(gutter) - 3 - len(label))}{label}"
    return f"{bar}\n{number} {part.text}".rstrip() + f"\n{bar} {' ' * part.start}{under}{said}\n"
