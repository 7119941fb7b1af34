"""Nested Hyper-V, the hardware's virtual APIC, and hypercall input in registers."""

from __future__ import annotations

from hvctl.catalog.kvm import HV_CPUID_ENLIGHTMENT_INFO, HV_CPUID_FEATURES, HV_CPUID_NESTED_FEATURES
from hvctl.catalog.types import (
    Advice,
    Bits,
    Legacy,
    LibvirtPlace,
    Need,
    Property,
    Recommends,
    Release,
    Row,
)

ROWS = (
    Row(
        id="evmcs",
        title="enlightened VMCS",
        does="Lets a Hyper-V inside the guest keep the state of its own guests in a shared page instead of "
        "VMREAD and VMWRITE, "
        "each of which exits to KVM: nested exits become several times cheaper.",
        properties=(Property("hv-evmcs"),),
        qemu_name="enlightened VMCS (hv-evmcs)",
        feature=12,
        checks=(Bits(HV_CPUID_ENLIGHTMENT_INFO, "eax", (14,), ("HV_ENLIGHTENED_VMCS_RECOMMENDED",)),),
        # The eVMCS version range 1..1 in the low 16 bits (DEFAULT_EVMCS_VERSION), by the bits that it sets.
        adds=(Bits(HV_CPUID_NESTED_FEATURES, "eax", (0, 8), ("evmcs-version-low", "evmcs-version-high")),),
        caps=("KVM_CAP_HYPERV_ENLIGHTENED_VMCS",),
        legacy=Legacy(cap="KVM_CAP_HYPERV_ENLIGHTENED_VMCS"),
        requires=("vapic",),
        recommends=(
            Recommends("emsr-bitmap", "it saves the copy of the MSR bitmap on each nested entry", "intel"),
            Recommends("tlbflush-direct", "it saves nested exits for TLB flushes", "intel"),
        ),
        for_nested=True,
        in_passthrough=True,
        libvirt=LibvirtPlace("evmcs", "4.10.0"),
        vendors=("intel",),
        nested_only=True,
        vmstate="nested state with KVM_STATE_NESTED_EVMCS",
        migration="A destination without it refuses the nested state of a guest that uses it (EINVAL).",
        advice=Advice.NESTED,
        advice_text="Intel only, with kvm_intel nested=1, where the guest runs Hyper-V, VBS or WSL2.",
        cost="The guest's Hyper-V loses posted interrupts, the preemption timer, APICv controls, PML, VMFUNC, "
        "shadow VMCS, "
        "PLE and TSC scaling. Measure with and without.",
        avoid="On AMD, and on Intel with nested off, QEMU refuses to start.",
        since_qemu=Release("3.1"),
        since_kvm=Release("4.20", certain=False),
        sources=(
            "qemu:docs/system/i386/hyperv.rst:159-169",
            "qemu:docs/system/i386/hyperv.rst:297-299",
            "qemu:target/i386/kvm/kvm.c:1042-1049",
            "qemu:target/i386/kvm/kvm.c:1748-1775",
            "linux:arch/x86/kvm/vmx/hyperv.c:30-46",
            "linux:arch/x86/kvm/vmx/hyperv_evmcs.h:15-120",
            "libvirt:docs/formatdomain.rst:2154",
        ),
    ),
    Row(
        id="avic",
        title="APICv/AVIC: do not use AutoEOI",
        does="Tells Windows not to use AutoEOI for synthetic interrupts and not to use the virtual APIC's MSRs, "
        "so that the "
        "hardware's own virtual APIC (Intel APICv, AMD AVIC) stays active.",
        properties=(Property("hv-avic"),),
        aliases=("apicv",),
        property_aliases=("hv-apicv",),
        qemu_name="AVIC/APICv support (hv-avic/hv-apicv)",
        feature=15,
        checks=(Bits(HV_CPUID_ENLIGHTMENT_INFO, "eax", (9,), ("HV_DEPRECATING_AEOI_RECOMMENDED",)),),
        in_passthrough=True,
        libvirt=LibvirtPlace("avic", "8.10.0"),
        needs=(Need.APICV,),
        advice=Advice.CONDITIONAL,
        advice_text="Turn it on only where every host has APICv or AVIC active.",
        avoid="KVM reports the bit on all hardware; without APICv/AVIC it only takes the cheaper AutoEOI away.",
        since_qemu=Release("6.2"),
        since_kvm=Release("5.15", certain=False),
        sources=(
            "qemu:docs/system/i386/hyperv.rst:180-185",
            "qemu:docs/system/i386/hyperv.rst:314-315",
            "qemu:target/i386/kvm/kvm.c:1067-1073",
            "qemu:target/i386/kvm/kvm.c:1599-1602",
            "linux:arch/x86/kvm/hyperv.c:2887",
            "libvirt:docs/formatdomain.rst:2155",
        ),
    ),
    Row(
        id="emsr-bitmap",
        title="enlightened MSR bitmap",
        does="Lets a Hyper-V inside the guest say when it has changed the MSR bitmap of its guests, so that KVM "
        "need not merge it anew "
        "on each nested entry.",
        properties=(Property("hv-emsr-bitmap"),),
        qemu_name="enlightened MSR-Bitmap (hv-emsr-bitmap)",
        feature=17,
        checks=(Bits(HV_CPUID_NESTED_FEATURES, "eax", (19,), ("HV_NESTED_MSR_BITMAP",)),),
        recommends=(
            Recommends("evmcs", "on Intel it works only through the enlightened VMCS (nested.c:749)", "intel"),
        ),
        for_nested=True,
        in_passthrough=True,
        libvirt=LibvirtPlace("emsr_bitmap", "10.7.0"),
        nested_only=True,
        advice=Advice.NESTED,
        advice_text="Turn it on where the guest runs Hyper-V, VBS or WSL2.",
        since_qemu=Release("7.1"),
        since_kvm=Release("5.17 (Intel), 5.18 (AMD)"),
        sources=(
            "qemu:docs/system/i386/hyperv.rst:228-235",
            "qemu:target/i386/kvm/kvm.c:1083-1089",
            "linux:arch/x86/kvm/vmx/nested.c:749-763",
            "libvirt:docs/formatdomain.rst:2156",
        ),
    ),
    Row(
        id="xmm-input",
        title="hypercall input in XMM registers",
        does="Lets the guest pass the input of a hypercall in XMM registers instead of a page of memory.",
        properties=(Property("hv-xmm-input"),),
        qemu_name="XMM fast hypercall input (hv-xmm-input)",
        feature=18,
        checks=(Bits(HV_CPUID_FEATURES, "edx", (4,), ("HV_HYPERCALL_XMM_INPUT_AVAILABLE",)),),
        in_passthrough=True,
        libvirt=LibvirtPlace("xmm_input", "10.7.0"),
        advice_text="Turn it on.",
        since_qemu=Release("7.1"),
        since_kvm=Release("5.14"),
        sources=(
            "qemu:docs/system/i386/hyperv.rst:237-240",
            "qemu:target/i386/kvm/kvm.c:1090-1096",
            "linux:arch/x86/kvm/hyperv.c:2595-2601",
            "libvirt:docs/formatdomain.rst:2157",
        ),
    ),
)
