"""The columns of the catalog, and what they mean for a live migration."""

from enum import StrEnum
from typing import NamedTuple

from hvctl.catalog.placement import Placement


class Kind(StrEnum):
    """What a profile may write for a row, and how QEMU types it."""

    FLAG = "flag"
    NUMBER = "number"
    STRING = "string"
    ON_OFF_AUTO = "on-off-auto"
    VERSION = "version"


class Need(StrEnum):
    """What must be true beside KVM's and QEMU's support, for the row to be safe and truthful."""

    APICV = "apicv"
    """Intel APICv or AMD AVIC is active in the KVM module of every host."""
    TSC_FREQUENCY = "tsc-frequency"
    """A guest that must migrate needs tsc-frequency=."""
    PINNED = "pinned"
    """The guest's vCPUs are pinned to CPUs."""


class Blocks(StrEnum):
    """When QEMU refuses to migrate a guest that has this row on."""

    NEVER = "never"
    ALWAYS = "always"
    AUTO = "auto"
    """Only with the value `auto`."""
    LOST = "lost"
    """QEMU does not refuse, but does not carry the row's state either."""


class Advice(StrEnum):
    """What is advised for a Windows guest in general."""

    ON = "on"
    NESTED = "nested"
    """On where the guest runs Hyper-V itself (nested Hyper-V, VBS, WSL2)."""
    CONDITIONAL = "conditional"
    LEAVE = "leave"
    """Neither harm nor benefit: leave QEMU's default."""
    OFF = "off"


class Bits(NamedTuple):
    """Bits of one CPUID register, by their names in QEMU; not set where the row `unless` is on."""

    leaf: int
    register: str
    bits: tuple[int, ...]
    names: tuple[str, ...]
    unless: str = ""

    @property
    def mask(self) -> int:
        """All bits, or-ed together."""
        return sum(1 << bit for bit in self.bits)


class Field(NamedTuple):
    """Where the value of a property stands in the guest's CPUID."""

    leaf: int
    register: str
    shift: int = 0
    width: int = 32


class Property(NamedTuple):
    """A QEMU CPU property: name, type as `device-list-properties` prints it, default, and its CPUID field."""

    name: str
    type: str = "bool"
    default: bool | int | str = False
    field: Field | None = None


class Recommends(NamedTuple):
    """A relation that documents advise and no code enforces. `vendor` limits it to one CPU vendor, `beside` to guests
    that have that row too."""

    id: str
    reason: str
    vendor: str = ""
    beside: str = ""


class Release(NamedTuple):
    """Since when something exists. `certain` is False where only documents or indirect hints say so."""

    version: str
    certain: bool = True


class Legacy(NamedTuple):
    """What shows the row on a kernel without KVM_CAP_HYPERV_CPUID (before 5.0), as QEMU synthesises it."""

    cap: str = ""
    msr: int = 0


class MsrAtReset(NamedTuple):
    """An MSR that QEMU writes at reset where the row is on, whether or not KVM has it; `place` is QEMU's order."""

    place: int
    msr: int
    value: int


