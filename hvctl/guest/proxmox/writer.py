"""What Proxmox VE is told so that a guest gets a CPU: `cpu:` of VMID.conf, a model of cpu-models.conf, or `args:`.

PVE adds most enlightenments itself, so that only the difference is written: `+hv-x` for what it does not add, `-hv-x`
against what it does. QEMU takes `_` for `-` in `hv_x=on`, not after `+` and `-`, and reads these last
(qemu:target/i386/cpu.c, x86_cpu_parse_featurestr(); observed with QEMU 7.2: `-hv_reset` is an unknown property).
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hvctl.catalog import proxmox, roles
from hvctl.catalog.proxmox import Added
from hvctl.catalog.types import Kind
from hvctl.guest.command.cpu import assignments
from hvctl.guest.command.writer import cpu, flags_of
from hvctl.guest.plan import guest_of
from hvctl.guest.proxmox.config import CUSTOM
from hvctl.guest.proxmox.guest import ProxmoxGuest
from hvctl.model.guest import Guest, Setting
from hvctl.model.plan import Plan

_NAME = "hvctl"
_VENDOR_ID = re.compile(r"[a-zA-Z0-9]{1,12}")
# What PVE writes for every Windows from Vista on.
_PIT, _HPET = "discard", False


class Written(NamedTuple):
    """The value of `cpu:`, the section of cpu-models.conf that it needs, if any, and sentences about what neither can
    say."""

    cpu: str
    section: str
    unsaid: tuple[str, ...]


class Target(NamedTuple):
    """The guest that is written for: its `ostype`, whether it has OVMF, and its machine type, None where it is to be
    right with each."""

    ostype: str
    uefi: bool = False
    machine: str | None = None


def written(model: str, flags: Sequence[str], *, hidden: bool, vendor_id: str | None, name: str = _NAME) -> Written:
    """A model of QEMU's with flags, as `cpu:` says it, or as a custom model where that takes no such flags."""
    unsaid = []
    if vendor_id is not None and not _VENDOR_ID.fullmatch(vendor_id):
        unsaid.append(f"{proxmox.VENDOR_ID_KEY} {vendor_id}: Proxmox VE takes 1 to 12 letters and digits")
        vendor_id = None
    if proxmox.vendor_of(model) is None:
        unsaid.append(f"CPU model {model}: Proxmox VE may not have it")
    rest = [("hidden", "1")] if hidden else []
    rest += [(proxmox.VENDOR_ID_KEY, vendor_id)] if vendor_id is not None else []
    if all(flag[1:] in proxmox.VM_FLAGS for flag in flags):
        parts = [model, *(f"{key}={value}" for key, value in rest)]
        return Written(",".join([*parts, f"flags={';'.join(flags)}"] if flags else parts), "", tuple(unsaid))
    lines = [("reported-model", model), ("flags", ";".join(flags)), *rest]
    section = "".join(f"    {key} {value}\n" for key, value in lines)
    return Written(f"{CUSTOM}{name}", f"cpu-model: {name}\n{section}", tuple(unsaid))


def instead_of_arguments(guest: ProxmoxGuest) -> Written:
    """What to write instead of a `-cpu` in `args:`: the same beside what PVE adds."""
    added = {one.name: one.value for one in assignments(guest.added.split(",")[1:])} if guest.added else {}
    unsaid: list[str] = []
    wanted: list[str] = []
    vendor_id = None
    for setting in guest.in_order():
        name = setting.row.properties[0].name
        if setting.row in roles.NAMES:
            vendor_id = str(setting.value)
        elif setting.row.kind is Kind.FLAG:
            if setting.on != (name in added):
                wanted.append(f"{'+' if setting.on else '-'}{name}")
        elif setting.on and _flag(setting) != f"{name.replace('-', '_')}={added.get(name)}":
            unsaid.append(f"{_flag(setting)}: Proxmox VE takes no value")
    for name, on in guest.features:
        if added.get(name) != ("on" if on else "off"):
            wanted.append(f"{'+' if on else '-'}{name}")
    unsaid += [f"{name}={value}: Proxmox VE takes no value" for name, value in guest.properties if name != "vendor"]
    if guest.tsc_frequency is not None:
        unsaid.append(f"tsc-frequency={guest.tsc_frequency}: Proxmox VE takes no value")
    found = written(guest.cpu or "host", wanted, hidden=guest.hidden, vendor_id=vendor_id)
    return found._replace(unsaid=(*unsaid, *found.unsaid))


