"""What KVM supports on a kernel without KVM_CAP_HYPERV_CPUID (before 5.0), from capabilities and the list of MSRs.

As QEMU does it (qemu:target/i386/kvm/kvm.c:1194-1291); each row's `legacy` column holds the evidence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hvctl.catalog import ROWS
from hvctl.catalog.kvm import HV_CPUID_ENLIGHTMENT_INFO, HV_CPUID_FEATURES, HV_HYPERCALL_AVAILABLE, REGISTERS
from hvctl.catalog.types import Legacy
from hvctl.model.cpuid import CpuidLeaf

# What the capabilities and MSRs cannot show: QEMU takes these for absent.
UNSEEN = tuple(row.id for row in ROWS if row.checks and row.legacy is None)


def synthesise(caps: Mapping[str, int], msrs: Collection[int]) -> tuple[CpuidLeaf, ...]:
    """The leaves that QEMU would make up: features and recommendations, with the bits that rows check.

    Args:
        caps: the answers to KVM_CHECK_EXTENSION by name.
        msrs: the indices of KVM_GET_MSR_INDEX_LIST.
    """
    registers = {
        HV_CPUID_FEATURES: dict.fromkeys(REGISTERS, 0),
        HV_CPUID_ENLIGHTMENT_INFO: dict.fromkeys(REGISTERS, 0),
    }
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
