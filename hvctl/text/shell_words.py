"""A command line's text becomes words that remember where they stood.

A shell's quoting is understood (POSIX, "Shell Command Language" 2.2 and 2.3), expansions are not; and the NULs of
/proc/PID/cmdline. The standard library's shlex splits as well, but keeps no positions.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from hvctl.errors import InputError, Problem, Span

_BLANK = " \t\r\n"
_EXPANDS = "$`"
# What begins a here-document (not `<<<`, not `$((1<<2))`): the mark for tabs, and the word that ends it, if any.
_HERE = r"(?s)[^'\"\\(]*?(?<!<)<<(?!<)(-?)([^;&|<>()]*).*"

# A comment of cmd.exe's.
_REMARK = r"(?im)^[ \t@]*(?:rem\b|::)[^\r\n]*"


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


class Word(str):
    """A word; `offsets` has the place of each of its characters in the text, and the place behind the last one.

    An empty word has the place of its quotation. `expands` says that a shell would put something else in the place of
    a part of it, as for `$x`.
    """

    __slots__ = ("expands", "offsets")
    offsets: Sequence[int]
    expands: bool

    def __new__(cls, text: str, offsets: Sequence[int], *, expands: bool = False) -> Word:
        """Make a word of a text and the places of its characters."""
        word = super().__new__(cls, text)
        word.offsets = offsets
        word.expands = expands
        return word

    def part(self, start: int, end: int) -> Word:
        """The characters from `start` up to `end` (exclusive) as a word."""
        return Word(self[start:end], self.offsets[start : end + 1])

    def split_at(self, separator: str) -> Iterator[Word]:
        """The parts between separators."""
        start = 0
        for part in self.split(separator):
            yield self.part(start, start + len(part))
            start += len(part) + len(separator)


def place(text: str, path: str, word: Word) -> Span:
    """Where a word stands in the text that it was split from. Between the arguments of a process a space is shown."""
    from hvctl.text.json_document import span_at

    span = span_at(text, path, word.offsets[0], max(word.offsets[-1], word.offsets[0] + 1))
    return span._replace(excerpt=span.excerpt.replace("\0", " "))


def split_plain(text: str, path: str) -> list[Word]:
    """The words of a text that no shell sees: quotations, and neither expansions nor comments (Perl's shellwords()).

    Raises:
        InputError: a quotation has no end.
    """
    return list(_Plain(text, path).words())


def split(text: str, path: str, *, batch: bool = False) -> list[Word]:
    """The words of a command line, or of /proc/PID/cmdline.

    A here-document counts as if it were not one, so that a command in it is found; where that leaves a quotation
    without an end, it is passed over.

    Args:
        text: with a NUL in it, as the kernel writes it; else as for a shell.
        path: for messages.
        batch: whether it is for Windows' cmd.exe: `^` for a backslash, no single quotes, `%x%` for `$x`.

    Raises:
        InputError: a quotation has no end.
    """
    if "\0" in text:
        return list(_at_nuls(text))
    if batch:
        return list(_Batch(text, path).words())
    try:
        return list(_Shell(text, path).words())
    except InputError:
        if "<<" not in text:
            raise
        return list(_Shell(text, path, pass_over=True).words())


def _at_nuls(text: str) -> Iterator[Word]:
    start = 0
    for part in text.removesuffix("\0").split("\0"):
        yield Word(part, range(start, start + len(part) + 1))
        start += len(part) + 1


class _Shell:
    """One pass over the text; `self.at` is the next character, `self.start` where the word began that is being read."""

    escapes, quotes, expansions, comments = "\\", "'\"", _EXPANDS, "#"

    def __init__(self, text: str, path: str, *, pass_over: bool = False) -> None:
        self.pass_over = pass_over
        self.text = text
        self.path = path
        self.at = 0
        self.characters: list[str] = []
        self.offsets: list[int] = []
        self.start: int | None = None
        self.expands = False
        # Of the here-documents that begin behind this line: whether tabs may stand before their last lines, and those.
        self.here: list[tuple[str, str]] = []
        self.lines: dict[str, list[int]] = {}

    def words(self) -> Iterator[Word]:
        while self.at < len(self.text):
            character = self.text[self.at]
            if character in _BLANK:
                yield from self.end()
                self.at += 1
                if character == "\n" and self.here:
                    self.pass_here()
            elif character == self.comments and self.start is None:
                line = self.text.find("\n", self.at)
                self.at = line if line >= 0 else len(self.text)
            elif character == self.escapes:
                self.escape(in_quotes=False)
            elif character in self.quotes:
                self.quotation(character)
            else:
                self.take(self.at, expands=character in self.expansions)
                self.at += 1
        yield from self.end()

    def end(self) -> Iterator[Word]:
        if self.start is not None:
            offsets = [*self.offsets, self.at if self.offsets else self.start]
            if self.pass_over:
                self.look_for_here(self.text[self.start : self.at])
            yield Word("".join(self.characters), offsets, expands=self.expands)
        self.characters, self.offsets, self.start, self.expands = [], [], None, False

    def look_for_here(self, written: str) -> None:
        """Note a here-document where a word begins one, or is what ends one."""
        if self.here and not self.here[-1][1]:
            self.here[-1] = (self.here[-1][0], "".join(self.characters))
        elif "<<" in written and (match := re.fullmatch(_HERE, written)):
            self.here.append((match[1], re.sub(r"['\"\\]", "", match[2])))

    def pass_here(self) -> None:
        """Go behind the here-documents; where the last line of one is not there, it is none."""
        for tabs, last in self.here:
            places = self.ends(last, tabs)
            following = bisect_left(places, self.at)
            if last and following < len(places):
                line = self.text.find("\n", places[following])
                self.at = line + 1 if line >= 0 else len(self.text)
        self.here = []

    def ends(self, last: str, tabs: str) -> list[int]:
        """Where the lines begin that say this, with `tabs` behind tabs too; all lines are sorted out once."""
        if not self.lines:
            at = 0
            for line in self.text.split("\n"):
                for key in {line.rstrip("\r"), "-" + line.strip("\t\r")}:
                    self.lines.setdefault(key, []).append(at)
                at += len(line) + 1
        return self.lines.get(tabs + last, [])

    def begin(self) -> None:
        if self.start is None:
            self.start = self.at

    def take(self, at: int, *, expands: bool = False) -> None:
        self.begin()
        self.characters.append(self.text[at])
        self.offsets.append(at)
        self.expands |= expands

    def escape(self, *, in_quotes: bool) -> None:
        """Take what a backslash stands before; with a line's end it is nothing at all, and so it is at the text's."""
        following = self.text[self.at + 1 : self.at + 2]
        if self.text.startswith("\r\n", self.at + 1):
            self.at += 3  # a line that goes on, in a file of another system
        elif following in ("\n", ""):
            self.at += 1 + len(following)
        elif in_quotes and following not in ("$", "`", '"', "\\"):
            self.take(self.at)
            self.at += 1
        else:
            self.take(self.at + 1)
            self.at += 2

    def quotation(self, mark: str) -> None:
        start = self.at
        self.begin()
        self.at += 1
        while self.text[self.at : self.at + 1] != mark:
            if self.at >= len(self.text):
                where = place(self.text, self.path, Word(mark, [start, start + 1]))
                raise InputError([Problem("the quotation has no end", where)])
            if mark == '"' and self.text[self.at] == self.escapes:
                self.escape(in_quotes=True)
            else:
                self.take(self.at, expands=mark == '"' and self.text[self.at] in self.expansions)
                self.at += 1
        self.at += 1


class _Plain(_Shell):
    """The same where nothing is expanded, and no comment begins."""

    expansions, comments = "", ""


class _Batch(_Shell):
    """The same for cmd.exe, in whose quotations nothing is escaped, and which end with the line."""

    escapes, quotes, expansions, comments = "^", '"', "%", ""

    def __init__(self, text: str, path: str) -> None:
        super().__init__(re.sub(_REMARK, _blank, text), path)

    def quotation(self, mark: str) -> None:
        self.begin()
        self.at += 1
        while self.text[self.at : self.at + 1] not in (mark, "\r", "\n", ""):
            self.take(self.at, expands=self.text[self.at] in self.expansions)
            self.at += 1
        self.at += self.text[self.at : self.at + 1] == mark
