"""What Proxmox VE adds to a guest by itself, and what its configurations may say.

Source: proxmox/qemu-server:src/PVE/QemuServer/CPUConfig.pm, get_cpu_options(), get_pve_cpu_flags() and
get_hyperv_enlightenments(); Helpers.pm, windows_version() and min_version(); CPUFlags.pm. The last row is younger than
the copies of CPUConfig.pm that were read; proxmox/qemu-server:src/test/cfg2cmd/win11-host-11.0+pve2.conf.cmd and
win11-amd-host-11.0+pve2.conf.cmd have what it gives. A test compares all with PVE's own expected command lines.
"""

import re
from typing import NamedTuple

from hvctl.catalog.types import Kind, Row

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

    def fits(self, windows: int, machine: Version | None) -> bool:
        """Whether it is for a Windows and a machine type, of which None is every one."""
        if windows < self.windows or machine is None:
            return windows >= self.windows
        return self.machine <= machine and (self.before is None or machine < self.before)

    @property
    def name(self) -> str:
        """QEMU's name of the property."""
        return self.flag.partition("=")[0].replace("_", "-")

    @property
    def value(self) -> str:
        """What follows `=`; empty for what is on."""
        return self.flag.partition("=")[2]


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
LEAST_WINDOWS, _LEAST_WINDOWS_WITH_UEFI = 6, 8


def adds_any(windows: int, *, uefi: bool) -> bool:
    """Whether PVE writes any for a Windows."""
    return windows >= (_LEAST_WINDOWS_WITH_UEFI if uefi else LEAST_WINDOWS)


NUMBERS = frozenset(row.name for row in ENLIGHTENMENTS if row.value)
"""The properties of QEMU's for which PVE writes a number of its own."""
VENDOR_ID_KEY, VENDOR_ID, DEFAULT_VENDOR_ID = "hv-vendor-id", "hv_vendor_id", "proxmox"
"""The key of `cpu:`, and what PVE writes where it is set, or where a graphics card is passed through (x-vga)."""

VM_FLAGS = (
    *("nested-virt", "md-clear", "pcid", "spec-ctrl", "ssbd", "ibpb", "virt-ssbd", "amd-ssbd", "amd-no-ssb"),
    *("pdpe1gb", "hv-tlbflush", "hv-evmcs", "aes"),
)
"""The flags that `cpu:` of a guest takes; a custom model takes any."""
FLAG = re.compile(r"[+-][a-zA-Z0-9_.-]+")
"""A flag of a custom model; none takes a value."""


def takes_flag(row: Row) -> bool:
    """Whether a custom model says a row by a flag: QEMU takes `+x` and `-x` of what is on or off only
    (qemu:target/i386/cpu.c, x86_cpu_expand_features())."""
    return row.kind is Kind.FLAG


VENDOR_ID_TEXT = re.compile(r"[a-zA-Z0-9]{1,12}")
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

_INTEL = (
    "486 pentium pentium2 pentium3 coreduo core2duo Conroe Penryn Nehalem Nehalem-IBRS Westmere Westmere-IBRS "
    "SandyBridge SandyBridge-IBRS IvyBridge IvyBridge-IBRS Haswell Haswell-IBRS Haswell-noTSX Haswell-noTSX-IBRS "
    "Broadwell Broadwell-IBRS Broadwell-noTSX Broadwell-noTSX-IBRS Skylake-Client Skylake-Client-IBRS "
    "Skylake-Client-noTSX-IBRS Skylake-Client-v4 Skylake-Server Skylake-Server-IBRS Skylake-Server-noTSX-IBRS "
    "Skylake-Server-v4 Skylake-Server-v5 Cascadelake-Server Cascadelake-Server-v2 Cascadelake-Server-noTSX "
    "Cascadelake-Server-v4 Cascadelake-Server-v5 Cooperlake Cooperlake-v2 KnightsMill Icelake-Client "
    "Icelake-Client-noTSX Icelake-Server Icelake-Server-noTSX Icelake-Server-v3 Icelake-Server-v4 Icelake-Server-v5 "
    "Icelake-Server-v6 Icelake-Server-v7 SapphireRapids SapphireRapids-v2 SapphireRapids-v3 SapphireRapids-v4 "
    "GraniteRapids GraniteRapids-v2 GraniteRapids-v3 SierraForest SierraForest-v2 SierraForest-v3 ClearwaterForest"
)
_AMD = (
    "athlon phenom Opteron_G1 Opteron_G2 Opteron_G3 Opteron_G4 Opteron_G5 EPYC EPYC-IBPB EPYC-v3 EPYC-v4 EPYC-v5 "
    "EPYC-Rome EPYC-Rome-v2 EPYC-Rome-v3 EPYC-Rome-v4 EPYC-Rome-v5 EPYC-Milan EPYC-Milan-v2 EPYC-Milan-v3 EPYC-Genoa "
    "EPYC-Genoa-v2 EPYC-Turin"
)
VENDORS = {
    **dict.fromkeys(_INTEL.split(), "GenuineIntel"),
    **dict.fromkeys(_AMD.split(), "AuthenticAMD"),
    **dict.fromkeys(("host", "max", "kvm32", "kvm64", "qemu32", "qemu64"), ""),
}
"""QEMU's models that PVE has, with the vendor that it writes for them; none for those that have the host's."""


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
_LINUX, _LINUX_WITHOUT_HPET = ("l24", "l26"), (10, 1, 0)


def keeps_hpet(system: str, machine: Version | None) -> bool:
    """Whether PVE leaves the HPET on for an `ostype` and a machine type (PVE/QemuServer/Cfg2Cmd/Timer.pm)."""
    if system in _LINUX:
        return machine is None or machine < _LINUX_WITHOUT_HPET
    return system not in OS_TYPES or OS_TYPES[system].windows < LEAST_WINDOWS


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


def windows_of(release: str) -> int:
    """The version of Windows, as PVE counts it, by a release's id."""
    return OS_TYPES[RELEASES[release]].windows
