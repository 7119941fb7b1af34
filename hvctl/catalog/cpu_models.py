"""CPU vendors, named CPU models worth proposing, best first, and libvirt's names of CPU features.

QEMU does not order its models; this order is by generation, from qemu:docs/system/cpu-models-x86.rst.inc
and the release dates of the processors. A host decides by `unavailable-features` which of them it can give.

Sources of libvirt's names: the aliases in libvirt:src/cpu_map/x86_features.xml; virQEMUCapsCPUFeatureTranslationTable
in libvirt:src/qemu/qemu_capabilities.c; qemuBuildCpuCommandLine() in libvirt:src/qemu/qemu_command.c for what is
written elsewhere. Observed with libvirt 9.0 and 11.3: a `<feature>` of QEMU's name is "unknown CPU feature", and the
guest does not start.
"""

import functools
import re
from collections.abc import Iterable

VENDOR_NAMES = {"intel": "Intel", "amd": "AMD"}

# Modes of libvirt's <cpu>, with QEMU's models.
CPU_MODES = {"host-passthrough": "host", "maximum": "max"}

# The CPU feature of nested virtualization.
NESTED_FEATURE = {"intel": "vmx", "amd": "svm"}

# The CPU feature of an invariant TSC.
# qemu:target/i386/kvm/kvm.c kvm_arch_init_vcpu(): "State blocked by non-migratable CPU device (invtsc flag)".
INVARIANT_TSC = "invtsc"

# The CPU feature that tells a guest that there is a hypervisor.
HYPERVISOR = "hypervisor"

# What the expansion of CPU model `host` leaves off on every processor, whether or not it can be had: it is the
# migratable one, and QEMU turns these on when asked, or by the topology (qemu:target/i386/cpu.c, no_autoenable_flags).
ON_REQUEST = (INVARIANT_TSC, "ht", "topoext", "kvm-hint-dedicated", "kvm-pv-enforce-cpuid", "host-cache-info")

# What QEMU gives on any processor; it lacks what Windows 11 24H2 asks for (SSE4.2, POPCNT).
PLAIN = "qemu64"

# Models that every QEMU since 2.12 has (qemu:target/i386/cpu.c; 7.2 and 10.0 were asked), whatever the host can give.
EVERYWHERE = (
    *(PLAIN, "qemu32", "kvm64", "kvm32", "Conroe", "Penryn", "Nehalem", "Westmere", "SandyBridge", "IvyBridge"),
    *("Haswell", "Haswell-noTSX", "Broadwell", "Broadwell-noTSX", "Skylake-Client", "Skylake-Server"),
    *("Opteron_G1", "Opteron_G2", "Opteron_G3", "Opteron_G4", "Opteron_G5", "EPYC"),
)

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


# QEMU's models by the x86-64 level that they have in full (x86-64 psABI, "Micro-Architecture Levels"), by
# query-cpu-model-expansion of QEMU 7.2 and 10.0; each of level 2 and more, and no other, has SSE4.2 and POPCNT.
_LEVELS = {
    1: (
        *("486", "athlon", "base", "Conroe", "core2duo", "coreduo", "kvm32", "kvm64", "n270", "Opteron_G1"),
        *("Opteron_G2", "Opteron_G3", "Penryn", "pentium", "pentium2", "pentium3", "phenom", "qemu32", PLAIN),
    ),
    2: ("Denverton", "IvyBridge", "Nehalem", "Opteron_G4", "Opteron_G5", "SandyBridge", "Snowridge", "Westmere"),
    3: (
        *("Broadwell", "ClearwaterForest", "Dhyana", "EPYC", "EPYC-Milan", "EPYC-Rome", "Haswell", "KnightsMill"),
        *("SierraForest", "Skylake-Client", "YongFeng"),
    ),
    4: (
        *("Cascadelake-Server", "Cooperlake", "EPYC-Genoa", "GraniteRapids", "Icelake-Server", "SapphireRapids"),
        "Skylake-Server",
    ),
}
_LEVEL_OF = {model: level for level, models in _LEVELS.items() for model in models}
# What the later of a model's versions change is none of a level's features.
_VARIANT = r"(?:-noTSX|-IBRS|-IBPB|-v\d+)+$"
LEVEL_FEATURES = {2: ("sse4.2", "popcnt")}
"""Of what a level brings, that without which Windows does not boot."""


@functools.lru_cache(100)  # many guests have the same
def level(model: str) -> int | None:
    """The x86-64 level of a model of QEMU's; None where that is not known, as of `host`."""
    return _LEVEL_OF.get(re.sub(_VARIANT, "", model))


def lacking(model: str | None, features: Iterable[tuple[str, bool]], least: int) -> tuple[str, ...]:
    """The features of an x86-64 level that a model is known to lack, and that are not switched on beside it."""
    known = level(model) if model else None
    if known is None or known >= least:
        return ()
    on = {name.replace("_", "-") for name, state in features if state}
    return tuple(name for name in LEVEL_FEATURES[least] if name not in on and name.replace(".", "-") not in on)


