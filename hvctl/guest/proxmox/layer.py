"""Proxmox VE as a layer of decisions: what of a profile its `cpu:` and its custom models have no word for."""

from collections.abc import Iterator
from typing import NamedTuple

from hvctl.catalog import ROWS, proxmox, roles
from hvctl.catalog.types import Row
from hvctl.model.plan import Decision, Layer, Outcome, Platform
from hvctl.model.profile import Migration, Profile, Value

_NO_VALUE = "Proxmox VE's flags take no value"
_BY_ARGS = "--how args writes it"
_TSC = (
    "without tsc-frequency a migration can lose the guest, and Proxmox VE's flags take no value",
    "write `migration: none` if the guest never migrates, or `tsc-frequency: auto` and --how args",
)


class Target(NamedTuple):
    """The guest that is written for: its `ostype`, its firmware and its machine type, None where they are not written:
    then it has SeaBIOS, and what is written is right with each type."""

    ostype: str
    bios: str | None = None
    machine: str | None = None

    @property
    def windows(self) -> int:
        """The version of Windows as PVE counts it; 0 is another system."""
        return proxmox.OS_TYPES[self.ostype].windows

    @property
    def version(self) -> proxmox.Version | None:
        """The version of the machine type."""
        return proxmox.parse_version(self.machine) if self.machine else None

    @property
    def gets_enlightenments(self) -> bool:
        """Whether PVE adds any."""
        return proxmox.adds_any(self.windows, uefi=self.bios == "ovmf")

    @property
    def pit(self) -> str:
        """The policy of the PIT that PVE writes, or QEMU has."""
        return "discard" if self.windows >= proxmox.LEAST_WINDOWS else "delay"

    @property
    def hpet(self) -> bool:
        """Whether PVE leaves the HPET on."""
        return proxmox.keeps_hpet(self.ostype, self.version)


def platform(profile: Profile, target: Target) -> Platform:
    """What Proxmox VE lacks for a profile, written as a custom model for a guest."""
    values = {wish.id: wish.value for wish in profile.wishes}
    found = {row.id: _lacking(row, values.get(row.id), target) for row in ROWS}
    lacking = {row_id: (reason, _BY_ARGS) for row_id, reason in found.items() if reason}
    if profile.migration is Migration.REQUIRED:
        lacking |= {row.id: _TSC for row in roles.TIED_TO_THE_TSC}
    return Platform(Layer.PROXMOX, lacking, libvirt=False, refusals=tuple(_refusals(profile)))


def _lacking(row: Row, value: Value | None, target: Target) -> str:
    """Why a row cannot be written with a value, as a sentence; empty where it can."""
    if proxmox.takes_flag(row):
        return ""
    if row in roles.NAMES:
        if value in (None, row.properties[0].default):
            return ""
        if not proxmox.VENDOR_ID_TEXT.fullmatch(str(value)):
            return f"{proxmox.VENDOR_ID_KEY} of Proxmox VE takes 1 to 12 letters and digits"
    elif row.properties[0].name not in proxmox.NUMBERS:
        return _NO_VALUE
    if target.gets_enlightenments:
        return ""
    firmware = f" and bios {target.bios}" if target.bios else ""
    return f"Proxmox VE does not write it with ostype {target.ostype}{firmware}"


def _refusals(profile: Profile) -> Iterator[Decision]:
    """What else of a profile a custom model cannot say."""
    if profile.tsc_frequency is not None:
        yield _refusal("tsc-frequency", _NO_VALUE, f"{_BY_ARGS}; or leave it out of the profile")
    if profile.cpu.model not in proxmox.VENDORS:
        reason = f"Proxmox VE is not known to have a CPU model {profile.cpu.model}"
        yield _refusal("cpu", reason, "name one of its models in the profile; or write --how args")


def _refusal(what: str, reason: str, remedy: str) -> Decision:
    return Decision(what, Outcome.REFUSED, None, reason, Layer.PROXMOX, None, "on", remedy)
