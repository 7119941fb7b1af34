"""`hvctl verify` against the real KVM: it agrees with what is right, and finds what is planted."""

from __future__ import annotations

import json
import os
import random
import shlex
import time
from collections.abc import Callable

import pytest

from hvctl.catalog import BY_ID, ROWS, kvm
from hvctl.catalog.types import Row
from hvctl.cli import run
from hvctl.guest.command.writer import arguments, cpu
from hvctl.guest.plan import guest_of
from hvctl.model.host import Host
from hvctl.model.plan import Plan
from hvctl.model.profile import Value
from hvctl.model.verification import WRONG, Verdict, Verification
from hvctl.plan.cpuid import predict
from hvctl.plan.resolve import resolve
from hvctl.plan.start import predict_start
from hvctl.plan.support import State, support, verdict
from hvctl.probe_guest import firmware
from hvctl.profile.reader import load_profile
from hvctl.profile.source import shipped_names
from hvctl.verify.compare import predict_command, verify
from hvctl.verify.probe_run import observe, start
from tests.plan.test_start import raw_plan
from tests.realkvm.real import QEMU, in_time, this_host
from tests.realkvm.test_oracle import MACHINES, random_set
from tests.verify.firmware import other_evmcs_version

SECONDS = 45.0
TIMEOUT = 60.0
Note = Callable[[str], None]


def check(plan: Plan, words: tuple[str, ...]) -> Verification:
    """What a guest with these words sees, against what the plan predicts."""
    with start([QEMU, *words, "-accel", "kvm"], crash="crash" in enabled(plan)) as guest:
        seen = observe(guest.finish(TIMEOUT), TIMEOUT)
    return verify(predict(plan, this_host()), enabled(plan), seen)


@pytest.mark.world("amd", "intel")
def test_every_leaf_is_predicted() -> None:
    """KVM's own too, and nothing else than these is there, with and without Hyper-V."""
    for cpu_value, chip in (
        ("host,hv-relaxed,hv-time", "on"),
        ("host,hv-passthrough", "split"),
        (
            "host,hv-passthrough,hv-vendor-id=Test,hv-spinlocks=4095,hv-version-id-build=1,hv-tlbflush-ext,hv-syndbg",
            "on",
        ),
        ("host,hv-passthrough,hv-no-nonarch-coresharing=on,hv-enforce-cpuid,hv-tlbflush-direct,x-hv-max-vps=8", "on"),
        ("host,-kvm-pv-eoi", "split"),
        (f"host,tsc-frequency={this_host().hardware.tsc_hz}", "on"),
        ("max,kvm=off,hv-vapic", "on"),
        ("qemu64,kvm=off", "on"),
    ):
        words = ("-accel", "kvm", "-machine", f"q35,kernel-irqchip={chip}", "-cpu", cpu_value)
        with start([QEMU, *words]) as guest:
            seen = observe(guest.finish(TIMEOUT), TIMEOUT)
        predicted = predict_command(words, "test", this_host())
        # The probe guest does not report VMware's leaf.
        expected = [leaf for leaf in predicted.leaves if leaf.leaf != kvm.VMWARE_FREQUENCIES]
        assert [leaf for leaf in seen.vcpus[0].leaves if any(leaf[1:])] == expected, (cpu_value, chip)


def enabled(plan: Plan) -> list[str]:
    return [decision.id for decision in plan.enabled()]


def troubles(result: Verification) -> list[object]:
    """All that does not agree, to be shown where a test fails."""
    broken = [finding for finding in result.findings if finding.verdict in WRONG]
    return [*result.differences, *broken, *([] if result.agrees else [result.interface, result.vcpus])]


def planned(profile: str) -> Plan:
    plan = resolve(load_profile(profile), (this_host(),))
    assert not plan.refusals
    return plan


def possible() -> list[str]:
    """The shipped profiles but for what demands nested virtualization where that is off."""
    host = this_host()
    demanding = [name for name in shipped_names() if load_profile(name).uses and host.hardware.nested is False]
    for name in demanding:
        assert [one.id for one in resolve(load_profile(name), (host,)).refusals] == ["guest.uses"]
    return [name for name in shipped_names() if name not in demanding]


def verdict_here(row: Row) -> State:
    host = this_host()
    return verdict(support(host, row, host.qemu[0])).state


