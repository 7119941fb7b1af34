"""Changes to a QEMU command line: parts of `-cpu` and other options added, changed and taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvctl.formats.words import Word, place
from hvctl.lint import roles
from hvctl.lint.guest import Changes
from hvctl.model.finding import Edit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hvctl.catalog.types import Row
    from hvctl.lint.command_line import CommandLine
    from hvctl.lint.guest import Entry

_ADVISED = "0x1fff"


class CommandChanges(Changes):
    """Changes to one command."""

    def __init__(self, command: CommandLine) -> None:
        self.command = command
        self._edits: list[Edit] = []

    def edits(self) -> tuple[Edit, ...]:
        return tuple(sorted(self._edits, key=lambda edit: (edit.start, edit.end)))

    def turn_on(self, rows: Sequence[Row]) -> None:
        added = ""
        for row in rows:
            entry = self.command.written.get(row.id)
            if entry is not None:
                self.drop(entry)
            added += f",{row.properties[0].name}={_ADVISED if row in roles.NUMBERS else 'on'}"
        if added and self.command.cpu is not None:
            self.behind(self.command.cpu, added)

    def drop(self, entry: Entry) -> None:
        """Take a part of `-cpu` away, with the comma before it."""
        word: Word = entry.where
        start = word.offsets[0]
        if self.command.text[start - 1 : start] == ",":
            self.replace(start - 1, self.end(word), "")

    def behind(self, word: Word, text: str) -> None:
        """Add to the end of a word, inside of its quotes."""
        end = self.end(word)
        self.replace(end, end, text)

    def end(self, word: Word) -> int:
        """The place behind the last character of a word: a word in quotes itself ends behind the quote."""
        return word.offsets[-2] + 1 if len(word) else word.offsets[-1]

    def replace(self, start: int, end: int, text: str) -> None:
        """Put a text in the place of the characters from `start` up to `end`."""
        before = self.command.text
        span = place(before, self.command.path, Word(before[start:end] or " ", range(start, max(end, start + 1) + 1)))
        if start == end:
            span = span._replace(end_line=span.line, end_column=span.column)
        offset = len(before[:start].encode("utf-8", "surrogateescape"))
        length = len(before[start:end].encode("utf-8", "surrogateescape"))
        self._edits.append(Edit(offset, offset + length, text, span))
