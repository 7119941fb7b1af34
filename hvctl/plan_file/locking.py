"""Locking a plan, and whether a host can give what was locked."""

from collections.abc import Iterator, Sequence

from hvctl.catalog import BY_ID, ROWS
from hvctl.model.host import Hardware, Host, Kvm, Qemu, Scalar
from hvctl.model.plan import Decision, Layer, Plan, SavedPlan
from hvctl.model.profile import Ask, CpuChoice, Migration, Profile, Wish
from hvctl.plan.cpu import choose_cpu, refusal
from hvctl.plan.resolve import resolve

Expansion = tuple[tuple[str, Scalar], ...]


LABEL = "the hosts of the plan file"
_NO_KVM = Kvm(None, "", (), ())


def lock(plan: Plan, pool: Sequence[Host], *, argv: tuple[str, ...] | None, xml: str | None) -> SavedPlan:
    """Save a usable plan that was resolved for a pool."""
    kept = plan._replace(decisions=plan.enabled(), refusals=(), notes=())
    return SavedPlan(kept, argv, xml, _like(plan, pool) if plan.migration is Migration.REQUIRED else ())


def _like(plan: Plan, pool: Sequence[Host]) -> tuple[Host, ...]:
    """The hosts that decide whether another one belongs to the pool: the ends of the TSC frequencies and of scaling.

    What a single host's QEMU tells of CPU model `host` is kept with each of them: the others agree as far as they know.
    """
    by_frequency = sorted(pool, key=lambda host: host.hardware.tsc_hz or 0)
    known = [host for host in by_frequency if host.hardware.tsc_hz is not None]
    fixed = [host for host in pool if not host.hardware.tsc_scaling]
    expansion = _expansion(pool) if plan.cpu.model == "host" else None
    chosen = (*known[:1], *known[-1:], *by_frequency[:1], *fixed[:1], pool[0])
    return tuple(dict.fromkeys(_reduced(host, expansion) for host in chosen))


def _expansion(pool: Sequence[Host]) -> Expansion | None:
    """What CPU model `host` is on all hosts; None where one does not tell, which a pool of several does not allow."""
    expansions = [host.qemu[0].expansion for host in pool]
    if None in expansions:
        return None
    return tuple({name: value for one in reversed(expansions) for name, value in one or ()}.items())


def _reduced(host: Host, expansion: Expansion | None) -> Host:
    own = host.hardware
    hardware = Hardware(
        vendor=own.vendor,
        family=own.family,
        model=own.model,
        stepping=own.stepping,
        tsc_hz=own.tsc_hz,
        tsc_scaling=own.tsc_scaling,
    )
    return Host(None, _NO_KVM, hardware, (Qemu("", expansion=expansion),))


def profile_of(plan: Plan) -> Profile:
    """The profile that demands exactly what a plan has: its enabled rows on, all others off."""
    enabled = {decision.id: decision.value for decision in plan.enabled()}
    passed = any(BY_ID[row_id].takes_all for row_id in enabled)
    wishes = tuple(
        Wish(row.id, Ask.ON if row.id in enabled else Ask.OFF, enabled.get(row.id))
        for row in ROWS
        if row.id in enabled or not (row.experimental or (passed and row.in_passthrough))
    )
    return Profile(
        name=plan.profile,
        os=plan.os,
        uses=plan.uses,
        migration=plan.migration,
        machine=plan.machine.type,
        cpu=CpuChoice(plan.cpu.model, plan.cpu.hidden, plan.cpu.features),
        tsc_frequency=plan.cpu.tsc_frequency,
        pinned=True,
        wishes=wishes,
        clock=plan.clock,
    )


def lacking(locked: SavedPlan, host: Host, *, libvirt: bool) -> tuple[Decision, ...]:
    """What a host lacks of a saved plan; empty where it can give all of it. `libvirt`: whether libvirt starts it."""
    wanted = profile_of(locked.plan)
    found = list(resolve(wanted, (host,), libvirt=libvirt).refusals)
    if not any(why.id in ("kvm", "qemu") for why in found):
        found += [one for one in (*_unlike(locked, wanted, host), *_hpet(locked.plan, host)) if one not in found]
    # What nested uses prefer was decided when the plan was made.
    if not found and _content(resolve(wanted._replace(uses=()), (host,), libvirt=libvirt)) != _content(locked.plan):
        reason = "this version resolves the profile differently"
        found.append(refusal("plan", reason, Layer.PROFILE, None, "create a new plan"))
    return tuple(found)


def _unlike(locked: SavedPlan, wanted: Profile, host: Host) -> Iterator[Decision]:
    """How a host's processor and TSC differ from those that the plan was made for; a host of these is like them."""
    expansion = host.qemu[0].expansion if locked.plan.cpu.model == "host" else None
    if not locked.pool or _reduced(host, expansion) in locked.pool:
        return
    others = tuple(like._replace(name=LABEL) for like in locked.pool)
    # Of the others only this is known: whether they can run guests of the guest's own was asked of each host alone.
    yield from choose_cpu(wanted._replace(uses=()), (*others, host))[1]


def _hpet(plan: Plan, host: Host) -> Iterator[Decision]:
    """Whether QEMU would refuse the option of the machine type that says whether there is an HPET."""
    there = {kind.name: kind.hpet for kind in host.qemu[0].machines}
    if plan.machine.hpet_option and there.get(plan.machine.type) is False:
        reason = f"its QEMU's machine type {plan.machine.type} has no property hpet"
        yield refusal("machine", reason, Layer.QEMU, host.label, "use the QEMU that the plan was made for")


def _content(plan: Plan) -> tuple[object, ...]:
    enabled = tuple((decision.id, decision.value) for decision in plan.enabled())
    return enabled, plan.machine.type, plan.cpu
