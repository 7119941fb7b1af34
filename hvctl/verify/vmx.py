"""What an enlightened VMCS hides from a hypervisor inside the guest: VMX controls, seen with and without it.

KVM hides the controls whose fields an enlightened VMCS does not have from the guest's first instruction on, whether the
guest then uses one or not (linux:arch/x86/kvm/vmx/vmx.c, vmx_get_msr: guest_cpuid_has_evmcs). So one boot cannot show
both: the same guest is started a second time without any enlightenment.
"""

from collections.abc import Mapping
from typing import NamedTuple

from hvctl.catalog import ROWS
from hvctl.model.verification import Observation, VmxControls
from hvctl.verify.compare import Registers, all_set


class _Controls(NamedTuple):
    """An MSR that says which controls may be 0, in its low half, and which may be 1; and the names of these."""

    msr: int
    names: Mapping[int, str]


# SDM 3D, appendix A; the names are those of linux:arch/x86/include/asm/vmx.h.
_CONTROLS = (
    _Controls(
        0x48D,
        {
            0: "PIN_BASED_EXT_INTR_MASK",
            3: "PIN_BASED_NMI_EXITING",
            5: "PIN_BASED_VIRTUAL_NMIS",
            6: "PIN_BASED_VMX_PREEMPTION_TIMER",
            7: "PIN_BASED_POSTED_INTR",
        },
    ),
    _Controls(
        0x48E,
        {
            2: "CPU_BASED_INTR_WINDOW_EXITING",
            3: "CPU_BASED_USE_TSC_OFFSETTING",
            7: "CPU_BASED_HLT_EXITING",
            9: "CPU_BASED_INVLPG_EXITING",
            10: "CPU_BASED_MWAIT_EXITING",
            11: "CPU_BASED_RDPMC_EXITING",
            12: "CPU_BASED_RDTSC_EXITING",
            15: "CPU_BASED_CR3_LOAD_EXITING",
            16: "CPU_BASED_CR3_STORE_EXITING",
            17: "CPU_BASED_ACTIVATE_TERTIARY_CONTROLS",
            19: "CPU_BASED_CR8_LOAD_EXITING",
            20: "CPU_BASED_CR8_STORE_EXITING",
            21: "CPU_BASED_TPR_SHADOW",
            22: "CPU_BASED_NMI_WINDOW_EXITING",
            23: "CPU_BASED_MOV_DR_EXITING",
            24: "CPU_BASED_UNCOND_IO_EXITING",
            25: "CPU_BASED_USE_IO_BITMAPS",
            27: "CPU_BASED_MONITOR_TRAP_FLAG",
            28: "CPU_BASED_USE_MSR_BITMAPS",
            29: "CPU_BASED_MONITOR_EXITING",
            30: "CPU_BASED_PAUSE_EXITING",
            31: "CPU_BASED_ACTIVATE_SECONDARY_CONTROLS",
        },
    ),
    _Controls(
        0x48B,
        {
            0: "SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES",
            1: "SECONDARY_EXEC_ENABLE_EPT",
            2: "SECONDARY_EXEC_DESC",
            3: "SECONDARY_EXEC_ENABLE_RDTSCP",
            4: "SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE",
            5: "SECONDARY_EXEC_ENABLE_VPID",
            6: "SECONDARY_EXEC_WBINVD_EXITING",
            7: "SECONDARY_EXEC_UNRESTRICTED_GUEST",
            8: "SECONDARY_EXEC_APIC_REGISTER_VIRT",
            9: "SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY",
            10: "SECONDARY_EXEC_PAUSE_LOOP_EXITING",
            11: "SECONDARY_EXEC_RDRAND_EXITING",
            12: "SECONDARY_EXEC_ENABLE_INVPCID",
            13: "SECONDARY_EXEC_ENABLE_VMFUNC",
            14: "SECONDARY_EXEC_SHADOW_VMCS",
            15: "SECONDARY_EXEC_ENCLS_EXITING",
            16: "SECONDARY_EXEC_RDSEED_EXITING",
            17: "SECONDARY_EXEC_ENABLE_PML",
            18: "SECONDARY_EXEC_EPT_VIOLATION_VE",
            19: "SECONDARY_EXEC_PT_CONCEAL_VMX",
            20: "SECONDARY_EXEC_ENABLE_XSAVES",
            22: "SECONDARY_EXEC_MODE_BASED_EPT_EXEC",
            24: "SECONDARY_EXEC_PT_USE_GPA",
            25: "SECONDARY_EXEC_TSC_SCALING",
            26: "SECONDARY_EXEC_ENABLE_USR_WAIT_PAUSE",
            30: "SECONDARY_EXEC_BUS_LOCK_DETECTION",
            31: "SECONDARY_EXEC_NOTIFY_VM_EXITING",
        },
    ),
    _Controls(
        0x48F,
        {
            2: "VM_EXIT_SAVE_DEBUG_CONTROLS",
            9: "VM_EXIT_HOST_ADDR_SPACE_SIZE",
            12: "VM_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL",
            15: "VM_EXIT_ACK_INTR_ON_EXIT",
            18: "VM_EXIT_SAVE_IA32_PAT",
            19: "VM_EXIT_LOAD_IA32_PAT",
            20: "VM_EXIT_SAVE_IA32_EFER",
            21: "VM_EXIT_LOAD_IA32_EFER",
            22: "VM_EXIT_SAVE_VMX_PREEMPTION_TIMER",
            23: "VM_EXIT_CLEAR_BNDCFGS",
            24: "VM_EXIT_PT_CONCEAL_PIP",
            25: "VM_EXIT_CLEAR_IA32_RTIT_CTL",
        },
    ),
    _Controls(
        0x490,
        {
            2: "VM_ENTRY_LOAD_DEBUG_CONTROLS",
            9: "VM_ENTRY_IA32E_MODE",
            10: "VM_ENTRY_SMM",
            11: "VM_ENTRY_DEACT_DUAL_MONITOR",
            13: "VM_ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL",
            14: "VM_ENTRY_LOAD_IA32_PAT",
            15: "VM_ENTRY_LOAD_IA32_EFER",
            16: "VM_ENTRY_LOAD_BNDCFGS",
            17: "VM_ENTRY_PT_CONCEAL_PIP",
            18: "VM_ENTRY_LOAD_IA32_RTIT_CTL",
        },
    ),
)
MSR_VMX_VMFUNC = 0x491  # 64 bits, each of which may be 1
_VMFUNCS = {0: "VMX_VMFUNC_EPTP_SWITCHING"}
_LIMITING = next(row for row in ROWS for bits in row.checks if "HV_ENLIGHTENED_VMCS_RECOMMENDED" in bits.names)


