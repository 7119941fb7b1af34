"""Reasons why a guest cannot move to another host; first of all those for which what waits there differs from it."""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from hvctl.catalog import BY_ID, ORDER, ROWS, machines, parse_version
from hvctl.catalog.cpu_models import INVARIANT_TSC
from hvctl.catalog.types import Kind, Need, Row
from hvctl.guest.plan import plan_of
from hvctl.model.guest import HOST_MODELS, Guest
from hvctl.model.host import Host
from hvctl.model.plan import Layer
from hvctl.model.profile import Value
from hvctl.plan.cpuid import predict


class Effect(StrEnum):
    """What comes of a migration that should not be."""

    REFUSED = "refused"
    """QEMU, or libvirt, refuses at the source: nothing happens."""
    FAILS = "fails"
    """The destination does not start, or gives up; the source goes on."""
    LOST = "lost"
    """The destination dies while the source reports the migration completed: the guest is lost."""
    CHANGES = "changes"
    """It succeeds, and the running guest is another one than before: QEMU does not compare."""
    UNKNOWN = "unknown"
    """It cannot be told."""
    NOTE = "note"
    """It succeeds; what is wrong with the guest is so on either host."""


class Reason(NamedTuple):
    """One thing that is against a move.

    `id` is a catalog row's, or what else it is about: `cpu`, `machine`, `tsc-frequency`. `error` is what QEMU says, as
    far as that is known; empty where it says nothing.
    """

    effect: Effect
    id: str
    text: str
    layer: Layer
    remedy: str = ""
    error: str = ""


class Answer(StrEnum):
    """The verdict on one target."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Move(NamedTuple):
    """The verdict for some targets that it is the same for, by their names."""

    targets: tuple[str, ...]
    reasons: tuple[Reason, ...]

    @property
    def answer(self) -> Answer:
        """No where anything is known to go wrong, unknown where something could."""
        effects = {reason.effect for reason in self.reasons} - {Effect.NOTE}
        if effects - {Effect.UNKNOWN}:
            return Answer.NO
        return Answer.UNKNOWN if effects else Answer.YES


class Journey(NamedTuple):
    """A guest on its source; `incoming` is what waits for it on the targets, None where that is the same."""

    guest: Guest
    source: Host
    incoming: Guest | None = None

    @property
    def arriving(self) -> Guest:
        """The configuration on the targets."""
        return self.incoming or self.guest


SAME = "start the destination with the same configuration"
OF_A_PROCESS = "name its process id, or its command line"
_Values = dict[str, "Value | tuple[int, ...] | None"]


def differences(journey: Journey) -> Iterator[Reason]:
    """What becomes another thing for the running guest, as far as it is written; the machine type is not looked at."""
    if journey.incoming is None:
        return
    yield from _rows(journey.guest, _with_the_same_machine(journey))
    yield from _others(journey.guest, journey.arriving)
    yield from _frequencies(journey)


def _with_the_same_machine(journey: Journey) -> Guest:
    """What arrives, with the defaults of the guest's machine type: its name may be an alias of the same."""
    return journey.arriving.replace(machine=journey.guest.machine)


def leaves_apart(journey: Journey, target: Host) -> Iterator[Reason]:
    """What differs in the leaves, where they come from the host and not from what is written."""
    before, after = (
        {leaf.leaf: leaf for leaf in predict(plan_of(guest), host)}
        for guest, host in ((journey.guest, journey.source), (_with_the_same_machine(journey), target))
    )
    differ = [leaf for leaf in sorted({*before, *after}) if before.get(leaf) != after.get(leaf)]
    if differ:
        text = f"the guest's CPUID changes in {', '.join(f'{leaf:#010x}' for leaf in differ)}"
        yield Reason(Effect.CHANGES, "cpuid", text, Layer.QEMU, "name what the guest shall get")


