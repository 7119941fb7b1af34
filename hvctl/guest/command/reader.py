"""A QEMU command line as rules see it: alone in a file, or the commands of a shell script.

Read as QEMU reads it: `_` is `-` but behind `+` and `-`, whose words come after all `name=value`; the last one wins;
`-global` comes before (qemu:target/i386/cpu.c, x86_cpu_parse_featurestr()).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hvctl.catalog import roles
from hvctl.guest.command.changes import TIMERS, CommandChanges, setting
from hvctl.guest.command.cpu_properties import PREFIXES, Written, boolean, settings
from hvctl.guest.command.options import global_property, parameters, scan
from hvctl.guest.command.shell_commands import qemu_commands
from hvctl.guest.domain.windows import looks_like
from hvctl.guest.guest import FREQUENCIES, Entry, Guest, Kind, Mistake, Switch, Timer, underscored
from hvctl.model.guest import HOST_MODELS
from hvctl.text.shell_words import Word, place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hvctl.catalog.types import Row
    from hvctl.guest.command.options import Option
    from hvctl.guest.guest import Changes, Place
    from hvctl.model.span import Span

_PERHAPS = re.compile("qemu|kvm")
_SUFFIX = "-x86_64-cpu"
# Of `-global kvm-pit.lost_tick_policy=delay` the timer, and the property.
_PIT = ("kvm-pit", "lost-tick-policy")


class CommandLine(Guest):
    """One QEMU command.

    `text` is the whole file; `options` are the values of the last `-machine` and `-rtc`, by name, which QEMU merges
    with the ones before; `globals` the word before the value of each `-global`, by the place of that value; `hidden`
    is whether a shell may put enlightenments in.
    """

    kind = Kind.COMMAND_LINE

    def __init__(self, text: str, path: str, root: Word) -> None:
        super().__init__(path)
        self.text = text
        self.root = root
        self.cpu: Word | None = None
        self.removals: list[Entry] = []
        self.options: dict[str, Word] = {}
        self.globals: dict[int, Place] = {}
        self.hidden = False

    def span(self, where: Place, attribute: str = "") -> Span:  # noqa: ARG002 - a word has no attributes
        return place(self.text, self.path, where)

    def name_of(self, row: Row) -> str:
        return row.properties[0].name

    def syntax(self, row: Row) -> str:
        return f"{setting(row)} in -cpu"

    def can_turn_on(self, row: Row) -> bool:  # noqa: ARG002 - each has a property
        return self.cpu is not None and not self.cpu.expands

    def can_set_timer(self, timer: str) -> bool:
        found = self.timers.get(timer)
        if timer not in TIMERS:
            return found is not None and _plain(found.where)
        return self._can_set(TIMERS[timer].option)

    def can_set_offset(self) -> bool:
        return self._can_set("rtc")

    def can_set_machine(self) -> bool:
        return self.machine is not None and self._can_set("machine")

    def _can_set(self, option: str) -> bool:
        """Whether a part of an option's value can be set, or the option be added behind `-cpu`."""
        value = self.options.get(option)
        return self.cpu is not None if value is None else _plain(value)

    def editor(self) -> Changes:
        return CommandChanges(self)


def read_command_lines(text: str, path: str) -> list[CommandLine]:
    """The QEMU commands of a text; empty where it has none.

    Raises:
        InputError: a quotation has no end.
    """
    if not (_PERHAPS.search(text) or text.lstrip().startswith("-")):
        return []  # whatever it is, and whether or not its quotations end
    return [_read(command, text, path) for command in qemu_commands(text, path)]


def _read(words: list[Word], text: str, path: str) -> CommandLine:
    command = CommandLine(text, path, words[0])
    command.accelerator = "kvm" if words[0].endswith("kvm") else ""
    globals_: list[tuple[str, str, str, Word]] = []
    for option in scan(words[1:]):
        _option(command, option, globals_)
    _cpu(command, globals_)
    command.kvm = None if not command.accelerator else command.accelerator == "kvm"
    command.finish()
    # What may be there turns more on, and says not that the guest sees Hyper-V.
    command.open = command.hidden or command.has(roles.EVERYTHING)
    command.windows = looks_like(command.name)
    return command


