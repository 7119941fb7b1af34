"""start: QEMU's refusals, in its own words (all texts were seen from QEMU 7.2 and 10.0)."""

from __future__ import annotations

from typing import Any

import pytest

from hvctl.catalog import BY_ID, ROWS
from hvctl.catalog.types import Kind
from hvctl.host.host_file import read_host
from hvctl.model.host import Host
from hvctl.model.plan import CpuPlan, Decision, Layer, Machine, Outcome, Plan
from hvctl.model.profile import ClockChoice, Migration, Value
from hvctl.plan.start import Assigned, Circumstances, Start, predict_start
from tests.made_hosts import (
    made_amd_host,
    made_intel_host,
    made_kvm,
    made_no_hyperv_host,
    made_old_kernel_host,
    made_qemu,
)
from tests.paths import HOSTS

TIME = "clocksources (hv-time)"
SYNIC = "synthetic interrupt controller (hv-synic)"
EVMCS = "Hyper-V enlightened VMCS (hv-evmcs) is not supported by kernel"
NO_APIC = "KVM does not support userspace APIC"
SYNIC_OFF = "failed to turn on HyperV SynIC in KVM: Invalid argument"


def raw_plan(enabled: dict[str, Value | None], machine: str = "pc-q35-10.0", **cpu: Any) -> Plan:
    """A plan that nobody resolved: exactly these rows on."""
    decisions = tuple(
        Decision(row.id, Outcome.ON, enabled[row.id], "", Layer.PROFILE) for row in ROWS if row.id in enabled
    )
    of = CpuPlan("host", hidden=False, features=(), tsc_frequency=None)._replace(**cpu)
    return Plan("raw", "other", Migration.NONE, Machine(machine, False), of, ClockChoice(), decisions)


def start(
    *rows: str, host: Host | None = None, around: Circumstances | None = None, machine: str = "pc-q35-10.0", **cpu: Any
) -> Start:
    of_kind: dict[Kind, Value] = {Kind.NUMBER: 8191, Kind.STRING: "KVM", Kind.ON_OFF_AUTO: "on"}
    values = {row_id: of_kind.get(BY_ID[row_id].kind) for row_id in rows}
    return predict_start(raw_plan(values, machine, **cpu), host or made_amd_host(), around or Circumstances())


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        ("", None),
        ("relaxed vapic", None),
        ("synic", f"Hyper-V {SYNIC} requires Hyper-V VP_INDEX MSR (hv-vpindex)"),
        ("stimer", f"Hyper-V synthetic timers (hv-stimer) requires Hyper-V {TIME}"),
        ("stimer time", f"Hyper-V synthetic timers (hv-stimer) requires Hyper-V {SYNIC}"),
        ("synic stimer", f"Hyper-V synthetic timers (hv-stimer) requires Hyper-V {TIME}"),
        ("stimer time synic", f"Hyper-V {SYNIC} requires Hyper-V VP_INDEX MSR (hv-vpindex)"),
        ("tlbflush-direct", "Hyper-V direct TLB flush (hv-tlbflush-direct) requires Hyper-V virtual APIC (hv-vapic)"),
        ("evmcs", EVMCS),
        ("evmcs stimer", f"Hyper-V synthetic timers (hv-stimer) requires Hyper-V {TIME}"),
        ("vendor-id enforce-cpuid spinlocks", None),
        # Passthrough checks neither support nor requirements, but the vCPU must be able to turn eVMCS on.
        ("passthrough", None),
        ("passthrough stimer tlbflush-direct", None),
        ("passthrough evmcs", EVMCS),
    ],
)
def test_the_error(rows: str, error: str | None) -> None:
    found = start(*rows.split())
    assert (found.starts, found.error, found.why) == (error is None, error, None)


def test_evmcs_on_intel() -> None:
    assert start("evmcs", "vapic", host=made_intel_host()).starts
    assert start("passthrough", "evmcs", host=made_intel_host()).starts
    assert start("passthrough", "evmcs").error == EVMCS


@pytest.mark.parametrize("host", ["debian-12-intel-not-nested", "debian-12-intel-neither"])
def test_evmcs_on_intel_without_nesting(host: str) -> None:
    """KVM has the capability all the same, and no version: with passthrough QEMU asks for it only in the vCPU."""
    recorded = read_host(str(HOSTS / f"{host}.json"))
    assert start("evmcs", "vapic", host=recorded, machine="pc-q35-7.2").error == EVMCS
    assert start("passthrough", "evmcs", host=recorded, machine="pc-q35-7.2").error == (
        "eVMCS version range [1..1] is not supported by kernel (supported: [0..0])"
    )
    assert start("passthrough", host=recorded, machine="pc-q35-7.2").starts


