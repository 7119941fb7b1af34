"""Options around the enlightenments: topology, version, debugging, passthrough, and experimental properties."""

from hvctl.catalog import kvm
from hvctl.catalog.placement import HypervMode
from hvctl.catalog.types import Advice, Bits, Blocks, Field, Kind, Legacy, Need, Property, Recommends, Release, Row

_SYNDBG_DOC = "QEMU's documents list it for syndbg, its code does not ask for it (hyperv.rst:226)"

ROWS = (
    Row(
        id="no-nonarch-coresharing",
        title="no core sharing but by architecture",
        does="Promises that two vCPUs share a physical core only if the guest sees them as threads of one core. "
        "Windows and Hyper-V need to know that to mitigate SMT vulnerabilities properly: Hyper-V passes MD_CLEAR on to "
        "its guests only with it.",
        properties=(Property("hv-no-nonarch-coresharing", "OnOffAuto", "off"),),
        kind=Kind.ON_OFF_AUTO,
        adds=(Bits(kvm.HV_CPUID_ENLIGHTMENT_INFO, "eax", (18,), ("HV_NO_NONARCH_CORESHARING",)),),
        enables_hyperv=False,
        needs=(Need.PINNED,),
        blocks_migration=Blocks.AUTO,
        # Without a comma, as QEMU 7.2 and 10.0 write it (observed).
        migration_error="'hv-no-nonarch-coresharing=auto' CPU flag prevents migration use explicit "
        "'hv-no-nonarch-coresharing=on' instead",
        migration="auto takes the answer from the host; on is promised for every host.",
        advice=Advice.CONDITIONAL,
        advice_text="Only with pinned vCPUs and a guest topology that matches the pinning.",
        avoid="Where vCPUs are not pinned. QEMU checks nothing, and by a false promise the guest takes vCPUs for safe "
        "from each other that are not.",
        since_qemu=Release("4.2"),
        since_kvm=Release("5.4"),
        sources=(
            "qemu:docs/system/i386/hyperv.rst:187-199",
            "qemu:docs/system/i386/hyperv.rst:300-301",
            "qemu:target/i386/kvm/kvm.c:1604-1609",
            "qemu:target/i386/kvm/kvm.c:1696-1708",
            'qemu: "i386/kvm: add NoNonArchitecturalCoreSharing Hyper-V enlightenment" (MD_CLEAR, STIBP)',
            "linux:arch/x86/kvm/hyperv.c:2884-2885",
        ),
    ),
    Row(
        id="version-id",
        title="hypervisor version",
        does="Changes the version that the hypervisor names in CPUID leaf 0x40000002. The default is that of Windows "
        "Server 2016, 10.0.14393; machine types up to 6.1 say 6.1.7100.",
        properties=(
            Property("hv-version-id-major", "uint16", 0x000A, Field(kvm.HV_CPUID_VERSION, "ebx", 16, 16)),
            Property("hv-version-id-minor", "uint16", 0, Field(kvm.HV_CPUID_VERSION, "ebx", 0, 16)),
            Property("hv-version-id-build", "uint32", 0x3839, Field(kvm.HV_CPUID_VERSION, "eax")),
            Property("hv-version-id-spack", "uint32", 0, Field(kvm.HV_CPUID_VERSION, "ecx")),
            Property("hv-version-id-sbranch", "uint8", 0, Field(kvm.HV_CPUID_VERSION, "edx", 24, 8)),
            Property("hv-version-id-snumber", "uint32", 0, Field(kvm.HV_CPUID_VERSION, "edx", 0, 24)),
        ),
        kind=Kind.VERSION,
        overwritten=True,
        enables_hyperv=False,
        migration="The version is visible in CPUID: source and destination must name the same one.",
        advice=Advice.LEAVE,
        advice_text="Leave QEMU's default.",
        avoid="No guest is known to gain from another version.",
        since_qemu=Release("6.2"),
        sources=(
            "qemu:docs/system/i386/hyperv.rst:201-213",
            "qemu:docs/system/i386/hyperv.rst:302-305",
            "qemu:target/i386/cpu.c:8856-8865",
            "qemu:target/i386/kvm/kvm.c:1566-1573",
            "qemu:hw/i386/pc.c:129-132",
        ),
    ),
    Row(
        id="enforce-cpuid",
        title="enforce CPUID",
        does="Makes KVM refuse every Hyper-V MSR and hypercall that the guest's CPUID does not announce. Without it "
        "all that KVM implements works, announced or not.",
        properties=(Property("hv-enforce-cpuid"),),
        caps=("KVM_CAP_HYPERV_ENFORCE_CPUID",),
        vcpu_error="failed to enable KVM_CAP_HYPERV_ENFORCE_CPUID: Invalid argument",
        enables_hyperv=False,
        advice=Advice.OFF,
        advice_text="For debugging only.",
        since_qemu=Release("6.2"),
        since_kvm=Release("5.14"),
        sources=(
            "qemu:docs/system/i386/hyperv.rst:279-284",
            "qemu:docs/system/i386/hyperv.rst:294-295",
            "qemu:target/i386/kvm/kvm.c:1777-1784",
            "linux:Documentation/virt/kvm/api.rst:7783-7793",
            "linux:commit 644f706719f0 (5.14)",
        ),
    ),
    Row(
        id="syndbg",
        title="synthetic debugger",
        does="Gives Windows' kernel debugger a channel through the hypervisor, together with QEMU's devices "
        "vmbus-bridge and hv-syndbg.",
        properties=(Property("hv-syndbg"),),
        qemu_name="Enable synthetic kernel debugger channel (hv-syndbg)",
        feature=16,
        checks=(Bits(kvm.HV_CPUID_FEATURES, "edx", (11,), ("HV_FEATURE_DEBUG_MSRS_AVAILABLE",)),),
        # "Microsoft VS", "VS#1", HV_SYNDBG_CAP_ALLOW_KERNEL_DEBUGGING; EAX of the first is 0 (kvm.c:1636-1639).
        leaves=(
            (kvm.HV_CPUID_SYNDBG_VENDOR_AND_MAX_FUNCTIONS, 0, 0x7263694D, 0x666F736F, 0x53562074),
            (kvm.HV_CPUID_SYNDBG_INTERFACE, 0x31235356, 0, 0, 0),
            (kvm.HV_CPUID_SYNDBG_PLATFORM_CAPABILITIES, 2, 0, 0, 0),
        ),
        legacy=Legacy(msr=0x400000FF),
        requires=("synic", "relaxed"),
        recommends=(
            Recommends("time", _SYNDBG_DOC),
            Recommends("vapic", _SYNDBG_DOC),
            Recommends("vpindex", _SYNDBG_DOC),
            Recommends("runtime", _SYNDBG_DOC),
            Recommends("stimer", _SYNDBG_DOC),
        ),
        blocks_migration=Blocks.LOST,
        migration="The debug MSRs are not carried.",
        msrs=((0x400000F1, 0x400000F5), (0x400000FF, 0x400000FF)),
        advice=Advice.OFF,
        advice_text="For debugging only; it also wants -device vmbus-bridge,irq=15.",
        since_qemu=Release("7.1"),
        since_kvm=Release("5.8"),
        sources=(
            "qemu:docs/system/i386/hyperv.rst:215-226",
            "qemu:docs/system/i386/hyperv.rst:294-295",
            "qemu:target/i386/kvm/kvm.c:1074-1082",
            "qemu:target/i386/kvm/kvm.c:1636-1639",
            "qemu:hw/hyperv/Kconfig:15-18",
        ),
    ),
    Row(
        id="passthrough",
        title="everything the host has",
        does="Turns on what the host's KVM reports of the others, but neither no-nonarch-coresharing nor "
        "enforce-cpuid, and syndbg only in QEMU before 9.2, with KVM's own vendor id, version, limits and spinlocks "
        "value, and without checking requirements.",
        properties=(Property("hv-passthrough"),),
        libvirt=HypervMode("passthrough", "8.0.0"),
        kubevirt="features.hypervPassthrough",
        takes_all=True,
        blocks_migration=Blocks.ALWAYS,
        migration_error="'hv-passthrough' CPU flag prevents migration, use explicit set of hv-* flags instead",
        advice=Advice.OFF,
        advice_text="For development only.",
        cost="It brings crash, reset, avic and reenlightenment with it.",
        avoid="hv-x=off beside it removes nothing; a BIOS-booted Windows is reported to freeze (LXD issue 18536).",
        since_qemu=Release("4.1"),
        sources=(
            "qemu:docs/system/i386/hyperv.rst:262-277",
            "qemu:docs/system/i386/hyperv.rst:294-295",
            "qemu:target/i386/kvm/kvm.c:1438-1494",
            "qemu:target/i386/kvm/kvm.c:1685-1694",
        ),
    ),
    Row(
        id="x-hv-max-vps",
        title="experimental: number of virtual processors",
        does="Changes the largest number of virtual processors in CPUID leaf 0x40000005. The default -1 means no "
        "limit; machine types up to 2.10 say 64.",
        properties=(Property("x-hv-max-vps", "int32", -1, Field(kvm.HV_CPUID_IMPLEMENT_LIMITS, "eax")),),
        kind=Kind.NUMBER,
        enables_hyperv=False,
        advice=Advice.LEAVE,
        advice_text="QEMU's own compatibility switch; hvctl never writes it.",
        experimental=True,
        since_qemu=Release("2.11"),
        sources=("qemu:target/i386/cpu.c:8907-8919", "qemu:target/i386/kvm/kvm.c:1613", "qemu:hw/i386/pc.c:220"),
    ),
    Row(
        id="x-hv-synic-kvm-only",
        title="experimental: SynIC in KVM only",
        does="Uses the first form of KVM's SynIC, without the VP index and without the hypercalls for messages and "
        "events. Machine types up to 3.0 turn it on; QEMU 11 no longer has it.",
        properties=(Property("x-hv-synic-kvm-only"),),
        enables_hyperv=False,
        advice=Advice.LEAVE,
        advice_text="QEMU's own compatibility switch; hvctl never writes it.",
        experimental=True,
        since_qemu=Release("3.1"),
        sources=("qemu:target/i386/cpu.c:8920-8921", "qemu:target/i386/kvm/kvm.c:1728-1746", "qemu:hw/i386/pc.c:199"),
    ),
)
