"""Whether a domain holds Windows: by what libosinfo says of it, else by how it looks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hvctl.guest.domain.reader import Domain
    from hvctl.xml.source import Element

_LIBOSINFO = "http://libosinfo.org/xmlns/libvirt/domain/1.0"
_MICROSOFT = "http://microsoft.com/win/"
# Compiled when it is needed, which takes as long as several files: where libosinfo has a word, it is not.
_NAME = (
    r"(?<![a-z])(?:w2k\d+|win(?:dows(?:server)?(?![a-z])"
    r"|[-_ ]?(?:(?:7|8|1[01]|20\d\d|2k\d+)(?!\d)|(?:xp|vista|srv|server)(?![a-z]))))"
)
_PROCESSORS = (None, "x86_64", "i686")
# OVMF's builds with Microsoft's keys, as Debian, Ubuntu and Fedora call them.
_KEYS = r"\.ms\.fd|\.secboot\.|secure"


def is_windows(domain: Domain) -> bool:
    """Whether it does; that it is known to be something else is noted in the domain.

    libosinfo's word counts where there is one. Else a name such as `win11` or `windows-dc1` tells, and a firmware with
    Microsoft's keys beside a clock in local time. Windows on another processor than x86 has other clocks and timers.
    """
    elsewhere = domain.machine_where is not None and domain.machine_where.get("arch") not in _PROCESSORS
    metadata = domain.metadata
    known = _known(metadata, {}) if metadata and metadata.below else ""
    if known:
        found = known.startswith(_MICROSOFT)
    else:
        found = looks_like(domain.name) or (domain.offset == "localtime" and _loader(domain.root))
    domain.other = elsewhere or (known != "" and not found)
    return found and not elsewhere


def looks_like(name: str) -> bool:
    """Whether a guest's name says that it is Windows."""
    return re.search(_NAME, name[:200], re.IGNORECASE) is not None


def _known(element: Element, bound: dict[str, str]) -> str:
    """The id of the operating system in libosinfo's metadata; empty where it has none. `bound` are the prefixes that
    are declared inside of that, which costs less than to ask each element for its namespace."""
    for child in element.below:
        inside = {**bound, **own} if (own := child.written.declares) else bound
        prefix, _, name = child.tag.rpartition(":")
        if name == "os" and (inside.get(prefix) or child.namespace) == _LIBOSINFO:
            return child.get("id") or ""
        if child.below and (found := _known(child, inside)):
            return found
    return ""


def _has_keys(loader: Element) -> bool:
    return re.search(_KEYS, loader.text()[:4096], re.IGNORECASE) is not None


def _loader(root: Element) -> bool:
    for system in root.below:
        if system.tag == "os":
            for element in system.below:
                if element.tag == "loader" and (element.get("secure") == "yes" or _has_keys(element)):
                    return True
    return False