def test_old_machines_do_not_ask_for_the_vp_index() -> None:
    assert start("synic", machine="pc-q35-3.0").starts
    assert start("stimer", "synic", "time", machine="pc-i440fx-2.11").starts


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        ("relaxed stimer tlbflush evmcs passthrough", None),
        ("vpindex", "kernel doesn't allow setting HyperV VP_INDEX"),
        ("time vpindex", "kernel doesn't allow setting HyperV VP_INDEX"),
        ("synic", "error: failed to set MSR 0x40000081 to 0x1"),
        ("vapic synic", "error: failed to set MSR 0x40000073 to 0x0"),
        ("reenlightenment vapic synic", "error: failed to set MSR 0x40000106 to 0x0"),
        ("time reenlightenment vapic", "error: failed to set MSR 0x40000021 to 0x0"),
    ],
)
def test_a_kvm_without_hyperv_ignores_or_ends_by_an_assertion(rows: str, error: str | None) -> None:
    found = start(*rows.split(), host=made_no_hyperv_host())
    assert (found.starts, found.error) == (error is None, error)
    if found.starts:
        assert [leaf.leaf for leaf in found.leaves] == [0x40000000]
        assert found.leaves[0].eax == 0x40000001


def test_without_the_capability_the_vcpu_cannot_be_made() -> None:
    caps = {**dict(made_kvm().caps), "KVM_CAP_HYPERV_ENFORCE_CPUID": 0}
    host = made_amd_host(kvm=made_kvm()._replace(caps=tuple(caps.items())))
    error = "failed to enable KVM_CAP_HYPERV_ENFORCE_CPUID: Invalid argument"
    assert start("enforce-cpuid", "relaxed", host=host).error == error
    assert start("enforce-cpuid", host=host).starts


def test_an_old_kernel_cannot_tell() -> None:
    found = start("xmm-input", host=made_old_kernel_host())
    assert (found.starts, found.error) == (None, None)
    assert found.why == "the kernel of made-4.19 cannot tell about xmm-input"
    assert start("relaxed", host=made_old_kernel_host()).starts


def test_a_refusal_after_a_doubt_is_a_refusal_in_unknown_words() -> None:
    found = start("xmm-input", "synic", host=made_old_kernel_host())
    assert (found.starts, found.error) == (False, None)
    assert found.why
    assert "requires Hyper-V VP_INDEX MSR (hv-vpindex)" in found.why
    assert "cannot tell about xmm-input" in found.why


def test_an_unknown_machine_type_is_refused_in_words_that_differ() -> None:
    found = start(machine="pc-q35-99.0")
    assert (found.starts, found.error) == (False, None)
    assert found.why
    assert "has no machine type pc-q35-99.0" in found.why


def test_properties_that_this_qemu_does_not_have() -> None:
    host = made_amd_host(qemu=(made_qemu(unknown=("hv-xmm-input",)),))
    written = Assigned("hv-xmm-input", "host-x86_64-cpu.hv-xmm-input=on")
    missing = "Property 'host-x86_64-cpu.hv-xmm-input' not found"
    around = Circumstances(assigned=(written,))
    error = f"can't apply global host-x86_64-cpu.hv-xmm-input=on: {missing}"
    # It comes before what is wrong with the others.
    assert start("xmm-input", "synic", host=host, around=around).error == error
    signed = Circumstances(assigned=(written._replace(signed=True),))
    assert start("xmm-input", "synic", host=host, around=signed).error == missing
    assert start("xmm-input", around=around).starts
    feature = Circumstances(assigned=(Assigned("nosuch", "host-x86_64-cpu.nosuch=on"),))
    assert "can't apply global host-x86_64-cpu.nosuch=on" in (start(around=feature).error or "")


@pytest.mark.parametrize("rows", [(), ("relaxed",), ("synic", "vpindex"), ("passthrough",)])
def test_an_interrupt_chip_of_qemus_own(rows: tuple[str, ...]) -> None:
    found = start(*rows, around=Circumstances(irqchip="off"))
    needs = rows not in ((), ("relaxed",))
    assert (found.starts, found.error) == (False if needs else None, None)
    assert found.why
    assert NO_APIC in found.why
    assert (SYNIC_OFF in found.why) is needs
    assert start(*rows, around=Circumstances(irqchip="split")).starts