@pytest.mark.world("amd", "intel")
def test_every_shipped_profile_agrees(note: Note) -> None:
    """Each command line once: several releases of Windows get the same."""
    names = possible()
    plans = {arguments(plan): plan for plan in map(planned, names)}
    verdicts: dict[str, set[Verdict]] = {}
    for place, (words, plan) in enumerate(plans.items()):
        # One of them with two vCPUs: they take the emulated processor longer.
        result = check(plan, (*words, "-smp", "1" if place else "2"))
        assert troubles(result) == [], plan.profile
        for finding in result.findings:
            verdicts.setdefault(finding.id, set()).add(finding.verdict)
    note(f"verify: {len(names)} profiles, {len(plans)} command lines agree")
    worked = {row_id for row_id, found in verdicts.items() if Verdict.WORKS in found}
    # All that has an MSR or a hypercall was tried and worked in one of them, but what only debuggers use; and of what
    # only a hypervisor in the guest uses all that this host has, if a guest can have one.
    on = this_host().hardware.nested
    nested = (row for row in ROWS if on and row.nested_only and verdict_here(row) is State.YES)
    missing = {row.id for row in (*nested, *(row for row in ROWS if row.msrs or row.hypercalls))} - worked
    assert missing <= {"syndbg"}


def refused_beside(plan: Plan) -> set[str]:
    """The rows that need another beside a third, and do not have it: KVM refuses what they announce."""
    on = enabled(plan)
    return {
        row_id for row_id in on if any(other.beside in on and other.id not in on for other in BY_ID[row_id].recommends)
    }


@pytest.mark.world("debian-13", "debian-13-intel")
def test_a_nested_flush_is_refused_where_flushes_are_enforced_and_not_announced() -> None:
    nested = dict.fromkeys(row.id for row in ROWS if row.nested_only and verdict_here(row) is State.YES)
    enforced = {"vapic": None, "enforce-cpuid": None, **nested}
    for more, expected in (({}, Verdict.BROKEN), ({"vpindex": None, "tlbflush": None}, Verdict.WORKS)):
        plan = raw_plan({**enforced, **more}, "q35")
        result = check(plan, ("-machine", "q35", "-cpu", cpu(guest_of(plan)), "-smp", "1"))
        (found,) = [finding for finding in result.findings if finding.id == "tlbflush-direct"]
        assert found.verdict is expected, (found, troubles(result))
        assert refused_beside(plan) == ({found.id} if expected is Verdict.BROKEN else set())


def verified(capsys: pytest.CaptureFixture[str], *words: str, code: int) -> str:
    # The testbed may be busy with other things; that is no part of what is tested.
    assert run(["verify", "--timeout", f"{TIMEOUT:g}", *words]) == code
    return capsys.readouterr().out


