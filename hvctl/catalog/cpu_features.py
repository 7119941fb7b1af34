"""The features of QEMU's named CPU models, for those that are worth proposing, as what each adds to an older one.

From query-cpu-model-expansion of QEMU 7.2 and 10.0 with TCG, which agree; a model of a newer QEMU is not known here.
Left out is what every model has and what is no feature of a processor. Names are QEMU's.

With KVM QEMU adds x2apic, and leaves out monitor and svm, with all that depends on that
(qemu:target/i386/kvm/kvm-cpu.c, kvm_default_props; asked with -accel kvm, too).
"""

import functools

from hvctl.catalog.cpu_models import PLAIN

_BASE = (
    "apic clflush cmov cx16 cx8 de fxsr lahf-lm lm mca mce mmx msr mtrr nx pae pat pge pse36 sep sse sse2 sse3 svm "
    "syscall tsc"
)
# A model: the one that it is compared with, what it has beside that one's features, and what it lacks of them.
_CHANGES: dict[str, tuple[str, str, str]] = {
    "Conroe": (PLAIN, "ssse3", "cx16 svm"),
    "Penryn": ("Conroe", "cx16 sse4.1", ""),
    "Nehalem": ("Penryn", "popcnt sse4.2", ""),
    "Westmere": ("Nehalem", "aes arat pclmulqdq", ""),
    "SandyBridge": ("Westmere", "avx rdtscp tsc-deadline x2apic xsave xsaveopt", ""),
    "IvyBridge": ("SandyBridge", "erms f16c fsgsbase rdrand smep", ""),
    "Haswell-noTSX": ("IvyBridge", "abm avx2 bmi1 bmi2 fma invpcid movbe pcid", ""),
    "Haswell": ("Haswell-noTSX", "hle rtm", ""),
    "Broadwell-noTSX": ("Haswell-noTSX", "3dnowprefetch adx rdseed smap", ""),
    "Broadwell": ("Broadwell-noTSX", "hle rtm", ""),
    "Skylake-Client-noTSX-IBRS": ("Broadwell-noTSX", "spec-ctrl xgetbv1 xsavec", ""),
    "Skylake-Client": ("Broadwell", "xgetbv1 xsavec", ""),
    "Skylake-Server-noTSX-IBRS": (
        "Skylake-Client-noTSX-IBRS",
        "avx512bw avx512cd avx512dq avx512f avx512vl clwb pdpe1gb pku",
        "",
    ),
    "Skylake-Server": ("Skylake-Server-noTSX-IBRS", "clflushopt hle rtm", "spec-ctrl"),
    "Cascadelake-Server-noTSX": (
        "Skylake-Server-noTSX-IBRS",
        "arch-capabilities avx512vnni clflushopt ibrs-all mds-no rdctl-no skip-l1dfl-vmentry ssbd",
        "",
    ),
    "Cascadelake-Server": ("Skylake-Server", "avx512vnni spec-ctrl ssbd", ""),
    "Cooperlake": ("Cascadelake-Server-noTSX", "avx512-bf16 hle pschange-mc-no rtm stibp taa-no", ""),
    "Icelake-Server-noTSX": (
        "Cascadelake-Server",
        "avx512-vpopcntdq avx512bitalg avx512vbmi avx512vbmi2 gfni la57 umip vaes vpclmulqdq wbnoinvd",
        "hle rtm",
    ),
    "Icelake-Server": ("Icelake-Server-noTSX", "hle rtm", ""),
    "SapphireRapids": (
        "Icelake-Server",
        (
            "amx-bf16 amx-int8 amx-tile arch-capabilities avx-vnni avx512-bf16 avx512-fp16 avx512ifma bus-lock-detect "
            "fsrc fsrm fsrs fzrm ibrs-all mds-no pschange-mc-no rdctl-no rdpid serialize sha-ni skip-l1dfl-vmentry "
            "taa-no tsx-ldtrk xfd xsaves"
        ),
        "",
    ),
    "GraniteRapids": ("SapphireRapids", "amx-fp16 fbsdp-no mcdt-no pbrsb-no prefetchiti psdp-no sbdr-ssdp-no", ""),
    "Opteron_G1": (PLAIN, "", "cx16 lahf-lm svm"),
    "Opteron_G2": (PLAIN, "", ""),
    "Opteron_G3": (PLAIN, "abm misalignsse monitor popcnt rdtscp sse4a", ""),
    "Opteron_G4": (
        "Opteron_G3",
        "3dnowprefetch aes avx fma4 npt nrip-save pclmulqdq pdpe1gb sse4.1 sse4.2 ssse3 xop xsave",
        "monitor",
    ),
    "Opteron_G5": ("Opteron_G4", "f16c fma tbm", ""),
    "EPYC": (
        "Opteron_G5",
        (
            "adx arat avx2 bmi1 bmi2 clflushopt cr8legacy fsgsbase fxsr-opt mmxext monitor movbe osvw rdrand rdseed "
            "sha-ni smap smep topoext xgetbv1 xsavec xsaveopt"
        ),
        "fma4 tbm xop",
    ),
    "EPYC-Rome": ("EPYC", "amd-stibp clwb clzero ibpb perfctr-core rdpid umip wbnoinvd xsaveerptr xsaves", ""),
    "EPYC-Milan": ("EPYC-Rome", "amd-ssbd erms fsrm ibrs invpcid pcid pku svme-addr-chk", ""),
    "EPYC-Genoa": (
        "EPYC-Milan",
        (
            "amd-psfd auto-ibrs avx512-bf16 avx512-vpopcntdq avx512bitalg avx512bw avx512cd avx512dq avx512f "
            "avx512ifma avx512vbmi avx512vbmi2 avx512vl avx512vnni gfni la57 lfence-always-serializing "
            "no-nested-data-bp null-sel-clr-base stibp-always-on vaes vnmi vpclmulqdq"
        ),
        "",
    ),
}


_WITH_KVM = frozenset({"x2apic"})
_WITHOUT_KVM = frozenset(["monitor", "npt", "nrip-save", "svm", "svme-addr-chk", "vnmi"])


@functools.cache
def _table() -> dict[str, frozenset[str]]:
    table = {PLAIN: frozenset(_BASE.split())}
    for model, (older, more, less) in _CHANGES.items():
        table[model] = (table[older] | frozenset(more.split())) - frozenset(less.split())
    return table


def features_of(model: str) -> frozenset[str] | None:
    """The features of a named model with KVM, as it is without a version; None where they are not known."""
    features = _table().get(model)
    return None if features is None else (features | _WITH_KVM) - _WITHOUT_KVM


def known_features() -> frozenset[str]:
    """All features that any of the models has."""
    return frozenset().union(*_table().values())
