"""A guest in another form: translated, not resolved. What has no place there is named."""

from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

from hvctl.catalog import machines
from hvctl.catalog.cpu_models import unknown_to_libvirt
from hvctl.catalog.placement import HypervElement
from hvctl.catalog.roles import CLOCK_TIMERS, PREFIXES, enclosing
from hvctl.catalog.types import Kind
from hvctl.guest.command import RTC_CLOCKS
from hvctl.guest.command.writer import flags, words
from hvctl.guest.domain.writer import IOAPICS, fragment
from hvctl.guest.plan import plan_of
from hvctl.model.guest import HOST_MODELS, X86, Guest, Known, Setting, Switch, Timer, Topology

_OFFSETS = ("utc", "localtime")
_TICKS = {"rtc": ("catchup", "delay"), "pit": ("delay", "discard")}
_PINNING = ("vCPU pinning: pin the vCPUs again",)
# A timer of libvirt's, a switch of QEMU's CPU.
_KVMCLOCK = "kvmclock"
_OPTIONAL = ("hpet", _KVMCLOCK, *CLOCK_TIMERS)


class Converted(NamedTuple):
    """A text or words, and sentences about what could not be carried over."""

    text: str
    lost: tuple[str, ...]


class Words(NamedTuple):
    """The words of a command line, and sentences about what could not be carried over."""

    words: tuple[str, ...]
    lost: tuple[str, ...]


def to_qemu(guest: Guest) -> Words:
    """Machine, accelerator, CPU, vCPUs and clock; what is written as off stays written as off."""
    guest, lost = _without_replaced(guest)
    if guest.cpu is None:
        lost.append("cpu: the model is not known; the command line has host")
        guest = guest.replace(cpu=HOST_MODELS[0])
    if guest.arch != X86:
        lost.append(f"architecture {guest.arch}: QEMU has a program of its own for it")
    most = guest.most_vcpus or guest.vcpus or 0
    if guest.libvirt and most > 1 and not guest.topology and "topology" not in guest.unknown:
        # What libvirt writes; QEMU's own choice depends on the machine type.
        guest = guest.replace(topology=Topology(most, None, 1, 1))
    for setting in guest.in_order():
        if setting.on and setting.value is None and setting.row.kind in (Kind.NUMBER, Kind.STRING):
            lost.append(f"{setting.id}: no {setting.row.kind} is written, and libvirt chooses one")
    guest = _clock(guest, lost)
    if (kvmclock := guest.timers.get(_KVMCLOCK)) and kvmclock.present is not None:
        guest = guest.replace(switches={**guest.switches, _KVMCLOCK: Switch(_KVMCLOCK, kvmclock.present)})
    if guest.firmware and guest.firmware.kind == "uefi":
        lost.append("firmware uefi: its files are given with -drive if=pflash")
    if guest.system:
        lost.append(f"os {guest.system}: QEMU has no option for it")
    lost += _PINNING if guest.pinned else ()
    return Words(words(guest), (*lost, *_other(guest)))


def to_libvirt(guest: Guest) -> Converted:
    """The elements of a domain that hold what the guest has; ends in a newline."""
    guest, lost = _without_replaced(guest)
    for name, value in guest.properties:
        if not name.startswith(PREFIXES):
            lost.append(f"{name}={value}: {unknown_to_libvirt(name) or 'libvirt has no such property of a CPU'}")
    if _KVMCLOCK in guest.switches:
        switches = dict(guest.switches)
        timer = Timer(None, None, switches.pop(_KVMCLOCK).on)
        guest = guest.replace(switches=switches, timers={**guest.timers, _KVMCLOCK: timer})
    unknown = {name: why for name, _ in guest.features if (why := unknown_to_libvirt(name))}
    lost += [f"{name}={'on' if on else 'off'}: {unknown[name]}" for name, on in guest.features if name in unknown]
    guest = guest.replace(switches={name: one for name, one in guest.switches.items() if name not in unknown})
    kept = []
    for setting in guest.in_order():
        if reason := _no_place(setting, guest):
            lost.append(f"{setting.id}: {reason}")
        elif setting.row.libvirt is not None and (setting.on or not enclosing(setting.row)):
            kept.append(setting)
    guest = guest.replace(settings={setting.id: setting for setting in kept})
    guest.finish()
    if guest.irqchip and guest.irqchip not in IOAPICS:
        lost.append(f"kernel-irqchip={guest.irqchip}: libvirt has no element for it")
    rtc = guest.timers.get("rtc")
    if rtc is not None and rtc.track and not guest.libvirt and rtc.track not in RTC_CLOCKS:
        lost.append(f"rtc clock={rtc.track}: libvirt has no such word")
        guest = guest.replace(timers={**guest.timers, "rtc": rtc._replace(track=None)})
    guest = _whole_topology(_clock(guest, lost), lost)
    lost += _PINNING if guest.pinned else ()
    return Converted(fragment(guest), (*lost, *_other(guest)))


def lost_in_profile(guest: Guest) -> tuple[str, ...]:
    """What of a guest no profile has a key for."""
    found = ["enforce=on"] if guest.enforce else []
    found += [f"{name}={value}" for name, value in guest.properties if not name.startswith(PREFIXES)]
    if guest.irqchip not in (None, "on"):
        found.append(f"kernel-irqchip={guest.irqchip}")
    found += [f"firmware {guest.firmware.kind}"] if guest.firmware else []
    found += [f"vCPUs {guest.vcpus}"] if guest.vcpus else []
    found += ["topology"] if guest.topology else []
    return (*(f"{one}: a profile has no key for it" for one in found), *_other(guest))