def _option(command: CommandLine, option: Option, globals_: list[tuple[str, str, str, Word]]) -> None:
    value = option.value
    if option.name == "enable-kvm":
        command.accelerator = command.accelerator or "kvm"
    elif option.name == "no-hpet":
        command.timers["hpet"] = Timer(option.words[0], None, False)
    if not isinstance(value, Word):
        return
    if value.expands:
        # In the place of a disk image a shell may put options.
        command.hidden = command.hidden or option.name in ("cpu", "", "global")
        command.partial = command.partial or option.name in ("", "machine", "M", "rtc")
    if option.name == "cpu":
        command.cpu = value
    elif option.name in ("machine", "M"):
        _machine(command, value)
    elif option.name == "accel":
        named = {one.key: one.value for one in parameters(value, "accel")}
        if not command.accelerator and not _from_shell(value, named.get("accel", "")):
            command.accelerator, command.accelerator_where = named.get("accel", ""), value
    elif option.name == "global":
        found = global_property(value)
        if found and not _from_shell(value, value):
            globals_.append((*found, value))
            command.globals[value.offsets[0]] = option.words[0]
    elif option.name == "rtc":
        _rtc(command, value)
    elif option.name == "name":
        command.name = str(value)


def _from_shell(whole: Word, part: str) -> bool:
    """Whether a shell puts something else in the place of a part of a word, so that nobody can say what it will be."""
    return whole.expands and any(mark in part for mark in "$`")


def _plain(value: Word) -> bool:
    """Whether the parts of an option's value are what they look like: no comma that belongs to a text, no `$x`."""
    return bool(value) and not value.expands and ",," not in value


def _machine(command: CommandLine, value: Word) -> None:
    for one in parameters(value, "type"):
        if _from_shell(value, one.value):
            continue
        if one.key == "type":
            command.machine, command.machine_where = one.value, value
        elif one.key == "accel":
            command.accelerator, command.accelerator_where = one.value.partition(":")[0], value
        elif one.key == "hpet":
            command.timers["hpet"] = Timer(value, None, boolean(one.value))
    command.options["machine"] = value


def _rtc(command: CommandLine, value: Word) -> None:
    command.options["rtc"] = value
    for one in parameters(value):
        if _from_shell(value, one.value):
            continue
        if one.key == "base":
            command.offset, command.offset_where = one.value, value
        elif one.key == "driftfix":
            command.timers["rtc"] = Timer(value, "catchup" if one.value == "slew" else one.value)


def _cpu(command: CommandLine, globals_: Sequence[tuple[str, str, str, Word]]) -> None:
    model, *parts = [part for part in command.cpu.split_at(",") if part] if command.cpu else [Word("", [0])]
    models = HOST_MODELS if model == HOST_MODELS[0] else (str(model),)
    drivers = {"cpu", "x86_64-cpu", *(f"{one}{_SUFFIX}" for one in models)}
    for driver, name, value, word in globals_:
        if driver in drivers:
            _property(command, name, value, word)
        elif (driver, name.replace("_", "-")) == _PIT:
            command.timers["pit"] = Timer(word, value)
    signs = []
    for part in parts:
        if command.cpu and _from_shell(command.cpu, part):
            continue
        if part[:1] in ("+", "-"):
            signs.append(part)
            continue
        name, equals, value = part.partition("=")
        _property(command, name.replace("_", "-"), value if equals else "on", part)
    for sign in ("+", "-"):
        for part in signs:
            if part[0] == sign:
                _property(command, part[1:], "on" if sign == "+" else "off", part)


def _property(command: CommandLine, name: str, value: str, word: Word) -> None:
    if name in FREQUENCIES:
        command.frequency = True
        return
    if not name.replace("_", "-").startswith(PREFIXES):
        command.switches[name] = Switch(name, boolean(value) is not False, word)
        return
    if wrong := underscored(name, word):
        command.mistakes.append(wrong)
        return
    found = settings({name: Written(value)}, command.machine or "")
    for problem in found.problems:
        command.mistakes.append(Mistake("value", problem.message, word, "write what QEMU takes"))
    for unknown in found.unknown:
        command.mistakes.append(Mistake("unknown", "", word, "", name=unknown))
    for one in found.settings:
        entry = Entry(roles.PROPERTIES[name], one.on, one.value, word, value, argument=True)
        if not one.on:
            command.removals.append(entry)
        command.written[one.id] = entry
