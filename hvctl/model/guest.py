"""A configured guest: what a text, a running QEMU or a plan says of it, right or wrong, each thing with its place.

Beside a Profile, which wishes, and a Plan, which is resolved. A reader of a syntax makes a Guest, or a class of its own
derived from it; rules, conversions, migration verdicts and proofs are written for the Guest and know no syntax.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from functools import partial
from typing import Any, ClassVar, NamedTuple, Self

from hvctl.catalog import BY_ID, ORDER, ROWS, machines
from hvctl.catalog.cpu_models import HYPERVISOR
from hvctl.catalog.placement import HypervElement
from hvctl.catalog.types import Row
from hvctl.catalog.windows import System
from hvctl.errors import MOST_PROBLEMS, InputError, Problem, Span
from hvctl.model.host import Host
from hvctl.model.profile import Value, cpu_in_profile

Place = Any
"""Where something is written: an Element of a domain, a Word of a command line; None in what is no text. The reader
that made it turns it into a Span when a finding asks for that."""

# What is asked of each row that is on: to look into the rows takes four times as long.
_ENABLING = frozenset(row.id for row in ROWS if row.enables_hyperv)
_TAKING_ALL = frozenset(row.id for row in ROWS if row.takes_all)
_REQUIRING = {row.id: row.requires for row in ROWS if row.requires}

HOST_MODELS = ("host", "max")
X86 = "x86_64"
OTHER_HYPERVISORS = ("xen", "bhyve", "vz", "test", "hyperv", "vmware")


class Known(StrEnum):
    """How a fact of a guest is known."""

    WRITTEN = "written"
    DEFAULT = "default"
    UNKNOWN = "unknown"


class Setting(NamedTuple):
    """One enlightenment that is written down.

    `value` is as in a Decision: None for a plain on. `text` is the value as written. `argument` says that it is an
    argument of QEMU's; `attribute` names what of the element carries the value.
    """

    row: Row
    on: bool
    value: Value | None = None
    where: Place = None
    text: str | None = None
    argument: bool = False
    attribute: str = ""

    @property
    def id(self) -> str:
        """The row's id."""
        return self.row.id


# Makes a Setting of all its fields in half of a call's time: lint reads tens of thousands.
setting_of = partial(tuple.__new__, Setting)

# Kinds of mistakes that QEMU or libvirt may take.
HARMLESS = ("unknown", "unclear")


class Mistake(NamedTuple):
    """Something that is written and cannot be read as it stands.

    `kind` tells lint which rule it is for: `value`; `unknown`, a name that newer programs may know; `unclear`, a value
    that some QEMUs or libvirts take and others do not; `range`, which has a rule of its own. `change` is what an
    attribute, by its name, should say, where that is beyond doubt.
    """

    kind: str
    message: str
    where: Place
    instead: str
    attribute: str = ""
    change: tuple[str, str] | None = None
    name: str = ""


class Timer(NamedTuple):
    """A timer of the clock: its place, tick policy, and whether it is present (None: not written); `track` is what the
    RTC follows, by libvirt's word."""

    where: Place
    policy: str | None = None
    present: bool | None = None
    mode: str | None = None
    track: str | None = None


class Switch(NamedTuple):
    """A feature of the CPU, by the name that is written; `on` is None where libvirt decides at the start."""

    name: str
    on: bool | None
    where: Place = None


class Topology(NamedTuple):
    """The vCPUs as the guest sees them; None for what is not written."""

    sockets: int | None = None
    dies: int | None = None
    cores: int | None = None
    threads: int | None = None


class Device(NamedTuple):
    """An assigned device: `kind` is `pci` or `mdev`, `name` its address or UUID as written; `network` is whether it is
    known to be a network card. What else a device is, neither syntax says."""

    kind: str
    name: str
    where: Place = None
    network: bool = False


class Firmware(NamedTuple):
    """The firmware's kind, `bios` or `uefi`, and whether it checks signatures (None: not known)."""

    kind: str
    secure: bool | None = None


class Replaced(NamedTuple):
    """A CPU that a later `-cpu` replaces as a whole: its place, and the enlightenments that it turns on."""

    where: Place
    names: tuple[str, ...]


