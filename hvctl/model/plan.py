"""The resolved answer: what the guest gets, and why."""

from enum import StrEnum
from typing import NamedTuple

from hvctl.model.profile import ClockChoice, Migration, Value


class Layer(StrEnum):
    """Who decided."""

    PROFILE = "profile"
    REQUIREMENT = "requirement"
    KERNEL = "kernel"
    HARDWARE = "hardware"
    QEMU = "qemu"
    LIBVIRT = "libvirt"
    MIGRATION = "migration"


class Outcome(StrEnum):
    """What became of an enlightenment; `refused` makes the whole plan unusable."""

    ON = "on"
    OFF = "off"
    REFUSED = "refused"


class Decision(NamedTuple):
    """One enlightenment (or companion) of a plan. `asked` is `on`, `prefer`, `off` or empty: not mentioned."""

    id: str
    state: Outcome
    value: Value | None
    reason: str
    layer: Layer
    host: str | None = None
    asked: str = ""
    remedy: str = ""


class CpuPlan(NamedTuple):
    """The guest's CPU. `tsc_frequency` is in Hz; `features` are in the order in which they were written."""

    model: str
    hidden: bool
    features: tuple[tuple[str, bool], ...]
    tsc_frequency: int | None


class Machine(NamedTuple):
    """The machine type; `hpet_option` says whether it has a property `hpet` to be written, None where unknown."""

    type: str
    hpet_option: bool | None


class Plan(NamedTuple):
    """A profile resolved for a pool: valid on each of its hosts.

    `decisions` has one entry for each catalog row, in the catalog's order. `refusals` is empty in a usable plan; it
    holds what `on` could not get, and what else (machine type, CPU model, TSC) cannot be had.
    """

    profile: str
    os: str
    migration: Migration
    machine: Machine
    cpu: CpuPlan
    clock: ClockChoice
    decisions: tuple[Decision, ...]
    refusals: tuple[Decision, ...] = ()
    notes: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()

    def enabled(self) -> tuple[Decision, ...]:
        """The decisions that turn something on."""
        return tuple(decision for decision in self.decisions if decision.state is Outcome.ON)