class Row(NamedTuple):
    """One enlightenment or option; everything hvctl knows of it.

    `qemu_name` and `feature` are the description and the number (HYPERV_FEAT_*) that order QEMU's checks and fill
    its messages; None for options outside that table. `checks` are the CPUID bits that QEMU demands of KVM and
    gives the guest, `adds` what it sets beside them. `caps` are KVM's capabilities for it; `board_error` is QEMU's
    message where they are missing and it makes the machine, `vcpu_error` the one where it makes the vCPU, and
    `unlisted_error` the one there where KVM has them and does not list the row, which passthrough lets pass till then.
    `requires` are the dependencies that QEMU's code enforces. `for_nested` marks what a guest that runs Hyper-V itself
    should get. `windows_build` is the NT build from which Windows may gain from it, `windows_source` who says so;
    empty is unknown. `takes_all` is the row that turns on all that KVM has: those with `in_passthrough`, while those
    with `overwritten` get KVM's own value. `migration_error` is what QEMU says where the row stands in the way of a
    migration, `ramblock` the name of memory that QEMU sends for it, `gone_error` what a destination where the row is
    off says as it dies of the state of a guest that uses it. `vendors` is empty where any CPU will do.
    `libvirt` is None for what only QEMU's own arguments can say. `kubevirt` is the field of KubeVirt's API, as below
    `domain`, empty where it has none.
    """

    id: str
    title: str
    does: str
    properties: tuple[Property, ...]
    sources: tuple[str, ...]
    kind: Kind = Kind.FLAG
    aliases: tuple[str, ...] = ()
    property_aliases: tuple[str, ...] = ()
    qemu_name: str = ""
    feature: int | None = None
    checks: tuple[Bits, ...] = ()
    adds: tuple[Bits, ...] = ()
    leaves: tuple[tuple[int, int, int, int, int], ...] = ()
    caps: tuple[str, ...] = ()
    board_error: str = ""
    vcpu_error: str = ""
    unlisted_error: str = ""
    at_reset: MsrAtReset | None = None
    legacy: Legacy | None = None
    requires: tuple[str, ...] = ()
    requires_unless: str = ""
    recommends: tuple[Recommends, ...] = ()
    enables_hyperv: bool = True
    in_passthrough: bool = False
    takes_all: bool = False
    overwritten: bool = False
    reference_clock: bool = False
    irqchip: bool = False
    libvirt: Placement | None = None
    kubevirt: str = ""
    minimum: int | None = None
    maximum: int | None = None
    needs: tuple[Need, ...] = ()
    vendors: tuple[str, ...] = ()
    # Vista: no Windows before it looks for a hypervisor (Proxmox VE, PVE/QemuServer/CPUConfig.pm). No source says for
    # every row since when Windows uses it; where none does, no release after Vista is denied it.
    windows_build: int = 6000
    windows_source: str = ""
    nested_only: bool = False
    for_nested: bool = False
    blocks_migration: Blocks = Blocks.NEVER
    migration: str = ""
    migration_error: str = ""
    ramblock: str = ""
    gone_error: str = ""
    vmstate: str = ""
    msrs: tuple[tuple[int, int], ...] = ()
    hypercalls: tuple[str, ...] = ()
    advice: Advice = Advice.ON
    advice_text: str = ""
    cost: str = ""
    avoid: str = ""
    experimental: bool = False
    since_qemu: Release | None = None
    since_kvm: Release | None = None


class Subject(NamedTuple):
    """A page on what is not an enlightenment; `words` are its names beside the id. In `page` a line `## HEADING` begins
    a section, an empty line ends a paragraph."""

    id: str
    title: str
    words: tuple[str, ...]
    page: str
    sources: tuple[str, ...]

    @property
    def sections(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The headings, and the paragraphs below each of them, without line ends."""
        parts = (part.partition("\n") for part in f"\n{self.page}".split("\n## ")[1:])
        return tuple(
            (heading, tuple(" ".join(said.split()) for said in text.split("\n\n") if said.strip()))
            for heading, _, text in parts
        )


def blocked(what: str) -> str:
    """What QEMU refuses for a guest with something: a saved state is written as a migration is
    (qemu:migration/savevm.c, save_snapshot(); libvirt:src/qemu/qemu_saveimage.c, qemuSaveImageCreate())."""
    return f"QEMU neither migrates nor saves a guest with {what} (virsh save, managed save, snapshot with memory)"


class Hazard(NamedTuple):
    """Why a guest with a row must not migrate; `remedy` is what would help beside `migration: none`, or empty."""

    reason: str
    remedy: str = ""


def hazard(row: Row, value: int | str | None, *, fixed_tsc: bool) -> Hazard | None:
    """The hazard of a row that is on with a value; `fixed_tsc` says whether tsc-frequency is set."""
    if row.blocks_migration is Blocks.ALWAYS:
        return Hazard(blocked("it"))
    if blocks(row, value):
        pinned = "pin the vCPUs, and write `vcpus: {pinned: on}` and " if Need.PINNED in row.needs else "write "
        return Hazard(blocked("the value auto"), f"{pinned}`{row.id}: on`")
    if row.blocks_migration is Blocks.LOST:
        return Hazard("a migration loses its state")
    if Need.TSC_FREQUENCY in row.needs and not fixed_tsc:
        return Hazard(
            "without tsc-frequency a migration or a saved state can lose the guest", "write `tsc-frequency: auto`"
        )
    return None


def blocks(row: Row, value: int | str | None) -> bool:
    """Whether QEMU refuses to migrate a guest with a row and a value."""
    return row.blocks_migration is Blocks.ALWAYS or (row.blocks_migration is Blocks.AUTO and value == "auto")