class Guest:
    """One configured guest.

    `label` is how messages name it. `libvirt` says that libvirt writes QEMU's command line. `machine` is a type, or an
    alias such as `q35`; None is QEMU's default. `cpu` is the model by QEMU's name (`host`, `max`, `EPYC`), None where
    it is not known; `migratable` is that property of the models `host` and `max`. `enforce` is whether QEMU refuses to
    start without a CPU feature that is asked for. `tsc_frequency` is in Hz. `irqchip` is `on`, `split` or `off`.
    `switches` are the CPU's features by QEMU's names, `properties` its others with values, as text.

    `vcpus` are those at the start, `most_vcpus` how many there can be where that is another number.

    `settings` are all enlightenments as they count, by id; `on` those that are on; `lacking` pairs those that require
    one that is not on with its id. `repeated` are settings that another one takes the place of, with that; `removals`
    are arguments that turn something off; `replaced` are CPUs that a later `-cpu` throws away.

    `kvm` is None where the accelerator is not written. `enlightened` is whether anything turns Hyper-V on, as far as
    it is written, `alive` whether the guest sees it, too: without the CPU's hypervisor bit it does not look for it.
    `takes_all` is whether it gets all that a host's KVM has. `open` says that something else turns on
    more than what is written (passthrough, host-model, what a shell expands), `partial` that there may be options
    that are not written. `pinned` is whether every vCPU has a CPU of its own, None where that cannot be seen.
    `system` is libosinfo's id, `release` what the catalog knows of it, or of a name that tells it; `windows`
    whether the guest is Windows or looks like it, `other` whether it is known to be no Windows for x86.

    `places` has the place of each fact that is written, by the attribute's name, `unknown` why one cannot be told.
    `doubts` are sentences about what is there and could not be read: they make a yes uncertain. `blockers` are what a
    running QEMU itself has against a migration; `seen` is None but for a running QEMU, which does not report what was
    written but what its CPU has become, by QEMU's names and as text: `switches` and `properties` are empty then.
    """

    syntax_name: ClassVar[str] = ""
    """What rule pages call the texts that hold such guests."""
    taker: ClassVar[str] = "libvirt"
    """Who takes the numbers of `limits`."""

    # Not defaults of the class: CPython has no fast way to an attribute that has one, and lint asks hundreds of times.
    __slots__ = (
        *("label", "arch", "accelerator", "kvm", "libvirt", "machine", "irqchip", "firmware", "cpu"),
        *("migratable", "enforce", "hidden", "tsc_frequency", "properties", "offset", "vcpus", "most_vcpus"),
        *("topology", "pinned", "system", "release", "windows", "other", "enlightened", "alive", "takes_all"),
        *("open", "partial", "blockers", "seen", "root", "settings", "on", "lacking", "repeated", "removals"),
        *("replaced", "switches", "timers", "devices", "mistakes", "doubts", "places", "unknown"),
    )

    def __init__(self, label: str) -> None:
        self.label = label
        self.arch = X86
        self.accelerator: str | None = None
        self.kvm: bool | None = None
        self.libvirt = False
        self.machine: str | None = None
        self.irqchip: str | None = None
        self.firmware: Firmware | None = None
        self.cpu: str | None = None
        self.migratable = True
        self.enforce = False
        self.hidden = False
        self.tsc_frequency: int | None = None
        self.properties: tuple[tuple[str, str], ...] = ()
        self.offset: str | None = None
        self.vcpus: int | None = None
        self.most_vcpus: int | None = None
        self.topology: Topology | None = None
        self.pinned: bool | None = None
        self.system: str | None = None
        self.release: System | None = None
        self.windows = False
        self.other = False
        self.enlightened = False
        self.alive = False
        self.takes_all = False
        self.open = False
        self.partial = False
        self.blockers: tuple[str, ...] = ()
        self.seen: tuple[tuple[str, str], ...] | None = None
        self.root: Place = None
        self.settings: dict[str, Setting] = {}
        self.on: dict[str, Setting] = {}
        self.lacking: list[tuple[Setting, str]] = []
        self.repeated: list[tuple[Setting, Setting]] = []
        self.removals: list[Setting] = []
        self.replaced: list[Replaced] = []
        self.switches: dict[str, Switch] = {}
        self.timers: dict[str, Timer] = {}
        self.devices: list[Device] = []
        self.mistakes: list[Mistake] = []
        self.doubts: tuple[str, ...] = ()
        self.places: dict[str, Place] = {}
        self.unknown: dict[str, str] = {}

    def finish(self) -> None:
        """Work out what follows from what was read."""
        self.on = on = {row_id: setting for row_id, setting in self.settings.items() if setting.on}
        self.lacking = []
        for row_id, setting in on.items():
            for needed in _REQUIRING.get(row_id, ()):
                if needed not in on and self._counts(setting.row):
                    self.lacking.append((setting, needed))
        self.enlightened = self.open or not _ENABLING.isdisjoint(on)
        self.takes_all = not _TAKING_ALL.isdisjoint(on)
        self.alive = self.enlightened and not self.without_hypervisor_bit

    def replace(self, **changes: Any) -> Self:
        """A copy with other values for some attributes."""
        from copy import copy

        new = copy(self)
        for name, value in changes.items():
            assert hasattr(new, name), name
            setattr(new, name, value)
        return new

    def known(self, fact: str) -> Known:
        """How an attribute is known, by its name."""
        if fact in self.unknown:
            return Known.UNKNOWN
        return Known.WRITTEN if fact in self.places else Known.DEFAULT

    def set_settings(self, settings: Iterable[Setting]) -> None:
        """Give the guest these enlightenments and no others."""
        self.settings = {setting.id: setting for setting in settings}
        self.finish()

    def in_order(self) -> list[Setting]:
        """The settings in the catalog's order."""
        return sorted(self.settings.values(), key=lambda setting: ORDER[setting.id])

    def enabled(self) -> dict[str, Value | None]:
        """The ids that are on, with their values, in the catalog's order."""
        return {setting.id: setting.value for setting in self.in_order() if setting.on}

    @property
    def qemu_names(self) -> tuple[str, ...]:
        """QEMU's names of the enlightenments that are on, in the order of the text."""
        return tuple([setting.row.properties[0].name for setting in self.on.values()])

    @property
    def features(self) -> tuple[tuple[str, bool], ...]:
        """The CPU's features that are certainly on or off, by QEMU's names."""
        return tuple([(name, switch.on) for name, switch in self.switches.items() if switch.on is not None])

    @property
    def harmed(self) -> bool:
        """Whether every enlightenment is known to hang the guest: by its release, firmware and number of vCPUs."""
        uefi = self.firmware is not None and self.firmware.kind == "uefi"
        return self.release is not None and self.release.harmed_by_uefi and uefi and (self.vcpus or 1) > 1

    @property
    def hangs(self) -> bool:
        """Whether it is harmed, and sees what harms it: then nothing is to be written, and all is to be left out."""
        return self.kvm is not False and self.alive and self.harmed

    def uses(self, row: Row) -> bool:
        """Whether the guest may gain from a row; False only where its release is known not to."""
        build = self.release.build if self.release else None
        return not self.harmed and (build is None or build >= row.windows_build)

    @property
    def lacks_kvmclock(self) -> bool:
        """Whether the time of a reference clock jumps back, because KVM is hidden on an old machine type."""
        return self.hidden and self.kvm is not False and machines.lacks_kvmclock(self.machine)

    @property
    def without_hypervisor_bit(self) -> bool:
        """Whether the CPU hides from the guest that there is a hypervisor."""
        switch = self.switches.get(HYPERVISOR)
        return switch is not None and switch.on is False

    @property
    def may_have_gpu(self) -> bool:
        """Whether a device is assigned that may be a graphics card."""
        return any(not device.network for device in self.devices)

    @property
    def concerned(self) -> bool:
        """Whether the guest is Windows that may see Hyper-V, or looks like one that should."""
        return (self.windows and not self.without_hypervisor_bit) or (self.alive and not self.other)

    @property
    def foreign(self) -> bool:
        """Whether another hypervisor than QEMU runs the guest, so that QEMU's requirements do not hold."""
        return self.kvm is False and self.accelerator in OTHER_HYPERVISORS

    def wrong(self, message: str, where: Place, instead: str, attribute: str = "") -> None:
        """Remember a value that QEMU or libvirt refuses."""
        self.mistakes.append(Mistake("value", message, where, instead, attribute))

    def unclear(self, what: str, number: int, where: Place, attribute: str = "", *, whole: bool = False) -> None:
        """Remember a binary number, of which whoever takes it reads `number`; `whole` where it is a whole attribute."""
        message = f"{what} is a binary number: C libraries before C23 (glibc before 2.38) find no number in it"
        change = (attribute, str(number)) if whole else None
        self.mistakes.append(Mistake("unclear", message, where, f"write {number}", attribute, change))
        self.doubt(message)

    def doubt(self, sentence: str, fact: str = "") -> None:
        """Remember a sentence, once; and that it leaves a fact unknown."""
        # A file of 16 MiB can give rise to a million; nobody reads more than these.
        if len(self.doubts) < 50 and sentence not in self.doubts:
            self.doubts = (*self.doubts, sentence)
        if fact:
            self.unknown[fact] = sentence

    def check(self) -> Self:
        """The guest itself; raises InputError with every mistake that QEMU or libvirt would refuse, in their order."""
        found = [one for one in self.mistakes if one.kind not in HARMLESS]
        if not found:
            return self
        problems = [
            Problem(one.message, self.span(one.where, one.attribute) if one.where is not None else None, one.instead)
            for one in found[: MOST_PROBLEMS + 1]
        ]
        raise InputError(sorted(problems, key=_position))

    def _counts(self, row: Row) -> bool:
        """Whether what a row requires is required by the machine type."""
        unless = row.requires_unless
        if not unless:
            return True
        setting = self.settings.get(unless)
        return not setting.on if setting is not None else unless not in machines.compat(self.machine or "")

    def has(self, rows: Sequence[Row]) -> bool:
        """Whether any of these is on."""
        on = self.on
        for row in rows:  # noqa: SIM110 - any() takes four times as long, and this is asked often of each file
            if row.id in on:
                return True
        return False

    def needed(self, setting: Setting) -> bool:
        """Whether something else that is on requires what a setting turns on, and stays where that is dropped."""
        return any(
            setting.id in other.row.requires and not _inside(other, setting) and self._counts(other.row)
            for other in self.on.values()
        )

    def needing(self, setting: Setting) -> list[Setting]:
        """What is on, and requires what a setting turns on, directly or not."""
        ids, found = [setting.id], list[Setting]()
        for row_id in ids:  # it grows
            for other in self.on.values():
                if row_id in other.row.requires and other.id not in ids and self._counts(other.row):
                    ids.append(other.id)
                    found.append(other)
        return found

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
        return all(one.id not in self.settings and self.can_turn_on(one) and self.can_have(one) for one in missing)

    @property
    def hyperv_place(self) -> Place:
        """What turns Hyper-V on, for findings about all of it; `root` where nothing does."""
        return next(iter(self.on.values())).where if self.on else self.root

    @property
    def clock_place(self) -> Place:
        """The clock, for findings about what is not written of it; `root` where there is none."""
        return self.root

    def span(self, where: Place, attribute: str = "") -> Span:
        """The place of something, of one of its attributes where it has that."""
        raise NotImplementedError("a guest that is no text has no places")

    def origin(self, where: Place) -> str:  # noqa: ARG002 - what is written is there by itself
        """By whom something was added that the text itself does not have; empty for what is written."""
        return ""

    def cause(self, where: Place) -> Place:
        """Where a finding belongs about something that has an origin: what of the text it comes from."""
        return where

    def leave_out(self, settings: Sequence[Setting]) -> str:
        """To leave settings out, as it is written here."""
        _, *others = settings
        return f"leave it and {', '.join(self.name_of(one.row) for one in others)} out" if others else "leave it out"

    def on_hosts(self, hosts: Sequence[Host]) -> "Guest":  # noqa: ARG002 - a text says all of it
        """The guest as it is on these hosts, where what it is depends on them."""
        return self

    @property
    def way_to_hyperv(self) -> str:
        """What to do where a Windows guest has no enlightenment."""
        return "let `hvctl gen PROFILE` write those that your hosts can give"

    @property
    def fixable(self) -> bool:
        """Whether its text may be changed: not where it says what was, as of a snapshot."""
        return True

    @property
    def platforms_own(self) -> tuple[str, ...]:
        """Sentences about what the text says for its platform alone: no other syntax has a place for it."""
        return ()

    def name_of(self, row: Row) -> str:
        """The text's name of a row."""
        return row.properties[0].name

    def value_name(self, setting: Setting) -> str:
        """The text's name of the value of a setting that has one."""
        return f"{setting.attribute} of <{setting.where.tag}>"

    def limits(self, row: Row) -> tuple[int, int]:
        """The least and the largest number that may be written for a row."""
        place = row.libvirt
        return (place.minimum or 0 if isinstance(place, HypervElement) else 0), (1 << 32) - 1

    def syntax(self, row: Row) -> str:
        """What turns a row on, as it is written here."""
        return self.name_of(row)

    def syntax_all(self, rows: Sequence[Row]) -> str:
        """What turns several rows on."""
        return ", ".join(map(self.syntax, rows))

    def syntax_of(self, fact: str, value: str) -> str:
        """What gives a fact a value, as it is written here: `offset`, `machine`, or as `rtc.policy`."""
        return f"{fact}={value}"

    def cpu_syntax(self, model: str, features: Sequence[str] = ()) -> str:
        """What gives the guest a CPU model with these features on, as it is written here."""
        return cpu_argument(model, features) if self.seen is not None else cpu_in_profile(model, features)

    def can_turn_on(self, row: Row) -> bool:  # noqa: ARG002 - nothing can be changed in what is no text
        """Whether a fix can turn a row on here."""
        return False

    def can_set(self, fact: str) -> bool:  # noqa: ARG002 - as above
        """Whether a fix can set `offset`, `machine`, or something of a timer, such as `hpet.present`."""
        return False

    def editor(self) -> "Changes":
        """A new collection of changes to the text."""
        raise NotImplementedError("a guest that is no text cannot be changed")


