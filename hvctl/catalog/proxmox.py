"""What Proxmox VE adds to a guest by itself, and what its configurations may say.

Source: proxmox/qemu-server:src/PVE/QemuServer/CPUConfig.pm, get_cpu_options(), get_pve_cpu_flags() and
get_hyperv_enlightenments(); Helpers.pm, windows_version() and min_version(); CPUFlags.pm. The last row is younger than
the copies of CPUConfig.pm that were read; proxmox/qemu-server:src/test/cfg2cmd/win11-host-11.0+pve2.conf.cmd and
win11-amd-host-11.0+pve2.conf.cmd have what it gives. A test compares all with PVE's own expected command lines.
"""

import re
from typing import NamedTuple

Version = tuple[int, int, int]
"""A version as PVE compares it: major, minor, and the number of PVE's own change, as in `9.2+pve1`."""

DEFAULT_CPU, DEFAULT_CPU_TCG = "kvm64", "qemu64"


class Added(NamedTuple):
    """A part of `-cpu` that PVE writes by itself, in its spelling, and for which guests: those of a Windows from a
    version on, with a machine type from `machine` on and before `before`, on a processor of a vendor, and with a QEMU
    of at least a version; `models` are the CPU models that it is for, as a pattern,
    `system` an `ostype`."""

    flag: str
    windows: int = 0
    machine: Version = (0, 0, 0)
    before: Version | None = None
    vendor: str | None = None
    qemu: tuple[int, int] | None = None
    models: str = ""
    kvm: bool = False
    system: str = ""


_KVM_2_3 = (2, 3, 0)
ADDED = (
    Added("+lahf_lm", models="kvm64"),
    Added("-x2apic", system="solaris"),
    Added("+sep", models="kvm64|kvm32"),
    Added("-rdtscp", models="Opteron.*"),
    Added("+kvm_pv_unhalt", machine=_KVM_2_3, kvm=True),
    Added("+kvm_pv_eoi", machine=_KVM_2_3, kvm=True),
    Added("-cet-ibt", windows=11, qemu=(11, 0)),
    Added("-cet-ss", windows=11, qemu=(11, 0)),
    Added("-vmx-mbec", before=(11, 0, 0), qemu=(11, 0), models="host"),
)
"""Features of the CPU that PVE writes."""

ENLIGHTENMENTS = (
    Added("hv_spinlocks=0x1fff", 6, _KVM_2_3),
    Added("hv_spinlocks=0xffff", 6, before=_KVM_2_3),
    Added("hv_vapic", 6, _KVM_2_3),
    Added("hv_time", 6, _KVM_2_3),
    Added("hv_reset", 6, (2, 6, 0)),
    Added("hv_vpindex", 6, (2, 6, 0)),
    Added("hv_runtime", 6, (2, 6, 0)),
    Added("hv_relaxed", 7),
    Added("hv_synic", 7, (2, 12, 0)),
    Added("hv_stimer", 7, (2, 12, 0)),
    Added("hv_ipi", 7, (3, 1, 0)),
    Added("hv_evmcs", 11, (11, 0, 2), vendor="intel"),
)
"""The enlightenments that PVE writes with KVM."""
LEAST_WINDOWS_WITH_UEFI = 8
"""With OVMF, PVE writes none for a Windows before this version."""
VENDOR_ID_KEY, VENDOR_ID, DEFAULT_VENDOR_ID = "hv-vendor-id", "hv_vendor_id", "proxmox"
"""The key of `cpu:`, and what PVE writes where it is set, or where a graphics card is passed through (x-vga)."""

VM_FLAGS = (
    *("nested-virt", "md-clear", "pcid", "spec-ctrl", "ssbd", "ibpb", "virt-ssbd", "amd-ssbd", "amd-no-ssb"),
    *("pdpe1gb", "hv-tlbflush", "hv-evmcs", "aes"),
)
"""The flags that `cpu:` of a guest takes; a custom model takes any."""
NESTED = "nested-virt"
"""Stands for the processor's feature of nested virtualization."""

