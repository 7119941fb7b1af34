"""Machine types: the two families, and what old versions change about Hyper-V."""

from typing import NamedTuple

FAMILIES = {"q35": "pc-q35-", "pc": "pc-i440fx-"}


class Compat(NamedTuple):
    """Property values that machine types up to `version` (major, minor) set."""

    version: tuple[int, int]
    properties: tuple[tuple[str, bool | int], ...]
    source: str


# Newest first; each also holds for all older machine types.
COMPAT = (
    Compat(
        (6, 1),
        (("hv-version-id-build", 0x1BBC), ("hv-version-id-major", 6), ("hv-version-id-minor", 1)),
        "qemu:hw/i386/pc.c:129-132",
    ),
    Compat((3, 0), (("x-hv-synic-kvm-only", True),), "qemu:hw/i386/pc.c:199"),
    Compat((2, 10), (("x-hv-max-vps", 0x40),), "qemu:hw/i386/pc.c:220"),
)

# The same of KVM's own leaves.
KVM_COMPAT = (
    Compat((5, 1), (("kvm-msi-ext-dest-id", False),), "qemu:hw/i386/pc.c, pc_compat_5_1"),
    Compat((2, 8), (("vmware-cpuid-freq", False),), "qemu:hw/i386/pc.c, pc_compat_2_8"),
)


def version(machine: str) -> tuple[int, int] | None:
    """The upstream version of a type such as `pc-q35-7.2`; None for families and others' own types."""
    # Proxmox counts its own changes after the version: `pc-q35-9.2+pve1`.
    machine = machine.partition("+pve")[0]
    for prefix in FAMILIES.values():
        major, _, minor = machine.removeprefix(prefix).partition(".")
        # int() refuses more than 4300 digits.
        if machine.startswith(prefix) and all(map(_is_number, (major, minor))):
            return int(major), int(minor)
    return None


def _is_number(text: str) -> bool:
    return len(text) < 6 and text.isascii() and text.isdecimal()


def prefers_sockets(machine: str | None) -> bool:
    """Whether each vCPU without a topology is a socket, and not a core of one (qemu:hw/i386/pc.c, `smp_prefer_sockets`
    of pc_machine_6_1_options()); observed with QEMU 7.2 by `info hotpluggable-cpus`: pc-q35-6.1 and pc-i440fx-6.1 make
    four sockets of `-smp 4`, their successors 6.2 one."""
    of = version(machine or "")
    return of is not None and of <= (6, 1)


def lacks_kvmclock(machine: str | None) -> bool:
    """Whether a machine type has no kvmclock device where KVM is hidden (qemu:hw/i386/kvm/clock.c, `create_always`)."""
    of = version(machine or "")
    return of is not None and of <= (5, 1)


WITH_KVMCLOCK = "use machine type 5.2 or later, or leave KVM visible"
"""What to do where it lacks that."""


def compat(machine: str, entries: tuple[Compat, ...] = COMPAT) -> dict[str, bool | int]:
    """The CPU properties that a versioned machine type changes; empty for others."""
    of = version(machine)
    found: dict[str, bool | int] = {}
    for entry in entries:
        if of is not None and of <= entry.version:
            found.update(entry.properties)
    return found
