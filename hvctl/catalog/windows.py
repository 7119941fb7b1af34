"""The guests that a profile can name, what each uses and needs; and how one looks that is Windows."""

import functools
import re
from typing import NamedTuple


class System(NamedTuple):
    """A guest operating system.

    `build` is the NT kernel's, by which a row says since when Windows uses it (`Row.windows_build`); None where the
    system is not Windows. `libosinfo` are the short ids under http://microsoft.com/win/. `vbs_default` says whether
    virtualization-based security is on after a default installation on capable hardware. `level` is the x86-64
    level of the processor that it needs to boot. `sockets` are how many processors editions use, the usual edition in
    front; empty where that is no limit that a guest meets. `profile` is the shipped profile for it, where that is not
    its own id. `harmed_by_uefi` says that with UEFI firmware and several vCPUs every enlightenment hangs it. `offset`
    is what it takes the RTC for, `counter` what its performance counter is without Hyper-V; empty is unknown.
    `last_build` is the newest build of the same name, where something came with one of them.
    """

    id: str
    title: str
    build: int | None = None
    libosinfo: tuple[str, ...] = ()
    machine: str = "q35"
    offset: str = "localtime"
    vbs_default: bool = False
    level: int = 1
    sockets: tuple[tuple[str, int], ...] = ()
    harmed_by_uefi: bool = False
    profile: str = ""
    counter: str = ""
    last_build: int = 0


# Sources: libosinfo's database for the ids; Microsoft Learn for the builds ("Operating System Version", "Windows 11
# release information"), "OEM VBS" and "Windows 11 requirements" for VBS. Sockets: "Compare Windows editions", and
# "Windows Server - Sockets, Logical Processors, Symmetric Multi Threading" on blogs.technet.microsoft.com (2012): 64
# from Server 2012 on. SSE4.2 and POPCNT, which come with level 2: Windows 11 24H2 and Server 2025, of one kernel, do
# not boot without them ("Windows processor requirements"; observed by the press from build 26080 on). Windows 7 and
# 2008 R2 have no driver for q35's AHCI/PCIe out of the box on many media, so their machine is pc, and so is that of
# what is older. Harm with UEFI: Red Hat bug 1185253, Launchpad bugs 1456819 and 1593605; virtinst leaves the
# enlightenments out of these two then. Proxmox VE does so of all before Windows 8, for which no report was found.
# RTC: "Why does Windows keep your BIOS clock on local time?" (devblogs.microsoft.com/oldnewthing, 2004), and virtinst.
# Counters: "Acquiring high-resolution time stamps" on Microsoft Learn, which says nothing of those after 8.1 and Server
# 2012 R2, and of Windows XP only that it may be the TSC; of Server 2003 "Programs that use the QueryPerformanceCounter
# function may perform poorly" (Microsoft's KB 895980).
_PM_TIMER = "the ACPI PM timer, from its second service pack on"
_PLATFORM = "the HPET or the ACPI PM timer"
_SYNCHRONISED = "the TSC where it can synchronise it on all processors, else the HPET or the ACPI PM timer"
_TSC = "the TSC"
_CLIENT = (("Pro", 2), ("Home", 1))
_CLIENT_10 = (*_CLIENT, ("Pro for Workstations", 4))
_SERVER = (("Standard", 4), ("Enterprise", 8))
SYSTEMS = (
    System("windows-xp", "Windows XP", 2600, ("xp",), "pc", sockets=_CLIENT),
    System(
        "windows-server-2003", "Windows Server 2003", 3790, ("2k3", "2k3r2"), "pc", sockets=_SERVER, counter=_PM_TIMER
    ),
    System(
        "windows-vista",
        "Windows Vista",
        6000,
        ("vista",),
        "pc",
        sockets=_CLIENT,
        profile="windows-7",
        counter=_PLATFORM,
    ),
    System(
        "windows-server-2008",
        "Windows Server 2008",
        6001,
        ("2k8",),
        "pc",
        sockets=_SERVER,
        profile="windows-server-2008r2",
        counter=_PLATFORM,
    ),
    System("windows-7", "Windows 7", 7600, ("7",), "pc", sockets=_CLIENT, harmed_by_uefi=True, counter=_SYNCHRONISED),
    System(
        "windows-server-2008r2",
        "Windows Server 2008 R2",
        7600,
        ("2k8r2",),
        "pc",
        sockets=_SERVER,
        harmed_by_uefi=True,
        counter=_SYNCHRONISED,
    ),
    System("windows-8", "Windows 8", 9200, ("8",), sockets=_CLIENT, profile="windows-8.1", counter=_TSC),
    System(
        "windows-server-2012", "Windows Server 2012", 9200, ("2k12",), profile="windows-server-2012r2", counter=_TSC
    ),
    System("windows-8.1", "Windows 8.1", 9600, ("8.1",), sockets=_CLIENT, counter=_TSC),
    System("windows-server-2012r2", "Windows Server 2012 R2", 9600, ("2k12r2",), counter=_TSC),
    System("windows-10", "Windows 10", 10240, ("10",), sockets=_CLIENT_10, last_build=19045),
    System("windows-server-2016", "Windows Server 2016", 14393, ("2k16",)),
    System("windows-server-2019", "Windows Server 2019", 17763, ("2k19",)),
    System("windows-server-2022", "Windows Server 2022", 20348, ("2k22",), vbs_default=True),
    System(
        "windows-11-23h2", "Windows 11 up to 23H2", 22000, vbs_default=True, sockets=_CLIENT_10, profile="windows-11"
    ),
    # libosinfo has one id for all.
    System("windows-11", "Windows 11", 26100, ("11",), vbs_default=True, level=2, sockets=_CLIENT_10),
    System("windows-server-2025", "Windows Server 2025", 26100, ("2k25",), vbs_default=True, level=2),
    System("other", "another operating system", offset="utc"),
)
BY_OS = {system.id: system for system in SYSTEMS}
"""The systems by their ids."""