def in_effect(guest: Guest) -> _Values:
    """The enlightenments that a guest has, whether by its configuration or by its machine type; no mere defaults.

    A version is the numbers that it stands for. Without any enlightenment that turns Hyper-V on, nothing is in effect.
    """
    written = set(guest.settings)
    found: _Values = dict(guest.enabled())
    if not any(BY_ID[row_id].enables_hyperv for row_id in found):
        return {}
    compat = machines.compat(guest.machine or "")
    for row in ROWS:
        if row.id not in written and any(known.name in compat for known in row.properties):
            found[row.id] = _default(row, compat) if row.kind is not Kind.FLAG else None
        elif row.kind is Kind.VERSION and row.id in found:
            found[row.id] = parse_version(str(found[row.id]))
    # What is written may be what there is without a word.
    return {row_id: value for row_id, value in found.items() if value is None or value != _default(BY_ID[row_id], {})}


def _default(row: Row, compat: dict[str, bool | int]) -> Value | tuple[int, ...]:
    numbers = tuple(compat.get(known.name, known.default) for known in row.properties)
    return tuple(map(int, numbers)) if row.kind is Kind.VERSION else numbers[0]


def _rows(guest: Guest, arriving: Guest) -> Iterator[Reason]:
    here, there = in_effect(guest), in_effect(arriving)
    for row_id in sorted({*here, *there}, key=ORDER.__getitem__):
        row = BY_ID[row_id]
        if (row.in_passthrough or row.overwritten) and (guest.takes_all or arriving.takes_all):
            continue  # the row that takes all is told, and has it or its own value of it
        blind = guest.libvirt and row.libvirt is not None and not row.libvirt.abi_checked
        note = ", and libvirt's own check of the ABI does not look at it" if blind else ""
        if row_id not in there:
            yield _lost(row, here, note)
        elif row_id not in here:
            value = there[row_id]
            text = "it appears under the guest" if value is None else f"QEMU's default becomes {_shown(value)}"
            yield Reason(Effect.CHANGES, row_id, f"{text}{note}", Layer.QEMU, SAME)
        elif here[row_id] != there[row_id]:
            text = f"{_shown(here[row_id])} becomes {_shown(there[row_id])}{note}"
            yield Reason(Effect.CHANGES, row_id, text, Layer.QEMU, SAME)


def _lost(row: Row, here: _Values, note: str) -> Reason:
    value = here[row.id]
    loses = f"the guest loses it{note}" if value is None else f"{_shown(value)} becomes QEMU's default{note}"
    if row.gone_error:
        text = f"{loses}, and if it uses it the destination dies"
        return Reason(Effect.LOST, row.id, text, Layer.QEMU, SAME, row.gone_error)
    if not row.ramblock:
        return Reason(Effect.CHANGES, row.id, loses, Layer.QEMU, SAME)
    if row.requires_unless not in here:
        error = f'Unknown ramblock "{row.ramblock}", cannot accept migration'
        return Reason(Effect.FAILS, row.id, "the guest has it, and it is off there", Layer.QEMU, SAME, error)
    # Such a guest has no such memory, and KVM refuses what is built on it (linux:arch/x86/kvm/hyperv.c,
    # stimer_set_config()). Observed with a machine type of 3.0: the destination aborts, the source has completed.
    needing = [row_id for row_id in here if row.id in BY_ID[row_id].requires]
    if not needing:
        return Reason(Effect.CHANGES, row.id, loses, Layer.QEMU, SAME)
    text = f"it is off there, and if the guest uses {' or '.join(needing)} the destination dies"
    return Reason(Effect.LOST, row.id, text, Layer.QEMU, SAME, "error: failed to set MSR")


def _shown(value: Value | tuple[int, ...] | None) -> str:
    if isinstance(value, tuple):
        return f"{'.'.join(map(str, value[:3]))}.{'-'.join(map(str, value[3:]))}"
    return "the default" if value is None else str(value)


