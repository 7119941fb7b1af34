"""CPU vendors, and named CPU models worth proposing, best first.

QEMU does not order its models; this order is by generation, from qemu:docs/system/cpu-models-x86.rst.inc
and the release dates of the processors. A host decides by `unavailable-features` which of them it can give.
"""

VENDOR_NAMES = {"intel": "Intel", "amd": "AMD"}

PROPOSED = {
    "intel": (
        "GraniteRapids",
        "SapphireRapids",
        "Icelake-Server",
        "Cooperlake",
        "Cascadelake-Server",
        "Skylake-Server",
        "Skylake-Client",
        "Broadwell",
        "Haswell",
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
ANY_VENDOR = ("qemu64", "kvm64")
