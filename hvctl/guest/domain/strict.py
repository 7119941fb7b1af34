"""libvirt's domain XML, as far as it concerns enlightenments, to a Guest.

What libvirt would refuse is a mistake as far as it is read here; all else in the file is left to libvirt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvctl.catalog.cpu_models import PLAIN
from hvctl.errors import InputError
from hvctl.guest.domain.strict_commandline import with_commandline
from hvctl.guest.domain.strict_cpu import read_cpu, read_hidden, read_tsc_frequency
from hvctl.guest.domain.strict_hyperv import enlightenments
from hvctl.guest.domain.strict_reading import Reading
from hvctl.model.guest import Guest
from hvctl.model.span import Problem
from hvctl.text.problems import quoted
from hvctl.xml.source import parse

if TYPE_CHECKING:
    from hvctl.xml.source import Document, Element

# Snapshots, checkpoints and the state files in /run/libvirt/qemu hold the domain they are about.
_AROUND = ("domainsnapshot", "domaincheckpoint", "domstatus")
_ACCELERATORS = {"kvm": "kvm", "qemu": "tcg"}
_X86 = "x86_64"


def read_domain(data: bytes, path: str) -> Guest:
    """The guest that a domain XML describes; it is called by its name, or by the path where it has none.

    Args:
        data: the whole file.
        path: its name, for messages and spans.

    Raises:
        InputError: it is not XML, not a domain, or libvirt would refuse what it says; with every mistake and its place.
    """
    return guest_of_document(parse(data, path))


def guest_of_document(document: Document) -> Guest:
    """The same of a file that is parsed already, be it shallow; raises InputError as `read_domain`."""
    reading = Reading()
    domain = find_domain(document)
    system = next(iter(_types(domain)), None)
    arch = (system.get("arch") if system else None) or _X86
    if arch not in (_X86, "i686"):
        reading.doubt(f"the architecture is {quoted(arch)}: hvctl knows the enlightenments of x86")
    cpu = read_cpu(domain, PLAIN if arch == _X86 else None, reading)
    kind = domain.get("type")
    guest = Guest(
        _name(domain) or document.path,
        (system.get("machine") if system else None) or None,
        cpu.model,
        cpu.migratable,
        cpu.enforce,
        read_hidden(domain, reading),
        cpu.features,
        read_tsc_frequency(domain, reading),
        enlightenments(domain, reading),
        kind and _ACCELERATORS.get(kind, kind),
        libvirt=True,
    )
    guest = with_commandline(guest, domain, reading)
    reading.problems.check()
    return guest._replace(doubts=tuple(reading.doubts))


def find_domain(document: Document) -> Element:
    """The one `<domain>` of a file, its root or in one of libvirt's files around it; raises InputError if not one."""
    root = document.root
    if root.tag == "domain" and root.namespace is None:
        return root
    found = root.named("domain")
    if root.tag in _AROUND and len(found) == 1:
        return found[0]
    raise InputError([_no_domain(document, found)])


def _no_domain(document: Document, found: list[Element]) -> Problem:
    root = document.root
    span = document.span(root.start, root.start + document.width(f"<{root.tag}"))
    if root.local == "domain":
        return Problem(f"this <{root.tag}> is not libvirt's", span, "libvirt's has no namespace and no prefix")
    if len(found) > 1:
        second = document.span(found[1].start, found[1].start + document.width("<domain"))
        return Problem("a second domain begins here", second, "a file holds one")
    return Problem(f"this is not a libvirt domain, but <{root.tag}>", span, "pass what virsh dumpxml prints")


def _types(domain: Element) -> list[Element]:
    return [element for system in domain.named("os") for element in system.named("type")]


def _name(domain: Element) -> str:
    names = domain.named("name")
    return names[0].text().strip() if names else ""
