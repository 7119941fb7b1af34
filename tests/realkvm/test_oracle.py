"""Random sets of enlightenments: hvctl and the real QEMU say the same, names included."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable

from hvctl.catalog import BY_ID, ROWS
from hvctl.catalog.types import Kind
from hvctl.guest.command.writer import hv_flags
from hvctl.model.host import Host
from hvctl.model.plan import CpuPlan, Decision, Layer, Machine, Outcome, Plan
from hvctl.model.profile import Ask, ClockChoice, Migration, Profile, Value, Wish
from hvctl.plan.resolve import resolve
from hvctl.plan.start import predict_start
from hvctl.plan.support import State, support
from tests.realkvm.real import qemu_refusal, this_host

SECONDS = 35.0
# passthrough checks nothing and takes the others' place; it is compared by the leaves that it gives.
CANDIDATES = [row.id for row in ROWS if not row.experimental and not row.takes_all]
# Up to 3.0, SynIC does not ask for the VP index; newer QEMUs lack some of the old ones.
MACHINES = ("pc-q35-7.2", "pc-q35-6.1", "pc-i440fx-7.1", "pc-i440fx-3.0", "pc-q35-3.0")


def random_value(row_id: str, dice: random.Random) -> Value | None:
    return {
        Kind.FLAG: None,
        Kind.NUMBER: dice.choice([4095, 8191, dice.randint(4095, 0x7FFFFFFF)]),
        Kind.STRING: dice.choice(["Microsoft Hv", "KVM", "x=y z", "0"]),
        Kind.ON_OFF_AUTO: dice.choice(["on", "auto"]),
        Kind.VERSION: f"{dice.randint(0, 0xFFFF)}.{dice.randint(0, 0xFFFF)}.{dice.randint(0, 0xFFFFFFFF)}",
    }[BY_ID[row_id].kind]


def raw_plan(enabled: dict[str, Value | None], machine: str) -> Plan:
    """A plan that nobody resolved: exactly these rows on."""
    decisions = tuple(
        Decision(row.id, Outcome.ON, enabled[row.id], "", Layer.PROFILE) for row in ROWS if row.id in enabled
    )
    cpu = CpuPlan("host", hidden=False, features=(), tsc_frequency=None)
    return Plan("random", "other", Migration.NONE, Machine(machine, False), cpu, ClockChoice(), decisions)


def closure(row_id: str) -> list[str]:
    """What a row requires, directly and through others, in the catalog's order."""
    direct = BY_ID[row_id].requires
    found = {*direct, *(needed for one in direct for needed in closure(one))}
    return [row.id for row in ROWS if row.id in found]


def random_set(dice: random.Random, host: Host) -> dict[str, Value | None]:
    """Large and small sets; most of them without what this KVM lacks, many with all that they require, or nearly."""
    share, closed = dice.choice([0.15, 0.5, 0.85]), dice.choice([0.3, 0.8, 1.0])
    chosen = {row_id for row_id in CANDIDATES if dice.random() < share}
    if dice.random() < 0.8:
        chosen = {row_id for row_id in chosen if support(host, BY_ID[row_id], None)[0].state is State.YES}
    for row_id in sorted(chosen):
        chosen |= {needed for needed in closure(row_id) if dice.random() < closed}
    return {row_id: random_value(row_id, dice) for row_id in CANDIDATES if row_id in chosen}


def test_random_sets_are_judged_as_qemu_judges_them(note: Callable[[str], None]) -> None:
    count = int(os.environ.get("HVCTL_ORACLE_COUNT", "0"))
    seed = int(os.environ.get("HVCTL_ORACLE_SEED", "0")) or random.SystemRandom().randint(1, 10**9)
    dice, host, end = random.Random(seed), this_host(), time.monotonic() + SECONDS
    has = {kind.name for kind in host.qemu[0].machines}
    machines = [machine for machine in MACHINES if machine in has]
    started = refused = unsupported = done = 0
    while done < count if count else time.monotonic() < end:
        enabled, machine = random_set(dice, host), dice.choice(machines)
        predicted = predict_start(enabled, machine, host)
        said = qemu_refusal(",".join(["host", *hv_flags(raw_plan(enabled, machine))]), machine=machine)
        assert said == (predicted.message if predicted else ""), (seed, sorted(enabled), machine)
        done += 1
        started += predicted is None
        unsupported += predicted is not None and predicted.missing is None
        refused += predicted is not None and predicted.missing is not None
        if done % 3 == 0:
            resolved_plan_starts(enabled, machine, dice)
    note(f"oracle: seed={seed} count={done}: {started} started, {refused} missed one, {unsupported} not supported")
    assert started
    assert refused
    assert unsupported


def resolved_plan_starts(enabled: dict[str, Value | None], machine: str, dice: random.Random) -> None:
    """What hvctl makes of the same wishes is always something that QEMU starts."""
    asks = [Ask.PREFER, Ask.PREFER, Ask.OFF]
    wishes = tuple(Wish(row_id, dice.choice(asks), value) for row_id, value in enabled.items())
    profile = Profile("random", wishes=wishes, machine=machine, migration=Migration.NONE)
    plan = resolve(profile, (this_host(),))
    assert not plan.refusals
    assert qemu_refusal(",".join(["host", *hv_flags(plan)]), machine=machine) == "", wishes