def test_old_versions_refuse_the_tsc_before_what_needs_kvms_interrupt_chip() -> None:
    off, refused = Circumstances(irqchip="off"), "kvm_arch_init_vcpu failed"
    for rows in ((), ("synic", "vpindex")):
        found = start(*rows, around=off, tsc_frequency=1_000_000_000)
        assert (found.starts, found.error) == (False, None)
        assert refused in (found.why or "")
        assert SYNIC_OFF not in (found.why or "")
    unknown = made_amd_host(hardware=made_amd_host().hardware._replace(tsc_hz=None))
    assert start("synic", "vpindex", host=unknown, around=off, tsc_frequency=1_000_000_000).starts is None


@pytest.mark.parametrize(
    ("frequency", "host", "starts"),
    [
        (2_500_500_000, made_amd_host(), True),
        (2_600_000_000, made_amd_host(), False),
        (2_600_000_000, made_amd_host(scaling=True), True),
        (2_600_000_000, made_amd_host(hardware=made_amd_host().hardware._replace(tsc_hz=None)), None),
        (2_600_000_000, made_amd_host(hardware=made_amd_host().hardware._replace(tsc_scaling=None)), None),
    ],
)
def test_the_tsc_frequency(frequency: int, host: Host, starts: bool | None) -> None:
    found = start(host=host, tsc_frequency=frequency)
    assert found.starts is starts
    if starts is False:
        assert found.error == "kvm_init_vcpu: kvm_arch_init_vcpu failed (0): Operation not supported"


def test_features_that_the_host_lacks_prevent_the_start_only_with_enforce() -> None:
    host = made_amd_host(qemu=(made_qemu()._replace(expansion=(("avx512f", False), ("svm", True))),))
    enforced = Circumstances(enforce=True)
    assert start(host=host, features=(("avx512f", True),)).starts
    found = start(host=host, around=enforced, features=(("avx512f", True),))
    assert found.error == "Host doesn't support requested features"
    assert start(host=host, around=enforced, features=(("svm", True),)).starts
    assert start(host=host, around=enforced, model="Nehalem").error == "Host doesn't support requested features"
    assert start(host=host, around=enforced, model="EPYC").starts


@pytest.mark.parametrize(
    ("host", "changes", "why"),
    [
        (made_amd_host(), {"around": Circumstances(accelerator="tcg")}, "the accelerator is tcg"),
        (made_amd_host(qemu=()), {}, "no QEMU of made-amd is known"),
        (made_amd_host(), {"model": "Sapphire"}, "CPU model Sapphire"),
        (made_amd_host(qemu=(made_qemu()._replace(expansion=None),)), {}, "can run CPU model host"),
        (made_amd_host(), {"around": Circumstances(doubts=("what -readconfig x says was not read",))}, "-readconfig"),
    ],
)
def test_what_cannot_be_told(host: Host, changes: dict[str, Any], why: str) -> None:
    found = start("relaxed", host=host, **changes)
    assert (found.starts, found.error, found.leaves) == (None, None, ())
    assert why in (found.why or "")


def test_the_leaves_have_kvms_own_and_none_that_is_zero() -> None:
    bits = tuple((name, True) for name in ("kvmclock", "kvm-pv-eoi", "kvm-pv-unhalt", "kvmclock-stable-bit"))
    host = made_amd_host(qemu=(made_qemu()._replace(expansion=bits),))
    seen = {leaf.leaf: leaf for leaf in start("emsr-bitmap", host=host).leaves}
    assert 0x40000006 not in seen
    assert seen[0x40000101].eax == 1 << 24 | 1 << 7 | 1 << 6 | 1 << 3 | 1
    split = start(host=host, around=Circumstances(irqchip="split"), features=(("kvm-pv-eoi", False),))
    assert {leaf.leaf: leaf.eax for leaf in split.leaves}[0x40000001] == 1 << 24 | 1 << 15 | 1 << 7 | 1 << 3 | 1
    assert start(host=host, hidden=True).leaves == ()
    assert {leaf.leaf for leaf in start("relaxed", host=host, hidden=True).leaves} == set(range(0x40000000, 0x40000006))


def test_a_known_tsc_frequency_is_announced_where_hyperv_is_not() -> None:
    first, last = start(tsc_frequency=2_500_000_000).leaves
    assert (first.leaf, first.eax) == (0x40000000, 0x40000010)
    assert (last.leaf, last.eax, last.ebx) == (0x40000010, 2_500_000, 1_000_000)
    assert 0x40000010 not in {leaf.leaf for leaf in start("relaxed", tsc_frequency=2_500_000_000).leaves}
    assert start(tsc_frequency=2_500_000_000, machine="pc-i440fx-2.8", host=_with_old_machine()).leaves[0].eax == (
        0x40000001
    )


def _with_old_machine() -> Host:
    qemu = made_qemu()
    return made_amd_host(qemu=(qemu._replace(machines=(qemu.machines[0]._replace(name="pc-i440fx-2.8"),)),))
