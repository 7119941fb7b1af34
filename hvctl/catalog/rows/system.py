"""Reset, identity and the frequencies of the TSC."""

from hvctl.catalog.kvm import HV_CPUID_FEATURES, HV_CPUID_VENDOR_AND_MAX_FUNCTIONS
from hvctl.catalog.placement import HypervElement
from hvctl.catalog.types import Advice, Bits, Field, Kind, Legacy, MsrAtReset, Need, Property, Recommends, Release, Row

ROWS = (
    Row(
        id="reset",
        title="reset MSR",
        does="Gives the guest an MSR that resets it. Real Hyper-V stopped offering it, and Windows resets well "
        "without.",
        properties=(Property("hv-reset"),),
        qemu_name="reset MSR (hv-reset)",
        feature=4,
        checks=(Bits(HV_CPUID_FEATURES, "eax", (7,), ("HV_RESET_AVAILABLE",)),),
        legacy=Legacy(msr=0x40000003),
        in_passthrough=True,
        libvirt=HypervElement("reset", "1.3.3"),
        kubevirt="features.hyperv.reset",
        msrs=((0x40000003, 0x40000003),),
        advice=Advice.OFF,
        advice_text="Not needed.",
        avoid="No guest is known to gain from it.",
        since_qemu=Release("2.5"),
        since_kvm=Release("4.4"),
        sources=(
            "qemu:docs/system/i386/hyperv.rst:132-135",
            "qemu:docs/system/i386/hyperv.rst:296",
            "qemu:target/i386/kvm/kvm.c:981-987",
            "linux:arch/x86/kvm/hyperv.c:1476",
            "libvirt:docs/formatdomain.rst:2148",
            'linux: "kvm/x86: Hyper-V HV_X64_MSR_RESET msr" (4.4)',
        ),
    ),
    Row(
        id="vendor-id",
        title="hypervisor vendor id",
        does="Changes the twelve characters with which the hypervisor names itself in CPUID leaf 0x40000000. Windows "
        "looks at the interface id in the next leaf; Linux looks at these.",
        properties=(
            Property(
                "hv-vendor-id", "string", "Microsoft Hv", Field(HV_CPUID_VENDOR_AND_MAX_FUNCTIONS, "ebx", width=96)
            ),
        ),
        kind=Kind.STRING,
        aliases=("vendorid",),
        minimum=1,
        maximum=12,
        overwritten=True,
        enables_hyperv=False,
        libvirt=HypervElement("vendor_id", "1.3.3", attribute="value"),
        kubevirt="features.hyperv.vendorid",
        migration="The text is visible in CPUID: source and destination must name the same one.",
        advice=Advice.LEAVE,
        advice_text="Leave QEMU's default, Microsoft Hv, unless the driver of an assigned graphics card refuses it "
        "(see gpu-passthrough).",
        avoid="In Linux guests: with another id they do not see Hyper-V. NVIDIA's drivers need none since version 465.",
        since_qemu=Release("2.5"),
        sources=(
            "qemu:docs/system/i386/hyperv.rst:124-130",
            "qemu:docs/system/i386/hyperv.rst:302-305",
            "qemu:target/i386/cpu.c:8041-8056",
            "qemu:target/i386/kvm/kvm.c:1552-1557",
            "linux:arch/x86/kernel/cpu/mshyperv.c, ms_hyperv_platform()",
            "libvirt:docs/formatdomain.rst:2149",
        ),
    ),
    Row(
        id="frequencies",
        windows_build=9200,  # no report of an older one that gains was found
        title="frequency MSRs",
        does="Lets the guest read the frequencies of the TSC and the APIC timer instead of measuring them at boot.",
        properties=(Property("hv-frequencies"),),
        qemu_name="frequency MSRs (hv-frequencies)",
        feature=9,
        checks=(
            Bits(HV_CPUID_FEATURES, "eax", (11,), ("HV_ACCESS_FREQUENCY_MSRS",)),
            Bits(HV_CPUID_FEATURES, "edx", (8,), ("HV_FREQUENCY_MSRS_AVAILABLE",)),
        ),
        legacy=Legacy(msr=0x40000022),
        in_passthrough=True,
        libvirt=HypervElement("frequencies", "4.7.0"),
        kubevirt="features.hyperv.frequencies",
        msrs=((0x40000022, 0x40000023),),
        advice_text="Turn it on.",
        since_qemu=Release("2.12"),
        since_kvm=Release("4.14"),
        sources=(
            "qemu:docs/system/i386/hyperv.rst:137-140",
            "qemu:target/i386/kvm/kvm.c:1017-1025",
            "libvirt:docs/formatdomain.rst:2150",
            'linux: "KVM: hyperv: support HV_X64_MSR_TSC_FREQUENCY and HV_X64_MSR_APIC_FREQUENCY" (4.14)',
        ),
    ),
    Row(
        id="reenlightenment",
        title="reenlightenment notifications",
        does="Tells a Hyper-V inside the guest that the TSC frequency has changed after a migration, so that it can "
        "correct the clocks of its own guests.",
        properties=(Property("hv-reenlightenment"),),
        qemu_name="reenlightenment MSRs (hv-reenlightenment)",
        feature=10,
        checks=(Bits(HV_CPUID_FEATURES, "eax", (13,), ("HV_ACCESS_REENLIGHTENMENTS_CONTROL",)),),
        at_reset=MsrAtReset(2, 0x40000106, 0),
        legacy=Legacy(msr=0x40000106),
        recommends=(
            Recommends("frequencies", "the guest reads the new frequency from the frequency MSRs (hyperv.rst:142-157)"),
        ),
        in_passthrough=True,
        libvirt=HypervElement("reenlightenment", "4.7.0"),
        kubevirt="features.hyperv.reenlightenment",
        needs=(Need.TSC_FREQUENCY,),
        migration_error="Guest enabled re-enlightenment notifications, 'tsc-frequency=' has to be specified",
        nested_only=True,
        vmstate="cpu/msr_hyperv_reenlightenment",
        migration="Once the guest uses it, a destination without tsc-frequency= dies while the source reports "
        "the migration completed, and a saved state or snapshot with memory cannot be loaded: the guest is lost. With "
        "tsc-frequency=, both hosts need the same frequency (within 250 ppm) or TSC scaling.",
        msrs=((0x40000106, 0x40000108),),
        advice=Advice.CONDITIONAL,
        advice_text="Only with tsc-frequency and TSC scaling, or where the guest never migrates.",
        cost="Ties migration to the TSC of the hosts.",
        avoid="Without Hyper-V inside the guest it does nothing.",
        since_qemu=Release("3.0"),
        since_kvm=Release("4.17"),
        sources=(
            "qemu:docs/system/i386/hyperv.rst:142-157",
            "qemu:docs/system/i386/hyperv.rst:309-310",
            "qemu:target/i386/machine.c:904-921",
            "qemu:target/i386/kvm/kvm.c:880-930",
            "libvirt:docs/formatdomain.rst:2151",
            "linux:commit a2e164e7f45a (4.17)",
        ),
    ),
)