def _flag(setting: Setting) -> str:
    return "".join(flags_of(setting)[:1])


def custom_model(plan: Plan, target: Target, name: str = _NAME) -> Written:
    """A plan as a custom model: only what differs from what PVE adds, or all of it where the machine type is open."""
    guest = guest_of(plan)
    unsaid: list[str] = []
    wanted = list(_enlightenments(guest, target, unsaid))
    wanted += [f"{'+' if on else '-'}{feature}" for feature, on in guest.features]
    if guest.tsc_frequency is not None:
        unsaid.append(f"tsc-frequency {guest.tsc_frequency}: Proxmox VE takes no value")
    unsaid += _clock(guest)
    vendor_id = next((str(guest.on[row.id].value) for row in roles.NAMES if row.id in guest.on), None)
    found = written(guest.cpu or "host", wanted, hidden=guest.hidden, vendor_id=vendor_id, name=name)
    return found._replace(unsaid=(*unsaid, *found.unsaid))


def _enlightenments(guest: Guest, target: Target, unsaid: list[str]) -> Iterator[str]:
    """Flags for what PVE does not add, and against what it adds and the plan has not."""
    certain, possible = _added(target)
    for setting in guest.in_order():
        name = setting.row.properties[0].name
        if setting.row.kind is Kind.FLAG:
            if name not in certain:
                yield f"+{name}"
        elif setting.row not in roles.NAMES and certain.get(name) != _value(setting):
            unsaid.append(f"{_flag(setting)}: Proxmox VE takes no value")
    for name in possible:
        row = roles.PROPERTIES[name]
        if row.id in guest.on:
            continue
        if row.kind is Kind.FLAG:
            yield f"-{name}"
        else:
            unsaid.append(f"without {name}: Proxmox VE always writes it")


def _value(setting: Setting) -> str:
    return _flag(setting).partition("=")[2]


def _added(target: Target) -> tuple[dict[str, str], dict[str, str]]:
    """What PVE certainly adds, and what it may add, by QEMU's names, with the values. Which processor and, without a
    machine type, which version it will be is open."""
    windows = proxmox.OS_TYPES[target.ostype].windows
    if target.uefi and windows < proxmox.LEAST_WINDOWS_WITH_UEFI:
        return {}, {}
    at = proxmox.parse_version(target.machine) if target.machine else None
    found = [one for one in proxmox.ENLIGHTENMENTS if windows >= one.windows]
    if at is not None:
        found = [one for one in found if at >= one.machine and (one.before is None or at < one.before)]
    possible = dict(map(_named, found))
    # No Windows that is pinned gets an older machine type than these need.
    oldest = at or (*proxmox.PINNED, 0)
    sure = [one for one in found if one.vendor is None and oldest >= one.machine and (one.before is None)]
    values = dict(map(_named, sure))
    return (values if at is not None else {name: value for name, value in values.items() if value}), possible


def _named(row: Added) -> tuple[str, str]:
    name, _, value = row.flag.partition("=")
    return name.replace("_", "-"), value


def _clock(guest: Guest) -> Iterator[str]:
    """What of the clock PVE has no word for."""
    pit, hpet = guest.timers.get("pit"), guest.timers.get("hpet")
    if pit is not None and pit.policy not in (None, _PIT):
        yield f"PIT policy {pit.policy}: Proxmox VE writes {_PIT}"
    if hpet is not None and hpet.present not in (None, _HPET):
        yield "HPET on: Proxmox VE turns it off"


def qm_set(plan: Plan, target: Target, value: str, vmid: int | None = None) -> str:
    """The command that gives a guest its CPU, its system and its clock."""
    guest = guest_of(plan)
    words = ["qm", "set", str(vmid) if vmid is not None else "VMID", "--cpu", value, "--ostype", target.ostype]
    if guest.offset == "utc":
        words += ["--localtime", "0"]
    rtc = guest.timers.get("rtc")
    if rtc is not None and rtc.policy != "catchup":
        words += ["--tdf", "0"]
    words += ["--bios", "ovmf"] if target.uefi else []
    words += ["--machine", target.machine] if target.machine else []
    return " ".join(words)


def args(plan: Plan, vmid: int | None = None) -> str:
    """The command that gives a guest a `-cpu` of its own, which replaces all that PVE writes."""
    from shlex import quote

    argument = f"-cpu {cpu(guest_of(plan))}"
    return f"qm set {vmid if vmid is not None else 'VMID'} --args {quote(argument)}"
