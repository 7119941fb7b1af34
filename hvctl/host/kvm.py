"""What /dev/kvm says about Hyper-V: capabilities, supported CPUID leaves, and the TSC.

KVM_GET_SUPPORTED_HV_CPUID is asked on the device (KVM_CAP_SYS_HYPERV_CPUID, 5.11), else on a vCPU (5.0), else its
answer is put together from capabilities and MSRs. linux:Documentation/virt/kvm/api.rst, "KVM_GET_SUPPORTED_HV_CPUID".
"""

import errno
import struct
from array import array
from collections.abc import Collection, Mapping
from typing import NamedTuple

from hvctl.catalog import ROWS
from hvctl.catalog.kvm import HV_CPUID_ENLIGHTMENT_INFO, HV_CPUID_FEATURES, HV_HYPERCALL_AVAILABLE, KVM_CAPS, REGISTERS
from hvctl.catalog.types import Legacy
from hvctl.host.kvm_device import IoctlError, KvmDevice, LinuxKvm, ask, opened, throw_away_vcpu
from hvctl.model.host import CpuidLeaf, Kvm

# struct kvm_cpuid2: nent, padding; entries of function, index, flags, eax, ebx, ecx, edx, padding[3].
_HEADER = struct.Struct("=II")
_ENTRY = struct.Struct("=10I")
# struct kvm_enable_cap: cap, flags, args[4], pad[64].
_ENABLE_CAP = struct.Struct("=II4Q64x")
_COUNT = struct.Struct("=I")
# KVM has answered with at most 10 entries up to 7.2, and lists some 500 MSRs; the limits only bound the growth.
_FIRST_ENTRIES, _MOST_ENTRIES = 16, 1024
_FIRST_MSRS, _MOST_MSRS = 512, 65536

# Message and hint of the error that a KVM without Hyper-V is. What QEMU does there was observed with 7.2.
NO_HYPERV = (
    (
        "this kernel's KVM has no Hyper-V emulation (it was built without CONFIG_KVM_HYPERV): "
        "QEMU would accept most hv-* flags here and ignore them"
    ),
    "boot a kernel built with CONFIG_KVM_HYPERV=y, as the kernels of the distributions are",
)
# What the capabilities and MSRs cannot show: QEMU takes these for absent.
UNSEEN = tuple(row.id for row in ROWS if row.checks and row.legacy is None)


class KvmAnswers(NamedTuple):
    """All that /dev/kvm was asked. `tsc_hz` is a vCPU's TSC frequency in Hz; None where KVM does not tell."""

    kvm: Kvm
    tsc_hz: int | None
    tsc_scaling: bool


def probe_kvm(path: str) -> KvmAnswers:
    """Ask the KVM at `path`.

    A KVM without Hyper-V emulation is no error: its `leaves` are empty, its `how` is `capabilities`.

    Raises:
        HostError: there is no KVM, no permission, something else than a KVM, or an ioctl that has to work fails.
    """
    return ask_kvm(LinuxKvm(path))


def ask_kvm(device: KvmDevice) -> KvmAnswers:
    """As `probe_kvm`, for any KVM device."""
    with opened(device) as system:
        caps = capabilities(device, system)
        how = method(caps)
        with throw_away_vcpu(device, system, irqchip=how == "vcpu-ioctl") as vcpu:
            leaves = _leaves(device, system, vcpu, caps, how)
            tsc_khz = _tsc_khz(device, vcpu, caps)
            msrs = _msrs(device, system) if how == "synthesis" else frozenset()
    return decode_kvm(caps, leaves, msrs, tsc_khz)


def decode_kvm(
    caps: Mapping[str, int], leaves: tuple[CpuidLeaf, ...], msrs: Collection[int], tsc_khz: int | None
) -> KvmAnswers:
    """What the answers mean, whoever asked.

    Args:
        caps: the answers to KVM_CHECK_EXTENSION by name.
        leaves: those of KVM_GET_SUPPORTED_HV_CPUID; none where it was not asked.
        msrs: the indices of KVM_GET_MSR_INDEX_LIST; none where other answers suffice.
        tsc_khz: that of KVM_GET_TSC_KHZ; None where it failed.
    """
    how = method(caps)
    if how == "synthesis":
        leaves = synthesise(caps, msrs)
    unseen = UNSEEN if how == "synthesis" else ()
    kvm = Kvm(None, how, tuple(caps.items()), leaves, unseen)
    return KvmAnswers(kvm, tsc_khz * 1000 if tsc_khz else None, caps.get("KVM_CAP_TSC_CONTROL", 0) > 0)


def capabilities(device: KvmDevice, system: int) -> dict[str, int]:
    """The answer to KVM_CHECK_EXTENSION for each capability of the catalog."""
    return {name: ask(device, system, "KVM_CHECK_EXTENSION", number) for name, number in KVM_CAPS.items()}


def system_leaves(device: KvmDevice, system: int) -> tuple[CpuidLeaf, ...]:
    """What KVM could give any VM, ascending by leaf: the ioctl on the device itself.

    Raises:
        IoctlError: it failed.
    """
    return _supported_hv_cpuid(device, system)