def is_limited(seen: Observation) -> bool:
    """Whether the guest has VMX, and an enlightened VMCS for it."""
    return controls(seen) != () and all_set(_LIMITING.checks, Registers(seen.vcpus[0].leaves))


def limits(seen: Observation, without: Observation) -> VmxControls | None:
    """The controls of a guest that has an enlightened VMCS, and of the same guest that was to have none.

    None where that one has it all the same, by a -global, which belongs to the CPU's class and was kept.
    """
    if is_limited(without) or not controls(without):
        return None
    return VmxControls(_LIMITING.id, controls(seen), controls(without))


def controls(seen: Observation) -> tuple[str, ...]:
    """The names of the controls that a hypervisor inside the guest may turn on; none where it has no VMX."""
    found: list[str] = []
    for group in _CONTROLS:
        value = _value(seen, group.msr)
        found += _named(group.msr, value >> 32 & ~value, group.names)
    return (*found, *_named(MSR_VMX_VMFUNC, _value(seen, MSR_VMX_VMFUNC), _VMFUNCS))


def _value(seen: Observation, msr: int) -> int:
    run = seen.run(msr)
    return (run.value if run else None) or 0


def _named(msr: int, bits: int, names: Mapping[int, str]) -> list[str]:
    return [names.get(bit, f"bit {bit} of MSR {msr:#x}") for bit in range(64) if bits >> bit & 1]
