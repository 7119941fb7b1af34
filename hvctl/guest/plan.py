"""A plan as the guest that it configures, and a guest as a plan that nobody resolved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvctl.catalog import BY_ID, ROWS
from hvctl.catalog.cpu_models import INVARIANT_TSC
from hvctl.catalog.hazards import hazard
from hvctl.catalog.types import Kind, Need
from hvctl.model.guest import HOST_MODELS, Guest, Setting
from hvctl.model.plan import CpuPlan, Decision, Layer, Machine, Outcome, Plan
from hvctl.model.profile import Ask, ClockChoice, CpuChoice, Migration, Profile, Wish

if TYPE_CHECKING:
    from hvctl.catalog.types import Row
    from hvctl.model.profile import Value


def guest_of(plan: Plan, *, libvirt: bool = False) -> Guest:
    """What a usable plan configures; `libvirt` says whether it becomes a domain.

    No plan turns QEMU's `migratable` off: `migration: none` leaves it as it is, which is on.
    """
    return Guest(
        label=plan.profile,
        machine=plan.machine.type,
        cpu=plan.cpu.model,
        hidden=plan.cpu.hidden,
        features=plan.cpu.features,
        tsc_frequency=plan.cpu.tsc_frequency,
        settings=tuple(Setting(decision.id, True, decision.value) for decision in plan.enabled()),
        libvirt=libvirt,
    )


def plan_of(guest: Guest) -> Plan:
    """A plan with exactly what is written, right or wrong."""
    enabled = guest.enabled()
    decisions = tuple(
        Decision(row.id, Outcome.ON, enabled[row.id], "", Layer.PROFILE) for row in ROWS if row.id in enabled
    )
    cpu = CpuPlan(guest.cpu or "", guest.hidden, guest.features, guest.tsc_frequency)
    machine = Machine(guest.machine or "", None)
    migration = Migration.REQUIRED if guest.migratable else Migration.NONE
    return Plan(guest.label, "other", migration, machine, cpu, ClockChoice(), decisions)


def takes_all(guest: Guest) -> bool:
    """Whether the guest gets all that a host's KVM has."""
    return any(BY_ID[row_id].takes_all for row_id in guest.enabled())


def guest_of_profile(profile: Profile) -> tuple[Guest, tuple[str, ...]]:
    """A profile as a guest that nobody resolved, `prefer` being on; and what only a host could tell."""
    lost = ["tsc-frequency: auto is the host's"] if profile.tsc_frequency == "auto" else []
    settings = tuple(Setting(wish.id, wish.ask is not Ask.OFF, _value(wish)) for wish in profile.wishes)
    guest = Guest(
        label=profile.name,
        machine=profile.machine,
        cpu=profile.cpu.model,
        migratable=profile.migration is Migration.REQUIRED,
        hidden=profile.cpu.hidden,
        features=profile.cpu.features,
        tsc_frequency=None if profile.tsc_frequency == "auto" else profile.tsc_frequency,
        settings=settings,
    )
    return guest, tuple(lost)


def _value(wish: Wish) -> Value | None:
    if wish.ask is Ask.OFF:
        return None
    return "on" if wish.value is None and BY_ID[wish.id].kind is Kind.ON_OFF_AUTO else wish.value


def profile_of_guest(guest: Guest) -> tuple[Profile, tuple[str, ...]]:
    """A guest as a profile that demands what it has, and what no profile can say.

    A guest that QEMU would not migrate gets `migration: none`, and one that makes promises about its vCPUs is taken to
    have them pinned: else its profile would contradict itself.
    """
    lost = [f"{one.id}: no profile takes it" for one in guest.settings if one.on and BY_ID[one.id].experimental]
    wishes = []
    for setting in guest.settings:
        row = BY_ID[setting.id]
        if row.experimental:
            continue
        if setting.on and not _allowed(row, setting.value):
            lost.append(f"{setting.id}: a profile takes no value {setting.value}")
            continue
        wishes.append(Wish(setting.id, Ask.ON if setting.on else Ask.OFF, setting.value))
    fixed = guest.tsc_frequency is not None
    stuck = any(hazard(BY_ID[wish.id], wish.value, fixed_tsc=fixed) for wish in wishes if wish.ask is Ask.ON)
    invariant = dict(guest.features).get(INVARIANT_TSC) and not fixed
    if guest.cpu is None:
        lost.append("the CPU model is libvirt's to choose when the guest starts; host stands for it")
    profile = Profile(
        name="converted",
        migration=Migration.NONE if stuck or invariant or not guest.migratable else Migration.REQUIRED,
        machine=guest.machine or Profile("").machine,
        cpu=CpuChoice(guest.cpu or HOST_MODELS[0], guest.hidden, guest.features),
        tsc_frequency=guest.tsc_frequency,
        pinned=any(Need.PINNED in BY_ID[wish.id].needs and wish.value == "on" for wish in wishes),
        wishes=tuple(wishes),
    )
    return profile, tuple(lost)


def _allowed(row: Row, value: Value | None) -> bool:
    if isinstance(value, int):
        return (row.minimum or 0) <= value <= (row.maximum or value)
    if row.kind is Kind.STRING and isinstance(value, str):
        return bool(value) and value.isascii() and value.isprintable()
    return True
