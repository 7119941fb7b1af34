"""A guest as rules see it: what is written of enlightenments, CPU, clock and machine, with the places.

A `hvctl.model.guest.Guest` is made of a text without mistakes. Here each mistake is to become a finding of its own, so
that the reader of a domain and that of a command line take what they understand, and note what they do not. No place
is computed before a finding asks for it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from hvctl.catalog import BY_ID, machines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hvctl.catalog.types import Row
    from hvctl.model.finding import Edit
    from hvctl.model.profile import Value
    from hvctl.model.span import Span

Place = Any
"""Where something stands: an Element of a domain, a Word of a command line."""

FREQUENCIES = ("tsc-frequency", "tsc-freq")
"""QEMU's names of the property that is the frequency of the TSC."""

_OTHER_HYPERVISORS = ("xen", "bhyve", "vz", "test")


class Kind(StrEnum):
    """The kinds of text that describe a guest."""

    DOMAIN = "domain"
    COMMAND_LINE = "command line"


class Entry(NamedTuple):
    """One enlightenment that is written down.

    `text` is its value as written, None for a plain switch. `argument` says that it is an argument of QEMU's;
    `attribute` names what of the element carries the value.
    """

    row: Row
    on: bool
    value: Value | None
    where: Place
    text: str | None = None
    argument: bool = False
    attribute: str = ""


class Mistake(NamedTuple):
    """Something that is written and cannot be read; `kind` tells which rule it is for."""

    kind: str
    message: str
    where: Place
    instead: str
    attribute: str = ""
    change: tuple[str, str] | None = None
    """What an attribute, by its name, should say, where that is beyond doubt."""
    row: Row | None = None
    name: str = ""


def underscored(name: str, where: Place, attribute: str = "") -> Mistake | None:
    """The mistake of a property that is written with `_` where QEMU does not take that for `-`."""
    right = name.replace("_", "-")
    if right == name:
        return None
    instead = f"write {right}: `_` is `-` in name=value behind -cpu only"
    return Mistake("unknown", "", where, instead, attribute, name=name)


class Timer(NamedTuple):
    """A timer of the clock: its tick policy, whether it is present (None where that is not said), and its place."""

    where: Place
    policy: str | None = None
    present: bool | None = None


class Switch(NamedTuple):
    """A feature of the CPU."""

    name: str
    on: bool
    where: Place


