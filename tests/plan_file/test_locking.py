"""Locked plans: what was locked holds on each host of its pool, and a host that lacks something is told what."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvctl.catalog import ROWS
from hvctl.model.host import Host
from hvctl.model.plan import Decision, Layer, Outcome, SavedPlan, digest
from hvctl.model.profile import ClockChoice, CpuChoice, Migration, Profile
from hvctl.plan.resolve import resolve
from hvctl.plan_file.locking import LABEL, lacking, lock, profile_of
from tests.made_hosts import made_amd_host, made_intel_host, made_kvm, made_libvirt, made_no_hyperv_host, made_qemu
from tests.made_pools import Made, hosts, made
from tests.plan.test_resolve import profile, wish

NAMED = CpuChoice("EPYC")


def locked(wanted: Profile, *pool: Host, libvirt: bool = False) -> SavedPlan:
    plan = resolve(wanted, pool, libvirt=libvirt)
    assert not plan.refusals
    return lock(plan, pool, argv=(), xml=None)


def hardware(host: Host, **changes: Any) -> Host:
    return host._replace(hardware=host.hardware._replace(**changes))


def one(found: tuple[Decision, ...]) -> Decision:
    (decision,) = found
    assert decision.state is Outcome.REFUSED
    return decision


@given(made())
def test_a_locked_plan_is_valid_on_each_host_of_its_pool(given_: Made) -> None:
    kept = lock(given_.plan, given_.pool, argv=None, xml=None)
    for host in given_.pool:
        assert lacking(kept, host, libvirt=given_.libvirt) == ()


@settings(max_examples=50)
@given(made(), st.data())
def test_what_a_host_lacks_is_what_a_larger_pool_would_refuse(given_: Made, data: st.DataObject) -> None:
    """The lock knows its hosts as well as if they were at hand, but for what each can give, which it need not know."""
    other = data.draw(hosts(made_amd_host(), 9, data.draw(st.booleans())))
    other = hardware(other, tsc_scaling=data.draw(st.sampled_from([True, False, None])))
    kept = lock(given_.plan, given_.pool, argv=None, xml=None)
    missing = lacking(kept, other, libvirt=given_.libvirt)
    pool = (*given_.pool, other)
    refused = resolve(profile_of(kept.plan), pool, libvirt=given_.libvirt).refusals
    # That nested guests do not do with several vendors needs no words where no guest does.
    told = {why.id for why in refused if why.id != "guest.uses" or why.host}
    assert {why.id for why in missing} == told, (missing, refused)


@settings(max_examples=40)
@given(made())
def test_the_profile_of_a_plan_demands_the_plan(given_: Made) -> None:
    again = resolve(profile_of(given_.plan), given_.pool, libvirt=given_.libvirt)
    assert not again.refusals
    assert digest(again) == digest(given_.plan)


@settings(max_examples=40)
@given(made())
def test_a_lock_keeps_few_hosts_and_no_names(given_: Made) -> None:
    kept = lock(given_.plan, given_.pool, argv=None, xml=None)
    assert len(kept.pool) <= 5
    assert all(host.name is None and not host.kvm.caps and host.libvirt is None for host in kept.pool)
    assert (kept.pool == ()) == (given_.plan.migration is Migration.NONE)
    assert [decision.state for decision in kept.plan.decisions] == [Outcome.ON] * len(given_.plan.enabled())


ROWS_WITH_BITS = [row for row in ROWS if row.checks and not row.experimental]


@pytest.mark.parametrize("row", ROWS_WITH_BITS, ids=lambda row: row.id)
def test_what_the_kernel_does_not_report_is_named(row: Any) -> None:
    able = made_intel_host()
    if row.id == "syndbg":
        able = able._replace(kvm=made_kvm(misc=0x84D12 | 1 << 11, evmcs=True))
    wanted = profile(wish(row.id), migration=Migration.NONE)
    kept = locked(wanted, able)
    bits = row.checks[0]
    leaves = tuple(
        leaf._replace(**{bits.register: leaf.register(bits.register) & ~bits.mask}) if leaf.leaf == bits.leaf else leaf
        for leaf in able.kvm.leaves
    )
    poor = able._replace(name="poor", kvm=able.kvm._replace(leaves=leaves))
    found = {decision.id: decision for decision in lacking(kept, poor, libvirt=False)}
    assert (found[row.id].layer, found[row.id].host) == (Layer.KERNEL, "poor")
    assert f"KVM does not report {bits.names[0]}" in found[row.id].reason


@pytest.mark.parametrize("row", [row for row in ROWS_WITH_BITS if row.id != "syndbg"], ids=lambda row: row.id)
def test_what_the_qemu_does_not_know_is_named(row: Any) -> None:
    kept = locked(profile(wish(row.id), migration=Migration.NONE), made_intel_host())
    poor = made_intel_host("poor", qemu=(made_qemu(unknown=(row.properties[0].name,)),))
    found = {decision.id: decision for decision in lacking(kept, poor, libvirt=False)}
    assert (found[row.id].layer, found[row.id].host) == (Layer.QEMU, "poor")


def test_what_the_libvirt_does_not_know_matters_where_it_starts_the_guest() -> None:
    kept = locked(profile(wish("xmm-input")), made_amd_host(), libvirt=True)
    poor = made_amd_host("poor", libvirt=made_libvirt(without=("xmm_input",)))
    found = one(lacking(kept, poor, libvirt=True))
    assert (found.id, found.layer, found.host) == ("xmm-input", Layer.LIBVIRT, "poor")
    assert lacking(kept, poor, libvirt=False) == ()


def test_apicv_that_is_not_active() -> None:
    kept = locked(profile(wish("avic")), made_intel_host())
    found = one(lacking(kept, hardware(made_intel_host("poor"), apicv=False), libvirt=False))
    assert (found.id, found.layer, found.host) == ("avic", Layer.HARDWARE, "poor")


class TestMachine:
    """The machine type and its HPET."""

    def test_a_type_that_is_not_there(self) -> None:
        kept = locked(profile(wish("relaxed")), made_amd_host())
        found = one(lacking(kept, made_amd_host("old", qemu=(made_qemu(newest="9.2"),)), libvirt=False))
        assert (found.id, found.layer, found.host) == ("machine", Layer.QEMU, "old")
        assert "no machine type pc-q35-10.0" in found.reason

    @pytest.mark.parametrize("there", [True, None, False])
    def test_a_property_that_is_not_there(self, there: bool | None) -> None:
        qemu = made_qemu()
        machines = tuple(machine._replace(hpet=there) for machine in qemu.machines)
        other = made_amd_host("other", qemu=(qemu._replace(machines=machines),))
        kept = locked(profile(wish("relaxed"), clock=ClockChoice(hpet=False)), made_amd_host())
        assert kept.plan.machine.hpet_option
        found = lacking(kept, other, libvirt=False)
        assert [(why.id, why.layer, why.host) for why in found] == (
            [("machine", Layer.QEMU, "other")] if there is False else []
        )


class TestProcessor:
    """The processor and TSC of another host, against those of the hosts of the plan."""

    def test_another_cpu(self) -> None:
        kept = locked(profile(), made_amd_host())
        found = one(lacking(kept, hardware(made_amd_host("b"), model=2), libvirt=False))
        assert (found.id, found.layer) == ("cpu", Layer.MIGRATION)
        assert found.reason == f"CPU model host is another CPU on b than on {LABEL}"
        assert "`cpu: " not in found.remedy  # which models its own hosts have is not kept

    def test_another_expansion(self) -> None:
        qemu = made_qemu()
        other = made_amd_host("b", qemu=(qemu._replace(expansion=(*(qemu.expansion or ()), ("avx512f", True))),))
        assert one(lacking(locked(profile(), made_amd_host()), other, libvirt=False)).reason.endswith("avx512f")

    def test_what_one_host_of_the_pool_does_not_tell_another_one_does(self) -> None:
        silent = made_amd_host("a")
        telling = made_amd_host("b", qemu=(_with(("phys-bits", 40)),))
        apart = made_amd_host("c", qemu=(_with(("phys-bits", 48)),))
        for pool in ((silent, telling), (telling, silent)):
            kept = locked(profile(), *pool)
            assert one(lacking(kept, apart, libvirt=False)).reason.endswith("phys-bits")

    def test_a_named_model_wants_the_vendor_only(self) -> None:
        kept = locked(profile(cpu=NAMED), made_amd_host())
        assert lacking(kept, hardware(made_amd_host("b"), family=7, stepping=9), libvirt=False) == ()
        vendors = [why for why in lacking(kept, made_intel_host(), libvirt=False) if why.id == "cpu"]
        assert "the processors are from AMD and Intel" in vendors[0].reason

    def test_a_named_model_that_is_not_there(self) -> None:
        poor = made_amd_host("poor", qemu=(made_qemu()._replace(models=("qemu64",)),))
        found = one(lacking(locked(profile(cpu=NAMED), made_amd_host()), poor, libvirt=False))
        assert (found.id, found.host, found.layer) == ("cpu", "poor", Layer.HARDWARE)

    @pytest.mark.parametrize(
        ("frequency", "scaling", "fits"),
        [
            (2_500_500_000, False, True),
            (2_501_000_000, False, False),
            (2_501_000_000, True, False),
            (None, False, False),
        ],
    )
    def test_the_frequency_without_tsc_frequency(self, frequency: int | None, scaling: bool, fits: bool) -> None:
        kept = locked(profile(cpu=NAMED), made_amd_host())
        other = hardware(made_amd_host("b"), tsc_hz=frequency, tsc_scaling=scaling)
        assert [why.id for why in lacking(kept, other, libvirt=False)] == ([] if fits else ["tsc-frequency"])

    def test_both_ends_of_the_frequencies_count(self) -> None:
        low, high = (hardware(made_amd_host(), tsc_hz=2_500_000_000 + off) for off in (0, 500_000))
        kept = locked(profile(cpu=NAMED), made_amd_host(), low, high)
        for off, fits in ((-100_000, True), (-200_000, False), (600_000, True), (700_000, False)):
            other = hardware(made_amd_host("b"), tsc_hz=2_500_000_000 + off)
            assert (lacking(kept, other, libvirt=False) == ()) == fits, off

    def test_a_fixed_frequency(self) -> None:
        wanted = profile(wish("reenlightenment"), cpu=NAMED, tsc_frequency=2_500_000_000)
        kept = locked(wanted, made_amd_host())
        slow = made_amd_host("slow", tsc=2_000_000_000)
        assert one(lacking(kept, slow, libvirt=False)).id == "tsc-frequency"
        assert lacking(kept, hardware(slow, tsc_scaling=True), libvirt=False) == ()

    @pytest.mark.parametrize("unknown", [{"tsc_hz": None}, {"vendor": None}, {"family": None}])
    def test_a_host_of_which_something_is_not_known_is_like_itself_and_no_other(self, unknown: dict[str, Any]) -> None:
        host = hardware(made_amd_host(), **unknown)
        kept = locked(profile(), host)
        assert lacking(kept, host._replace(name="another name"), libvirt=False) == ()
        assert lacking(kept, made_amd_host(), libvirt=False) != ()
        assert lacking(locked(profile(), made_amd_host()), host, libvirt=False) != ()

    @pytest.mark.parametrize("model", ["host", "Skylake-Server"])
    def test_nested_uses_are_asked_of_each_host_alone(self, model: str) -> None:
        kept = locked(profile(uses=("vbs",), cpu=CpuChoice(model)), made_intel_host())
        assert lacking(kept, made_intel_host("b"), libvirt=False) == ()
        found = lacking(kept, made_intel_host("c", nested=False), libvirt=False)
        assert ("guest.uses", "c", Layer.HARDWARE) in [(why.id, why.host, why.layer) for why in found]

    def test_what_nested_uses_prefer_does_not_come_to_a_plan_that_was_made_without(self) -> None:
        """Beside what takes all, nothing can be written as off."""
        wanted = profile(wish("passthrough"), uses=("vbs",), migration=Migration.NONE)
        kept = locked(wanted, made_amd_host(kvm=made_kvm(features=0xAAFF & ~(1 << 2))))
        assert "stimer-direct" not in [decision.id for decision in kept.plan.decisions]
        assert lacking(kept, made_amd_host(), libvirt=False) == ()

    def test_without_migration_any_processor_will_do(self) -> None:
        kept = locked(profile(wish("relaxed"), migration=Migration.NONE), made_amd_host())
        assert lacking(kept, made_intel_host(), libvirt=False) == ()


def _with(*more: tuple[str, bool | int]) -> Any:
    qemu = made_qemu()
    return qemu._replace(expansion=(*(qemu.expansion or ()), *more))


@pytest.mark.parametrize(
    ("host", "what"),
    [(made_no_hyperv_host("bad"), "kvm"), (made_amd_host("bad", qemu=()), "qemu")],
    ids=["kvm", "qemu"],
)
def test_a_host_that_can_give_nothing_is_told_so_once(host: Host, what: str) -> None:
    found = one(lacking(locked(profile(wish("relaxed")), made_amd_host()), host, libvirt=False))
    assert (found.id, found.host) == (what, "bad")
    assert found.remedy


def test_what_resolves_otherwise_is_refused() -> None:
    kept = locked(profile(wish("stimer")), made_amd_host())
    without = tuple(decision for decision in kept.plan.decisions if decision.id != "time")
    found = one(lacking(kept._replace(plan=kept.plan._replace(decisions=without)), made_amd_host(), libvirt=False))
    assert found.id in ("plan", "stimer")


@settings(max_examples=40)
@given(made(), made())
def test_the_digest_tells_plans_apart_and_does_not_depend_on_the_pool(one_: Made, other: Made) -> None:
    kept = lock(one_.plan, one_.pool, argv=None, xml=None)
    assert digest(kept.plan) == digest(one_.plan)
    same = kept.plan == lock(other.plan, other.pool, argv=None, xml=None).plan
    if digest(one_.plan) == digest(other.plan):
        assert {row.id: row.value for row in one_.plan.enabled()} == {row.id: row.value for row in other.plan.enabled()}
    assert not same or digest(one_.plan) == digest(other.plan)
