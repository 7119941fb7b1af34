"""A guest as arguments of QEMU."""

from collections.abc import Iterator

from hvctl.catalog import BY_ID, parse_version
from hvctl.catalog.roles import PREFIXES
from hvctl.catalog.types import Kind, Row
from hvctl.guest.command import DRIFTFIX, RTC_CLOCKS
from hvctl.guest.plan import guest_of
from hvctl.model.guest import HOST_MODELS, Guest, Known, Setting
from hvctl.model.plan import Decision, Plan


def arguments(plan: Plan) -> tuple[str, ...]:
    """The words of a plan's command line, an option and its value being two words."""
    return words(guest_of(plan))


def words(guest: Guest) -> tuple[str, ...]:
    """The words of a guest's command line: machine, accelerator, CPU, vCPUs and clock."""
    found: list[str] = []
    for option, parts in (
        ("-machine", _machine(guest)),
        ("-accel", [guest.accelerator] if guest.accelerator else []),
        ("-cpu", [cpu(guest)]),
        ("-smp", _smp(guest)),
        ("-rtc", _rtc(guest)),
    ):
        if parts:
            found += [option, ",".join(parts)]
    pit = guest.timers.get("pit")
    if pit is not None and pit.policy:
        found += ["-global", f"kvm-pit.lost_tick_policy={pit.policy}"]
    return tuple(found)


def _machine(guest: Guest) -> list[str]:
    hpet = guest.timers.get("hpet")
    parts = [escape(guest.machine)] if guest.machine else []
    if guest.irqchip:
        parts.append(f"kernel-irqchip={guest.irqchip}")
    if hpet is not None and hpet.present is not None:
        parts.append("hpet=on" if hpet.present else "hpet=off")
    return parts


def _smp(guest: Guest) -> list[str]:
    parts = [str(guest.vcpus)] if guest.vcpus else []
    parts += [f"maxcpus={guest.most_vcpus}"] if guest.most_vcpus else []
    shape = guest.topology._asdict() if guest.topology else {}
    return [*parts, *(f"{name}={number}" for name, number in shape.items() if number)]


def _rtc(guest: Guest) -> list[str]:
    rtc = guest.timers.get("rtc")
    parts = [f"base={guest.offset}"] if guest.offset and guest.known("offset") is not Known.UNKNOWN else []
    # Without a word QEMU drops ticks, which is libvirt's delay.
    parts += [f"driftfix={DRIFTFIX['catchup']}"] if rtc and rtc.policy == "catchup" else []
    return [*parts, f"clock={RTC_CLOCKS[rtc.track]}"] if rtc and rtc.track in RTC_CLOCKS else parts


def cpu(guest: Guest) -> str:
    """The value of `-cpu`: the model, its features, then the enlightenments in the catalog's order.

    What is written as off stays written as off.
    """
    parts = [escape(guest.cpu or HOST_MODELS[0])]
    # Only `host` and `max` have the property migratable (cpu.c, max_x86_cpu): it leaves out what cannot migrate.
    if guest.cpu in HOST_MODELS and (not guest.migratable or "migratable" in guest.places):
        parts.append(f"migratable={'on' if guest.migratable else 'off'}")
    if guest.hidden:
        parts.append("kvm=off")
    if guest.enforce:
        parts.append("enforce=on")
    parts += [f"{name}={'on' if on else 'off'}" for name, on in guest.features]
    # Those that begin with hv- are unknown to the catalog, and a doubt names them.
    parts += [f"{name}={value}" for name, value in guest.properties if not name.startswith(PREFIXES)]
    if guest.tsc_frequency is not None:
        parts.append(f"tsc-frequency={guest.tsc_frequency}")
    return ",".join([*parts, *(flag for setting in guest.in_order() for flag in flags_of(setting))])


def escape(value: str) -> str:
    """A value inside a comma-separated QEMU option: a comma is written twice (QemuOpts)."""
    return value.replace(",", ",,")


def flags(decision: Decision) -> list[str]:
    """The `hv_x=value` of one enabled enlightenment."""
    return flags_of(Setting(BY_ID[decision.id], True, decision.value))


def flags_of(setting: Setting) -> list[str]:
    """The `hv_x=value` of one setting."""
    row, value = setting.row, setting.value
    names = [known.name.replace("-", "_") for known in row.properties]
    if not setting.on:
        return list(_off(row, names[0]))
    if row.kind is Kind.VERSION:
        return [f"{name}={part}" for name, part in zip(names, parse_version(str(value)), strict=True)]
    if value is None:
        # A number that is not written is libvirt's to choose, a text without a value is its default.
        return [] if row.kind in (Kind.NUMBER, Kind.STRING) else [f"{names[0]}=on"]
    return [f"{names[0]}={hex(value) if isinstance(value, int) else escape(value)}"]


def _off(row: Row, name: str) -> Iterator[str]:
    """A number is off at its default (hv-spinlocks never notifies then); a text has no off, but its default."""
    if row.kind is Kind.NUMBER:
        yield f"{name}={row.properties[0].default:#x}"
    elif row.kind not in (Kind.STRING, Kind.VERSION):
        yield f"{name}=off"
