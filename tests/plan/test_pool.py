"""survey: what a pool has in common, and what takes away the rest; few hosts stand for many."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvctl.catalog import BY_ID, ROWS, machines
from hvctl.catalog.types import Kind
from hvctl.model.host import Host
from hvctl.model.plan import Layer, Plan
from hvctl.model.profile import Ask, CpuChoice, Migration, Profile, Value, Wish
from hvctl.plan.cpu import Candidate
from hvctl.plan.pool import Removal, Survey, survey
from hvctl.plan.resolve import resolve
from hvctl.plan.support import Answer, State
from tests.made_hosts import (
    made_amd_host,
    made_intel_host,
    made_kvm,
    made_libvirt,
    made_no_hyperv_host,
    made_old_kernel_host,
    made_qemu,
)
from tests.model.test_host import pool_of, with_frequencies

IDS = [row.id for row in ROWS if not row.experimental]
VALUES: dict[Kind, Value] = {
    Kind.NUMBER: 8191,
    Kind.STRING: "Microsoft Hv",
    Kind.ON_OFF_AUTO: "on",
    Kind.VERSION: "10.0.14393",
}
EVERYTHING = Profile(
    "everything",
    migration=Migration.NONE,
    pinned=True,
    wishes=tuple(
        Wish(row_id, Ask.PREFER, VALUES.get(BY_ID[row_id].kind)) for row_id in IDS if not BY_ID[row_id].takes_all
    ),
)

TSC = 2_500_000_000
# Apart by more and by less than the 250 ppm that KVM takes for the same.
FREQUENCIES = st.sampled_from([None, TSC, TSC + 400_000, TSC + 600_000, TSC + 900_000, 2_000_000_000])


def surveyed(*hosts: Host) -> Survey:
    return survey(pool_of(*hosts))


def hardware(host: Host, **changes: Any) -> Host:
    return host._replace(hardware=host.hardware._replace(**changes))


@st.composite
def facts(draw: st.DrawFn) -> Host:
    """A host without a name and frequency of its own, in what a cluster's hosts really differ."""
    host = draw(st.sampled_from([made_amd_host(), made_amd_host(), made_intel_host(), made_old_kernel_host()]))
    lacking = draw(st.sampled_from([0, 1 << 2, 1 << 9, 1 << 11, 1 << 14, 1 << 19]))
    if host.kvm.how != "synthesis" and lacking:
        features, misc, hints = (bits & ~lacking for bits in (0xAAFF, 0x84D12, 0x40E2C))
        host = host._replace(kvm=made_kvm(features=features, misc=misc, hints=hints))
    qemu = made_qemu(
        newest=draw(st.sampled_from(["7.2", "10.0"])),
        unknown=draw(st.sampled_from([(), (), ("hv-emsr-bitmap",), ("hv-synic", "hv-avic")])),
    )._replace(models=draw(st.sampled_from([None, ("qemu64",), ("EPYC", "qemu64"), ("Skylake-Server", "qemu64")])))
    if draw(st.integers(0, 5)) == 0:
        qemu = qemu._replace(expansion=draw(st.sampled_from([None, (("avx", False), ("phys-bits", 40))])))
    missing = draw(st.sampled_from([(), (), ("tlbflush",), ("stimer", "xmm_input")]))
    libvirt = draw(st.sampled_from([None, made_libvirt(without=missing), made_libvirt(without=missing)]))
    host = host._replace(qemu=(qemu,), libvirt=libvirt)
    vendor = draw(st.sampled_from([host.hardware.vendor] * 9 + [None]))
    return hardware(host, tsc_scaling=draw(st.sampled_from([True, True, False, None])), vendor=vendor)


@st.composite
def usable_pools(draw: st.DrawFn) -> list[Host]:
    """One to eight hosts of at most three classes, in any order."""
    kinds = draw(st.lists(facts(), min_size=1, max_size=3))
    members = draw(st.lists(st.tuples(st.sampled_from(kinds), FREQUENCIES), min_size=1, max_size=8))
    return [hardware(kind, tsc_hz=hz)._replace(name=f"host{number}") for number, (kind, hz) in enumerate(members)]


