"""A QEMU command line as a Guest, and changes to it: parts of `-cpu` and of other options added, changed, removed."""

from collections.abc import Sequence
from typing import NamedTuple

from hvctl.catalog import roles
from hvctl.catalog.types import Row
from hvctl.errors import Span
from hvctl.guest.command import DRIFTFIX
from hvctl.guest.command.cpu import Assignment
from hvctl.model.guest import Changes, Edit, Guest, Place, Setting, cpu_argument
from hvctl.text.shell_words import Word, place


class Part(NamedTuple):
    """The part of an option's value that says a fact, and QEMU's word for a value where that is another."""

    name: str
    key: str
    values: dict[str, str]


_FACTS = {
    "hpet.present": Part("machine", "hpet", {"no": "off", "yes": "on"}),
    "rtc.policy": Part("rtc", "driftfix", DRIFTFIX),
    "offset": Part("rtc", "base", {}),
    "machine": Part("machine", "type", {}),
}


def option_of(fact: str) -> Part | None:
    """Where QEMU has a fact; None for the PIT's policy, which is a `-global`."""
    return _FACTS.get(fact)


def advised(row: Row) -> str:
    """The part of `-cpu` that turns a row on."""
    return f"{row.properties[0].name}={hex(roles.ADVISED_NUMBER) if row in roles.NUMBERS else 'on'}"


class CommandLine(Guest):
    """One QEMU command.

    `text` is the whole file; `cpu_word` the value of the `-cpu` that counts; `options` are the values of the last
    `-machine` and `-rtc`, by name, which QEMU merges with the ones before; `globals` the word before the value of each
    `-global`, by the place of that value; `sizes` the numbers of all `-smp`.
    """

    syntax_name = "command line"
    __slots__ = (*("text", "path", "cpu_word", "options", "globals", "sizes", "assigned"),)

    def __init__(self, text: str, path: str, root: Word) -> None:
        super().__init__(path)
        self.text = text
        self.path = path
        self.root: Word = root
        self.cpu_word: Word | None = None
        self.options: dict[str, Word] = {}
        self.globals: dict[int, Place] = {}
        self.sizes: dict[str, int] = {}
        self.assigned: list[tuple[str, Assignment]] = []

    def span(self, where: Place, attribute: str = "") -> Span:  # noqa: ARG002 - a word has no attributes
        return place(self.text, self.path, where)

    def syntax(self, row: Row) -> str:
        return f"{advised(row)} in -cpu"

    def cpu_syntax(self, model: str, features: Sequence[str] = ()) -> str:
        return cpu_argument(model, features)

    def syntax_of(self, fact: str, value: str) -> str:
        option = option_of(fact)
        if option is None:
            return f"-global kvm-pit.lost_tick_policy={value}"
        return f"-{option.name} {option.key}={option.values.get(value, value)}"

    def can_turn_on(self, row: Row) -> bool:  # noqa: ARG002 - each has a property
        return self.cpu_word is not None and not self.cpu_word.expands

    def can_set(self, fact: str) -> bool:
        """As in Guest: whether a part of an option's value can be set, or the option be added after `-cpu`."""
        if fact == "machine" and self.machine is None:
            return False
        option = option_of(fact)
        if option is None:
            timer = self.timers.get(fact.partition(".")[0])
            return timer is not None and _plain(timer.where)
        value = self.options.get(option.name)
        return self.cpu_word is not None if value is None else _plain(value)


class RunningCommand(CommandLine):
    """The command of a QEMU that runs, which nobody can change."""

    __slots__ = ()

    @property
    def fixable(self) -> bool:
        return False


def _plain(value: Word) -> bool:
    """Whether the parts of an option's value are what they look like: no comma that belongs to a text, no `$x`."""
    return bool(value) and not value.expands and ",," not in value


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
            setting = self.command.settings.get(row.id)
            if setting is not None:
                self.drop(setting)
            added += f",{advised(row)}"
        if added and self.command.cpu_word is not None:
            self.after(self.command.cpu_word, added)

    def drop(self, setting: Setting) -> None:
        self.remove(setting.where)

    def remove(self, where: Place) -> None:
        """Remove a part of `-cpu`, with the comma before it; or a `-global`; or an earlier `-cpu` with its value."""
        cpu, start = self.command.cpu_word, where.offsets[0]
        if start in self.command.globals:
            self.remove_option(self.command.globals[start], where)
        elif cpu is not None and start in cpu.offsets:
            at = cpu.offsets.index(start)
            self.put(cpu.part(at - 1, at + len(where)), "", cpu)

    def remove_option(self, option: Place, value: Word) -> None:
        """Remove an option and its value, with the space before them."""
        text, start = self.command.text, option.offsets[0]
        if text[start - 1 : start] in ("'", '"'):
            start -= 1
        if start and text[start - 1] in " \t\0":
            self.replace(start - 1, value.offsets[-1], "")
        elif not start or text[start - 1] == "\n":
            self.replace(start, value.offsets[-1], "")

    def set_fact(self, fact: str, value: str) -> None:
        part = option_of(fact)
        if part is not None:
            self.set_part(part.name, part.key, part.values.get(value, value))
            return
        word: Word = self.command.timers[fact.partition(".")[0]].where
        self.put(_value(word), value, word)

    def set_part(self, option: str, key: str, value: str) -> None:
        """Set a part of an option's value, where it is, else at its end; or add the option."""
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
            self.after(word, f",{key}={value}")
        else:
            self.put(found, value, word)

    def add_option(self, *words: str) -> None:
        """Add words after `-cpu`."""
        assert self.command.cpu_word is not None, "without it nothing can be set"
        end = self.command.cpu_word.offsets[-1]
        between = "\0" if "\0" in self.command.text else " "
        self.replace(end, end, "".join(f"{between}{word}" for word in words))

    def put(self, part: Word, text: str, whole: Word) -> None:
        """Replace a part of a word by a text; quotations that begin or end inside it stay."""
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

    def after(self, word: Word, text: str) -> None:
        """Add to the end of a word, inside of its quotes."""
        end = self.end(word)
        self.replace(end, end, text)

    def end(self, word: Word) -> int:
        """The place after the last character of a word: a word in quotes itself ends after the quote."""
        return word.offsets[-2] + 1 if len(word) else word.offsets[-1]

    def replace(self, start: int, end: int, text: str) -> None:
        """Replace the characters from `start` up to `end` by a text."""
        before = self.command.text
        span = place(before, self.command.path, Word(before[start:end] or " ", range(start, max(end, start + 1) + 1)))
        if start == end:
            span = span._replace(end_line=span.line, end_column=span.column)
        offset = len(before[:start].encode("utf-8", "surrogateescape"))
        length = len(before[start:end].encode("utf-8", "surrogateescape"))
        self._edits.append(Edit(offset, offset + length, text, span))
