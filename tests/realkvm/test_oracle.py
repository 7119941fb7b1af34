"""Random sets of enlightenments: hvctl and the real QEMU say the same, names included."""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from hvctl.catalog import BY_ID, ROWS
from hvctl.catalog.types import Kind
from hvctl.cli import run
from hvctl.guest.command.writer import cpu
from hvctl.guest.plan import guest_of
from hvctl.host.host_file import dump_host
from hvctl.model.host import Host
from hvctl.model.profile import Ask, Migration, Profile, Value, Wish
from hvctl.plan.resolve import resolve
from hvctl.plan.support import State, support
from tests.plan.test_start import raw_plan
from tests.realkvm.real import in_time, qemu_refusal, this_host

SECONDS = 35.0
# passthrough takes the others' place: it is added to some.
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


class Case(NamedTuple):
    """A command line for QEMU, without the accelerator."""

    machine: str
    cpu: str
    irqchip: str


def random_case(dice: random.Random, host: Host, machines: list[str]) -> tuple[dict[str, Value | None], Case]:
    """A random set; some with passthrough, an unknown property, another interrupt chip or another TSC frequency."""
    enabled, machine = random_set(dice, host), dice.choice(machines)
    if dice.random() < 0.25:
        enabled |= {row.id: None for row in ROWS if row.takes_all}
        enabled |= {row_id: random_value(row_id, dice) for row_id in CANDIDATES if dice.random() < 0.1}
    hertz = host.hardware.tsc_hz or 0
    frequency = dice.choice([None] * 8 + [hertz, hertz + 50_000_000])
    plan = raw_plan(enabled, machine, hidden=dice.random() < 0.2, tsc_frequency=frequency)
    flags = cpu(guest_of(plan)).split(",")
    if dice.random() < 0.05:
        flags.insert(dice.randint(1, len(flags)), dice.choice(["hv-nosuch", "hv_nosuch=1", "+nosuch"]))
    irqchip = dice.choice(["on"] * 8 + ["split", "off"])
    return enabled, Case(machine, ",".join(flags), irqchip)


def check(case: Case, host_file: str, capsys: pytest.CaptureFixture[str], context: object) -> str:
    """Compare the prediction of `hvctl verify --dry-run` with the real QEMU, and say what both say."""
    machine = f"{case.machine},kernel-irqchip={case.irqchip}"
    words = ("--", "-accel", "kvm", "-machine", machine, "-cpu", case.cpu)
    capsys.readouterr()
    code = run(["verify", "--dry-run", "--host", host_file, "--format", "json", *words])
    predicted = json.loads(capsys.readouterr().out)
    said = qemu_refusal(case.cpu, machine=machine)
    assert code == {True: 0, False: 1, None: 3}[predicted["starts"]]
    if case.irqchip == "off" and not predicted["error"]:
        # That depends on the version of QEMU: where it refuses in any case, by one of the messages that are named.
        assert predicted["starts"] is None or (said and said in predicted["why"]), context
    else:
        assert (predicted["starts"], predicted["error"]) == (not said, said or None), context
    return said


def kinds(host: Host) -> set[str]:
    """What QEMU says: of each there has to be one case. Where KVM has every row, it refuses none."""
    lacks = any(support(host, BY_ID[row_id], None)[0].state is State.NO for row_id in CANDIDATES)
    return {"started", "missed one", *(["not supported"] if lacks else [])}


def is_wanted(said: Counter[str], wanted: set[str], end: float) -> bool:
    """Whether there is time for another case, or a kind has not come yet: some are rare where a KVM has nearly all."""
    return time.monotonic() < end or (not said.keys() >= wanted and time.monotonic() < end + 2 * SECONDS)


@pytest.mark.world("amd", "intel")
def test_random_sets_are_judged_as_qemu_judges_them(
    note: Callable[[str], None], tmp_path: Path, capsys: pytest.CaptureFixture[str], testbed_world: str
) -> None:
    count = int(os.environ.get("HVCTL_ORACLE_COUNT", "0"))
    seed = int(os.environ.get("HVCTL_ORACLE_SEED", "0")) or random.SystemRandom().randint(1, 10**9)
    dice, host, end = random.Random(seed), this_host(), time.monotonic() + in_time(SECONDS, testbed_world)
    host_file = tmp_path / "host.json"
    host_file.write_text(dump_host(host))
    has = {kind.name for kind in host.qemu[0].machines}
    machines = [machine for machine in MACHINES if machine in has]
    said, wanted = Counter[str](), kinds(host)
    while said.total() < count if count else is_wanted(said, wanted, end):
        enabled, case = random_case(dice, host, machines)
        answer = check(case, str(host_file), capsys, (seed, case))
        words = {"requires Hyper-V": "missed one", "not supported by kernel": "not supported"}
        named = next((kind for part, kind in words.items() if part in answer), "refused otherwise")
        said[named if answer else "started"] += 1
        if said.total() % 3 == 0:
            resolved_plan_starts(enabled, case.machine, dice)
    note(f"oracle: seed={seed} count={said.total()}: {', '.join(f'{number} {kind}' for kind, number in said.items())}")
    assert said.keys() >= wanted


def test_what_is_not_an_enlightenment_is_judged_as_qemu_judges_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of QEMU's checks once; passthrough with what this KVM lacks refuses too."""
    host_file = tmp_path / "host.json"
    host_file.write_text(dump_host(this_host()))
    for cpu_value, irqchip, words in (
        ("host,hv-passthrough,hv-evmcs", "on", "is not supported by kernel"),
        ("host,hv-nosuch=on,hv-synic", "on", "can't apply global host-x86_64-cpu.hv-nosuch=on"),
        ("host,+nosuch,hv-synic", "on", "Property 'host-x86_64-cpu.nosuch' not found"),
        ("host,tsc-frequency=1000000000", "on", "kvm_arch_init_vcpu failed"),
        ("host,enforce,+avx512f", "on", "Host doesn't support requested features"),
        ("EPYC,enforce", "on", "Host doesn't support requested features"),
        ("EPYC,hv-relaxed", "split", ""),
        ("host,hv-vpindex,hv-synic", "off", ""),
        ("host,hv-relaxed", "off", ""),
        ("host,tsc-frequency=1000000000,hv-vpindex,hv-synic", "off", ""),
        ("host,tsc-frequency=1000000000", "off", ""),
        ("qemu64,kvm=off,hv-relaxed", "off", ""),
        ("host,hv-passthrough", "off", ""),
    ):
        assert words in check(Case("q35", cpu_value, irqchip), str(host_file), capsys, cpu_value)


def resolved_plan_starts(enabled: dict[str, Value | None], machine: str, dice: random.Random) -> None:
    """What hvctl makes of the same wishes is always something that QEMU starts."""
    asks = [Ask.PREFER, Ask.PREFER, Ask.OFF]
    wishes = tuple(Wish(row_id, dice.choice(asks), value) for row_id, value in enabled.items())
    profile = Profile("random", wishes=wishes, machine=machine, migration=Migration.NONE)
    plan = resolve(profile, (this_host(),))
    assert not plan.refusals
    assert qemu_refusal(cpu(guest_of(plan)), machine=machine) == "", wishes
