"""Hypercalls that replace interrupts among vCPUs."""

from __future__ import annotations

from hvctl.catalog.kvm import HV_CPUID_ENLIGHTMENT_INFO, HV_CPUID_FEATURES, HV_CPUID_NESTED_FEATURES
from hvctl.catalog.types import Advice, Bits, Legacy, LibvirtPlace, Property, Recommends, Release, Row

ROWS = (
    Row(
        id="tlbflush",
        title="TLB flush hypercalls",
        does="Lets the guest flush the TLBs of other vCPUs by one hypercall. vCPUs that are not running are "
        "flushed when "
        "they next run, so nobody waits for them: a large gain where CPUs are overcommitted.",
        properties=(Property("hv-tlbflush"),),
        qemu_name="paravirtualized TLB flush (hv-tlbflush)",
        feature=11,
        checks=(
            Bits(
                HV_CPUID_ENLIGHTMENT_INFO,
                "eax",
                (2, 11),
                ("HV_REMOTE_TLB_FLUSH_RECOMMENDED", "HV_EX_PROCESSOR_MASKS_RECOMMENDED"),
            ),
        ),
        legacy=Legacy(cap="KVM_CAP_HYPERV_TLBFLUSH"),
        requires=("vpindex",),
        in_passthrough=True,
        libvirt=LibvirtPlace("tlbflush", "4.7.0"),
        hypercalls=(
            "HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE",
            "HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST",
            "HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX",
            "HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST_EX",
        ),
        advice_text="Turn it on.",
        avoid="Users report blue screens on processors before Nehalem (Proxmox keeps it optional for that).",
        since_qemu=Release("3.0"),
        since_kvm=Release("4.18", certain=False),
        sources=(
            "qemu:docs/system/i386/hyperv.rst:107-115",
            "qemu:target/i386/kvm/kvm.c:1033-1041",
            "libvirt:docs/formatdomain.rst:2152",
        ),
    ),
    Row(
        id="tlbflush-direct",
        title="direct TLB flush for nested guests",
        does="Lets KVM itself answer the TLB flush hypercalls of the guests of a Hyper-V inside the guest, "
        "without waking "
        "that Hyper-V.",
        properties=(Property("hv-tlbflush-direct"),),
        qemu_name="direct TLB flush (hv-tlbflush-direct)",
        feature=20,
        checks=(Bits(HV_CPUID_NESTED_FEATURES, "eax", (17,), ("HV_NESTED_DIRECT_FLUSH",)),),
        requires=("vapic",),
        recommends=(
            Recommends("evmcs", "on Intel it works only through the enlightened VMCS (nested.c:6551)", "intel"),
            Recommends("emsr-bitmap", "the nested enlightenments are used together (hyperv.rst:248-257)", "intel"),
        ),
        for_nested=True,
        in_passthrough=True,
        libvirt=LibvirtPlace("tlbflush/direct", "11.0.0", abi_checked=False),
        nested_only=True,
        migration="libvirt's ABI check does not compare it.",
        advice=Advice.NESTED,
        advice_text="Turn it on where the guest runs Hyper-V, VBS or WSL2.",
        avoid="KVM_CAP_HYPERV_DIRECT_TLBFLUSH (175) is another thing: KVM itself running on Hyper-V.",
        since_qemu=Release("7.1"),
        since_kvm=Release("6.2", certain=False),
        sources=(
            "qemu:docs/system/i386/hyperv.rst:248-257",
            "qemu:target/i386/kvm/kvm.c:1105-1112",
            "linux:arch/x86/kvm/vmx/nested.c:6551",
            "linux:arch/x86/kvm/svm/nested.c:303-319",
            "libvirt:docs/formatdomain.rst:2152",
        ),
    ),
    Row(
        id="tlbflush-ext",
        title="extended GVA ranges in TLB flushes",
        does="Lets a TLB flush hypercall name the ranges of addresses to flush, so that KVM need not flush everything.",
        properties=(Property("hv-tlbflush-ext"),),
        aliases=("tlbflush-extended",),
        qemu_name="Extended gva ranges for TLB flush hypercalls (hv-tlbflush-ext)",
        feature=19,
        checks=(Bits(HV_CPUID_FEATURES, "edx", (14,), ("HV_EXT_GVA_RANGES_FLUSH_AVAILABLE",)),),
        requires=("tlbflush",),
        in_passthrough=True,
        libvirt=LibvirtPlace("tlbflush/extended", "11.0.0", abi_checked=False),
        migration="libvirt's ABI check does not compare it.",
        advice_text="Turn it on with tlbflush.",
        cost="Effective only with two-dimensional paging and for short lists (KVM queues 16 entries a vCPU).",
        since_qemu=Release("7.1"),
        since_kvm=Release("6.2", certain=False),
        sources=(
            "qemu:docs/system/i386/hyperv.rst:242-246",
            "qemu:target/i386/kvm/kvm.c:1097-1104",
            "linux:arch/x86/kvm/hyperv.c:1981-2022",
            "libvirt:docs/formatdomain.rst:2152",
        ),
    ),
    Row(
        id="ipi",
        title="IPI hypercalls",
        does="Lets the guest send an inter-processor interrupt to many vCPUs by one hypercall instead of one APIC "
        "access for each.",
        properties=(Property("hv-ipi"),),
        qemu_name="paravirtualized IPI (hv-ipi)",
        feature=13,
        checks=(
            Bits(
                HV_CPUID_ENLIGHTMENT_INFO,
                "eax",
                (10, 11),
                ("HV_CLUSTER_IPI_RECOMMENDED", "HV_EX_PROCESSOR_MASKS_RECOMMENDED"),
            ),
        ),
        legacy=Legacy(cap="KVM_CAP_HYPERV_SEND_IPI"),
        requires=("vpindex",),
        in_passthrough=True,
        irqchip=True,
        libvirt=LibvirtPlace("ipi", "4.10.0"),
        hypercalls=("HVCALL_SEND_IPI", "HVCALL_SEND_IPI_EX"),
        advice_text="Turn it on.",
        since_qemu=Release("3.1"),
        since_kvm=Release("4.20", certain=False),
        sources=(
            "qemu:docs/system/i386/hyperv.rst:117-122",
            "qemu:target/i386/kvm/kvm.c:1050-1058",
            "linux:arch/x86/kvm/hyperv.c:2879-2880",
            "libvirt:docs/formatdomain.rst:2153",
        ),
    ),
)
