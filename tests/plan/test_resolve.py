"""resolve: what a profile becomes on a pool of hosts."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvctl.catalog import BY_ID, ROWS
from hvctl.catalog.types import Kind
from hvctl.catalog.windows import system_of
from hvctl.model.host import Host, MachineType
from hvctl.model.plan import UNNAMED, Decision, Layer, Outcome, Plan
from hvctl.model.profile import Ask, ClockChoice, CpuChoice, Migration, Profile, Value, Wish
from hvctl.plan.resolve import resolve
from hvctl.plan.start import predict_start
from tests.made_hosts import (
    made_amd_host,
    made_intel_host,
    made_kvm,
    made_libvirt,
    made_no_hyperv_host,
    made_old_kernel_host,
    made_qemu,
)

VALUES: dict[Kind, Value | None] = {
    Kind.FLAG: None,
    Kind.NUMBER: 8191,
    Kind.STRING: "Microsoft Hv",
    Kind.ON_OFF_AUTO: "on",
    Kind.VERSION: "10.0.14393",
}


def wish(row_id: str, ask: str = "on", value: Value | None = None) -> Wish:
    return Wish(row_id, Ask(ask), value if value is not None else VALUES[BY_ID[row_id].kind])


def profile(*wishes: Wish, **changes: Any) -> Profile:
    return Profile("test", wishes=wishes)._replace(**changes)


def decision(plan: Plan, row_id: str) -> Decision:
    return next(one for one in plan.decisions if one.id == row_id)


def enabled(plan: Plan) -> list[str]:
    return [one.id for one in plan.enabled()]


def test_every_row_has_one_decision_in_the_catalog_order() -> None:
    plan = resolve(profile(), (made_amd_host(),))
    assert [one.id for one in plan.decisions] == [row.id for row in ROWS]
    assert {one.reason for one in plan.decisions} == {UNNAMED}


def test_requirements_are_closed_and_say_so() -> None:
    plan = resolve(profile(wish("stimer-direct")), (made_amd_host(),))
    assert enabled(plan) == ["vpindex", "time", "synic", "stimer", "stimer-direct"]
    assert decision(plan, "vpindex") == Decision(
        "vpindex", Outcome.ON, None, "required by stimer-direct", Layer.REQUIREMENT
    )


def test_a_preferred_row_falls_out_with_the_reason_the_host_and_the_layer() -> None:
    host = made_amd_host("old", kvm=made_kvm(misc=0x80D12))
    plan = resolve(profile(wish("tlbflush"), wish("tlbflush-ext", "prefer")), (made_amd_host("new"), host))
    assert decision(plan, "tlbflush-ext") == Decision(
        "tlbflush-ext",
        Outcome.OFF,
        None,
        "KVM does not report HV_EXT_GVA_RANGES_FLUSH_AVAILABLE",
        Layer.KERNEL,
        "old",
        "prefer",
        "boot Linux 6.2 or newer",
    )
    assert not any("cpu" not in one.id for one in plan.refusals)


def test_a_demanded_row_is_refused_rather_than_reduced() -> None:
    host = made_amd_host("old", kvm=made_kvm(misc=0x80D12))
    plan = resolve(profile(wish("tlbflush-ext")), (host,))
    assert [(one.id, one.host, one.layer) for one in plan.refusals] == [("tlbflush-ext", "old", Layer.KERNEL)]
    assert enabled(plan) == []


def test_dependents_of_an_unavailable_preferred_row_fall_out_to_a_fixpoint() -> None:
    no_synic = made_amd_host(kvm=made_kvm(features=0xAAFF & ~(1 << 2)))
    wishes = [wish(row_id, "prefer") for row_id in ("stimer-direct", "stimer", "synic", "vpindex", "time")]
    plan = resolve(profile(*wishes), (no_synic,))
    assert enabled(plan) == ["vpindex", "time"]
    assert decision(plan, "stimer-direct").reason == (
        "it requires stimer: it requires synic: KVM does not report HV_SYNIC_AVAILABLE"
    )


def test_what_is_off_is_never_added_as_a_requirement() -> None:
    plan = resolve(profile(wish("synic", "prefer"), wish("vpindex", "off")), (made_amd_host(),))
    assert enabled(plan) == []
    assert decision(plan, "synic").reason == "it requires vpindex, which the profile turns off"
    assert decision(plan, "vpindex").reason == "turned off by the profile"


def test_old_machine_types_waive_the_vpindex_of_synic() -> None:
    wanted = profile(wish("synic"), wish("vpindex", "off"), machine="pc-q35-3.0")
    assert enabled(resolve(wanted, (made_amd_host(),))) == ["synic"]


@pytest.mark.parametrize(
    ("row_id", "layer"),
    [
        ("passthrough", Layer.MIGRATION),
        ("reenlightenment", Layer.MIGRATION),
        ("avic", Layer.HARDWARE),
        ("no-nonarch-coresharing", Layer.PROFILE),
        ("evmcs", Layer.KERNEL),
    ],
)
@pytest.mark.parametrize("ask", ["on", "prefer"])
def test_what_is_not_safe_is_refused_or_left_out(row_id: str, layer: Layer, ask: str) -> None:
    plan = resolve(profile(wish("relaxed"), wish(row_id, ask)), (made_amd_host(),))
    found = decision(plan, row_id)
    assert (found.state, found.layer) == (Outcome.REFUSED if ask == "on" else Outcome.OFF, layer)
    assert found.reason
    assert found.remedy
    assert bool(plan.refusals) == (ask == "on")


def test_without_migration_passthrough_and_reenlightenment_are_given() -> None:
    for row_id in ("passthrough", "reenlightenment"):
        wanted = profile(wish(row_id), migration=Migration.NONE)
        assert enabled(resolve(wanted, (made_amd_host(),))) == [row_id]


def test_reenlightenment_needs_a_tsc_frequency_that_every_host_can_run_at() -> None:
    wanted = profile(wish("reenlightenment"), tsc_frequency=2_600_000_000, cpu=CpuChoice("EPYC"))
    assert not resolve(wanted, (made_intel_host(),)).refusals
    plan = resolve(wanted, (made_amd_host("can", scaling=True), made_amd_host()))
    assert [(one.id, one.host) for one in plan.refusals] == [("tsc-frequency", "made-amd")]
    within = profile(wish("reenlightenment"), tsc_frequency=2_500_600_000, cpu=CpuChoice("EPYC"))
    assert not resolve(within, (made_amd_host(),)).refusals  # 240 ppm off, no scaling
    beyond = within._replace(tsc_frequency=2_500_700_000)  # 280 ppm
    assert [one.id for one in resolve(beyond, (made_amd_host(),)).refusals] == ["tsc-frequency"]


def test_tsc_frequency_auto_is_the_first_host_in_whole_kilohertz() -> None:
    host = made_amd_host()
    host = host._replace(hardware=host.hardware._replace(tsc_hz=2_499_999_123))
    assert resolve(profile(tsc_frequency="auto"), (host,)).cpu.tsc_frequency == 2_499_999_000
    unknown = host._replace(hardware=host.hardware._replace(tsc_hz=None))
    assert [one.id for one in resolve(profile(tsc_frequency="auto"), (unknown,)).refusals] == ["tsc-frequency"]


def test_coresharing_is_given_to_pinned_vcpus_only() -> None:
    asked = wish("no-nonarch-coresharing", "prefer")
    pinned = profile(wish("relaxed"), asked, pinned=True)
    assert decision(resolve(pinned, (made_amd_host(),)), asked.id).value == "on"
    assert decision(resolve(pinned._replace(pinned=False), (made_amd_host(),)), asked.id).state is Outcome.OFF


def test_coresharing_auto_blocks_migration() -> None:
    asked = wish("no-nonarch-coresharing", "prefer", "auto")
    assert decision(resolve(profile(wish("relaxed"), asked), (made_amd_host(),)), asked.id).layer is Layer.MIGRATION
    free = profile(wish("relaxed"), asked, migration=Migration.NONE)
    assert decision(resolve(free, (made_amd_host(),)), asked.id).value == "auto"


def test_avic_needs_active_hardware_on_every_host() -> None:
    asked = profile(wish("avic", "prefer"))
    assert enabled(resolve(asked, (made_intel_host(),))) == ["avic"]
    for active in (False, None):
        other = made_intel_host("other")
        other = other._replace(hardware=other.hardware._replace(apicv=active))
        plan = resolve(asked, (made_intel_host(), other))
        assert (decision(plan, "avic").host, decision(plan, "avic").layer) == ("other", Layer.HARDWARE)


@pytest.mark.parametrize("use", ["nested-hyperv", "vbs", "wsl2"])
def test_nested_uses_prefer_what_nested_hyperv_needs(use: str) -> None:
    wanted = profile(uses=(use,))
    expected = [row.id for row in ROWS if row.for_nested]
    assert set(expected) <= set(enabled(resolve(wanted, (made_intel_host(),))))
    on_amd = enabled(resolve(wanted, (made_amd_host(),)))
    assert set(expected) - set(on_amd) == {row.id for row in ROWS if row.vendors == ("intel",)}


def test_nested_uses_are_refused_where_nested_is_off_or_unknown() -> None:
    off = made_intel_host(nested=False)
    assert [(one.id, one.host) for one in resolve(profile(uses=("vbs",)), (off,)).refusals] == [
        ("guest.uses", "made-intel")
    ]
    unknown = off._replace(hardware=off.hardware._replace(nested=None))
    assert [one.id for one in resolve(profile(uses=("vbs",)), (unknown,)).refusals] == ["guest.uses"]


def test_what_only_a_hypervisor_in_the_guest_uses_is_left_out_where_there_can_be_none() -> None:
    pool = made_intel_host(), made_intel_host("off", nested=False), made_intel_host("off-2", nested=False)
    for asked, state in (("prefer", Outcome.OFF), ("on", Outcome.ON)):
        for row_id in ("emsr-bitmap", "tlbflush-direct"):
            found = decision(resolve(profile(wish("relaxed"), wish("vapic"), wish(row_id, asked)), pool), row_id)
            assert found.state is state
            if state is Outcome.OFF:
                assert (found.host, found.more, found.remedy) == ("off", 1, "load kvm_intel with nested=1")


def test_what_the_profile_says_of_a_nested_row_stays() -> None:
    wanted = profile(wish("emsr-bitmap", "off"), uses=("vbs",))
    assert decision(resolve(wanted, (made_intel_host(),)), "emsr-bitmap").reason == "turned off by the profile"


def test_nested_uses_need_the_feature_of_each_hosts_vendor() -> None:
    off = profile(uses=("vbs",), cpu=CpuChoice("host", features=(("svm", False),)))
    assert not resolve(off, (made_intel_host(),)).refusals
    assert [one.id for one in resolve(off, (made_amd_host(),)).refusals] == ["guest.uses"]
    free = profile(uses=("vbs",), cpu=CpuChoice("qemu64"), migration=Migration.NONE)
    assert [one.id for one in resolve(free, (made_amd_host(), made_intel_host())).refusals] == ["guest.uses"]


def test_nested_uses_put_the_vendors_feature_into_a_named_model() -> None:
    wanted = profile(uses=("wsl2",), cpu=CpuChoice("Skylake-Server"))
    assert dict(resolve(wanted, (made_intel_host(),)).cpu.features) == {"vmx": True}


def test_gpu_passthrough_implies_nothing() -> None:
    plan = resolve(profile(wish("relaxed"), uses=("gpu-passthrough",)), (made_amd_host(),))
    assert enabled(plan) == ["relaxed"]
    assert not plan.cpu.hidden
    assert any("gpu-passthrough" in note for note in plan.notes)


def test_an_option_that_turns_nothing_on_falls_out_without_an_enlightenment() -> None:
    plan = resolve(profile(wish("vendor-id", "prefer", "KVM"), wish("enforce-cpuid")), (made_amd_host(),))
    assert enabled(plan) == []
    assert [one.id for one in plan.refusals] == ["enforce-cpuid"]
    assert "does nothing" in decision(plan, "vendor-id").reason


def test_what_is_advised_beside_a_third_row_is_advised_only_there() -> None:
    """KVM denies nested flushes where it enforces CPUID and flushes are not announced."""
    wishes = [wish("relaxed"), wish("vapic"), wish("tlbflush-direct")]
    for more, advised in (([], False), ([wish("enforce-cpuid")], True)):
        plan = resolve(profile(*wishes, *more), (made_amd_host(),))
        assert any("tlbflush is recommended" in note for note in plan.notes) is advised


def test_a_kvm_without_hyperv_refuses() -> None:
    for wishes in ([wish("relaxed"), wish("vapic")], [wish("relaxed", "prefer")], []):
        plan = resolve(profile(*wishes), (made_amd_host(), made_no_hyperv_host()))
        assert [(one.id, one.layer, one.host) for one in plan.refusals] == [("kvm", Layer.KERNEL, "made-no-hyperv")]


def test_what_an_old_kernel_cannot_tell_is_not_taken_for_granted() -> None:
    plan = resolve(profile(wish("xmm-input", "prefer"), wish("relaxed")), (made_old_kernel_host(),))
    assert enabled(plan) == ["relaxed"]
    assert "no way to tell" in decision(plan, "xmm-input").reason


def test_a_preferred_passthrough_gives_way_to_what_must_stay_off() -> None:
    wishes = (wish("passthrough", "prefer"), wish("time", "off"))
    plan = resolve(profile(*wishes, migration=Migration.NONE), (made_amd_host(),))
    assert enabled(plan) == []
    assert decision(plan, "passthrough").reason == "it would turn on time, which the profile turns off"


def test_passthrough_says_so_of_the_rows_that_it_turns_on() -> None:
    plan = resolve(profile(wish("passthrough"), migration=Migration.NONE), (made_amd_host(),))
    assert decision(plan, "time").reason == f"{UNNAMED}; passthrough turns it on where KVM has it"


def test_syndbg_is_not_for_guests_that_migrate() -> None:
    wishes = (wish("relaxed"), wish("syndbg", "prefer"))
    assert decision(resolve(profile(*wishes), (made_amd_host(),)), "syndbg").layer is Layer.MIGRATION


def test_a_processor_of_another_vendor_is_not_refused_what_its_kvm_gives() -> None:
    host = made_amd_host()
    host = host._replace(hardware=host.hardware._replace(vendor="HygonGenuine"))
    assert enabled(resolve(profile(wish("relaxed"), wish("evmcs", "prefer")), (host,))) == ["relaxed"]


class TestMachine:
    """The machine type is versioned, and one that every host has."""

    def test_the_newest_common_upstream_version(self) -> None:
        pool = (made_amd_host("a"), made_amd_host("b", qemu=(made_qemu(newest="7.2"),)))
        assert resolve(profile(), pool).machine.type == "pc-q35-7.2"
        assert resolve(profile(machine="pc"), pool).machine.type == "pc-i440fx-7.2"

    def test_the_alias_must_be_the_vendors_on_every_host(self) -> None:
        vendor = made_qemu()._replace(machines=(MachineType("pc-q35-rhel9.4.0", "q35", hpet=True),))
        without = made_qemu()._replace(machines=(MachineType("pc-q35-rhel9.4.0", None, hpet=True),))
        pool = (made_amd_host(qemu=(vendor,)), made_amd_host("b", qemu=(without,)))
        assert [one.id for one in resolve(profile(), pool).refusals] == ["machine"]

    @pytest.mark.parametrize(("hpet", "note"), [(None, True), (False, False), (True, False)])
    def test_an_unknown_hpet_is_said(self, hpet: bool | None, note: bool) -> None:
        qemu = made_qemu()
        qemu = qemu._replace(machines=tuple(machine._replace(hpet=hpet) for machine in qemu.machines))
        plan = resolve(profile(wish("relaxed")), (made_amd_host(qemu=(qemu,)),))
        assert any("HPET" in text for text in plan.notes) == note
        wanted = profile(wish("relaxed"), clock=ClockChoice(hpet=True))
        refused = resolve(wanted, (made_amd_host(qemu=(qemu,)),)).refusals
        assert bool(refused) == (hpet is False)

    def test_versions_are_numbers(self) -> None:
        assert resolve(profile(), (made_amd_host(),)).machine.type == "pc-q35-10.0"

    def test_a_vendors_type_only_as_the_common_alias_target(self) -> None:
        vendor = made_qemu()._replace(
            machines=(made_qemu().machines[0]._replace(name="pc-q35-rhel9.4.0", alias="q35"),)
        )
        assert resolve(profile(), (made_amd_host(qemu=(vendor,)),)).machine.type == "pc-q35-rhel9.4.0"
        mixed = (made_amd_host(qemu=(vendor,)), made_amd_host("upstream"))
        assert [one.id for one in resolve(profile(), mixed).refusals] == ["machine"]

    def test_a_named_type_must_exist_on_every_host(self) -> None:
        pool = (made_amd_host("a"), made_amd_host("b", qemu=(made_qemu(newest="7.2"),)))
        found = resolve(profile(machine="pc-q35-8.2"), pool).refusals
        assert [(one.id, one.host) for one in found] == [("machine", "b")]

    def test_the_option_wins_over_the_profile(self) -> None:
        assert resolve(profile(), (made_amd_host(),), machine="pc-q35-6.2").machine.type == "pc-q35-6.2"


class TestCpuHost:
    """`-cpu host` may only migrate among equal hosts."""

    def test_equal_hosts(self) -> None:
        assert not resolve(profile(), (made_amd_host("a"), made_amd_host("b"))).refusals

    def test_different_hosts_are_refused_with_a_named_model(self) -> None:
        other = made_amd_host("b")
        other = other._replace(hardware=other.hardware._replace(model=2))
        (found,) = resolve(profile(), (made_amd_host("a"), other)).refusals
        assert found.id == "cpu"
        assert "another CPU on b than on a" in found.reason
        assert "`cpu: EPYC`" in found.remedy

    def test_different_expansions_name_the_features(self) -> None:
        qemu = made_qemu()
        qemu = qemu._replace(expansion=(*(qemu.expansion or ()), ("avx512f", True)))
        other = made_amd_host("b", qemu=(qemu,))
        (found,) = resolve(profile(), (made_amd_host("a"), other)).refusals
        assert found.reason.endswith("a and b: avx512f")

    def test_numbers_count_where_both_hosts_know_them(self) -> None:
        bits = [made_qemu()._replace(expansion=(("phys-bits", value), ("avx", True))) for value in (40, 48)]
        unknown = made_qemu()._replace(expansion=(("avx", True), ("newer", -1)))
        hosts = [made_amd_host(name, qemu=(qemu,)) for name, qemu in zip("abc", (*bits, unknown), strict=True)]
        assert "phys-bits" in resolve(profile(), hosts[:2]).refusals[0].reason
        assert not resolve(profile(), hosts[1:]).refusals

    def test_unknown_facts_are_refused(self) -> None:
        other = made_amd_host("b", qemu=(made_qemu()._replace(expansion=None),))
        (found,) = resolve(profile(), (made_amd_host("a"), other)).refusals
        assert "are not known" in found.reason

    def test_tsc_frequencies_apart_without_scaling(self) -> None:
        other = made_amd_host("b", tsc=3_000_000_000)
        assert "TSC" in resolve(profile(), (made_amd_host("a"), other)).refusals[0].reason

    def test_without_migration_any_hosts_will_do(self) -> None:
        assert not resolve(profile(migration=Migration.NONE), (made_amd_host(), made_intel_host())).refusals

    def test_a_named_model_that_a_host_cannot_give(self) -> None:
        (found,) = resolve(profile(cpu=CpuChoice("Opteron_G5")), (made_amd_host(),)).refusals
        assert (found.id, found.host) == ("cpu", "made-amd")

    @pytest.mark.parametrize("model", ["host", "EPYC"])
    def test_no_model_hides_the_vendor(self, model: str) -> None:
        plan = resolve(profile(cpu=CpuChoice(model)), (made_amd_host(), made_intel_host()))
        assert "the processors are from AMD and Intel" in plan.refusals[0].reason
        unknown = made_amd_host("b")
        unknown = unknown._replace(hardware=unknown.hardware._replace(vendor=None))
        assert resolve(profile(cpu=CpuChoice(model)), (made_amd_host(), unknown)).refusals

    @pytest.mark.parametrize("model", ["host", "EPYC"])
    def test_tsc_frequencies_of_three_hosts_in_any_order(self, model: str) -> None:
        hosts = [made_amd_host(f"h{ppm}", tsc=2_500_000_000 * (1_000_000 + ppm) // 1_000_000) for ppm in (-240, 0, 240)]
        wanted = profile(cpu=CpuChoice(model))
        for pool in itertools.permutations(hosts):
            assert [one.id for one in resolve(wanted, pool).refusals] == ["tsc-frequency"]
        assert not resolve(wanted, hosts[:2]).refusals
        scaling = [host._replace(hardware=host.hardware._replace(tsc_scaling=True)) for host in hosts]
        assert not resolve(wanted, scaling).refusals
        assert resolve(wanted, [*scaling[:2], hosts[2]]).refusals

    def test_a_fixed_frequency_that_all_can_run_at_is_enough(self) -> None:
        pool = (made_amd_host(), made_amd_host("slow", tsc=2_000_000_000, scaling=True))
        assert not resolve(profile(tsc_frequency=2_500_000_000), pool).refusals
        assert [one.id for one in resolve(profile(), pool).refusals] == ["tsc-frequency"]

    def test_a_feature_that_is_off_is_one_that_an_older_qemu_does_not_know(self) -> None:
        older = made_qemu()
        older = older._replace(expansion=tuple(pair for pair in older.expansion or () if pair[1]))
        assert not resolve(profile(), (made_amd_host("a"), made_amd_host("b", qemu=(older,)))).refusals

    @pytest.mark.parametrize(
        ("feature", "on", "said"), [("nosuch", False, "knows no"), ("invtsc", True, ""), ("amx", True, "no")]
    )
    def test_features_are_those_of_the_hosts(self, feature: str, on: bool, said: str) -> None:
        qemu = made_qemu()
        qemu = qemu._replace(expansion=(*(qemu.expansion or ()), ("amx", False)))
        wanted = profile(cpu=CpuChoice("host", features=((feature, on),)), migration=Migration.NONE)
        found = resolve(wanted, (made_amd_host(qemu=(qemu,)),)).refusals
        assert [one.id for one in found] == (["cpu.features"] if said else [])
        assert all(said in one.reason for one in found)

    def test_libvirt_takes_no_switch_of_qemus_for_a_feature(self) -> None:
        wanted = profile(cpu=CpuChoice("EPYC", features=(("pmu", False), ("lahf-lm", True))))
        host = made_amd_host(qemu=(made_qemu()._replace(expansion=None),))
        assert not resolve(wanted, (host,)).refusals
        (found,) = resolve(wanted, (host,), libvirt=True).refusals
        assert (found.id, found.layer, found.reason) == (
            "cpu.features",
            Layer.LIBVIRT,
            "pmu: libvirt has <pmu> in <features> for it",
        )

    def test_every_host_must_give_a_named_model(self) -> None:
        poor = made_amd_host("poor", qemu=(made_qemu()._replace(models=("qemu64",)),))
        found = resolve(profile(cpu=CpuChoice("EPYC")), (made_amd_host(), poor)).refusals
        assert [(one.id, one.host) for one in found] == [("cpu", "poor")]

    @pytest.mark.parametrize("change", [{"family": 99}, {"model": 99}, {"stepping": 99}])
    def test_another_processor_is_another_cpu(self, change: dict[str, Any]) -> None:
        other = made_amd_host("b")
        other = other._replace(hardware=other.hardware._replace(**change))
        assert "another CPU" in resolve(profile(), (made_amd_host("a"), other)).refusals[0].reason


class TestLibvirt:
    """With libvirt, it is one more layer."""

    def test_what_it_has_no_element_for(self) -> None:
        wanted = profile(wish("relaxed"), wish("version-id", "prefer"), wish("enforce-cpuid"))
        plan = resolve(wanted, (made_amd_host(),), libvirt=True)
        assert [(one.id, one.layer) for one in plan.refusals] == [("enforce-cpuid", Layer.LIBVIRT)]
        assert decision(plan, "version-id").layer is Layer.LIBVIRT
        assert not resolve(wanted, (made_amd_host(),)).refusals

    def test_an_older_schema(self) -> None:
        host = made_amd_host(libvirt=made_libvirt(without=("xmm_input",)))
        plan = resolve(profile(wish("xmm-input", "prefer"), wish("relaxed")), (host,), libvirt=True)
        assert decision(plan, "xmm-input").remedy == "use libvirt 10.7.0 or newer"

    def test_an_unknown_libvirt_is_taken_for_the_newest_and_said(self) -> None:
        plan = resolve(profile(wish("xmm-input")), (made_amd_host(libvirt=None),), libvirt=True)
        assert not plan.refusals
        assert any("newest libvirt" in note for note in plan.notes)

    def test_an_unknown_libvirt_has_no_element_for_what_none_has(self) -> None:
        plan = resolve(profile(wish("enforce-cpuid"), wish("relaxed")), (made_amd_host(libvirt=None),), libvirt=True)
        assert [(one.id, one.layer) for one in plan.refusals] == [("enforce-cpuid", Layer.LIBVIRT)]

    def test_an_element_inside_another_needs_that_other(self) -> None:
        wanted = profile(wish("tlbflush-direct"))
        assert "tlbflush" not in enabled(resolve(wanted, (made_amd_host(),)))
        assert "tlbflush" in enabled(resolve(wanted, (made_amd_host(),), libvirt=True))


def test_a_host_without_qemu_is_refused_once() -> None:
    plan = resolve(profile(wish("relaxed")), (made_amd_host(qemu=()),))
    assert [(one.id, one.layer, one.host) for one in plan.refusals] == [("qemu", Layer.QEMU, "made-amd")]


def test_an_unstable_clock_source_is_said() -> None:
    host = made_amd_host()
    host = host._replace(hardware=host.hardware._replace(clocksource="hpet"))
    assert any("hpet" in note for note in resolve(profile(wish("time")), (host,)).notes)
    assert not any("hpet" in note for note in resolve(profile(wish("relaxed")), (host,)).notes)


def test_vbs_is_hinted_at_once_on_intel() -> None:
    wanted = profile(wish("relaxed"), os="windows-11")
    assert sum("vbs" in note for note in resolve(wanted, (made_intel_host(),)).notes) == 1
    assert not any("vbs" in note for note in resolve(wanted._replace(uses=("vbs",)), (made_intel_host(),)).notes)


ASKS = st.sampled_from(["on", "prefer", "off"])
WISHES = st.dictionaries(st.sampled_from([row.id for row in ROWS if not row.experimental]), ASKS).map(
    lambda asked: tuple(wish(row.id, asked[row.id]) for row in ROWS if row.id in asked)
)
WEAKER = st.sampled_from([None, *(bit for bit in range(20))])


@given(WISHES, st.booleans(), st.integers(0, 0xFFFFF), st.booleans())
def test_a_weaker_host_never_gains_a_preferred_row(
    wishes: tuple[Wish, ...], pinned: bool, lacking: int, libvirt: bool
) -> None:
    preferred = tuple(one._replace(ask=Ask.PREFER) if one.ask is Ask.ON else one for one in wishes)
    wanted = profile(*preferred, pinned=pinned)
    strong = made_amd_host()
    weak = made_amd_host(kvm=made_kvm(features=0xAAFF & ~lacking, misc=0x84D12 & ~lacking, hints=0x40E2C & ~lacking))
    gained = set(enabled(resolve(wanted, (weak,), libvirt=libvirt)))
    assert gained <= set(enabled(resolve(wanted, (strong,), libvirt=libvirt)))
    both = set(enabled(resolve(wanted, (strong, weak), libvirt=libvirt)))
    assert both == gained == set(enabled(resolve(wanted, (weak, strong), libvirt=libvirt)))


@given(WISHES)
def test_every_usable_plan_is_closed_under_requirements_and_resolving_it_again_changes_nothing(
    wishes: tuple[Wish, ...],
) -> None:
    plan = resolve(profile(*wishes, clock=ClockChoice()), (made_intel_host(),))
    on = set(enabled(plan))
    if not plan.refusals:
        assert predict_start(plan, made_intel_host()).starts
        assert all(set(BY_ID[row_id].requires) <= on for row_id in on)
    again = profile(*(wish(one.id, "on", one.value) for one in plan.enabled()))
    assert plan.refusals or enabled(resolve(again, (made_intel_host(),))) == enabled(plan)


@pytest.mark.parametrize("libvirt", [False, True])
@pytest.mark.parametrize("host", [made_amd_host(), made_intel_host()], ids=["amd", "intel"])
def test_beside_what_takes_all_nothing_is_written_that_it_brings(host: Host, libvirt: bool) -> None:
    everything = next(row for row in ROWS if row.takes_all)
    wanted = profile(wish(everything.id), wish("relaxed"), wish("spinlocks", "prefer", 8191), uses=("vbs",))
    plan = resolve(wanted._replace(migration=Migration.NONE), (host,), libvirt=libvirt)
    assert not plan.refusals
    assert enabled(plan) == [everything.id]
    reasons = {one.id: one.reason for one in plan.decisions}
    assert reasons["relaxed"] == "passthrough turns it on"
    assert reasons["spinlocks"] == "passthrough takes the value of KVM"
    lacking = {one.id for one in plan.decisions if one.asked == "prefer" and one.host}
    assert lacking == ({"evmcs"} if host.hardware.vendor == "amd" else set())


@pytest.mark.parametrize(
    ("os", "use", "has"),
    [
        ("windows-xp", "nested-hyperv", False),
        ("windows-vista", "vbs", False),
        ("windows-7", "vbs", False),
        ("windows-7", "nested-hyperv", True),
        ("windows-8.1", "wsl2", False),
        ("windows-server-2012r2", "vbs", False),
        ("windows-server-2016", "vbs", True),
        ("windows-server-2016", "wsl2", False),
        ("windows-10", "wsl2", True),
        ("windows-11-23h2", "wsl2", True),
        ("other", "vbs", True),
    ],
)
def test_a_use_that_the_release_does_not_have_is_refused(os: str, use: str, has: bool) -> None:
    plan = resolve(profile(wish("relaxed"), os=os, uses=(use,)), (made_intel_host(),))
    assert [one.id for one in plan.refusals] == ([] if has else ["guest.uses"])
    if not has:
        assert plan.refusals[0].reason.startswith(system_of(os).title)