def system_of(os: str) -> System:
    """The system of a profile's `guest.os`; `other` for what is none."""
    return BY_OS.get(os) or BY_OS["other"]


class Use(NamedTuple):
    """What a guest is used for beyond running Windows; `words` are other names that people type for it. `nested` needs
    vmx or svm in the guest's CPU. `build` is the NT build from which Windows has it."""

    id: str
    title: str
    nested: bool
    words: tuple[str, ...] = ()
    build: int = 0


# Microsoft Learn: "Hyper-V overview" (Server 2008 on; clients since Windows 8, which is not told apart here),
# "Virtualization-based security" (Windows 10, Server 2016), "Comparing WSL versions" (no WSL 2 before Server 2019).
GPU = "gpu-passthrough"
USES = (
    Use(
        "nested-hyperv",
        "Hyper-V inside the guest",
        True,
        ("hyper-v", "hyperv", "nested", "nested-virtualization", "windows-sandbox", "sandbox"),
        6001,
    ),
    Use(
        "vbs",
        "virtualization-based security (Credential Guard, memory integrity)",
        True,
        ("virtualization-based-security", "hvci", "memory-integrity", "core-isolation", "credential-guard"),
        10240,
    ),
    Use("wsl2", "Windows Subsystem for Linux 2", True, ("wsl", "windows-subsystem-for-linux", "docker-desktop"), 17763),
    Use(GPU, "a graphics card assigned to the guest", False, ("gpu", "vfio", "pci-passthrough")),
)


def without_use(system: System, use: Use) -> bool:
    """Whether no Windows of a release has a use."""
    return system.build is not None and max(system.build, system.last_build) < use.build


USE_WORDS = {word: use.id for use in USES for word in (use.id, *use.words)}
"""The uses by all their names, as `plain` makes them."""


def plain(words: str) -> str:
    """A name as it is looked up: in small letters, with `-` for spaces and `_`."""
    return words.lower().replace("_", "-").replace(" ", "-")


MICROSOFT = "http://microsoft.com/win/"
BY_LIBOSINFO = {f"{MICROSOFT}{short}": system.id for system in SYSTEMS for short in system.libosinfo}
"""The releases by libosinfo's ids."""
# Compiled when it is needed, which takes as long as several files: where libosinfo's id is written, it is not.
_NAME = (
    r"(?<![a-z])(?:w2k\d+|win(?:dows(?:server)?(?![a-z])"
    r"|[-_ ]?(?:(?:7|8|1[01]|20\d\d|2k\d+)(?!\d)|(?:xp|vista|srv|server)(?![a-z]))))"
)
# What a name says of the release. Of numbers that two have, as in win2012r2, the longer one counts.
_RELEASE = (
    r"(?<![a-z])(?:w|win(?:dows)?)[-_ ]?(?:server|srv)?[-_ ]?"
    r"(?:(xp|vista|8\.1|7|8|10|11)|(?:20|2k)(0?3|0?8|12|16|19|22|25)(?:[-_ ]?(r2))?)(?![0-9])"
)
# OVMF's builds with Microsoft's keys, by the names of Debian, Ubuntu and Fedora.
_KEYS = r"\.ms\.fd|\.secboot\.|secure"


def looks_like(name: str) -> bool:
    """Whether a guest's name says that it is Windows."""
    return re.search(_NAME, name[:200], re.IGNORECASE) is not None


@functools.lru_cache(1000)  # many guests have the same
def has_keys(path: str) -> bool:
    """Whether a firmware's file name says that it has Microsoft's keys."""
    return re.search(_KEYS, path[:4096], re.IGNORECASE) is not None


def named(name: str) -> System | None:
    """The release that a guest's name tells, such as `win2012r2` or `Windows-10`; None where it tells none."""
    found = re.search(_RELEASE, name[:200], re.IGNORECASE)
    if found is None:
        return None
    client, server, second = (part and part.lower() for part in found.groups())
    if server:
        year = f"20{server.zfill(2)}"
        return BY_OS[f"windows-server-{year}{second or ''}" if year in ("2008", "2012") else f"windows-server-{year}"]
    return BY_OS[f"windows-{client}"]
