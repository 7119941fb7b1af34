"""The questions to KVM, against kernels and processors that the test machines do not have."""

import errno
from collections.abc import Callable

import pytest

from hvctl.catalog import ROWS
from hvctl.catalog.kvm import KVM_CAPS
from hvctl.catalog.types import Row
from hvctl.errors import HostError
from hvctl.host.kvm import UNSEEN, ask_kvm, synthesise
from hvctl.model.host import CpuidLeaf
from tests.host.fake_kvm import STIMER_DIRECT, SYSTEM, FakeInsatiableKvm, FakeKvm, FakeOldKernelKvm, FakeVcpuOnlyKvm

NEW = {"KVM_CAP_HYPERV": 1, "KVM_CAP_HYPERV_CPUID": 1, "KVM_CAP_SYS_HYPERV_CPUID": 1, "KVM_CAP_GET_TSC_KHZ": 1}
FEATURES = CpuidLeaf(0x40000003, 0x2AFF, 0x830, 0, 0x80D12)
NESTED = CpuidLeaf(0x4000000A, 0x80000, 1)


def test_the_system_ioctl_is_preferred_and_leaves_are_sorted() -> None:
    device = FakeKvm(NEW, [NESTED, FEATURES])
    kvm = ask_kvm(device).kvm
    assert kvm.how == "system-ioctl"
    assert kvm.leaves == (FEATURES, NESTED)
    assert kvm.hyperv
    assert ("KVM_GET_SUPPORTED_HV_CPUID", SYSTEM) in device.asked
    assert ("KVM_CREATE_IRQCHIP", 200) not in device.asked


def test_every_capability_of_the_catalog_is_asked() -> None:
    assert [name for name, _ in ask_kvm(FakeKvm(NEW)).kvm.caps] == list(KVM_CAPS)


@pytest.mark.parametrize("evmcs", [True, False], ids=["evmcs", "no-evmcs"])
def test_a_vcpu_is_asked_with_irqchip_and_evmcs_on(evmcs: bool) -> None:
    kvm = ask_kvm(FakeVcpuOnlyKvm([NESTED], evmcs=evmcs)).kvm
    assert kvm.how == "vcpu-ioctl"
    assert STIMER_DIRECT in kvm.leaves
    assert (CpuidLeaf(0x40000004, eax=1 << 14) in kvm.leaves) is evmcs


def test_an_old_kernel_is_synthesised_and_says_what_it_cannot_see() -> None:
    kvm = ask_kvm(FakeOldKernelKvm({"KVM_CAP_HYPERV_TIME": 1}, [0x40000002])).kvm
    assert kvm.how == "synthesis"
    features = next(leaf for leaf in kvm.leaves if leaf.leaf == 0x40000003)
    assert features.eax == 1 << 5 | 1 << 4 | 1 << 1 | 1 << 9 | 1 << 6
    assert kvm.unseen == UNSEEN
    assert kvm.unseen


def test_a_long_msr_list_makes_the_buffer_grow() -> None:
    device = FakeOldKernelKvm({}, range(0x40000000, 0x40000000 + 3000))
    assert next(leaf for leaf in ask_kvm(device).kvm.leaves if leaf.leaf == 0x40000003).eax & 1 << 6
    assert sum(name == "KVM_GET_MSR_INDEX_LIST" for name, _ in device.asked) > 1


def test_many_leaves_make_the_buffer_grow() -> None:
    leaves = [CpuidLeaf(0x40000000 + number, eax=number) for number in range(100)]
    assert ask_kvm(FakeKvm(NEW, leaves)).kvm.leaves == tuple(leaves)


def test_growth_ends() -> None:
    device = FakeInsatiableKvm(NEW)
    with pytest.raises(HostError, match="KVM_GET_SUPPORTED_HV_CPUID"):
        ask_kvm(device)
    assert device.largest < 100_000


def test_a_kvm_without_hyperv_is_an_answer() -> None:
    answers = ask_kvm(FakeKvm({"KVM_CAP_GET_TSC_KHZ": 1}, failing={"KVM_GET_SUPPORTED_HV_CPUID": errno.EINVAL}))
    assert not answers.kvm.hyperv
    assert answers.kvm.leaves == ()
    assert answers.kvm.how == "capabilities"
    assert answers.tsc_hz == 2_600_000_000


@pytest.mark.parametrize(
    "caps", [{**NEW, "KVM_CAP_GET_TSC_KHZ": 0}, NEW], ids=["no capability", "the ioctl fails: an unstable TSC"]
)
def test_an_unknown_tsc_frequency_is_none(caps: dict[str, int]) -> None:
    assert ask_kvm(FakeKvm(caps, failing={"KVM_GET_TSC_KHZ": errno.EIO})).tsc_hz is None


@pytest.mark.parametrize("scaling", [0, 1])
def test_tsc_scaling_is_a_capability(scaling: int) -> None:
    assert ask_kvm(FakeKvm({**NEW, "KVM_CAP_TSC_CONTROL": scaling})).tsc_scaling is bool(scaling)


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("KVM_CHECK_EXTENSION", FakeKvm),
        ("KVM_CREATE_VM", FakeKvm),
        ("KVM_CREATE_VCPU", FakeKvm),
        ("KVM_GET_SUPPORTED_HV_CPUID", FakeKvm),
    ],
)
def test_a_broken_ioctl_is_named_and_nothing_stays_open(name: str, device: Callable[..., FakeKvm]) -> None:
    kvm = device(NEW, failing={name: errno.EBUSY})
    with pytest.raises(HostError) as raised:
        ask_kvm(kvm)
    assert raised.value.message == f"/dev/fake-kvm: the ioctl {name} failed: Device or resource busy (EBUSY)"
    assert "another hypervisor" in raised.value.hint
    assert kvm.opened == set()


def test_nothing_stays_open() -> None:
    device = FakeVcpuOnlyKvm([], evmcs=True)
    ask_kvm(device)
    assert device.opened == set()


LEGACY = [row for row in ROWS if row.legacy]


def has(leaves: tuple[CpuidLeaf, ...], row: Row) -> bool:
    by_leaf = {leaf.leaf: leaf for leaf in leaves}
    return all(by_leaf[bits.leaf].register(bits.register) & bits.mask == bits.mask for bits in row.checks)


def evidence(row: Row) -> tuple[dict[str, int], set[int]]:
    assert row.legacy
    return ({row.legacy.cap: 1} if row.legacy.cap else {}), ({row.legacy.msr} if row.legacy.msr else set())


@pytest.mark.parametrize("row", LEGACY, ids=lambda row: row.id)
def test_the_evidence_shows_the_row(row: Row) -> None:
    assert has(synthesise(*evidence(row)), row)


@pytest.mark.parametrize("row", LEGACY, ids=lambda row: row.id)
def test_each_half_of_the_evidence_is_needed(row: Row) -> None:
    caps, msrs = evidence(row)
    if caps:
        assert not has(synthesise({}, msrs), row)
    if msrs:
        assert not has(synthesise(caps, ()), row)


def test_a_row_is_either_shown_or_unseen() -> None:
    assert {row.id for row in ROWS if row.checks} == {row.id for row in LEGACY if row.checks} | set(UNSEEN)