def _others(guest: Guest, arriving: Guest) -> Iterator[Reason]:
    if guest.cpu != arriving.cpu:
        text = f"{guest.cpu or 'an unknown model'} becomes {arriving.cpu or 'an unknown model'}"
        yield Reason(Effect.CHANGES, "cpu", text, Layer.QEMU, SAME)
    elif guest.cpu in HOST_MODELS and guest.migratable != arriving.migratable:
        switches = ("on" if one.migratable else "off" for one in (guest, arriving))
        text = "migratable={} at the source and {} there: features that cannot migrate come or go".format(*switches)
        yield Reason(Effect.CHANGES, "cpu", text, Layer.QEMU, SAME)
    if guest.hidden != arriving.hidden:
        yield Reason(Effect.CHANGES, "cpu.hidden", "KVM's own leaves appear or go", Layer.QEMU, SAME)
    yield from _features(guest, arriving)
    yield from _invariant_tsc(guest, arriving)


def _features(guest: Guest, arriving: Guest) -> Iterator[Reason]:
    here, there = _properties(guest), _properties(arriving)
    names = {*here, *there}
    if (guest.seen is None) != (arriving.seen is None):
        text = "a running QEMU does not say which features its CPU was started with, so not all can be compared"
        yield Reason(Effect.UNKNOWN, "cpu.features", text, Layer.QEMU, OF_A_PROCESS)
    if guest.seen is not None or arriving.seen is not None:
        # It does say what has become of those that are written elsewhere, if it is not too old to know them.
        names = here.keys() & there.keys()
    for name in sorted(names):
        if here.get(name) != there.get(name):
            text = f"{here.get(name, 'not written')} at the source and {there.get(name, 'not written')} there"
            yield Reason(Effect.CHANGES, f"cpu.features.{name}", text, Layer.QEMU, SAME)


def _invariant_tsc(guest: Guest, arriving: Guest) -> Iterator[Reason]:
    """A newer QEMU takes invtsc for migratable where tsc-frequency is written (qemu:target/i386/cpu.c,
    x86_cpu_get_migratable_flags(); observed with 10.0, and not with 7.2)."""
    ends = guest, arriving
    fixed = {end.tsc_frequency is not None for end in ends}
    if len(fixed) == 1 or any(end.seen is not None or INVARIANT_TSC in dict(end.features) for end in ends):
        return
    if all(end.cpu in HOST_MODELS and end.migratable for end in ends):
        text = "the guest may gain or lose it: a newer QEMU adds it to CPU model host where tsc-frequency is written"
        yield Reason(Effect.UNKNOWN, f"cpu.features.{INVARIANT_TSC}", text, Layer.QEMU, SAME)


def _properties(guest: Guest) -> dict[str, str]:
    """What is written or seen of a guest's CPU; in QEMU's names `_` is `-`."""
    if guest.seen is not None:
        return dict(guest.seen)
    switches = ((name, "on" if on else "off") for name, on in guest.features)
    return {name.replace("_", "-"): value for name, value in (*switches, *guest.properties)}


def _frequencies(journey: Journey) -> Iterator[Reason]:
    """The stream has the guest's frequency in kHz; a written one must be the same (machine.c, cpu_post_load())."""
    wanted = journey.arriving.tsc_frequency
    if wanted is None:
        return
    # A running QEMU does not tell.
    runs_at = None if journey.guest.seen is not None else journey.guest.tsc_frequency or journey.source.hardware.tsc_hz
    if runs_at is None:
        text = f"it is {wanted} Hz there, and the guest's is not known"
        remedy = OF_A_PROCESS if journey.guest.seen is not None else "record the host that the guest runs on again"
        yield Reason(Effect.UNKNOWN, "tsc-frequency", text, Layer.QEMU, remedy)
    elif runs_at // 1000 != wanted // 1000:
        text = f"it is {wanted} Hz there, and the guest's is {runs_at} Hz: the destination dies of it"
        error = "Mismatch between user-specified TSC frequency and migrated TSC frequency"
        remedy = "start the destination with the frequency of the guest"
        # Without any such a guest is lost, too, and one that had some may lose invtsc.
        if journey.guest.tsc_frequency is None and not any(
            Need.TSC_FREQUENCY in BY_ID[row_id].needs for row_id in in_effect(journey.guest)
        ):
            remedy += ", or without tsc-frequency"
        yield Reason(Effect.LOST, "tsc-frequency", text, Layer.QEMU, remedy, error)
