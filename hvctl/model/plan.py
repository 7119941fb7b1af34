"""The resolved answer: what the guest gets, and why."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from hvctl.model.host import Host
from hvctl.model.profile import ClockChoice, Migration, Value


class Layer(StrEnum):
    """Who decided."""

    PROFILE = "profile"
    GUEST = "guest"
    REQUIREMENT = "requirement"
    KERNEL = "kernel"
    HARDWARE = "hardware"
    QEMU = "qemu"
    LIBVIRT = "libvirt"
    KUBEVIRT = "kubevirt"
    PROXMOX = "proxmox"
    NOVA = "nova"
    VAGRANT = "vagrant"
    MIGRATION = "migration"


class Outcome(StrEnum):
    """What became of an enlightenment; `refused` makes the whole plan unusable."""

    ON = "on"
    OFF = "off"
    REFUSED = "refused"


UNNAMED = "the profile does not name it"
"""The reason of a decision about what no profile asked for."""


class Decision(NamedTuple):
    """One enlightenment (or companion) of a plan. `asked` is `on`, `prefer`, `off` or empty: not mentioned. `host` is
    the first of the hosts that decide, `more` how many others do."""

    id: str
    state: Outcome
    value: Value | None
    reason: str
    layer: Layer
    host: str | None = None
    asked: str = ""
    remedy: str = ""
    more: int = 0


class Platform(NamedTuple):
    """What writes libvirt's or QEMU's configuration for the user, as one more layer.

    `lacking` is why it has no place for a row, and what would change that, by the row's id; `libvirt` whether it goes
    through libvirt; `refusals` what else of the profile it has no place for.
    """

    layer: Layer
    lacking: Mapping[str, tuple[str, str]]
    libvirt: bool = True
    refusals: tuple[Decision, ...] = ()


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


class SavedPlan(NamedTuple):
    """A plan that is kept in a file with its guest: what a guest was given once, it gets again.

    `plan` has a decision for each enabled row and no other. `argv` are QEMU's arguments and `xml` the libvirt domain,
    as they were written when the plan was saved; None for what was not. `pool` are the hosts that the plan was made
    for as far as another host must be like them: processor, TSC and, where the CPU model is `host`, its expansion.
    They have no names, no KVM facts, and exist for guests that migrate only.
    """

    plan: Plan
    argv: tuple[str, ...] | None
    xml: str | None
    pool: tuple[Host, ...] = ()


class EditOptions(NamedTuple):
    """How a plan is put into a domain that exists.

    `keep_others`: enlightenments that the profile does not mention stay as they are. `commandline`: what libvirt has
    no element for goes into `<qemu:commandline>`. `metadata`: the plan's identity goes into `<metadata>`. `force`: edit
    a domain that is not of type kvm, or hides its hypervisor. `keep_model`: the CPU model is libvirt's to choose when
    the guest starts, and stays so.
    """

    keep_others: bool = False
    commandline: bool = False
    metadata: bool = False
    force: bool = False
    keep_model: bool = False


def content(plan: Plan) -> dict[str, Any]:
    """What makes a plan the same plan: all that the guest can tell, by names that stay."""
    return {
        "profile": plan.profile,
        "os": plan.os,
        "uses": list(plan.uses),
        "migration": str(plan.migration),
        "machine": {"type": plan.machine.type, "hpet_option": plan.machine.hpet_option},
        "cpu": {
            "model": plan.cpu.model,
            "hidden": plan.cpu.hidden,
            "features": dict(plan.cpu.features),
            "tsc_frequency": plan.cpu.tsc_frequency,
        },
        "clock": plan.clock._asdict(),
        "enlightenments": {
            decision.id: True if decision.value is None else decision.value for decision in plan.enabled()
        },
    }


def digest(plan: Plan) -> str:
    """`sha256:` and 64 hexadecimal digits over the plan's content."""
    return checksum(content(plan))


def checksum(value: Any) -> str:
    """`sha256:` and 64 hexadecimal digits over a JSON value; the order of keys does not count."""
    # 5 ms, which every command would pay.
    import hashlib
    import json

    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
