"""A plan as the guest that it configures, and a guest as a plan that nobody resolved; the same of profiles."""

from collections.abc import Iterator
from typing import Any

from hvctl.catalog import BY_ID, ROWS
from hvctl.catalog.cpu_models import INVARIANT_TSC
from hvctl.catalog.roles import CLOCK_TIMERS
from hvctl.catalog.types import Kind, Need, Row, hazard
from hvctl.catalog.windows import BY_LIBOSINFO, GPU, MICROSOFT, SYSTEMS, system_of
from hvctl.model.guest import HOST_MODELS, Device, Guest, Setting, Switch, Timer
from hvctl.model.plan import CpuPlan, Decision, Layer, Machine, Outcome, Plan
from hvctl.model.profile import Ask, ClockChoice, CpuChoice, Migration, Profile, Value, Wish

OTHER = "other"
_IDS = {release.id: f"{MICROSOFT}{release.libosinfo[0]}" for release in SYSTEMS if release.libosinfo}
# Models of QEMU's that no profile takes.
_NO_MODELS = ("max", "base")
# What QEMU and libvirt do where nothing is written of the machine (qemu:hw/i386/pc_piix.c) and the clock.
_UNWRITTEN: dict[str, Any] = {"machine": "pc", "offset": "utc", "hpet": True, "rtc": "delay", "pit": "delay"}


def guest_of(plan: Plan, *, libvirt: bool = False) -> Guest:
    """What a usable plan configures; `libvirt` says whether it becomes a domain.

    No plan turns QEMU's `migratable` off: `migration: none` leaves it as it is, which is on.
    """
    guest = Guest(plan.profile)
    guest.libvirt = libvirt
    guest.release = system_of(plan.os)
    guest.machine = plan.machine.type
    guest.cpu = plan.cpu.model
    guest.hidden = plan.cpu.hidden
    guest.switches = _switches(plan.cpu.features)
    guest.tsc_frequency = plan.cpu.tsc_frequency
    if plan.migration is Migration.REQUIRED and plan.cpu.model == HOST_MODELS[0]:
        guest.places["migratable"] = None
    _set_clock(guest, plan.clock, hpet=libvirt or bool(plan.machine.hpet_option))
    if GPU in plan.uses:
        guest.devices.append(Device("pci", f"of guest.uses: [{GPU}]"))
    guest.set_settings(Setting(BY_ID[one.id], True, one.value) for one in plan.enabled())
    return guest


def _switches(features: tuple[tuple[str, bool], ...]) -> dict[str, Switch]:
    return {name: Switch(name, on) for name, on in features}


def _set_clock(guest: Guest, clock: ClockChoice, *, hpet: bool) -> None:
    guest.offset, guest.places["offset"] = clock.offset, None
    guest.timers = {"rtc": Timer(None, clock.rtc), "pit": Timer(None, clock.pit)}
    if hpet:
        guest.timers["hpet"] = Timer(None, None, clock.hpet)


def plan_of(guest: Guest) -> Plan:
    """A plan with exactly what is written, right or wrong."""
    enabled = guest.enabled()
    decisions = tuple(
        Decision(row.id, Outcome.ON, enabled[row.id], "", Layer.PROFILE) for row in ROWS if row.id in enabled
    )
    cpu = CpuPlan(guest.cpu or "", guest.hidden, guest.features, guest.tsc_frequency)
    machine = Machine(guest.machine or "", None)
    migration = Migration.REQUIRED if guest.migratable else Migration.NONE
    return Plan(guest.label, OTHER, migration, machine, cpu, ClockChoice(), decisions)


def guest_of_profile(profile: Profile) -> tuple[Guest, tuple[str, ...]]:
    """A profile as a guest that nobody resolved, `prefer` being on; and what only a host could tell."""
    lost = ["tsc-frequency: auto is the host's"] if profile.tsc_frequency == "auto" else []
    guest = Guest(profile.name)
    guest.machine = profile.machine
    guest.cpu = profile.cpu.model
    guest.migratable = profile.migration is Migration.REQUIRED
    if profile.cpu.model in HOST_MODELS:
        guest.places["migratable"] = None
    guest.hidden = profile.cpu.hidden
    guest.switches = _switches(profile.cpu.features)
    guest.tsc_frequency = None if profile.tsc_frequency == "auto" else profile.tsc_frequency
    guest.system, guest.release = _IDS.get(profile.os), system_of(profile.os)
    guest.pinned = profile.pinned or None
    _set_clock(guest, profile.clock, hpet=True)
    guest.set_settings(
        Setting(BY_ID[wish.id], wish.ask is not Ask.OFF, None if wish.ask is Ask.OFF else _value(wish))
        for wish in profile.wishes
    )
    return guest, tuple(lost)


