"""Whether arguments and a domain say what a plan says: what is kept beside it is what will be started.

They are read and compared, not written anew: another hvctl may write the same plan in other words.
"""

from __future__ import annotations

from collections.abc import Sequence

from hvctl.errors import InputError
from hvctl.guest.command.options import global_property, parameters, scan
from hvctl.guest.plan import guest_of, takes_all
from hvctl.migration.incoming import in_effect
from hvctl.model.guest import Guest
from hvctl.model.plan import Plan
from hvctl.xml.source import Element

# The elements that hvctl.guest.domain.writer writes at the top, and of those below whose others would matter.
_ELEMENTS = {"name", "metadata", "memory", "os", "features", "cpu", "clock", "devices"}
_FEATURES = {"acpi", "apic", "hyperv", "kvm"}
_DEVICES = {"panic"}
_TICK_POLICIES = ("rtc", "pit")


def says_argv(argv: Sequence[str], plan: Plan) -> bool:
    """Whether these are the arguments of a plan, each option once and none besides."""
    from shlex import join

    from hvctl.guest.command.strict import read_command_line

    options = scan(argv)
    values = {option.name: option.value or "" for option in options}
    if [option.name for option in options] != ["machine", "cpu", "rtc", "global"]:
        return False
    hpet = {"hpet": "on" if plan.clock.hpet else "off"} if plan.machine.hpet_option else {}
    driftfix = {"driftfix": "slew"} if plan.clock.rtc == "catchup" else {}
    try:
        guest = read_command_line(join(argv), "argv")
    except InputError:
        return False
    return (
        dict(parameters(values["machine"], "type")) == {"type": plan.machine.type, **hpet}
        and dict(parameters(values["rtc"])) == {"base": plan.clock.offset, **driftfix}
        and global_property(values["global"]) == ("kvm-pit", "lost_tick_policy", plan.clock.pit)
        and not (guest.enforce or guest.properties or guest.doubts)
        and _comparable(guest) == _comparable(guest_of(plan))
    )


def says_xml(xml: str, plan: Plan) -> bool:
    """Whether this is the domain of a plan, but for its name and memory, and no more than that."""
    from hvctl.guest.domain.strict import read_domain
    from hvctl.xml.source import parse

    try:
        root = parse(xml.encode(), "xml").root
        guest = read_domain(xml.encode(), "xml")
    except InputError:
        return False
    return (
        _below(root) <= _ELEMENTS
        and {name for features in root.named("features") for name in _below(features)} <= _FEATURES
        and {name for devices in root.named("devices") for name in _below(devices)} <= _DEVICES
        and _clock(root) == [plan.clock.offset, plan.clock.rtc, plan.clock.pit, "yes" if plan.clock.hpet else "no"]
        and not guest.enforce
        # What stands beside the mode that takes all is a doubt in itself: not every libvirt writes it.
        and (takes_all(guest) or not guest.doubts)
        and _comparable(guest) == _comparable(guest_of(plan, libvirt=True))
    )


def _below(element: Element) -> set[str]:
    return {child.tag for child in element.children}


def _clock(root: Element) -> list[str | None]:
    """The offset, the tick policies and whether there is an HPET."""
    found: list[str | None] = []
    for clock in root.named("clock"):
        timers = {timer.get("name"): timer for timer in clock.named("timer")}
        found.append(clock.get("offset"))
        found += [timers[name].get("tickpolicy") if name in timers else None for name in _TICK_POLICIES]
        found.append(timers["hpet"].get("present") if "hpet" in timers else None)
    return found


def _comparable(guest: Guest) -> tuple[object, ...]:
    # QEMU takes `_` for `-` in a feature's name.
    features = {name.replace("_", "-"): on for name, on in guest.features}
    cpu = (guest.cpu, guest.migratable, guest.hidden, features, guest.tsc_frequency)
    return guest.machine, *cpu, set(guest.enabled()), in_effect(guest)
