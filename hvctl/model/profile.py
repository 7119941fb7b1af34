"""What a person wants for a guest."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Literal, NamedTuple

from hvctl.errors import Span

Value = int | str


class Ask(StrEnum):
    """How an enlightenment is asked for."""

    ON = "on"
    PREFER = "prefer"
    OFF = "off"


class Migration(StrEnum):
    """Whether the guest must be able to migrate live."""

    REQUIRED = "required"
    NONE = "none"


class Wish(NamedTuple):
    """One entry of a profile's `enlightenments`. `value` is None for rows without one, or to keep the default.

    `why` is the profile's own reason, in its words; empty where it gives none.
    """

    id: str
    ask: Ask
    value: Value | None = None
    span: Span | None = None
    why: str = ""


class CpuChoice(NamedTuple):
    """The guest's CPU; `hidden` is QEMU's kvm=off."""

    model: str = "host"
    hidden: bool = False
    features: tuple[tuple[str, bool], ...] = ()


def cpu_in_profile(model: str, features: Sequence[str] = ()) -> str:
    """What gives a guest a CPU model, with these features on, as it is written in a profile."""
    on = ", ".join(f"{name}: on" for name in features)
    return f"`cpu: {{model: {model}, features: {{{on}}}}}` in the profile" if on else f"`cpu: {model}` in the profile"


class ClockChoice(NamedTuple):
    """Clock companions. `rtc` is catchup or delay, `pit` delay or discard: libvirt's tickpolicy words."""

    offset: Literal["localtime", "utc"] = "localtime"
    hpet: bool = False
    rtc: Literal["catchup", "delay"] = "catchup"
    pit: Literal["delay", "discard"] = "delay"


class Profile(NamedTuple):
    """A profile with its parents merged and its defaults filled in.

    `machine` is `q35`, `pc` or a versioned type; `tsc_frequency` is in Hz. `wishes` are in the catalog's order.
    `harmed` is `Guest.harmed` of the domain that the profile is for, None where there is none.
    `spans` maps a key path (`machine`, `cpu.features.invtsc`) to its place, where it was written.
    """

    name: str
    description: str = ""
    os: str = "other"
    uses: tuple[str, ...] = ()
    migration: Migration = Migration.REQUIRED
    machine: str = "q35"
    cpu: CpuChoice = CpuChoice()
    tsc_frequency: int | Literal["auto"] | None = None
    pinned: bool = False
    wishes: tuple[Wish, ...] = ()
    clock: ClockChoice = ClockChoice()
    harmed: bool | None = None
    spans: tuple[tuple[str, Span], ...] = ()