def _value(wish: Wish) -> Value | None:
    return "on" if wish.value is None and BY_ID[wish.id].kind is Kind.ON_OFF_AUTO else wish.value


def profile_of_guest(guest: Guest) -> tuple[Profile, tuple[str, ...]]:
    """A guest as a profile that demands what it has, and what no profile can say.

    A guest that QEMU would not migrate gets `migration: none`, and one whose settings only hold for pinned vCPUs gets
    pinned vCPUs: else its profile would contradict itself.
    """
    lost: list[str] = []
    wishes = tuple(_wishes(guest, lost))
    fixed = guest.tsc_frequency is not None
    stuck = any(hazard(BY_ID[wish.id], wish.value, fixed_tsc=fixed) for wish in wishes if wish.ask is Ask.ON)
    invariant = dict(guest.features).get(INVARIANT_TSC) and not fixed
    if guest.cpu is None:
        lost.append("cpu: libvirt chooses the model when the guest starts; the profile has host")
    model = guest.cpu or HOST_MODELS[0]
    if model in _NO_MODELS:
        lost.append(f"cpu {model}: a profile has host for it")
        model = HOST_MODELS[0]
    release = BY_LIBOSINFO.get(guest.system or "", OTHER)
    if guest.system and release == OTHER:
        lost.append(f"os {guest.system}: a profile has no key for it")
    profile = Profile(
        name="converted",
        os=release,
        migration=Migration.NONE if stuck or invariant or not guest.migratable else Migration.REQUIRED,
        machine=guest.machine or _UNWRITTEN["machine"],
        cpu=CpuChoice(model, guest.hidden, guest.features),
        tsc_frequency=guest.tsc_frequency,
        pinned=bool(guest.pinned) or any(Need.PINNED in BY_ID[wish.id].needs and wish.value == "on" for wish in wishes),
        wishes=wishes,
        clock=_clock_choice(guest, lost),
    )
    return profile, tuple(lost)


def _wishes(guest: Guest, lost: list[str]) -> Iterator[Wish]:
    for setting in guest.in_order():
        row = setting.row
        if row.experimental:
            if setting.on:
                lost.append(f"{setting.id}: no profile takes it")
        elif guest.takes_all and not row.takes_all and (row.overwritten or row.in_passthrough):
            lost.append(f"{setting.id}: KVM's own value replaces it")
        elif setting.on and not _allowed(row, setting.value):
            lost.append(f"{setting.id}: a profile takes no value {setting.value}")
        else:
            yield Wish(setting.id, Ask.ON if setting.on else Ask.OFF, setting.value)


def _clock_choice(guest: Guest, lost: list[str]) -> ClockChoice:
    """The clock as it is written, or as it is where nothing is written; what a profile cannot say is lost."""
    written: dict[str, Any] = dict.fromkeys(("offset", "rtc", "pit", "hpet")) | {"offset": guest.offset}
    for name, timer in guest.timers.items():
        own = "policy" if name in ("rtc", "pit") else "present" if name in ("hpet", *CLOCK_TIMERS) else ""
        if name in written:
            written[name] = getattr(timer, own)
        for key, value in timer._asdict().items():
            # Timers are present unless something else is written; kvmclock is on without a word from the profile.
            if key not in ("where", own) and value is not None and (value is not True or name == "kvmclock"):
                word = {True: "yes", False: "no"}.get(value, value)
                lost.append(f"timer {name} {key.replace('policy', 'tickpolicy')}={word}: a profile has no key for it")
    allowed = {"offset": ("localtime", "utc"), "rtc": ("catchup", "delay"), "pit": ("delay", "discard")}
    for name, value in written.items():
        if value is not None and value not in allowed.get(name, (True, False)):
            lost.append(f"clock {name}={value}: a profile has no word for it")
            written[name] = None
    return ClockChoice(**{name: _UNWRITTEN[name] if value is None else value for name, value in written.items()})


def _allowed(row: Row, value: Value | None) -> bool:
    if isinstance(value, int):
        return (row.minimum or 0) <= value <= (row.maximum or value)
    if row.kind is Kind.STRING and isinstance(value, str):
        return bool(value) and value.isascii() and value.isprintable()
    return True
