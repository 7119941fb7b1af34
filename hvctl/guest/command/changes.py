"""Changes to a QEMU command line: parts of `-cpu` and other options added, changed and taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hvctl.catalog import roles
from hvctl.guest.guest import Changes
from hvctl.model.finding import Edit
from hvctl.text.shell_words import Word, place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hvctl.catalog.types import Row
    from hvctl.guest.command.reader import CommandLine
    from hvctl.guest.guest import Entry, Place


class Part(NamedTuple):
    """The part of an option's value that says what libvirt says by an attribute, and QEMU's word for its value."""

    option: str
    key: str
    values: dict[str, str]


TIMERS = {"hpet": Part("machine", "hpet", {"no": "off"}), "rtc": Part("rtc", "driftfix", {"catchup": "slew"})}
"""Where QEMU has what libvirt writes as `<timer>`; the PIT's is a `-global`."""


def setting(row: Row) -> str:
    """The part of `-cpu` that turns a row on."""
    return f"{row.properties[0].name}={hex(roles.ADVISED_NUMBER) if row in roles.NUMBERS else 'on'}"


def _value(word: Word) -> Word:
    """The value in a `-global`, `driver.property=value` or in three parts (see options.global_property)."""
    head = word.partition("=")[0]
    if "." in head:
        return word.part(len(head) + 1, len(word))
    return [part.part(len("value="), len(part)) for part in word.split_at(",") if part.startswith("value=")][-1]


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
            added += f",{setting(row)}"
        if added and self.command.cpu is not None:
            self.behind(self.command.cpu, added)

    def drop(self, entry: Entry) -> None:
        self.remove(entry.where)

    def remove(self, where: Place) -> None:
        """Take a part of `-cpu` away, with the comma before it; or a `-global`."""
        cpu, start = self.command.cpu, where.offsets[0]
        if start in self.command.globals:
            self.remove_option(self.command.globals[start], where)
        elif cpu is not None and start in cpu.offsets:
            at = cpu.offsets.index(start)
            self.put(cpu.part(at - 1, at + len(where)), "", cpu)

    def remove_option(self, option: Place, value: Word) -> None:
        """Take an option and its value away, with the space before them."""
        text, start = self.command.text, option.offsets[0]
        if text[start - 1 : start] in ("'", '"'):
            start -= 1
        if start and text[start - 1] in " \t\0":
            self.replace(start - 1, value.offsets[-1], "")
        elif not start or text[start - 1] == "\n":
            self.replace(start, value.offsets[-1], "")

    def set_timer(self, timer: str, name: str, value: str) -> None:  # noqa: ARG002 - each has one name
        part = TIMERS.get(timer)
        if part is not None:
            self.set_part(part.option, part.key, part.values[value])
            return
        word: Word = self.command.timers[timer].where
        self.put(_value(word), value, word)

    def set_offset(self, value: str) -> None:
        self.set_part("rtc", "base", value)

    def set_machine(self, name: str) -> None:
        self.set_part("machine", "type", name)

    def set_part(self, option: str, key: str, value: str) -> None:
        """Set a part of an option's value, in the place where it is, else at its end; or add the option."""
        word = self.command.options.get(option)
        if word is None:
            self.add_option(f"-{option}", f"{key}={value}")
            return
        found = None
        for position, part in enumerate(word.split_at(",")):
            name, equals, _ = part.partition("=")
            if name == key and equals:
                found = part.part(len(key) + 1, len(part))
            elif key == "type" and position == 0 and not equals:
                found = part  # `-machine q35`
        if found is None:
            self.behind(word, f",{key}={value}")
        else:
            self.put(found, value, word)

    def add_option(self, *words: str) -> None:
        """Add words behind `-cpu`."""
        assert self.command.cpu is not None, "without it nothing can be set"
        end = self.command.cpu.offsets[-1]
        between = "\0" if "\0" in self.command.text else " "
        self.replace(end, end, "".join(f"{between}{word}" for word in words))

    def put(self, part: Word, text: str, whole: Word) -> None:
        """Put a text in the place of a part of a word; quotations that begin or end inside of it stay."""
        start = end = part.offsets[0]
        known = set(whole.offsets)
        for offset in part.offsets[: len(part)]:
            # A backslash that is no character of the word escapes this one.
            escaped = self.command.text[offset - 1 : offset] == "\\" and offset - 1 not in known
            first = offset - escaped
            if first > end:
                self.replace(start, end, text)
                start, text = first, ""
            end = offset + 1
        self.replace(start, end, text)

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