pools = st.tuples(
    usable_pools(), st.sampled_from([*[()] * 6, (made_no_hyperv_host(),), (made_amd_host(qemu=()),)])
).map(lambda parts: [*parts[0], *parts[1]])
wishes = st.dictionaries(st.sampled_from(IDS), st.sampled_from(list(Ask))).map(
    lambda asked: tuple(
        Wish(row_id, asked[row_id], VALUES.get(BY_ID[row_id].kind)) for row_id in IDS if row_id in asked
    )
)
profiles = st.builds(
    Profile,
    st.just("any"),
    machine=st.sampled_from(["q35", "pc", "pc-q35-7.2", "pc-q35-10.0"]),
    cpu=st.sampled_from(["host", "host", "EPYC", "qemu64"]).map(CpuChoice),
    tsc_frequency=st.sampled_from([None, None, "auto", TSC, TSC + 500_000]),
    migration=st.sampled_from([Migration.REQUIRED, Migration.REQUIRED, Migration.NONE]),
    uses=st.sampled_from([(), (), ("nested-hyperv",)]),
    wishes=wishes | st.just(EVERYTHING.wishes),
)


def decided(plan: Plan) -> tuple[object, ...]:
    """What a plan decides, less which of several hosts it names as the reason."""
    states = [(one.id, one.state, one.value) for one in plan.decisions]
    return plan.machine, plan.cpu, states, {one.id for one in plan.refusals}


@settings(max_examples=200)
@given(pools, profiles, st.booleans())
def test_the_representatives_decide_as_all_hosts_do(hosts: list[Host], profile: Profile, libvirt: bool) -> None:
    pool = pool_of(*hosts)
    chosen = resolve(profile, pool.representatives(), libvirt=libvirt)
    assert decided(chosen) == decided(resolve(profile, hosts, libvirt=libvirt))


@pytest.mark.parametrize("change", [{"tsc_hz": None}, {"vendor": None}, {"family": None}])
def test_equal_hosts_of_which_too_little_is_known_are_refused_as_one_class_too(change: dict[str, Any]) -> None:
    hosts = [hardware(host, **change) for host in with_frequencies([TSC, TSC])]
    profile = Profile("any")
    assert resolve(profile, hosts).refusals
    assert decided(resolve(profile, pool_of(*hosts).representatives())) == decided(resolve(profile, hosts))


@given(pools)
def test_each_row_is_common_or_removed_with_a_reason(hosts: list[Host]) -> None:
    found = surveyed(*hosts)
    for common in (found.qemu, found.libvirt):
        removed = list(dict.fromkeys(removal.id for removal in common.removals))
        assert sorted([*common.ids, *removed], key=IDS.index) == IDS
        assert removed == sorted(removed, key=IDS.index)
        assert all(removal.answer.reason and removal.answer.state is not State.YES for removal in common.removals)
    for removal in found.qemu.removals:
        if removal.group is not None:
            judged = found.judged[removal.group][IDS.index(removal.id)]
            assert removal.answer in judged.answers


@given(pools)
def test_what_is_common_is_closed_under_requirements(hosts: list[Host]) -> None:
    found = surveyed(*hosts)
    assert all(set(BY_ID[row_id].requires) <= set(found.qemu.ids) for row_id in found.qemu.ids)
    assert set(found.libvirt.ids) <= set(found.qemu.ids)
    paths = {place.path for row_id in found.libvirt.ids if (place := BY_ID[row_id].libvirt)}
    assert all("/" not in path or path.partition("/")[0] in paths for path in paths)


@given(pools, usable_pools())
def test_no_host_adds_to_what_is_common(hosts: list[Host], more: list[Host]) -> None:
    added = [host._replace(name=f"more-{host.name}") for host in more]
    fewer, all_of_them = surveyed(*hosts), surveyed(*hosts, *added)
    assert set(all_of_them.qemu.ids) <= set(fewer.qemu.ids)
    assert set(all_of_them.libvirt.ids) <= set(fewer.libvirt.ids)
    # A vendor's type may be the only one of one host; of these hosts every type has a number.
    for (family, many), (_, few) in zip(all_of_them.machines, fewer.machines, strict=False):
        assert many is None or few is None or machines.version(many) <= machines.version(few), family  # type: ignore[operator]


def summary(found: Survey) -> tuple[object, ...]:
    """What must not depend on the order of the hosts."""
    removed = {(one.id, one.answer.layer, one.answer.state) for one in found.qemu.removals}
    kinds = {one.id for one in found.obstacles}
    unusable = {one.id for one in found.unusable}
    common = (found.qemu.ids, found.libvirt.ids, found.machines, found.cpu_model, bool(found.cpu_apart))
    return (*common, removed, kinds, unusable)


