"""Constants of the KVM and Hyper-V interfaces, by the names that their headers give them."""

# linux:include/uapi/linux/kvm.h
KVM_CAPS = {
    "KVM_CAP_HYPERV": 44,
    "KVM_CAP_HYPERV_VAPIC": 45,
    "KVM_CAP_HYPERV_SPIN": 46,
    "KVM_CAP_TSC_CONTROL": 60,
    "KVM_CAP_GET_TSC_KHZ": 61,
    "KVM_CAP_HYPERV_TIME": 96,
    "KVM_CAP_HYPERV_SYNIC": 123,
    "KVM_CAP_HYPERV_SYNIC2": 148,
    "KVM_CAP_HYPERV_VP_INDEX": 149,
    "KVM_CAP_HYPERV_EVENTFD": 154,
    "KVM_CAP_HYPERV_TLBFLUSH": 155,
    "KVM_CAP_HYPERV_SEND_IPI": 161,
    "KVM_CAP_HYPERV_ENLIGHTENED_VMCS": 163,
    "KVM_CAP_HYPERV_CPUID": 167,
    "KVM_CAP_HYPERV_DIRECT_TLBFLUSH": 175,
    "KVM_CAP_SYS_HYPERV_CPUID": 191,
    "KVM_CAP_HYPERV_ENFORCE_CPUID": 199,
}

# Leaves: qemu:target/i386/kvm/hyperv-proto.h, linux:include/hyperv/hvgdk_mini.h; TLFS "Feature and interface discovery"
HV_CPUID_VENDOR_AND_MAX_FUNCTIONS = 0x40000000
HV_CPUID_INTERFACE = 0x40000001
HV_CPUID_VERSION = 0x40000002
HV_CPUID_FEATURES = 0x40000003
HV_CPUID_ENLIGHTMENT_INFO = 0x40000004
HV_CPUID_IMPLEMENT_LIMITS = 0x40000005
HV_CPUID_NESTED_FEATURES = 0x4000000A
HV_CPUID_SYNDBG_VENDOR_AND_MAX_FUNCTIONS = 0x40000080
HV_CPUID_SYNDBG_INTERFACE = 0x40000081
HV_CPUID_SYNDBG_PLATFORM_CAPABILITIES = 0x40000082

# linux:arch/x86/include/asm/hyperv-tlfs.h (since 6.13 include/hyperv/hvgdk_mini.h)
HV_X64_MSR_CRASH_CTL = 0x40000105

# KVM's own leaves, moved up by 0x100 where Hyper-V's are present (qemu:target/i386/kvm/kvm.c, KVM_CPUID_SIGNATURE_NEXT)
KVM_CPUID_SIGNATURE = 0x40000000
KVM_CPUID_SIGNATURE_NEXT = 0x40000100
# The bits of EAX in the leaf after it, by the properties of QEMU's CPU (qemu:target/i386/cpu.c, FEAT_KVM)
KVM_FEATURES = {
    "kvmclock": (0, 3),
    "kvm-nopiodelay": (1,),
    "kvm-mmu": (2,),
    "kvm-asyncpf": (4,),
    "kvm-steal-time": (5,),
    "kvm-pv-eoi": (6,),
    "kvm-pv-unhalt": (7,),
    "kvm-pv-tlb-flush": (9,),
    "kvm-asyncpf-vmexit": (10,),
    "kvm-pv-ipi": (11,),
    "kvm-poll-control": (12,),
    "kvm-pv-sched-yield": (13,),
    "kvm-asyncpf-int": (14,),
    "kvm-msi-ext-dest-id": (15,),
    "kvmclock-stable-bit": (24,),
}
# VMware's leaf for the frequencies of TSC and APIC in kHz, which QEMU writes where KVM's own are not moved up
# (qemu:target/i386/kvm/kvm.c, kvm_arch_init_vcpu; KVM_APIC_BUS_FREQUENCY)
VMWARE_FREQUENCIES = 0x40000010
APIC_BUS_KHZ = 1_000_000

# Always set by QEMU with any enlightenment (qemu:target/i386/kvm/kvm.c, hyperv_fill_cpuids)
HV_HYPERCALL_AVAILABLE = 1 << 5  # 0x40000003.EAX
HV_CPU_DYNAMIC_PARTITIONING_AVAILABLE = (
    1 << 3
)  # 0x40000003.EDX: CPU hotplug in Windows needs it, KVM does not report it
HV_INTERFACE_SIGNATURE = 0x31237648  # "Hv#1"
HYPERV_LIMITS_EBX = 64  # qemu:target/i386/cpu.c: hyperv_limits[0]

TSC_TOLERANCE_PPM = 250  # qemu:target/i386/kvm/kvm.c kvm_arch_set_tsc_khz, linux:arch/x86/kvm/x86.c tsc_tolerance_ppm

REGISTERS = ("eax", "ebx", "ecx", "edx")
