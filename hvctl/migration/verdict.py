"""May this guest move from here to there?

QEMU compares nothing: CPUID is not in the migration stream, the destination's command line decides what the guest sees
afterwards (qemu:target/i386/machine.c). So both ends are judged here: what blocks at the source, what the target cannot
give, and how what waits on the target differs from the guest.
"""

from collections.abc import Iterator

from hvctl.catalog import BY_ID, machines, roles
from hvctl.catalog.cpu_models import INVARIANT_TSC
from hvctl.catalog.types import Blocks, Need, blocked, blocks
from hvctl.migration.destination import at_destination
from hvctl.migration.differences import OF_A_PROCESS, Effect, Journey, Move, Reason, in_effect
from hvctl.model.guest import HOST_MODELS, Guest
from hvctl.model.host import Host, Pool
from hvctl.model.plan import Layer
from hvctl.plan.cpu import within_tolerance
from hvctl.plan.support import State, support

_TSC = "tsc-frequency"
# The value on is a promise that only pinned vCPUs keep.
_PINNED = "write on where the vCPUs are pinned, else leave it out"


def judge(journey: Journey, target: Host) -> tuple[Reason, ...]:
    """Everything that is against one move; empty if it works."""
    return (*_at_source(journey), *at_destination(journey, target), *_clock(journey, target))


def judge_pool(journey: Journey, targets: Pool) -> tuple[Move, ...]:
    """The verdict on every host of a pool; hosts with the same reasons are one Move, in the order of the first of each.

    What does not depend on the TSC frequency is judged once for a class.
    """
    leaving = tuple(_at_source(journey))
    found: dict[tuple[Reason, ...], list[str]] = {}
    for group in targets.classes:
        arriving = at_destination(journey, group.host(group.members[0]))
        by_frequency: dict[int | None, list[str]] = {}
        for member in group.members:
            names = by_frequency.get(member.tsc_hz)
            if names is None:
                reasons = (*leaving, *arriving, *_clock(journey, group.host(member)))
                names = by_frequency[member.tsc_hz] = found.setdefault(reasons, [])
            names.append(member.name)
    return tuple(Move(tuple(names), reasons) for reasons, names in found.items())


def judge_save(journey: Journey) -> Move:
    """The verdict on saving a guest and loading it where it ran: what blocks a migration blocks that, too."""
    return Move((journey.source.label,), tuple(_at_source(journey, saved=True)))


def _at_source(journey: Journey, *, saved: bool = False) -> Iterator[Reason]:
    """What is wrong whatever the target, or when the guest is saved."""
    guest = journey.guest
    if guest.accelerator not in (None, "kvm"):
        text = f"the guest uses {guest.accelerator}, not KVM, and may have no enlightenments at all"
        yield Reason(Effect.UNKNOWN, "accelerator", text, Layer.QEMU)
    found = (*_rows(guest), *_reenlightenment(guest, journey.arriving, saved=saved), *_invariant_tsc(guest))
    yield from found
    yield from _devices(guest)
    yield from _kvmclock(guest)
    for text in guest.blockers:
        if not any(reason.error and (reason.error in text or text in reason.error) for reason in found):
            yield Reason(Effect.REFUSED, "qemu", text, Layer.QEMU, "", text)
    doubts = dict.fromkeys((*guest.doubts, *journey.arriving.doubts))
    yield from (Reason(Effect.UNKNOWN, "guest", text, Layer.PROFILE) for text in doubts)
    # A saved plan speaks for its hosts without their KVM.
    if journey.source.kvm.caps and guest.accelerator != "tcg":
        yield from _cannot_run_here(guest, journey.source)


def _rows(guest: Guest) -> Iterator[Reason]:
    values = guest.enabled()
    for row_id in in_effect(guest):
        row = BY_ID[row_id]
        if blocks(row, values.get(row_id)):
            remedy = _PINNED if row.blocks_migration is Blocks.AUTO else "name what the guest shall get"
            text = blocked("it" if row.blocks_migration is Blocks.ALWAYS else "the value auto")
            yield Reason(Effect.REFUSED, row_id, text, Layer.QEMU, remedy, row.migration_error)
        elif row.blocks_migration is Blocks.LOST:
            yield Reason(Effect.CHANGES, row_id, "its state is not carried", Layer.QEMU, "turn it off")