_V2 = "+popcnt;+pni;+sse4.1;+sse4.2;+ssse3"
_V3 = f"+aes;{_V2};+avx;+avx2;+bmi1;+bmi2;+f16c;+fma;+abm;+movbe;+xsave"
MODELS = {
    "x86-64-v2": ("qemu64", _V2),
    "x86-64-v2-AES": ("qemu64", f"+aes;{_V2}"),
    "x86-64-v3": ("qemu64", _V3),
    "x86-64-v4": ("qemu64", f"{_V3};+avx512f;+avx512bw;+avx512cd;+avx512dq;+avx512vl"),
}
"""PVE's own models: QEMU's model, and the flags beside it."""
RENAMED = {"Icelake-Client": "Icelake-Server", "Icelake-Client-noTSX": "Icelake-Server-noTSX"}

_GENERIC = "host|max|(?:kvm|qemu)(?:32|64)"
_AMD = r"athlon|phenom|Opteron_G\d|EPYC(?:-[\w-]+)?"
_INTEL = (
    r"486|pentium[23]?|core(?:2)?duo|Conroe|Penryn|Nehalem|Westmere|SandyBridge|IvyBridge|Haswell|Broadwell|"
    r"Skylake-\w+|Cascadelake-Server|Cooperlake|KnightsMill|Icelake-\w+|SapphireRapids|GraniteRapids|SierraForest|"
    r"ClearwaterForest"
)


def vendor_of(model: str) -> str | None:
    """The vendor that PVE writes for a model; "" for those that have the host's, None for a model it does not have."""
    if re.fullmatch(_GENERIC, model):
        return ""
    if re.fullmatch(_AMD, model):
        return "AuthenticAMD"
    return "GenuineIntel" if re.fullmatch(rf"(?:{_INTEL})(?:-[\w-]+)?", model) else None


class OsType(NamedTuple):
    """What an `ostype` says: Windows' version as PVE counts it (0: another system) and the releases that it stands for.

    `release` is the catalog's id of the one that it is converted to, `judged` of the one whose limits hold for all of
    several, empty where there is none.
    """

    windows: int
    title: str
    release: str = ""
    several: bool = False
    judged: str = ""


OS_TYPES = {
    "w2k": OsType(5, "Windows 2000"),
    "wxp": OsType(5, "Windows XP", "windows-xp"),
    "w2k3": OsType(5, "Windows Server 2003", "windows-server-2003"),
    "w2k8": OsType(6, "Windows Server 2008", "windows-server-2008"),
    "wvista": OsType(6, "Windows Vista", "windows-vista"),
    "win7": OsType(7, "Windows 7 or Server 2008 R2", "windows-7", several=True, judged="windows-server-2008r2"),
    "win8": OsType(8, "Windows 8 or Server 2012", "windows-8", several=True, judged="windows-server-2012"),
    "win10": OsType(10, "Windows 10, Server 2016 or 2019", "windows-10", several=True),
    "win11": OsType(11, "Windows 11, Server 2022 or 2025", "windows-11", several=True),
    "l24": OsType(0, "Linux 2.4"),
    "l26": OsType(0, "Linux"),
    "solaris": OsType(0, "Solaris"),
    "other": OsType(0, "another system"),
}
"""proxmox/qemu-server:src/PVE/QemuServer.pm, `ostype`."""
WINDOWS = {number: name for name, (number, *_) in OS_TYPES.items() if number >= 7}

PINNED = (5, 1)
"""The machine type of a Windows guest whose configuration names no version (PVE/QemuServer/Machine.pm,
get_vm_machine()); the version that it was created with from this one on:"""
PINNED_TO_CREATION = (9, 1)


def parse_version(machine: str) -> Version | None:
    """The version of a machine type, such as `pc-q35-9.2+pve1` (Machine.pm, extract_version())."""
    found = re.match(r"(?:pc(?:-i440fx|-q35)?|virt)-(\d{1,4})\.(\d{1,4})(?:\.\d{1,4})?(?:\+pve(\d{1,4}))?", machine)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


RELEASES = {
    "windows-xp": "wxp",
    "windows-server-2003": "w2k3",
    "windows-vista": "wvista",
    "windows-server-2008": "w2k8",
    **dict.fromkeys(("windows-7", "windows-server-2008r2"), "win7"),
    **dict.fromkeys(("windows-8", "windows-8.1", "windows-server-2012", "windows-server-2012r2"), "win8"),
    **dict.fromkeys(("windows-10", "windows-server-2016", "windows-server-2019"), "win10"),
    **dict.fromkeys(("windows-11", "windows-11-23h2", "windows-server-2022", "windows-server-2025"), "win11"),
    "other": "other",
}
"""The `ostype` for each release of the catalog."""
