"""Whether a domain holds Windows: by what libosinfo says of it, else by how it looks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hvctl.formats.xml_source import Element
    from hvctl.lint.domain import Domain

_LIBOSINFO = "http://libosinfo.org/xmlns/libvirt/domain/1.0"
_MICROSOFT = "http://microsoft.com/win/"
_NAME = re.compile(
    r"(?<![a-z])(?:win(?:dows|[-_ ]?(?:7|8|1[01]|(?:20\d\d|2k\d+)(?:r2)?|xp|vista|srv|server))|w2k\d+(?:r2)?)(?![a-z])",
    re.IGNORECASE,
)
_PROCESSORS = (None, "x86_64", "i686")
# OVMF's builds with Microsoft's keys, as Debian, Ubuntu and Fedora call them.
_KEYS = re.compile(r"\.ms\.fd|\.secboot\.|secure", re.IGNORECASE)


def is_windows(domain: Domain) -> bool:
    """Whether it does.

    libosinfo's word counts where there is one. Else a name such as `win11` or `windows-dc1` tells, and a firmware with
    Microsoft's keys beside a clock in local time. Windows on another processor than x86 has other clocks and timers.
    """
    known = _known(domain.metadata) if domain.metadata else ""
    if known:
        found = known.startswith(_MICROSOFT)
    else:
        found = looks_like(domain.name) or (domain.offset == "localtime" and _loader(domain.root))
    return found and (domain.machine_where is None or domain.machine_where.get("arch") in _PROCESSORS)


def looks_like(name: str) -> bool:
    """Whether a guest's name says that it is Windows."""
    return _NAME.search(name[:200]) is not None


def _known(metadata: Element) -> str:
    """The id of the operating system in libosinfo's metadata; empty where it has none."""
    for element in metadata.walk():
        if element.local == "os" and element.namespace == _LIBOSINFO:
            return element.get("id") or ""
    return ""


def _loader(root: Element) -> bool:
    for system in root.below:
        if system.tag == "os":
            for element in system.below:
                if element.tag == "loader" and (element.get("secure") == "yes" or _KEYS.search(element.text()[:4096])):
                    return True
    return False
