"""Clock sources, the synthetic interrupt controller and the synthetic timers."""

from __future__ import annotations

from hvctl.catalog.kvm import HV_CPUID_FEATURES
from hvctl.catalog.types import Bits, Legacy, LibvirtPlace, Property, Release, Row

ROWS = (
    Row(
        id="time",
        title="reference time: counter MSR and TSC page",
        does="Gives the guest a clock that it reads from a shared page with one RDTSC and no exit, and a reference "
        "counter MSR. Without it Windows reads the ACPI PM timer, an exit each time.",
        properties=(Property("hv-time"),),
        aliases=("hypervclock",),
        reference_clock=True,
        qemu_name="clocksources (hv-time)",
        feature=2,
        checks=(
            Bits(
                HV_CPUID_FEATURES,
                "eax",
                (1, 9),
                ("HV_TIME_REF_COUNT_AVAILABLE", "HV_REFERENCE_TSC_AVAILABLE"),
            ),
        ),
        legacy=Legacy(cap="KVM_CAP_HYPERV_TIME"),
        in_passthrough=True,
        libvirt=LibvirtPlace("timer:hypervclock", "1.2.2"),
        vmstate="cpu/msr_hyperv_time",
        migration="The destination's KVM writes a new TSC page with a new sequence number; the clock goes on.",
        msrs=((0x40000020, 0x40000021),),
        advice_text="Turn it on for every Windows guest.",
        avoid="The TSC page is valid only while the host's own clock source is the TSC; elsewhere each read becomes "
        "an MSR read.",
        since_qemu=Release("2.0", certain=False),
        since_kvm=Release("3.14", certain=False),
        sources=(
            "qemu:docs/system/i386/hyperv.rst:77-83",
            "qemu:target/i386/cpu.c:8811",
            "qemu:target/i386/kvm/kvm.c:967-973",
            "linux:arch/x86/kvm/hyperv.c:1123-1155",
            "libvirt:docs/formatdomain.rst:2425-2426",
        ),
    ),
    Row(
        id="synic",
        title="synthetic interrupt controller",
        does="Gives each vCPU Hyper-V's SynIC: message and event pages and synthetic interrupts. Synthetic "
        "timers and "
        "VMBus devices are built on it.",
        properties=(Property("hv-synic"),),
        qemu_name="synthetic interrupt controller (hv-synic)",
        ramblock="synic-0-msg-page",
        feature=7,
        checks=(Bits(HV_CPUID_FEATURES, "eax", (2,), ("HV_SYNIC_AVAILABLE",)),),
        adds=(
            Bits(
                HV_CPUID_FEATURES,
                "ebx",
                (4, 5),
                ("HV_POST_MESSAGES", "HV_SIGNAL_EVENTS"),
                unless="x-hv-synic-kvm-only",
            ),
        ),
        caps=("KVM_CAP_HYPERV_SYNIC2",),
        legacy=Legacy(cap="KVM_CAP_HYPERV_SYNIC2", msr=0x40000080),
        requires=("vpindex",),
        requires_unless="x-hv-synic-kvm-only",
        in_passthrough=True,
        irqchip=True,
        libvirt=LibvirtPlace("synic", "1.3.3"),
        vmstate="cpu/msr_hyperv_synic",
        migration="A destination without it refuses the stream (its RAM blocks synic-N-msg-page are unknown there).",
        msrs=((0x40000080, 0x40000084), (0x40000090, 0x4000009F)),
        hypercalls=("HVCALL_POST_MESSAGE", "HVCALL_SIGNAL_EVENT"),
        advice_text="Turn it on for every Windows guest, together with stimer: alone it gains nothing.",
        cost="A SINT that the guest sets up with AutoEOI switches APICv/AVIC off for the whole guest; on kernels up "
        "to 5.14 merely enabling SynIC did.",
        since_qemu=Release("2.6"),
        since_kvm=Release("4.5", certain=False),
        sources=(
            "qemu:docs/system/i386/hyperv.rst:85-94",
            "qemu:target/i386/kvm/kvm.c:1002-1008",
            "qemu:target/i386/kvm/kvm.c:1518-1526",
            "qemu:target/i386/kvm/kvm.c:1584-1588",
            "linux:arch/x86/kvm/hyperv.c:107-153",
            "libvirt:docs/formatdomain.rst:2146",
        ),
    ),
    Row(
        id="stimer",
        title="synthetic timers",
        does="Gives each vCPU four timers that are armed by one MSR write. Without them Windows programs the RTC or "
        "HPET at a high rate even when idle, which costs 30 to 50 percent of a CPU instead of one to three.",
        properties=(Property("hv-stimer"),),
        aliases=("synictimer",),
        qemu_name="synthetic timers (hv-stimer)",
        feature=8,
        checks=(Bits(HV_CPUID_FEATURES, "eax", (3,), ("HV_SYNTIMERS_AVAILABLE",)),),
        legacy=Legacy(msr=0x400000B0),
        requires=("synic", "time"),
        in_passthrough=True,
        irqchip=True,
        libvirt=LibvirtPlace("stimer", "1.3.3"),
        vmstate="cpu/msr_hyperv_stimer",
        msrs=((0x400000B0, 0x400000B7),),
        advice_text="Turn it on for every Windows guest from Windows 8 and Server 2012 on.",
        since_qemu=Release("2.6"),
        since_kvm=Release("4.5", certain=False),
        sources=(
            "qemu:docs/system/i386/hyperv.rst:96-105",
            "qemu:target/i386/kvm/kvm.c:1009-1016",
            "linux:arch/x86/kvm/hyperv.c:708",
            "libvirt:docs/formatdomain.rst:2147",
        ),
    ),
    Row(
        id="stimer-direct",
        title="synthetic timers in direct mode",
        does="Lets a synthetic timer raise an interrupt itself instead of sending a SynIC message. A Hyper-V inside "
        "the guest can use no other timers.",
        properties=(Property("hv-stimer-direct"),),
        qemu_name="direct mode synthetic timers (hv-stimer-direct)",
        feature=14,
        checks=(Bits(HV_CPUID_FEATURES, "edx", (19,), ("HV_STIMER_DIRECT_MODE_AVAILABLE",)),),
        requires=("stimer",),
        for_nested=True,
        in_passthrough=True,
        irqchip=True,
        libvirt=LibvirtPlace("stimer/direct", "5.7.0"),
        vmstate="cpu/msr_hyperv_stimer",
        advice_text="Turn it on; nested Hyper-V, VBS and WSL2 need it.",
        since_qemu=Release("4.1"),
        since_kvm=Release("5.0"),
        sources=(
            "qemu:docs/system/i386/hyperv.rst:171-178",
            "qemu:target/i386/kvm/kvm.c:1059-1066",
            "linux:arch/x86/kvm/hyperv.c:2870-2871",
            "libvirt:docs/formatdomain.rst:2147",
        ),
    ),
)
