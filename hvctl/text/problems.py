"""What messages are made of: mistakes collected, texts made safe for a terminal, guesses, plurals."""

import re
from collections.abc import Iterable, Sequence
from typing import NoReturn

from hvctl.errors import FIRST_ONLY, MOST_PROBLEMS, InputError, Problem, Span

_LONGEST_GUESS = 64
# The colours of hvctl.report.console and hvctl.report.problems, and their end.
_COLORS = r"(\x1b\[(?:0|1|3[1-6]|1;3[1-6])m)"


class Problems:
    """The mistakes of one file and of its parents; stops the reading at `MOST_PROBLEMS` of them, of which each may cost
    a search for similar words."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def add(self, message: str, span: Span | None, hint: str = "", *related: tuple[str, Span]) -> None:
        """Remember one mistake; raises InputError when there are too many."""
        self.found.append(Problem(message, span, hint, related))
        if len(self.found) >= MOST_PROBLEMS:
            self.stop(FIRST_ONLY)

    def stop(self, hint: str = "") -> NoReturn:
        """Raise InputError with all that was found: by file, in the order of its lines."""
        raise InputError(in_file_order(self.found), hint)

    def check(self) -> None:
        """Raise InputError if anything was found."""
        if self.found:
            self.stop()


def in_file_order(problems: Sequence[Problem]) -> list[Problem]:
    """Problems by file, in the order in which the files come up, and by line and column."""
    files = list(dict.fromkeys(problem.span.path for problem in problems if problem.span))
    return sorted(problems, key=lambda problem: _place(problem, files))


def _place(problem: Problem, files: list[str]) -> tuple[int, int, int]:
    if problem.span is None:
        return -1, 0, 0
    return files.index(problem.span.path), problem.span.line, problem.span.column


def printable(text: str, keep: str = "") -> str:
    """A text of anybody's with escapes for what a terminal would obey or hide: control and bidirectional characters.

    `keep` are such characters that stay, as line ends in a text of several lines.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in keep else ascii(char)[1:-1] for char in text)


def visible(text: str, *, colors: bool = False) -> str:
    """A text of several lines as a terminal may show it; hvctl's own colours stay where there are `colors`."""
    pieces = re.split(_COLORS, text) if colors else [text]
    return "".join(piece if at % 2 else _lines(piece) for at, piece in enumerate(pieces))


def _lines(text: str) -> str:
    # Line by line: most are printable, which is found out in C.
    return "\n".join(printable(line, keep="\t") for line in text.split("\n"))


def short(text: str) -> str:
    """The same for a message: of a longer text its first 59 characters."""
    return printable(text if len(text) <= 60 else text[:59] + "…")


def quoted(text: str) -> str:
    """The same in quotation marks."""
    return f"'{short(text)}'"


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 host`, `2 hosts`."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that names the most similar known word; empty if none is similar."""
    import difflib

    if len(word) > _LONGEST_GUESS:
        return ""
    close = difflib.get_close_matches(word.lower(), list(known), 1, 0.6)
    return f"did you mean '{close[0]}'?" if close else ""