def to_json(guest: Guest) -> dict[str, Any]:
    """The object that `convert --to json` prints."""
    return {
        "format_version": 1,
        "machine": guest.machine,
        "cpu": {
            "model": guest.cpu,
            "migratable": guest.migratable,
            "enforce": guest.enforce,
            "hidden": guest.hidden,
            "features": dict(guest.features),
            "tsc_frequency": guest.tsc_frequency,
            "properties": dict(guest.properties),
        },
        "accelerator": guest.accelerator,
        "enlightenments": [{"id": one.id, "on": one.on, "value": one.value} for one in guest.in_order()],
        "qemu": [flag for one in plan_of(guest).enabled() for flag in flags(one)],
        "clock": {
            "offset": guest.offset,
            "timers": {
                name: {"policy": timer.policy, "present": timer.present, "mode": timer.mode, "track": timer.track}
                for name, timer in guest.timers.items()
            },
        },
        "irqchip": guest.irqchip,
        "firmware": guest.firmware._asdict() if guest.firmware else None,
        "system": guest.system,
        "vcpus": guest.vcpus,
        "most_vcpus": guest.most_vcpus,
        "topology": guest.topology._asdict() if guest.topology else None,
        "devices": [{"kind": one.kind, "name": one.name} for one in guest.devices],
        "unknown": [fact for fact in guest.unknown if guest.known(fact) is Known.UNKNOWN],
        "notes": list(guest.doubts),
    }


def _without_replaced(guest: Guest) -> tuple[Guest, list[str]]:
    """A guest without what hv-passthrough replaces by KVM's own, or has anyway (qemu:target/i386/kvm/kvm.c,
    kvm_hyperv_expand_features()); and that as lost."""
    if not guest.takes_all:
        return guest, []
    gone = [
        one for one in guest.in_order() if one.row.overwritten or (one.row.in_passthrough and not one.row.takes_all)
    ]
    kept = {row_id: setting for row_id, setting in guest.settings.items() if setting not in gone}
    new = guest.replace(settings=kept)
    new.finish()
    return new, [f"{one.id}: hv-passthrough has KVM's own instead" for one in gone]


def _no_place(setting: Setting, guest: Guest) -> str:
    """Why libvirt has no place for a setting; empty where it has."""
    if not setting.on:
        return ""
    place = setting.row.libvirt
    if place is None:
        return "libvirt has no element for it"
    around = enclosing(setting.row)
    if around is not None and around.id not in guest.on:
        return f"libvirt writes it only inside {around.id}, which is not on"
    least = place.minimum or 0 if isinstance(place, HypervElement) else 0
    return f"libvirt refuses a value below {least}" if isinstance(setting.value, int) and setting.value < least else ""


def _clock(guest: Guest, lost: list[str]) -> Guest:
    """A guest without what of its clock is not carried over: offsets with more than a word, and policies that neither
    QEMU nor libvirt knows."""
    if guest.offset not in (None, *_OFFSETS):
        lost.append(f"clock offset {guest.offset}: only utc and localtime are carried over")
        guest = guest.replace(offset=None)
    timers = dict(guest.timers)
    for name, timer in guest.timers.items():
        if timer.policy and timer.policy not in _TICKS.get(name, ()):
            lost.append(f"timer {name} tickpolicy={timer.policy}: there is no such policy elsewhere")
            timers[name] = timer._replace(policy=None)
        if timer.mode:
            lost.append(f"timer {name} mode={timer.mode}: QEMU has no option for it")
        if timer.present is False and name not in _OPTIONAL:
            lost.append(f"timer {name} present=no: QEMU has no option for it")
    return guest.replace(timers=timers)


def _whole_topology(guest: Guest, lost: list[str]) -> Guest:
    """A guest with all numbers that libvirt demands; what is missing is worked out as QEMU does (hw/core/machine-smp.c,
    machine_parse_smp_config())."""
    shape = guest.topology
    most = guest.most_vcpus or guest.vcpus or 0
    if "topology" in guest.unknown or (shape is None and (guest.libvirt or most < 2)):
        return guest
    shape = shape or Topology()
    if shape.sockets and shape.cores and shape.threads:
        return guest
    # If neither sockets nor cores are written, machine types before 6.2 take the first and newer ones the second.
    of = machines.version(guest.machine or "")
    free = "" if of is None else "cores" if of >= (6, 2) else "sockets"
    named = bool(shape.sockets), bool(shape.cores)
    rest = {(True, False): "cores", (False, True): "sockets", (False, False): free}.get(named, "threads")
    whole = shape._replace(**{name: getattr(shape, name) or 1 for name in ("sockets", "cores", "threads")})
    number, left = divmod(most, prod(size for size in whole if size))
    if not number or left or (number > 1 and not rest):
        lost.append("topology: which numbers QEMU gives to what is not written is not known")
        return guest.replace(topology=None)
    rest = rest or "threads"
    return guest.replace(topology=whole._replace(**{rest: getattr(whole, rest) * number}))


def _other(guest: Guest) -> Iterator[str]:
    """What is nowhere carried over."""
    yield from guest.platforms_own
    if reason := guest.unknown.get("firmware"):
        yield f"firmware: {reason}"
    for device in guest.devices:
        yield f"assigned {device.kind} device {device.name}: devices are not converted"
