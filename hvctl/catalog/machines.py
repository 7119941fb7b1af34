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


def version(machine: str) -> tuple[int, int] | None:
    """The upstream version of a type such as `pc-q35-7.2`; None for families and vendors' own types."""
    for prefix in FAMILIES.values():
        major, _, minor = machine.removeprefix(prefix).partition(".")
        if machine.startswith(prefix) and major.isdecimal() and minor.isdecimal():
            return int(major), int(minor)
    return None


def compat(machine: str) -> dict[str, bool | int]:
    """The CPU properties that a versioned machine type changes; empty for others."""
    of = version(machine)
    found: dict[str, bool | int] = {}
    for entry in COMPAT:
        if of is not None and of <= entry.version:
            found.update(entry.properties)
    return found
