"""CPU vendors, and named CPU models worth proposing, best first.

QEMU does not order its models; this order is by generation, from qemu:docs/system/cpu-models-x86.rst.inc
and the release dates of the processors. A host decides by `unavailable-features` which of them it can give.
"""

VENDOR_NAMES = {"intel": "Intel", "amd": "AMD"}

# The CPU feature of nested virtualization.
NESTED_FEATURE = {"intel": "vmx", "amd": "svm"}

# The CPU feature of an invariant TSC.
# qemu:target/i386/kvm/kvm.c kvm_arch_init_vcpu(): "State blocked by non-migratable CPU device (invtsc flag)".
INVARIANT_TSC = "invtsc"

# What the expansion of CPU model `host` leaves off on every processor, whether or not it can be had: it is the
# migratable one, and QEMU turns these on when asked, or by the topology (qemu:target/i386/cpu.c, no_autoenable_flags).
ON_REQUEST = (INVARIANT_TSC, "ht", "topoext", "kvm-hint-dedicated", "kvm-pv-enforce-cpuid", "host-cache-info")

# What QEMU gives on any processor; it lacks what Windows 11 24H2 asks for (SSE4.2, POPCNT).
PLAIN = "qemu64"

PROPOSED = {
    "intel": (
        "GraniteRapids",
        "SapphireRapids",
        "Icelake-Server",
        "Icelake-Server-noTSX",
        "Cooperlake",
        "Cascadelake-Server",
        "Cascadelake-Server-noTSX",
        "Skylake-Server",
        "Skylake-Server-noTSX-IBRS",
        "Skylake-Client",
        "Skylake-Client-noTSX-IBRS",
        "Broadwell",
        "Broadwell-noTSX",
        "Haswell",
        "Haswell-noTSX",
        "IvyBridge",
        "SandyBridge",
        "Westmere",
        "Nehalem",
        "Penryn",
        "Conroe",
    ),
    "amd": (
        "EPYC-Turin",
        "EPYC-Genoa",
        "EPYC-Milan",
        "EPYC-Rome",
        "EPYC",
        "Opteron_G5",
        "Opteron_G4",
        "Opteron_G3",
        "Opteron_G2",
        "Opteron_G1",
    ),
}