class Guest:
    """What is written of one guest.

    `written` are all enlightenments as they count, by id; `on` those that are on; `lacking` pairs those that
    require one that is not on with its id. `alive` is whether the guest sees Hyper-V at all, as far as it is
    written. `open` says that something else turns on more than what is written (passthrough, host-model, what a
    shell expands), `partial` that there may be options that are not written. `removals` are properties that are turned
    off as arguments. `kvm` is None where the accelerator is not said. `frequency` is whether the TSC's frequency is
    written. `pinned` is whether every vCPU has a CPU of its own, None where that cannot be seen. `other` is whether the
    guest is known to be no Windows for x86. `root` is the place of findings about the whole.
    """

    kind: Kind
    root: Place
    partial = False
    other = False
    removals: Sequence[Entry] = ()

    def __init__(self, path: str) -> None:
        self.path = path
        self.name = ""
        self.written: dict[str, Entry] = {}
        self.on: dict[str, Entry] = {}
        self.alive = False
        self.lacking: list[tuple[Entry, str]] = []
        self.mistakes: list[Mistake] = []
        self.mode: str = ""
        self.mode_where: Place = None
        self.open = False
        self.kvm: bool | None = None
        self.accelerator = ""
        self.accelerator_where: Place = None
        self.machine: str | None = None
        self.machine_where: Place = None
        self.switches: dict[str, Switch] = {}
        self.frequency = False
        self.offset: str | None = None
        self.offset_where: Place = None
        self.timers: dict[str, Timer] = {}
        self.pinned: bool | None = None
        self.threads: bool | None = None
        self.windows = False

    def finish(self) -> None:
        """Work out what follows from what was read."""
        self.on = on = {row_id: entry for row_id, entry in self.written.items() if entry.on}
        alive = self.open
        for entry in on.values():
            row = entry.row
            alive = alive or row.enables_hyperv
            for needed in row.requires:
                if needed not in on and self._counts(row):
                    self.lacking.append((entry, needed))
        self.alive = alive

    def _counts(self, row: Row) -> bool:
        """Whether what a row requires is required by the machine type."""
        unless = row.requires_unless
        if not unless:
            return True
        said = self.written.get(unless)
        return not said.on if said is not None else unless not in machines.compat(self.machine or "")

    @property
    def concerned(self) -> bool:
        """Whether the guest is Windows, or looks like one that should see Hyper-V."""
        return self.windows or (self.alive and not self.other)

    @property
    def foreign(self) -> bool:
        """Whether another hypervisor than QEMU runs the guest, so that what QEMU wants does not hold."""
        return self.kvm is False and self.accelerator in _OTHER_HYPERVISORS

    def has(self, rows: Sequence[Row]) -> bool:
        """Whether any of these is on."""
        on = self.on
        for row in rows:  # noqa: SIM110 - any() takes four times as long, and this is asked often of each file
            if row.id in on:
                return True
        return False

    def span(self, where: Place, attribute: str = "") -> Span:
        """The place of something, of one of its attributes where it has that."""
        raise NotImplementedError

    def name_of(self, row: Row) -> str:
        """What the text calls a row."""
        raise NotImplementedError

    def syntax(self, row: Row) -> str:
        """What turns a row on, as it is written here."""
        raise NotImplementedError

    def can_turn_on(self, row: Row) -> bool:
        """Whether a fix can turn a row on here."""
        raise NotImplementedError

    def can_set_timer(self, timer: str) -> bool:  # noqa: ARG002 - of a domain every one
        """Whether a fix can change what is written of a timer, or add it."""
        return True

    def can_set_offset(self) -> bool:
        """Whether a fix can set the offset of the clock."""
        return True

    def can_set_machine(self) -> bool:
        """Whether a fix can put another machine type in the place of the one that is written."""
        return self.machine is not None

    def needed(self, entry: Entry) -> bool:
        """Whether something else that is on requires what an entry turns on, and stays where that is dropped."""
        inside = f"{entry.row.libvirt.path}/" if entry.row.libvirt and not entry.argument else ""
        for other in self.on.values():
            below = inside and not other.argument and other.row.libvirt and other.row.libvirt.path.startswith(inside)
            if entry.row.id in other.row.requires and not below and self._counts(other.row):
                return True
        return False

    def with_needs(self, row: Row) -> Iterator[Row]:
        """A row, and what it requires, and that in turn, as far as it is not on."""
        yield row
        for needed in row.requires if self._counts(row) else ():
            if needed not in self.on:
                yield from self.with_needs(BY_ID[needed])

    def can_have(self, row: Row) -> bool:
        """Whether what a row requires is on or can be added: nothing of it is written as off."""
        if not self._counts(row):
            return True
        missing = [BY_ID[needed] for needed in row.requires if needed not in self.on]
        return all(one.id not in self.written and self.can_turn_on(one) and self.can_have(one) for one in missing)

    def elements(self) -> frozenset[str]:
        """The catalog's paths of what is written as elements."""
        return frozenset(
            entry.row.libvirt.path for entry in self.written.values() if entry.row.libvirt and not entry.argument
        )

    def editor(self) -> Changes:
        """A new collection of changes to the text."""
        raise NotImplementedError


class Changes:
    """Changes to a guest's text, in the words of rules."""

    def turn_on(self, rows: Sequence[Row]) -> None:
        """Turn rows on, each with a value that is advised where it needs one."""
        raise NotImplementedError

    def drop(self, entry: Entry) -> None:
        """Take away what is written of a row."""
        raise NotImplementedError

    def set(self, where: Place, name: str, value: str) -> None:
        """Give an attribute a value; only of a domain."""
        raise NotImplementedError

    def remove(self, where: Place) -> None:
        """Take an element, or a part of `-cpu`, away."""
        raise NotImplementedError

    def rename(self, where: Place, name: str) -> None:
        """Put an element of another name in the place of one that has none inside; only of a domain."""
        raise NotImplementedError

    def set_timer(self, timer: str, name: str, value: str) -> None:
        """Give an attribute of a timer a value, in libvirt's words, and add the timer where it is missing."""
        raise NotImplementedError

    def set_offset(self, value: str) -> None:
        """Set the offset of the clock, and add the clock where it is missing."""
        raise NotImplementedError

    def set_machine(self, name: str) -> None:
        """Put a machine type in the place of the one that is written."""
        raise NotImplementedError

    def edits(self) -> tuple[Edit, ...]:
        """What changes, in the order of the file."""
        raise NotImplementedError