def turned_off(features: Iterable[tuple[str, bool]], least: int) -> tuple[str, ...]:
    """Those of a level's features that are switched off, by their names as they stand there."""
    needed = {name.replace(".", "-") for name in LEVEL_FEATURES.get(least, ())}
    return tuple(name for name, on in features if not on and name.translate(_DASHES) in needed)


# Libvirt's name: QEMU's, the one that every QEMU takes first.
_NAMES = {
    "pni": ("pni", "sse3"),
    "pclmuldq": ("pclmulqdq",),
    "ds_cpl": ("ds-cpl",),
    "sse4.1": ("sse4.1", "sse4-1"),
    "sse4.2": ("sse4.2", "sse4-2"),
    "tsc_adjust": ("tsc-adjust",),
    "lahf_lm": ("lahf-lm",),
    "cmp_legacy": ("cmp-legacy",),
    "nodeid_msr": ("nodeid-msr",),
    "perfctr_core": ("perfctr-core",),
    "perfctr_nb": ("perfctr-nb",),
    "nx": ("nx", "xd"),
    "fxsr_opt": ("fxsr-opt", "ffxsr"),
    "lm": ("lm", "i64"),
    "vmx-invvpid-single-context-noglobals": ("vmx-invept-single-context-noglobals",),
    # Of these QEMU and Linux have a form with `_` as well.
    **{name: (name,) for name in ("svm-lock", "nrip-save", "tsc-scale", "vmcb-clean", "pause-filter")},
    **{name: (name,) for name in ("md-clear", "arch-capabilities")},
}
_LIBVIRT = {name: libvirt for libvirt, names in _NAMES.items() for name in names} | {"cqm": "cmt"}
# What of libvirt's names with a `_` is none of QEMU's by any name.
_LIBVIRT_ALONE = ("mbm_total", "mbm_local")
_QEMU = {libvirt: names[0] for libvirt, names in _NAMES.items()}

_KVM = "<{} state='on'/> in <kvm> in <features>"
# What libvirt has no feature for, and what it has instead.
_ELSEWHERE = {
    "pmu": "<pmu> in <features>",
    "l3-cache": "<cache> in <cpu>",
    "host-cache-info": "<cache> in <cpu>",
    "host-phys-bits": "<maxphysaddr> in <cpu>",
    "host-phys-bits-limit": "<maxphysaddr> in <cpu>",
    "phys-bits": "<maxphysaddr> in <cpu>",
    "kvm-hint-dedicated": _KVM.format("hint-dedicated"),
    "kvm-poll-control": _KVM.format("poll-control"),
    "kvm-pv-ipi": _KVM.format("pv-ipi"),
    "kvm-pv-eoi": "eoi of <apic> in <features>",
    "kvm-pv-unhalt": "<pvspinlock> in <features>",
    "kvmclock": "<timer name='kvmclock'> in <clock>",
}
_DASHES = str.maketrans("._", "--")
_SIGNS = str.maketrans("", "", "-_.")
_NOWHERE = frozenset(
    (
        *("cpuid-0xb", "fill-mtrr-mask", "full-cpuid-auto-level", "full-width-write", "lmce", "start-powered-off"),
        *("tcg-cpuid", "vmware-cpuid-freq", "xen-vapic", "kvmclock-stable-bit"),
        *("ace2", "ace2-en", "phe", "phe-en", "pmm", "pmm-en", "xcrypt", "xcrypt-en", "xstore", "xstore-en"),
        *("legacy-cache", "legacy-multi-node"),
    )
)
_NOWHERE_PREFIXES = ("kvm-", "x-")


def libvirt_name(feature: str) -> str:
    """Libvirt's name of a CPU feature, of which one of QEMU's is given, with `_` or `-`, or libvirt's itself."""
    if feature in _LIBVIRT_ALONE:
        return feature
    name = feature.replace("_", "-")
    return _LIBVIRT.get(name, name)


def called_otherwise(name: str) -> str | None:
    """Libvirt's name of a CPU feature where another one is given; None where it is that, or not one of QEMU's."""
    right = _LIBVIRT.get(name.replace("_", "-"))
    return right if right != name else None


def qemu_name(feature: str) -> str:
    """The one of QEMU's names that stands for all names of a CPU feature, libvirt's too."""
    name = libvirt_name(feature)
    return _QEMU.get(name, name)


def is_name(text: str) -> bool:
    """Whether a text may name a model or a feature of libvirt's or QEMU's: by its characters."""
    return text.isascii() and text[:1].isalnum() and text.translate(_SIGNS).isalnum()


def unknown_to_libvirt(name: str) -> str | None:
    """Why libvirt cannot take a property of QEMU's CPU for a `<feature>`; None where it may be one."""
    if not is_name(name):
        return "no feature of a CPU has such a name"
    name = name.replace("_", "-")
    if name in _ELSEWHERE:
        return f"libvirt has {_ELSEWHERE[name]} for it"
    if name in _NOWHERE or name.startswith(_NOWHERE_PREFIXES):
        return "libvirt has no such feature of a CPU"
    return None
