"""The guests that a profile can name, and what goes with them; and how one looks that is Windows."""

import functools
import re
from typing import NamedTuple


class Guest(NamedTuple):
    """A guest operating system. `libosinfo` are the short ids under http://microsoft.com/win/; `vbs_default` says
    whether virtualization-based security is on after a default installation on capable hardware."""

    id: str
    title: str
    machine: str
    offset: str
    libosinfo: tuple[str, ...] = ()
    vbs_default: bool = False


# Sources: libosinfo's database for the ids; Microsoft Learn, "OEM VBS" and "Windows 11 requirements" for VBS; Windows
# 7 and 2008 R2 have no driver for q35's AHCI/PCIe out of the box on many media, so their machine is pc.
GUESTS = (
    Guest("windows-7", "Windows 7", "pc", "localtime", ("7",)),
    Guest("windows-server-2008r2", "Windows Server 2008 R2", "pc", "localtime", ("2k8r2",)),
    Guest("windows-server-2012r2", "Windows Server 2012 R2", "q35", "localtime", ("2k12r2",)),
    Guest("windows-10", "Windows 10", "q35", "localtime", ("10",)),
    Guest("windows-server-2016", "Windows Server 2016", "q35", "localtime", ("2k16",)),
    Guest("windows-server-2019", "Windows Server 2019", "q35", "localtime", ("2k19",)),
    Guest("windows-server-2022", "Windows Server 2022", "q35", "localtime", ("2k22",), vbs_default=True),
    Guest("windows-11", "Windows 11", "q35", "localtime", ("11",), vbs_default=True),
    Guest("windows-server-2025", "Windows Server 2025", "q35", "localtime", ("2k25",), vbs_default=True),
    Guest("other", "another operating system", "q35", "utc"),
)


class Use(NamedTuple):
    """What a guest is used for beyond running Windows; `words` are other names that people type for it. `nested` needs
    vmx or svm in the guest's CPU."""

    id: str
    title: str
    nested: bool
    words: tuple[str, ...] = ()


GPU = "gpu-passthrough"
USES = (
    Use(
        "nested-hyperv",
        "Hyper-V inside the guest",
        True,
        ("hyper-v", "hyperv", "nested", "nested-virtualization", "windows-sandbox", "sandbox"),
    ),
    Use(
        "vbs",
        "virtualization-based security (Credential Guard, memory integrity)",
        True,
        ("virtualization-based-security", "hvci", "memory-integrity", "core-isolation", "credential-guard"),
    ),
    Use("wsl2", "Windows Subsystem for Linux 2", True, ("wsl", "windows-subsystem-for-linux", "docker-desktop")),
    Use(GPU, "a graphics card assigned to the guest", False, ("gpu", "vfio", "pci-passthrough")),
)
USE_WORDS = {word: use.id for use in USES for word in (use.id, *use.words)}
"""The uses by all their names, as `plain` makes them."""


def plain(words: str) -> str:
    """A name as it is looked up: in small letters, with `-` for spaces and `_`."""
    return words.lower().replace("_", "-").replace(" ", "-")


MICROSOFT = "http://microsoft.com/win/"
SYSTEMS = {f"{MICROSOFT}{short}": release.id for release in GUESTS for short in release.libosinfo}
"""The releases by libosinfo's ids."""
# Compiled when it is needed, which takes as long as several files: where libosinfo's id is written, it is not.
_NAME = (
    r"(?<![a-z])(?:w2k\d+|win(?:dows(?:server)?(?![a-z])"
    r"|[-_ ]?(?:(?:7|8|1[01]|20\d\d|2k\d+)(?!\d)|(?:xp|vista|srv|server)(?![a-z]))))"
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
