"""A prediction against observations: what agrees, and every way in which a guest can be given something else."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from hvctl.catalog import BY_ID, ROWS
from hvctl.catalog.types import Kind, Row
from hvctl.model.host import CpuidLeaf, Host
from hvctl.model.plan import CpuPlan, Decision, Layer, Machine, Outcome, Plan
from hvctl.model.profile import ClockChoice, Migration, Value
from hvctl.model.verification import WRONG, Finding, Verdict, Verification
from hvctl.plan.cpuid import predict
from hvctl.verify.calls import CODES
from hvctl.verify.compare import bit_names, host_without_kvm, verify
from tests.made_hosts import made_amd_host, made_intel_host, made_kvm
from tests.made_observation import made_observation

VALUES: dict[Kind, Value | None] = {
    Kind.FLAG: None,
    Kind.NUMBER: 8191,
    Kind.STRING: "Test",
    Kind.ON_OFF_AUTO: "on",
    Kind.VERSION: "10.0.20348",
}
HOST = made_intel_host()
ORDINARY = [row for row in ROWS if not row.experimental and not row.takes_all]
EVERYTHING = {row.id: VALUES[row.kind] for row in ORDINARY}
WITH_BITS = [row for row in ORDINARY if row.checks]
by_row = pytest.mark.parametrize("row", ORDINARY, ids=lambda row: row.id)


def plan_of(enabled: Mapping[str, Value | None]) -> Plan:
    decisions = tuple(
        Decision(row.id, Outcome.ON, enabled[row.id], "", Layer.PROFILE) for row in ROWS if row.id in enabled
    )
    cpu = CpuPlan("host", hidden=False, features=(), tsc_frequency=None)
    return Plan("made", "other", Migration.NONE, Machine("pc-q35-10.0", False), cpu, ClockChoice(), decisions)


def leaves_of(enabled: Mapping[str, Value | None], host: Host = HOST) -> tuple[CpuidLeaf, ...]:
    return predict(plan_of(enabled), host)


def closed(row: Row) -> dict[str, Value | None]:
    """A row with all that it requires, and one that turns Hyper-V on."""
    wanted = [row.id, "relaxed"]
    for known in wanted:
        wanted += [name for name in BY_ID[known].requires if name not in wanted]
    return {name: VALUES[BY_ID[name].kind] for name in wanted}


def found(result: Verification, row_id: str) -> Finding:
    return next(finding for finding in result.findings if finding.id == row_id)


def wrong(result: Verification) -> set[str]:
    return {finding.id for finding in result.findings if finding.verdict in WRONG}


@pytest.mark.parametrize("vcpus", [1, 2, 64])
def test_all_that_there_is_agrees(vcpus: int) -> None:
    leaves = leaves_of(EVERYTHING)
    result = verify(leaves, EVERYTHING, made_observation(leaves, vcpus=vcpus))
    assert result.agrees
    assert wrong(result) == set()
    assert {finding.id for finding in result.findings if finding.verdict is Verdict.UNCHECKED} == {
        # All MSRs are announced: none is left to be refused.
        "enforce-cpuid"
    }
    assert {finding.id for finding in result.findings if finding.verdict is Verdict.THERE} == {
        "relaxed",
        "vendor-id",
        "avic",
        "no-nonarch-coresharing",
        "version-id",
    }


def test_everything_that_can_be_tried_is_tried() -> None:
    """A row with MSRs, hypercalls, or a bit with a check is never merely `there`."""
    leaves = leaves_of(EVERYTHING)
    result = verify(leaves, EVERYTHING, made_observation(leaves))
    for row in ORDINARY:
        if row.msrs or row.hypercalls:
            assert found(result, row.id).verdict is Verdict.WORKS, row.id
        assert set(row.hypercalls) <= CODES.keys()


@by_row
def test_a_silent_drop_of_one_is_found(row: Row) -> None:
    asked = EVERYTHING
    without = {row_id: value for row_id, value in EVERYTHING.items() if row_id != row.id}
    expected, got = leaves_of(asked), leaves_of(without)
    result = verify(expected, asked, made_observation(got))
    if expected == got:
        # Only what it does tells of it, not CPUID.
        assert row.id == "enforce-cpuid"
        return
    assert not result.agrees
    assert row.id in wrong(result) or row.id == "avic"
    assert found(result, row.id).verdict is Verdict.MISSING
    assert result.differences


@by_row
def test_a_silent_drop_of_all_is_found(row: Row) -> None:
    """TCG, and a KVM without Hyper-V: the processor's own leaves, whatever bits they have."""
    asked = closed(row)
    junk = tuple(CpuidLeaf(0x40000000 + number, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF) for number in range(6))
    for leaves in ((), junk, (CpuidLeaf(0x40000000, 0x40000001, 0x4B4D564B, 0x564B4D56, 0x4D),)):
        result = verify(leaves_of(asked), asked, made_observation(leaves))
        assert not result.agrees
        assert not result.hyperv
        assert wrong(result) == set(asked)
        assert all(found(result, row_id).text == "dropped without a word" for row_id in asked)


