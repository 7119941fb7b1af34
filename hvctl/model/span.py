"""Places in a user's file, and what is wrong there."""

from typing import NamedTuple


class Span(NamedTuple):
    """A place in a text file: 1-based, columns count Unicode code points, the end is exclusive.

    `excerpt` is the text of the line `line`, kept so that a report needs no second look at the file.
    """

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    excerpt: str = ""


class Problem(NamedTuple):
    """One mistake in a file: what is wrong, where, what to do, and the other places it concerns."""

    message: str
    span: Span | None = None
    hint: str = ""
    related: tuple[tuple[str, Span], ...] = ()