@given(pools, st.randoms(use_true_random=False))
def test_the_order_of_the_hosts_does_not_matter(hosts: list[Host], random: Any) -> None:
    mixed = random.sample(hosts, len(hosts))
    assert summary(surveyed(*mixed)) == summary(surveyed(*hosts))


@given(usable_pools(), st.booleans())
def test_it_is_what_a_guest_gets_that_prefers_everything_and_never_moves(hosts: list[Host], libvirt: bool) -> None:
    found = surveyed(*hosts)
    common = found.libvirt if libvirt else found.qemu
    alive = any(BY_ID[row_id].enables_hyperv for row_id in common.ids)
    # An unknown libvirt gives nothing here, and is taken for the newest by resolve, which says so.
    if alive and not (libvirt and any(host.libvirt is None for host in hosts)):
        plan = resolve(EVERYTHING, hosts, libvirt=libvirt)
        assert tuple(one.id for one in plan.enabled()) == tuple(one for one in common.ids if not BY_ID[one].takes_all)
        assert plan.machine.type == dict(found.machines)["q35"]


def test_the_class_the_layer_and_the_remedy_are_told() -> None:
    old = made_amd_host("old", kvm=made_kvm(misc=0x80D12))
    assert [one for one in surveyed(made_amd_host("new"), old).qemu.removals if one.id == "tlbflush-ext"] == [
        Removal(
            "tlbflush-ext",
            1,
            Answer(
                Layer.KERNEL,
                State.NO,
                "KVM does not report HV_EXT_GVA_RANGES_FLUSH_AVAILABLE",
                "boot Linux 6.2 or newer",
            ),
        )
    ]


def removal(found: Survey, row_id: str, *, libvirt: bool = False) -> list[tuple[int | None, Layer, State, str]]:
    removals = (found.libvirt if libvirt else found.qemu).removals
    return [(one.group, one.answer.layer, one.answer.state, one.answer.reason) for one in removals if one.id == row_id]


def test_what_requires_a_missing_row_falls_out_to_the_end() -> None:
    found = surveyed(made_amd_host("a"), made_amd_host("b", kvm=made_kvm(features=0xAAFF & ~(1 << 2))))
    assert removal(found, "synic")[0][:3] == (1, Layer.KERNEL, State.NO)
    assert removal(found, "stimer") == [(None, Layer.REQUIREMENT, State.NO, "it requires synic")]
    assert removal(found, "stimer-direct") == [(None, Layer.REQUIREMENT, State.NO, "it requires stimer")]
    assert removal(found, "syndbg") == [(None, Layer.REQUIREMENT, State.NO, "it requires synic")]


def test_what_requires_an_unknown_row_is_unknown() -> None:
    found = surveyed(made_amd_host(kvm=made_kvm()._replace(unseen=("synic",))))
    assert removal(found, "synic")[0][:3] == (0, Layer.KERNEL, State.UNKNOWN)
    assert removal(found, "stimer") == [(None, Layer.REQUIREMENT, State.UNKNOWN, "it requires synic")]
    without = surveyed(made_amd_host(kvm=made_kvm(features=0xAAFF & ~2)._replace(unseen=("synic",))))
    assert removal(without, "stimer")[0][2:] == (State.NO, "it requires synic and time")


def test_libvirt_writes_an_element_only_inside_another() -> None:
    found = surveyed(made_amd_host(kvm=made_kvm(hints=0x40E2C & ~(1 << 2))))
    assert "tlbflush-direct" in found.qemu.ids
    assert removal(found, "tlbflush-direct", libvirt=True) == [
        (None, Layer.LIBVIRT, State.NO, "libvirt writes it only inside tlbflush")
    ]


def test_an_unknown_libvirt_gives_nothing() -> None:
    found = surveyed(made_amd_host(libvirt=None))
    assert found.libvirt.ids == ()
    assert len(found.qemu.ids) > 20
    assert removal(found, "relaxed", libvirt=True)[0][:3] == (0, Layer.LIBVIRT, State.UNKNOWN)


@pytest.mark.parametrize("order", list(itertools.permutations(["10.0", "7.2", "8.2"])), ids="-".join)
def test_the_newest_machine_types_that_all_share(order: tuple[str, ...]) -> None:
    hosts = [made_amd_host(newest, qemu=(made_qemu(newest=newest),)) for newest in order]
    assert surveyed(*hosts).machines == (("q35", "pc-q35-7.2"), ("pc", "pc-i440fx-7.2"))


