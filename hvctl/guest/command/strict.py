"""A QEMU command line becomes a guest, read as QEMU reads it; see cpu_line for the properties of its CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvctl.catalog.cpu_features import qemu_name
from hvctl.errors import InputError
from hvctl.guest.command.cpu_line import TSC_FREQUENCY, assignments, drivers
from hvctl.guest.command.cpu_properties import PREFIXES, Written, boolean, settings, wrong_value
from hvctl.guest.command.options import global_property, parameters, scan
from hvctl.model.guest import HOST_MODELS, Guest
from hvctl.model.span import Problem
from hvctl.text.c_numbers import whole_number
from hvctl.text.shell_words import Word, place, split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hvctl.guest.command.options import Option
    from hvctl.model.span import Span

_DEFAULT_CPU = "qemu64"
# Properties with a field of their own in a Guest; and `check`, which only makes QEMU warn.
_MIGRATABLE = "migratable"
_SWITCHES = (_MIGRATABLE, "enforce", "check", "kvm")
_OWN = (*_SWITCHES, TSC_FREQUENCY)


def read_command_line(text: str, path: str) -> Guest:
    """The guest of a QEMU command line.

    Args:
        text: as written for a shell, or as in /proc/PID/cmdline. Words before the first option are not looked at.
        path: its file, for messages.

    Raises:
        InputError: QEMU would not take a value, or the text has no QEMU option at all.
    """
    words = split(text, path)
    start = next((number for number, word in enumerate(words) if word.startswith("-")), None)
    if start is None:
        raise InputError([Problem(f"{path}: this is no QEMU command line: it has no option")])
    reader = _Reader(text, path)
    for word in words[1:start]:
        reader.expansion(word)
    return reader.guest(scan(words[start:]))


def read_cpu(text: str, path: str) -> Guest:
    """The guest of a `-cpu` value alone; raises as `read_command_line`."""
    option = scan(("-cpu", Word(text.strip(), range(len(text) - len(text.lstrip()), len(text) + 1))))
    return _Reader(text, path).guest(option)


class _Reader:
    def __init__(self, text: str, path: str) -> None:
        self.text = text
        self.path = path
        self.problems: list[Problem] = []
        self.machine = ""
        self.accelerator = ""
        self.cpu: Word | str = _DEFAULT_CPU
        self.globals: list[tuple[str, str, Written]] = []
        # As keys: each is said once.
        self.doubts: dict[str, None] = {}

    def guest(self, options: Iterable[Option]) -> Guest:
        for option in options:
            self.take(option)
        model, properties = self.properties()
        found = settings(properties, self.machine)
        self.doubts |= dict.fromkeys(f"hvctl does not know the QEMU property {name}" for name in found.unknown)
        others = {name: written for name, written in properties.items() if not name.startswith(PREFIXES)}
        if _MIGRATABLE in others and model not in HOST_MODELS:
            span = others[_MIGRATABLE].span
            self.problems.append(Problem(f"CPU model {model} has no property {_MIGRATABLE}", span))
        guest = Guest(
            label=self.path,
            machine=self.machine or None,
            cpu=model,
            migratable=_switch(others, _MIGRATABLE, default=True),
            enforce=_switch(others, "enforce", default=False),
            hidden=not _switch(others, "kvm", default=True),
            features=tuple(dict(_switches(others)).items()),
            properties=(*_values(others), *((name, properties[name].value) for name in found.unknown)),
            tsc_frequency=_frequency(others),
            settings=found.settings,
            accelerator=self.accelerator or None,
            doubts=tuple(self.doubts),
        )
        if self.problems:
            raise InputError(sorted(self.problems, key=_position))
        return guest

    def take(self, option: Option) -> None:
        value = option.value
        match option.name:
            case "cpu" if value is not None:
                self.cpu = value
            case "machine" | "M" if value is not None:
                for parameter in parameters(value, "type"):
                    if parameter.key == "type":
                        self.machine = parameter.value
                    elif parameter.key == "accel":
                        self.accelerator = parameter.value.partition(":")[0]
            case "accel" if value is not None:
                named = {parameter.key: parameter.value for parameter in parameters(value, "accel")}
                self.accelerator = self.accelerator or named.get("accel", "")
            case "enable-kvm":
                self.accelerator = self.accelerator or "kvm"
            case "global" if value is not None:
                self.take_global(value)
            case "readconfig":
                self.doubt(f"what -readconfig {value} says was not read")
        # In the place of a disk image a shell may put options.
        if option.name in ("", "cpu", "machine", "M", "accel", "global") and value:
            self.expansion(value)

    def expansion(self, text: str) -> None:
        if isinstance(text, Word) and text.expands:
            self.doubt(f"what a shell makes of {text} is not known")

    def take_global(self, value: str) -> None:
        found = global_property(value)
        if found is None:
            self.problem(f"-global {value}: it is written driver.property=value", value)
        else:
            self.globals.append((found[0], found[1], Written(found[2], self.span(value))))

    def properties(self) -> tuple[str, dict[str, Written]]:
        """The model, and every property of the CPU with its last value."""
        model, *parts = self.parts()
        found: dict[str, Written] = {}
        reaching = drivers(str(model))
        for driver, name, written in self.globals:
            if driver in reaching:
                self.set(found, name, written)
        for name, value, part, signed in assignments(parts):
            self.set(found, name, Written(value, self.span(part)), signed=signed)
        return str(model), found

    def set(self, found: dict[str, Written], name: str, written: Written, *, signed: bool = False) -> None:
        """Set a property. What was set before gives way, its place in the order too; QEMU has taken it first."""
        right = name.replace("_", "-")
        if right != name and right.startswith(PREFIXES):
            hint = "`_` is `-` in name=value behind -cpu only"
            self.problems.append(Problem(f"QEMU knows no property {name}: write {right}", written.span, hint))
        elif problem := wrong_value(name, written, sign=signed) or _wrong(name, written):
            self.problems.append(problem)
        found.pop(name, None)
        found[name] = written

    def parts(self) -> Sequence[Word | str]:
        """The model and the features. A doubled comma is none here: QEMU takes them apart with strtok()."""
        separate = self.cpu.split_at(",") if isinstance(self.cpu, Word) else self.cpu.split(",")
        model, *features = separate
        if not model:
            self.problem(f"-cpu {self.cpu}: there is no CPU model", self.cpu)
        return [model, *(part for part in features if part)]

    def span(self, text: str) -> Span | None:
        return place(self.text, self.path, text) if isinstance(text, Word) else None

    def problem(self, message: str, text: str) -> None:
        self.problems.append(Problem(message, self.span(text)))

    def doubt(self, sentence: str) -> None:
        self.doubts[sentence] = None


def _position(problem: Problem) -> tuple[int, int]:
    return (problem.span.line, problem.span.column) if problem.span else (0, 0)


def _wrong(name: str, written: Written) -> Problem | None:
    """What QEMU has against the value of a property that a Guest has a field for."""
    if not name:
        return Problem("there is no name of a property", written.span)
    if name in _SWITCHES and boolean(written.value) is None:
        return Problem(f"{name}={written.value}: a switch is on or off", written.span)
    if name == TSC_FREQUENCY:
        hertz = whole_number(written.value)
        if hertz is None or not 0 <= hertz < 1 << 63:
            return Problem(f"{name}={written.value}: this is no number of Hz", written.span)
    return None


def _switch(properties: dict[str, Written], name: str, *, default: bool) -> bool:
    value = boolean(properties[name].value) if name in properties else None
    return default if value is None else value


def _frequency(properties: dict[str, Written]) -> int | None:
    """In Hz. QEMU counts in kHz, and takes what is less for nothing."""
    written = properties.get(TSC_FREQUENCY)
    hertz = whole_number(written.value) if written else None
    return hertz if hertz is not None and hertz >= 1000 else None


def _switches(properties: dict[str, Written]) -> Iterator[tuple[str, bool]]:
    """What else is a switch: features of the processor, and a few of QEMU's own that do no harm among them."""
    for name, written in properties.items():
        value = boolean(written.value)
        if value is not None and name not in _OWN:
            yield qemu_name(name), value


def _values(properties: dict[str, Written]) -> Iterator[tuple[str, str]]:
    """What else has a value that is no switch."""
    for name, written in properties.items():
        if boolean(written.value) is None and name not in _OWN:
            yield name, written.value
