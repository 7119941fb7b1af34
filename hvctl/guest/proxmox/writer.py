"""What Proxmox VE is told so that a guest gets a CPU: `cpu:` of VMID.conf, a model of cpu-models.conf, or `args:`.

PVE adds most enlightenments itself, so that only the difference is written: `+hv-x` for what it does not add, `-hv-x`
against what it does. QEMU takes `_` for `-` in `hv_x=on`, not after `+` and `-`, and reads these last
(qemu:target/i386/cpu.c, x86_cpu_parse_featurestr(); observed with QEMU 7.2: `-hv_reset` is an unknown property).
"""

import shlex
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hvctl.catalog import proxmox, roles
from hvctl.catalog.windows import GPU
from hvctl.guest.command.cpu import assignments
from hvctl.guest.command.writer import cpu, flags_of
from hvctl.guest.plan import guest_of
from hvctl.guest.proxmox.config import CUSTOM
from hvctl.guest.proxmox.guest import ProxmoxGuest
from hvctl.guest.proxmox.layer import Target
from hvctl.model.guest import Guest, Setting
from hvctl.model.plan import Plan

_NAME = "hvctl"
_PIT = "kvm-pit.lost_tick_policy"


class Written(NamedTuple):
    """The value of `cpu:`, the section of cpu-models.conf that it needs, if any, and sentences about what neither can
    say."""

    cpu: str
    section: str
    unsaid: tuple[str, ...]


def written(model: str, flags: Sequence[str], *, hidden: bool, vendor_id: str | None, name: str = _NAME) -> Written:
    """A model of QEMU's with flags, as `cpu:` says it, or as a custom model where that takes no such flags."""
    unsaid = []
    if vendor_id is not None and not proxmox.VENDOR_ID_TEXT.fullmatch(vendor_id):
        unsaid.append(f"{proxmox.VENDOR_ID_KEY} {vendor_id}: Proxmox VE takes 1 to 12 letters and digits")
        vendor_id = None
    if model not in proxmox.VENDORS:
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
        elif proxmox.takes_flag(setting.row):
            if setting.on != (name in added):
                wanted.append(f"{'+' if setting.on else '-'}{name}")
        elif setting.on and _value(setting) != added.get(name):
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


def _value(setting: Setting) -> str:
    return _flag(setting).partition("=")[2]


def custom_model(plan: Plan, target: Target, name: str = _NAME) -> Written:
    """A plan that was resolved for Proxmox VE, as a custom model: what differs from what PVE adds, or all of it where
    the machine type is open."""
    guest = guest_of(plan)
    unsaid: list[str] = []
    wanted = list(_enlightenments(guest, target, unsaid))
    wanted += [f"{'+' if on else '-'}{feature}" for feature, on in guest.features]
    unsaid += [sentence for sentence, _ in _clock(guest, target)]
    found = written(guest.cpu or "host", wanted, hidden=guest.hidden, vendor_id=_vendor_id(guest), name=name)
    if GPU in plan.uses:  # with x-vga PVE hides KVM and writes a vendor id, unless `cpu:` itself says otherwise
        if not guest.hidden:
            found = found._replace(cpu=f"{found.cpu},hidden=0")
        if _vendor_id(guest) is None:
            unsaid.append(f"no {proxmox.VENDOR_ID_KEY}: Proxmox VE writes {proxmox.DEFAULT_VENDOR_ID} with x-vga=1")
    return found._replace(unsaid=(*unsaid, *found.unsaid))


def _vendor_id(guest: Guest) -> str | None:
    """A vendor id that is not QEMU's default, which needs no word."""
    for row in roles.NAMES:
        if row.id in guest.on and guest.on[row.id].value not in (None, row.properties[0].default):
            return str(guest.on[row.id].value)
    return None


def _enlightenments(guest: Guest, target: Target, unsaid: list[str]) -> Iterator[str]:
    """Flags for what PVE does not add, and against what it adds and the plan has not."""
    certain, possible = _added(target)
    for setting in guest.in_order():
        name = setting.row.properties[0].name
        if proxmox.takes_flag(setting.row):
            if name not in certain:
                yield f"+{name}"
        elif setting.row not in roles.NAMES and certain.get(name) != _value(setting):
            unsaid.append(f"{_flag(setting)}: Proxmox VE writes {certain[name]}")
    for name in possible:
        row = roles.PROPERTIES[name]
        if row.id in guest.on:
            continue
        if proxmox.takes_flag(row):
            yield f"-{name}"
        else:
            unsaid.append(f"without {name}: Proxmox VE always writes it")


def _added(target: Target) -> tuple[dict[str, str], dict[str, str]]:
    """What PVE certainly adds, and what it may add, by QEMU's names, with the values. Which processor and, without a
    machine type, which version it will be is open: then every flag is written, and only values count as certain."""
    if not target.gets_enlightenments:
        return {}, {}
    at = target.version
    found = [one for one in proxmox.ENLIGHTENMENTS if one.fits(target.windows, at)]
    # No Windows that is pinned gets an older machine type than these need.
    oldest = at or (*proxmox.PINNED, 0)
    sure = [one for one in found if one.vendor is None and oldest >= one.machine and (at or one.before is None)]
    certain = sure if at is not None else [one for one in sure if one.value]
    return {one.name: one.value for one in certain}, {one.name: one.value for one in found}


def _clock(guest: Guest, target: Target) -> Iterator[tuple[str, tuple[str, str]]]:
    """What of the clock PVE has no word for: a sentence, and what QEMU is told in `args:`."""
    pit, hpet = guest.timers.get("pit"), guest.timers.get("hpet")
    if pit is not None and pit.policy not in (None, target.pit):
        yield f"PIT policy {pit.policy}: Proxmox VE writes {target.pit}", ("-global", f"{_PIT}={pit.policy}")
    if hpet is not None and hpet.present not in (None, target.hpet):
        words = {True: "on", False: "off"}
        sentence = f"HPET {words[not target.hpet]}: Proxmox VE leaves it {words[target.hpet]}"
        yield sentence, ("-machine", f"hpet={words[not target.hpet]}")


def set_cpu(plan: Plan, target: Target, value: str, vmid: int | None) -> tuple[str, ...]:
    """The command that gives a guest a value of `cpu:`."""
    return _command(plan, target, vmid, "--cpu", value)


def set_arguments(plan: Plan, target: Target, vmid: int | None) -> tuple[str, ...]:
    """The command that gives a guest a `-cpu` of its own, which replaces all that PVE writes, and what of the clock PVE
    has no word for."""
    guest = guest_of(plan)
    words = ["-cpu", cpu(guest), *(word for _, words in _clock(guest, target) for word in words)]
    return _command(plan, target, vmid, "--args", shlex.join(words))


def _command(plan: Plan, target: Target, vmid: int | None, option: str, value: str) -> tuple[str, ...]:
    """A command for a guest. Its clock is written whatever PVE's default is: the guest may have another."""
    guest = guest_of(plan)
    words = ["qm", "set", str(vmid or "VMID"), option, value, "--ostype", target.ostype]
    words += ["--localtime", str(int(guest.offset == "localtime"))]
    words += ["--tdf", str(int(guest.timers["rtc"].policy == "catchup"))]
    words += ["--bios", target.bios] if target.bios else []
    words += ["--machine", target.machine] if target.machine else []
    return tuple(words)