def test_no_common_machine_type() -> None:
    qemu = made_qemu()._replace(machines=(made_qemu().machines[0]._replace(name="pc-q35-rhel9.4.0", alias="q35"),))
    found = surveyed(made_amd_host("a"), made_amd_host("b", qemu=(qemu,)))
    assert found.machines == (("q35", None), ("pc", None))


@pytest.mark.parametrize("bad", [made_no_hyperv_host("bad"), made_amd_host("bad", qemu=())], ids=["no hyperv", "qemu"])
def test_a_host_without_hyperv_or_qemu_makes_the_pool_unusable(bad: Host) -> None:
    found = surveyed(made_amd_host("a"), bad, bad._replace(name="worse"))
    assert [one.host for one in found.unusable] == ["bad"]
    assert found.unusable[0].remedy
    assert found.qemu.ids == found.libvirt.ids == ()
    assert bool(found.machines) == bool(bad.qemu)
    assert surveyed(made_amd_host("a")).unusable == ()


def test_obstacles_are_told_for_hosts_among_which_a_guest_could_move() -> None:
    unknown = hardware(made_amd_host("a"), tsc_hz=None, vendor=None)
    assert surveyed(unknown).obstacles == ()
    found = surveyed(unknown, unknown._replace(name="b"))
    assert [one.id for one in found.obstacles] == ["cpu", "tsc-frequency"]
    apart = surveyed(*with_frequencies([TSC, TSC + 600_000, TSC + 900_000]))
    assert "h0 and h2" in apart.obstacles[0].reason
    assert [one.id for one in surveyed(made_amd_host(), made_intel_host()).obstacles] == ["cpu", "tsc-frequency"]


def test_a_feature_that_is_a_flag_here_and_a_number_there() -> None:
    flag, number = (made_qemu()._replace(expansion=(("lbr-fmt", value),)) for value in (False, 5))
    hosts = made_amd_host("a", qemu=(flag,)), made_amd_host("b", qemu=(number,))
    for pool in itertools.permutations(hosts):
        assert "lbr-fmt" in surveyed(*pool).cpu_apart


def test_the_cpu_that_all_can_give() -> None:
    poor = made_amd_host("b", qemu=(made_qemu()._replace(models=("qemu64",)),))
    found = surveyed(made_amd_host("a"), poor)
    assert (found.cpu_apart, found.cpu_model) == ("", "qemu64")
    assert found.cpu_models == (Candidate("qemu64", 1, ("avx", "pcid", "svm")),)
    other = hardware(made_amd_host("c"), model=2)
    assert surveyed(made_amd_host("a"), other).cpu_apart == "CPU model host is another CPU on c than on a"
    assert surveyed(made_amd_host("a"), made_amd_host("b", qemu=())).cpu_model is None


def test_what_each_named_cpu_model_lacks_of_what_every_host_has() -> None:
    flags = ("avx2", "sse4.2", "pcid", "rdpid", "a-feature-to-come")

    def host(name: str, *models: str, without: str = "") -> Host:
        qemu = made_qemu()._replace(models=models, expansion=tuple((flag, flag != without) for flag in flags))
        return made_amd_host(name, qemu=(qemu,))

    new = host("new", "EPYC-Turin", "EPYC-Milan", "EPYC-Rome", "EPYC", "Opteron_G5", "qemu64")
    old = host("old", "EPYC-Turin", "EPYC-Milan", "EPYC-Rome", "Opteron_G5", "qemu64", without="rdpid")
    assert surveyed(new, old).cpu_models == (
        Candidate("EPYC-Turin", None, None),
        Candidate("EPYC-Milan", 3, ()),
        Candidate("EPYC-Rome", 3, ("pcid",)),
        Candidate("Opteron_G5", 2, ("avx2", "pcid")),
    )
    assert surveyed(new).cpu_models[3] == Candidate("EPYC", 3, ("pcid", "rdpid"))
    silent = made_amd_host("silent", qemu=(new.qemu[0]._replace(expansion=None),))
    assert surveyed(new, silent).cpu_models[1] == Candidate("EPYC-Milan", 3, None)


def test_svm_is_lost_by_every_named_model() -> None:
    """With KVM QEMU gives it to none, and x2apic to all: seen with -accel kvm (tests/catalog/test_systems.py)."""
    qemu = made_qemu()._replace(models=("EPYC",), expansion=(("npt", True), ("svm", True), ("x2apic", True)))
    assert surveyed(made_amd_host("a", qemu=(qemu,))).cpu_models == (Candidate("EPYC", 3, ("npt", "svm")),)