@pytest.mark.parametrize("row", WITH_BITS, ids=lambda row: row.id)
def test_what_nobody_asked_for_is_found(row: Row) -> None:
    asked = {"relaxed": None, "vpindex": None}
    result = verify(leaves_of(asked), asked, made_observation(leaves_of({**asked, **closed(row)})))
    if row.id in asked:
        assert result.agrees
        return
    assert found(result, row.id) == Finding(row.id, False, Verdict.EXTRA, "announced, though not asked for")
    assert not result.agrees


@pytest.mark.parametrize("row_id", ["spinlocks", "vendor-id", "version-id"])
def test_a_value_that_is_another_is_found(row_id: str) -> None:
    asked = {"relaxed": None, row_id: VALUES[BY_ID[row_id].kind]}
    other = leaves_of({"relaxed": None})
    as_asked = verify(leaves_of(asked), asked, made_observation(other))
    assert found(as_asked, row_id).verdict is Verdict.MISSING
    assert " is 0x" in found(as_asked, row_id).text
    assert "expected 0x" in found(as_asked, row_id).text
    unasked = verify(other, {"relaxed": None}, made_observation(leaves_of(asked)))
    assert found(unasked, row_id).verdict is Verdict.EXTRA


def test_a_leaf_is_hyper_vs_only_as_far_as_it_is_announced() -> None:
    """Behind the highest one Intel's processors answer with another leaf's content."""
    asked = {"relaxed": None}
    beyond = CpuidLeaf(0x4000000A, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    assert verify(leaves_of(asked), asked, made_observation((*leaves_of(asked), beyond))).agrees


@pytest.mark.parametrize("number", [0, 1, 5])
def test_one_vcpu_that_differs_is_found(number: int) -> None:
    asked = {"relaxed": None, "vapic": None}
    leaves = leaves_of(asked)
    seen = made_observation(leaves, vcpus=6)
    others = made_observation(leaves_of({"relaxed": None})).vcpus[0].leaves
    vcpus = tuple(vcpu._replace(leaves=others) if vcpu.number == number else vcpu for vcpu in seen.vcpus)
    result = verify(leaves, asked, seen._replace(vcpus=vcpus))
    assert {one.vcpus for one in result.differences} == {(number,)}
    assert found(result, "vapic").text == "dropped without a word: HV_APIC_ACCESS_AVAILABLE"


@pytest.mark.parametrize("bit", [0, 7, 18, 31])
def test_every_register_of_every_leaf_counts(bit: int) -> None:
    leaves = leaves_of(EVERYTHING)
    for place, leaf in enumerate(leaves):
        for register in ("eax", "ebx", "ecx", "edx"):
            flipped = leaf._replace(**{register: leaf.register(register) ^ 1 << bit})
            result = verify((*leaves[:place], flipped, *leaves[place + 1 :]), EVERYTHING, made_observation(leaves))
            (one,) = result.differences
            assert (one.leaf, one.register, one.expected ^ one.seen) == (leaf.leaf, register, 1 << bit)
            assert not result.agrees


def test_kvms_own_features_are_shown_and_never_compared() -> None:
    leaves = leaves_of(EVERYTHING)
    own = CpuidLeaf(0x40000101, 0x1007AFB)
    result = verify(leaves, EVERYTHING, made_observation((*leaves, own)))
    assert result.agrees
    assert result.kvm_features == own
    assert verify(leaves[:-1], EVERYTHING, made_observation(leaves[:-1])).kvm_features is None


def test_vcpus_that_do_not_start_are_no_agreement() -> None:
    leaves = leaves_of(EVERYTHING)
    seen = made_observation(leaves, vcpus=3)
    assert verify(leaves, EVERYTHING, seen).agrees
    assert not verify(leaves, EVERYTHING, seen._replace(wanted=4)).agrees


def test_of_more_vcpus_than_are_looked_at_64_are_enough() -> None:
    leaves = leaves_of(EVERYTHING)
    assert verify(leaves, EVERYTHING, made_observation(leaves, vcpus=64)._replace(wanted=100)).agrees


@pytest.mark.parametrize("host", [made_amd_host(), made_intel_host()], ids=["amd", "intel"])
def test_passthrough_asks_for_all_that_kvm_has(host: Host) -> None:
    (row,) = [row for row in ROWS if row.takes_all]
    leaves = leaves_of({row.id: None}, host)
    result = verify(leaves, [row.id], made_observation(leaves))
    assert result.agrees
    asked = {finding.id for finding in result.findings if finding.asked}
    assert {"time", "synic", "tlbflush-ext", row.id} <= asked
    assert ("evmcs" in asked) == (host.hardware.vendor == "intel")
    assert not verify(leaves, [row.id], made_observation(leaves_of({"relaxed": None}))).agrees


@pytest.mark.parametrize("has", [False, True])
def test_auto_is_what_the_host_has(has: bool) -> None:
    host = made_amd_host(kvm=made_kvm(hints=0x40E2C if has else 0xE2C))
    asked: dict[str, Value | None] = {"relaxed": None, "no-nonarch-coresharing": "auto"}
    leaves = leaves_of(asked, host)
    result = verify(leaves, asked, made_observation(leaves))
    assert result.agrees
    assert found(result, "no-nonarch-coresharing").verdict is (Verdict.THERE if has else Verdict.OFF)
    got = made_observation(leaves_of({**asked, "no-nonarch-coresharing": "on"}))
    assert verify(leaves, asked, got).agrees == has


@pytest.mark.parametrize("row", [row for row in ORDINARY if not row.enables_hyperv], ids=lambda row: row.id)
def test_what_does_nothing_alone_is_missing(row: Row) -> None:
    asked = {row.id: VALUES[row.kind]}
    result = verify(leaves_of(asked), asked, made_observation(leaves_of(asked)))
    assert found(result, row.id).verdict is Verdict.MISSING
    assert found(result, row.id).text == "ignored: nothing that is asked for turns Hyper-V on"


def test_what_qemu_refused_is_told_apart() -> None:
    asked = {"relaxed": None, "vpindex": None}
    result = verify(leaves_of(asked), asked, made_observation(()), refused=["vpindex"])
    assert found(result, "vpindex").verdict is Verdict.REFUSED
    assert found(result, "relaxed").verdict is Verdict.MISSING


def test_nothing_asked_and_nothing_there_agrees() -> None:
    leaves = leaves_of({})
    result = verify(leaves, (), made_observation(leaves))
    assert result.agrees
    assert all(finding.verdict is Verdict.OFF for finding in result.findings)


def test_a_host_for_tcg_gives_every_row() -> None:
    leaves = predict(plan_of(EVERYTHING), host_without_kvm())
    assert verify(leaves, EVERYTHING, made_observation(leaves)).agrees


def test_bits_have_qemus_names() -> None:
    assert bit_names(0x40000003, "eax", 0x22) == ("HV_TIME_REF_COUNT_AVAILABLE", "HV_HYPERCALL_AVAILABLE")
    assert bit_names(0x40000003, "edx", 1 << 31 | 8) == ("HV_CPU_DYNAMIC_PARTITIONING_AVAILABLE", "bit 31")
    assert bit_names(0x40000009, "eax", 1) == ("bit 0",)
