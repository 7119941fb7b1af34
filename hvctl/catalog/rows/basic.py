"""Rows that every Windows guest wants and every KVM with Hyper-V emulation gives."""

from __future__ import annotations

from hvctl.catalog.kvm import HV_CPUID_ENLIGHTMENT_INFO, HV_CPUID_FEATURES
from hvctl.catalog.types import Advice, Bits, Field, Kind, Legacy, LibvirtPlace, Property, Release, Row

ROWS = (
    Row(
        id="relaxed",
        title="relaxed timing",
        does="Tells Windows not to run its hardware watchdogs, which would otherwise stop it with a blue screen "
        "(CLOCK_WATCHDOG_TIMEOUT) when a vCPU is not scheduled for a while on a busy host.",
        properties=(Property("hv-relaxed"),),
        qemu_name="relaxed timing (hv-relaxed)",
        feature=0,
        checks=(Bits(HV_CPUID_ENLIGHTMENT_INFO, "eax", (5,), ("HV_RELAXED_TIMING_RECOMMENDED",)),),
        legacy=Legacy(cap="KVM_CAP_HYPERV"),
        in_passthrough=True,
        libvirt=LibvirtPlace("relaxed", "1.0.0"),
        advice_text="Turn it on for every Windows guest.",
        since_qemu=Release("1.1", certain=False),
        since_kvm=Release("2.6.34", certain=False),
        sources=(
            "qemu:docs/system/i386/hyperv.rst:40-43",
            "qemu:target/i386/cpu.c:8807",
            "qemu:target/i386/kvm/kvm.c:953-959",
            "libvirt:docs/formatdomain.rst:2141",
        ),
    ),
    Row(
        id="vapic",
        title="virtual APIC",
        does="Gives the guest the VP assist page and MSRs for the APIC's EOI, ICR and TPR registers, so that "
        "the most "
        "frequent APIC accesses cost one short exit, or none, instead of a decoded memory access.",
        properties=(Property("hv-vapic"),),
        qemu_name="virtual APIC (hv-vapic)",
        feature=1,
        checks=(Bits(HV_CPUID_FEATURES, "eax", (4,), ("HV_APIC_ACCESS_AVAILABLE",)),),
        adds=(Bits(HV_CPUID_ENLIGHTMENT_INFO, "eax", (3,), ("HV_APIC_ACCESS_RECOMMENDED",), unless="avic"),),
        legacy=Legacy(cap="KVM_CAP_HYPERV"),
        in_passthrough=True,
        libvirt=LibvirtPlace("vapic", "1.1.0"),
        vmstate="cpu/msr_hyperv_vapic",
        msrs=((0x40000070, 0x40000073),),
        advice_text="Turn it on for every Windows guest; with avic the guest is told to prefer the hardware's APIC.",
        since_qemu=Release("1.1", certain=False),
        since_kvm=Release("2.6.34", certain=False),
        sources=(
            "qemu:docs/system/i386/hyperv.rst:45-48",
            "qemu:target/i386/cpu.c:8809",
            "qemu:target/i386/kvm/kvm.c:960-966",
            "qemu:target/i386/kvm/kvm.c:1599-1602",
            "libvirt:docs/formatdomain.rst:2142",
        ),
    ),
    Row(
        id="spinlocks",
        title="spinlock retries",
        does="Tells Windows how often to try a spinlock before it reports a long wait by hypercall, on which "
        "KVM lets "
        "another vCPU run. It helps where there are more vCPUs than CPUs.",
        properties=(Property("hv-spinlocks", "uint32", 0xFFFFFFFF, Field(HV_CPUID_ENLIGHTMENT_INFO, "ebx")),),
        kind=Kind.NUMBER,
        minimum=4095,
        maximum=0x7FFFFFFF,
        overwritten=True,
        libvirt=LibvirtPlace("spinlocks", "1.1.0", attribute="retries", minimum=4095),
        hypercalls=("HVCALL_NOTIFY_LONG_SPIN_WAIT",),
        migration="The number is visible in CPUID: source and destination must name the same one.",
        advice=Advice.ON,
        advice_text="QEMU's documents say 4095 (0xfff) where CPUs are overcommitted and to leave the default "
        "elsewhere; "
        "RHEL, KubeVirt, oVirt and virt-install write 8191.",
        avoid="With pinned vCPUs that own their CPUs, a notification gives nothing back: leave it off (never notify).",
        since_qemu=Release("1.1", certain=False),
        since_kvm=Release("2.6.34", certain=False),
        sources=(
            "qemu:docs/system/i386/hyperv.rst:50-53",
            "qemu:docs/system/i386/hyperv.rst:311-313",
            "qemu:target/i386/cpu.c:8805-8806",
            "qemu:target/i386/kvm/kvm.c:1597",
            "libvirt:docs/formatdomain.rst:2143",
            "libvirt:src/conf/domain_conf.c:17013-17016",
        ),
    ),
    Row(
        id="vpindex",
        title="VP index MSR",
        does="Lets a vCPU read its number as Hyper-V counts it. The synthetic interrupt controller and the "
        "hypercalls "
        "that address other vCPUs (TLB flush, IPI) are built on it.",
        properties=(Property("hv-vpindex"),),
        qemu_name="VP_INDEX MSR (hv-vpindex)",
        feature=5,
        checks=(Bits(HV_CPUID_FEATURES, "eax", (6,), ("HV_VP_INDEX_AVAILABLE",)),),
        caps=("KVM_CAP_HYPERV_VP_INDEX",),
        legacy=Legacy(msr=0x40000002),
        in_passthrough=True,
        libvirt=LibvirtPlace("vpindex", "1.3.3"),
        migration="QEMU derives the index from the CPU's number; nothing is carried.",
        msrs=((0x40000002, 0x40000002),),
        advice_text="Turn it on for every Windows guest.",
        since_qemu=Release("2.5"),
        since_kvm=Release("4.4", certain=False),
        sources=(
            "qemu:docs/system/i386/hyperv.rst:55-60",
            "qemu:target/i386/cpu.c:8817",
            "qemu:target/i386/kvm/kvm.c:988-994",
            "qemu:hw/i386/x86-common.c:431",
            "libvirt:docs/formatdomain.rst:2144",
        ),
    ),
    Row(
        id="runtime",
        title="VP runtime MSR",
        does="Lets the guest read how long a vCPU has really run, so that Windows does not count time that the host "
        "took away as time that a thread used.",
        properties=(Property("hv-runtime"),),
        qemu_name="VP_RUNTIME MSR (hv-runtime)",
        feature=6,
        checks=(Bits(HV_CPUID_FEATURES, "eax", (0,), ("HV_VP_RUNTIME_AVAILABLE",)),),
        legacy=Legacy(msr=0x40000010),
        in_passthrough=True,
        libvirt=LibvirtPlace("runtime", "1.3.3"),
        vmstate="cpu/msr_hyperv_runtime",
        msrs=((0x40000010, 0x40000010),),
        advice_text="Turn it on for every Windows guest.",
        since_qemu=Release("2.5"),
        since_kvm=Release("4.4", certain=False),
        sources=(
            "qemu:docs/system/i386/hyperv.rst:62-66",
            "qemu:target/i386/cpu.c:8819",
            "qemu:target/i386/kvm/kvm.c:995-1001",
            "libvirt:docs/formatdomain.rst:2145",
        ),
    ),
    Row(
        id="crash",
        title="crash MSRs",
        does="Gives Windows MSRs in which it leaves the five parameters of a bug check; QEMU reports them as "
        "the event "
        "GUEST_PANICKED.",
        properties=(Property("hv-crash"),),
        qemu_name="crash MSRs (hv-crash)",
        feature=3,
        checks=(Bits(HV_CPUID_FEATURES, "edx", (10,), ("HV_GUEST_CRASH_MSR_AVAILABLE",)),),
        legacy=Legacy(msr=0x40000105),
        in_passthrough=True,
        libvirt=LibvirtPlace("panic:hyperv", "1.3.0"),
        vmstate="cpu/msr_hyperv_crash",
        msrs=((0x40000100, 0x40000105),),
        advice=Advice.OFF,
        advice_text="Leave it off unless something reads the event.",
        cost="Windows does not write its own crash dump any more.",
        avoid="Where crash dumps are collected inside the guest.",
        since_qemu=Release("2.5", certain=False),
        since_kvm=Release("4.3", certain=False),
        sources=(
            "qemu:docs/system/i386/hyperv.rst:68-75",
            "qemu:docs/system/i386/hyperv.rst:306-308",
            "qemu:qapi/run-state.json:500-552",
            "qemu:target/i386/kvm/kvm.c:974-980",
            "linux:include/hyperv/hvgdk_mini.h:130-135",
            "libvirt:docs/formatdomain.rst:8699-8713",
        ),
    ),
)