def test_the_command_says_so_of_what_launch_would_start(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("windows-11", "--", "-machine", "vmport=off", "-smp", "2")
    document = json.loads(verified(capsys, "--format", "json", *words, code=0))
    assert document["agrees"] is True
    assert document["vcpus"] == {"wanted": 2, "seen": 2}
    assert run(["launch", "--dry-run", *words]) == 0
    assert document["argv"] == shlex.split(capsys.readouterr().out)


def test_a_command_line_is_verified_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """With what hvctl would never write: KVM refuses what is not announced."""
    line = "-machine pc -cpu host,hv_relaxed=on,hv-enforce-cpuid -global host-x86_64-cpu.hv-vendor-id=Test -m 9T -smp 1"
    line += " -global cpu.hv-crash=on -global driver=max-x86_64-cpu,property=hv-reset,value=on"
    out = verified(capsys, "--format", "json", "--", *line.split(), "-drive", "file=/nonexistent", code=0)
    found = {entry["id"]: entry["verdict"] for entry in json.loads(out)["enlightenments"] if entry["asked"]}
    works = dict.fromkeys(("enforce-cpuid", "crash", "reset"), "works")
    assert found == {"relaxed": "there", "vendor-id": "there", **works}
    assert "a crash was reported to QEMU, with its parameters" in out


@pytest.mark.world("debian-13")
def test_a_silent_drop_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    """QEMU 10 under TCG; for that of Debian 12 tests/cli has it, since it needs no KVM."""
    document = json.loads(verified(capsys, "windows-11", "--accel", "tcg", "--format", "json", code=1))
    assert document["hyperv"] is False
    assert {entry["verdict"] for entry in document["enlightenments"] if entry["asked"]} == {"missing"}


def test_what_is_planted_is_found() -> None:
    """A guest that lacks what was asked for: the prediction for it is wrong in one bit."""
    plan = planned("minimal")
    words = tuple(word.replace(",hv_relaxed=on", "") for word in arguments(plan))
    result = check(plan, (*words, "-smp", "1"))
    assert [finding.id for finding in result.findings if finding.verdict in WRONG] == ["relaxed"]
    (difference,) = result.differences
    assert (difference.leaf, difference.register, difference.expected ^ difference.seen) == (0x40000004, "eax", 1 << 5)


def nested_plan() -> Plan:
    """A guest with what only a hypervisor inside it uses, as far as this host has it."""
    nested = dict.fromkeys(row.id for row in ROWS if row.nested_only and verdict_here(row) is State.YES)
    # A nested guest's flush is for the flushes of its hypervisor (linux:arch/x86/kvm/hyperv.c, kvm_hv_hypercall).
    return raw_plan({"vapic": None, "vpindex": None, "tlbflush": None, **nested}, "pc")


def nested_words(plan: Plan, *more: str) -> list[str]:
    return [QEMU, "-machine", "pc", "-cpu", ",".join([cpu(guest_of(plan)), *more]), "-smp", "1", "-accel", "kvm"]


@pytest.mark.world("debian-12-intel", "debian-13-intel")
def test_each_flag_for_a_nested_hypervisor_is_missed() -> None:
    """QEMU is started without one of those that verify expects."""
    plan = nested_plan()
    rows = [BY_ID[row_id] for row_id in enabled(plan) if BY_ID[row_id].nested_only]
    assert len(rows) >= 2
    for row in rows:
        with start(nested_words(plan, f"{row.properties[0].name}=off")) as guest:
            seen = observe(guest.finish(TIMEOUT), TIMEOUT)
        result = verify(predict(plan, this_host()), enabled(plan), seen)
        verdicts = {finding.id: finding.verdict for finding in result.findings if finding.verdict in WRONG}
        assert verdicts == {row.id: Verdict.MISSING}
        assert not result.agrees
        assert result.differences


@pytest.mark.world("debian-12-intel", "debian-13-intel")
def test_another_version_of_the_enlightened_vmcs_is_refused() -> None:
    """By a guest that says 2 in its own: the check looks at what KVM does, not at what CPUID says."""
    plan = nested_plan()
    with start(nested_words(plan), other_evmcs_version(firmware())) as guest:
        seen = observe(guest.finish(TIMEOUT), TIMEOUT)
    result = verify(predict(plan, this_host()), enabled(plan), seen)
    assert result.differences == ()
    broken = {finding.id: finding.text for finding in result.findings if finding.verdict in WRONG}
    assert broken == {"evmcs": "an enlightened VMCS is refused"}


@pytest.mark.world("debian-12-intel", "debian-13-intel")
def test_what_an_enlightened_vmcs_hides_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    words = nested_words(nested_plan())[1:]
    found = json.loads(verified(capsys, "--format", "json", "--", *words, code=0))["vmx_controls"]
    assert found["limited_by"] == "evmcs"
    assert set(found["with"]) < set(found["without"])
    assert set(found["lost"]) == set(found["without"]) - set(found["with"])
    assert {"SECONDARY_EXEC_SHADOW_VMCS", "PIN_BASED_VMX_PREEMPTION_TIMER"} <= set(found["lost"])


def random_plan(dice: random.Random, host: Host) -> Plan:
    """A set that QEMU starts, with or without KVM's own leaves."""
    machines = [machine for machine in MACHINES if machine in {kind.name for kind in host.qemu[0].machines}]
    while True:
        enabled: dict[str, Value | None] = random_set(dice, host)
        if dice.random() < 0.1:
            enabled = {row.id: None for row in ROWS if row.takes_all}
        machine = dice.choice(machines)
        plan = raw_plan(enabled, machine, hidden=dice.random() < 0.3)
        if any(BY_ID[row_id].enables_hyperv for row_id in enabled) and predict_start(plan, host).starts:
            return plan


@pytest.mark.world("amd", "intel")
def test_random_plans_give_the_predicted_leaves(note: Note, testbed_world: str) -> None:
    count = int(os.environ.get("HVCTL_LEAVES_COUNT", "0"))
    seed = int(os.environ.get("HVCTL_LEAVES_SEED", "0")) or random.SystemRandom().randint(1, 10**9)
    dice, end = random.Random(seed), time.monotonic() + in_time(SECONDS, testbed_world)
    done, worked = 0, set()
    while done < count if count else time.monotonic() < end:
        plan = random_plan(dice, this_host())
        words = (
            "-machine",
            plan.machine.type,
            "-cpu",
            cpu(guest_of(plan)),
            "-smp",
            "2" if dice.random() < 0.2 else "1",
        )
        result = check(plan, words)
        denied = refused_beside(plan)
        assert all(one.verdict in (Verdict.BROKEN, Verdict.UNCHECKED) for one in result.findings if one.id in denied)
        others = tuple(finding for finding in result.findings if finding.id not in denied)
        assert troubles(result._replace(findings=others)) == [], (seed, done, words)
        done += 1
        worked |= {finding.id for finding in result.findings if finding.verdict is Verdict.WORKS}
    note(f"leaves: seed={seed} count={done}, {len(worked)} of {len(BY_ID)} rows at work")
    assert done