def cpu_argument(model: str, features: Sequence[str]) -> str:
    """QEMU's option for a CPU model with these features on."""
    return f"-cpu {','.join((model, *(f'{name}=on' for name in features)))}"


def _inside(inner: Setting, outer: Setting) -> bool:
    """Whether one element is written in the other."""
    place, around = inner.row.libvirt, outer.row.libvirt
    return (
        not (inner.argument or outer.argument)
        and isinstance(place, HypervElement)
        and isinstance(around, HypervElement)
        and place.inside == around.name
    )


def _position(problem: Problem) -> tuple[int, int]:
    return (problem.span.line, problem.span.column) if problem.span else (0, 0)


class Edit(NamedTuple):
    """The bytes from `start` up to `end` (exclusive) of a file become `text`, encoded as the file is."""

    start: int
    end: int
    text: str
    span: Span


class Changes:
    """Changes to a guest's text, in the words of rules; a syntax that can be changed has a class derived from it."""

    def turn_on(self, rows: Sequence[Row]) -> None:
        """Turn rows on, each with a value that is advised where it needs one."""
        raise NotImplementedError

    def drop(self, setting: Setting) -> None:
        """Remove what is written of a row."""
        raise NotImplementedError

    def set(self, where: Place, name: str, value: str) -> None:
        """Give an attribute of an element a value."""
        raise NotImplementedError

    def remove(self, where: Place) -> None:
        """Remove an element, or a part of `-cpu`."""
        raise NotImplementedError

    def rename(self, where: Place, name: str) -> None:
        """Replace an element that has none inside by one of another name."""
        raise NotImplementedError

    def set_fact(self, fact: str, value: str) -> None:
        """Set what `Guest.can_set` names, and add it where it is missing; `topology` is the cores of one socket."""
        raise NotImplementedError

    def edits(self) -> tuple[Edit, ...]:
        """What changes, in the order of the file."""
        raise NotImplementedError