def vcpu_leaves(device: KvmDevice, vcpu: int, caps: Mapping[str, int]) -> tuple[CpuidLeaf, ...]:
    """What KVM gives this vCPU, with the enlightened VMCS turned on where there is one: it is hidden until then.

    Raises:
        IoctlError: it failed.
    """
    if caps["KVM_CAP_HYPERV_ENLIGHTENED_VMCS"] > 0:
        _enable_evmcs(device, vcpu)
    return _supported_hv_cpuid(device, vcpu)


def method(caps: Mapping[str, int]) -> str:
    """How a KVM with these capabilities tells what it supports: see `Kvm.how`."""
    if caps.get("KVM_CAP_HYPERV", 0) <= 0:
        return "capabilities"
    if caps.get("KVM_CAP_SYS_HYPERV_CPUID", 0) > 0:
        return "system-ioctl"
    return "vcpu-ioctl" if caps.get("KVM_CAP_HYPERV_CPUID", 0) > 0 else "synthesis"


def _leaves(device: KvmDevice, system: int, vcpu: int, caps: Mapping[str, int], how: str) -> tuple[CpuidLeaf, ...]:
    match how:
        case "system-ioctl":
            return system_leaves(device, system)
        case "vcpu-ioctl":
            return vcpu_leaves(device, vcpu, caps)
    return ()


def _supported_hv_cpuid(device: KvmDevice, descriptor: int) -> tuple[CpuidLeaf, ...]:
    buffer = _grown(
        device, descriptor, "KVM_GET_SUPPORTED_HV_CPUID", _HEADER.size, _ENTRY.size, (_FIRST_ENTRIES, _MOST_ENTRIES)
    )
    end = _HEADER.size + _COUNT.unpack_from(buffer)[0] * _ENTRY.size
    entries = _ENTRY.iter_unpack(buffer[_HEADER.size : min(end, len(buffer))])
    return tuple(sorted(CpuidLeaf(entry[0], *entry[3:7]) for entry in entries))


def _msrs(device: KvmDevice, system: int) -> frozenset[int]:
    buffer = _grown(device, system, "KVM_GET_MSR_INDEX_LIST", _COUNT.size, _COUNT.size, (_FIRST_MSRS, _MOST_MSRS))
    count = min(_COUNT.unpack_from(buffer)[0], len(buffer) // _COUNT.size - 1)
    return frozenset(struct.unpack_from(f"={count}I", buffer, _COUNT.size))


def _grown(
    device: KvmDevice, descriptor: int, name: str, header: int, entry: int, entries: tuple[int, int]
) -> bytearray:
    """The buffer that an ioctl filled, which counts its entries in its first word; E2BIG asks for a larger one."""
    count, most = entries
    while True:
        buffer = bytearray(header + count * entry)
        _COUNT.pack_into(buffer, 0, count)
        try:
            ask(device, descriptor, name, buffer)
            return buffer
        except IoctlError as error:
            if error.errno != errno.E2BIG or count >= most:
                raise
        count *= 2


def _enable_evmcs(device: KvmDevice, vcpu: int) -> None:
    # KVM writes the version range to the 16 bits that args[0] points to
    # (linux:arch/x86/kvm/x86.c, kvm_vcpu_ioctl_enable_cap).
    version = array("H", [0])
    address, _ = version.buffer_info()
    request = bytearray(_ENABLE_CAP.pack(KVM_CAPS["KVM_CAP_HYPERV_ENLIGHTENED_VMCS"], 0, address, 0, 0, 0))
    ask(device, vcpu, "KVM_ENABLE_CAP", request)


def _tsc_khz(device: KvmDevice, vcpu: int, caps: Mapping[str, int]) -> int | None:
    if caps["KVM_CAP_GET_TSC_KHZ"] <= 0:
        return None
    try:
        return ask(device, vcpu, "KVM_GET_TSC_KHZ")
    except IoctlError:
        # EIO where the host's TSC is not stable: then there is no frequency to tell.
        return None


def synthesise(caps: Mapping[str, int], msrs: Collection[int]) -> tuple[CpuidLeaf, ...]:
    """The leaves that QEMU makes up for a kernel without KVM_CAP_HYPERV_CPUID (before 5.0): features and
    recommendations, with the bits that rows check (qemu:target/i386/kvm/kvm.c:1194-1291; each row's `legacy` column).

    Args:
        caps: the answers to KVM_CHECK_EXTENSION by name.
        msrs: the indices of KVM_GET_MSR_INDEX_LIST.
    """
    registers = {HV_CPUID_FEATURES: dict.fromkeys(REGISTERS, 0), HV_CPUID_ENLIGHTMENT_INFO: dict.fromkeys(REGISTERS, 0)}
    registers[HV_CPUID_FEATURES]["eax"] = HV_HYPERCALL_AVAILABLE
    for row in ROWS:
        if row.legacy is None or not _shown(row.legacy, caps, msrs):
            continue
        for bits in row.checks:
            leaf = registers.setdefault(bits.leaf, dict.fromkeys(REGISTERS, 0))
            leaf[bits.register] |= bits.mask
    return tuple(CpuidLeaf(leaf, **values) for leaf, values in sorted(registers.items()))


def _shown(legacy: Legacy, caps: Mapping[str, int], msrs: Collection[int]) -> bool:
    if legacy.cap and caps.get(legacy.cap, 0) <= 0:
        return False
    return not legacy.msr or legacy.msr in msrs