def _reenlightenment(guest: Guest, arriving: Guest, *, saved: bool) -> Iterator[Reason]:
    """What the guest may have turned on travels with it; the destination wants a frequency that was written for it."""
    if arriving.tsc_frequency is not None or "tsc_frequency" in arriving.unknown:  # a doubt says why
        return
    remedy = "start the guest with tsc-frequency" + ("" if saved else ", on both hosts the same")
    dies = "QEMU dies as it loads the state" if saved else "the destination dies"
    for row in (BY_ID[row_id] for row_id in in_effect(guest)):
        if Need.TSC_FREQUENCY not in row.needs:
            continue
        if arriving.seen is not None:
            text = "a running QEMU does not say whether it was started with tsc-frequency; without it the guest is lost"
            yield Reason(Effect.UNKNOWN, row.id, text, Layer.QEMU, OF_A_PROCESS)
        else:
            text = f"if the guest has turned it on, {dies} without tsc-frequency"
            yield Reason(Effect.LOST, row.id, text, Layer.QEMU, remedy, row.migration_error)


def _invariant_tsc(guest: Guest) -> Iterator[Reason]:
    """A running QEMU says so itself."""
    if guest.tsc_frequency is not None or guest.seen is not None or "tsc_frequency" in guest.unknown:
        return
    remedy = "start the guest with tsc-frequency"
    if dict(guest.features).get(INVARIANT_TSC):
        text = blocked("it and without tsc-frequency")
        error = "State blocked by non-migratable CPU device (invtsc flag)"
        yield Reason(Effect.REFUSED, f"cpu.features.{INVARIANT_TSC}", text, Layer.QEMU, remedy, error)
    elif guest.cpu in HOST_MODELS and not guest.migratable and INVARIANT_TSC not in dict(guest.features):
        text = f"with migratable=off the CPU has {INVARIANT_TSC} where the processor has it; {blocked('that')}"
        yield Reason(Effect.UNKNOWN, "cpu", text, Layer.QEMU, "leave migratable=off out")


def _devices(guest: Guest) -> Iterator[Reason]:
    for device in guest.devices:
        text = (
            f"assigned {device.kind} device {device.name or 'without an address'}: QEMU migrates and saves it (virsh "
            "save, managed save, snapshot with memory) only if its driver can; most cannot, GPUs among them"
        )
        remedy = "detach it before, and attach one of the target's afterwards"
        error = "VFIO migration is not supported in kernel"
        yield Reason(Effect.UNKNOWN, "device", text, Layer.QEMU, remedy, error)


def _kvmclock(guest: Guest) -> Iterator[Reason]:
    if guest.hidden and machines.lacks_kvmclock(guest.machine) and guest.has(roles.CLOCK):
        text = f"KVM is hidden, and machine type {guest.machine} then has no kvmclock: the guest's time jumps back"
        remedy = "use machine type 5.2 or later, or leave KVM visible"
        yield Reason(Effect.CHANGES, "cpu.hidden", text, Layer.QEMU, remedy)


def _cannot_run_here(guest: Guest, source: Host) -> Iterator[Reason]:
    qemu = source.qemu[0] if source.qemu else None
    for row_id in in_effect(guest):
        kernel = support(source, BY_ID[row_id], qemu)[0]
        if kernel.state is State.NO:
            about = row_id if source.kvm.hyperv else "kvm"
            text = f"the source, {source.label}, cannot give it itself: {kernel.reason}"
            yield Reason(Effect.UNKNOWN, about, text, kernel.layer, "name the host that the guest runs on")
            if about != row_id:
                return  # the same would be said of each


def _clock(journey: Journey, target: Host) -> tuple[Reason, ...]:
    """What is wrong with a target's TSC; at most one thing."""
    demanded, there = journey.arriving.tsc_frequency, target.hardware.tsc_hz
    wanted = demanded or journey.guest.tsc_frequency or journey.source.hardware.tsc_hz
    if target.hardware.tsc_scaling:
        return ()
    remedy = "choose a host with TSC scaling, or of the same frequency within 250 ppm"
    if wanted is None or there is None:
        where = "the source" if wanted is None else "the target"
        text = f"the TSC frequency of {where} is not known"
        return (Reason(Effect.UNKNOWN, _TSC, text, Layer.HARDWARE, "record that host again"),)
    if within_tolerance(wanted, there):
        return ()
    if demanded is not None:
        # qemu:target/i386/kvm/kvm.c, kvm_arch_set_tsc_khz(): an error only where the frequency is asked for.
        text = f"its TSC runs at {_shown(there)} and cannot be scaled to the guest's {_shown(wanted)}"
        return (Reason(Effect.FAILS, _TSC, text, Layer.HARDWARE, remedy, "TSC frequency mismatch between VM"),)
    text = f"the guest's TSC changes from {_shown(wanted)} to {_shown(there)}, since it cannot be scaled there"
    return (Reason(Effect.CHANGES, _TSC, text, Layer.HARDWARE, remedy),)


def _shown(hertz: int) -> str:
    """So rounded that hosts of the same kind, which measure differently, have one verdict."""
    return f"{hertz / 1e6:.1f} MHz"
