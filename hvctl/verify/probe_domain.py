"""The domain that boots the probe guest with another domain's machine, CPU, clock and enlightenments.

It is written anew from what is known to matter, so nothing else that stands in the other one's XML reaches libvirt: no
disk, no network, no device, no pinning, no path but QEMU's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lxml import etree

from hvctl.catalog import ROWS
from hvctl.guest.domain.strict import find_domain
from hvctl.guest.domain.strict_commandline import NAMESPACE
from hvctl.guest.domain.strict_reading import whole_number
from hvctl.model.observation import MOST_VCPUS
from hvctl.xml.source import Document, Element

MEMORY_MIB = 64
# The others are about devices, firmware or other processors.
FEATURES = ("acpi", "apic", "hap", "hyperv", "ioapic", "kvm", "pae", "pmu", "pvspinlock", "smm", "viridian", "vmport")
# A layout of the memory that the guest has not.
_NO_PART_OF_THE_CPU = ("numa",)
_PANICS = tuple(
    row.libvirt.path.removeprefix("panic:") for row in ROWS if row.libvirt and row.libvirt.path.startswith("panic:")
)


class Boot(NamedTuple):
    """What the domain is started with, beside what is the other one's.

    `image` is the path of the firmware, `pipe` that of the named pipes PIPE.in and PIPE.out for what the guest prints.
    `vcpus` is a number of vCPUs instead of the other domain's, `arguments` are QEMU's, for `<qemu:commandline>`.
    """

    name: str
    image: str
    pipe: str
    vcpus: int | None = None
    arguments: tuple[str, ...] = ()


def probe_domain(document: Document, boot: Boot) -> str:
    """The XML.

    Args:
        document: the other domain.
        boot: what to start.

    Raises:
        InputError: it is no domain.
    """
    source = find_domain(document)
    spaces = {"qemu": NAMESPACE} if boot.arguments else None
    root = etree.Element("domain", {"type": source.get("type") or "kvm"}, nsmap=spaces)
    _add(root, "name", boot.name)
    _add(root, "memory", str(MEMORY_MIB), unit="MiB")
    own = vcpus(document)
    now, most = (boot.vcpus, boot.vcpus) if boot.vcpus else own
    _add(root, "vcpu", str(most), **({} if now == most else {"current": str(now)}))
    _system(root, source, boot.image)
    _copy_all(root, source, "features", only=FEATURES)
    _copy_all(root, source, "cpu", less=(*_NO_PART_OF_THE_CPU, *(() if (now, most) == own else ("topology",))))
    _copy_all(root, source, "clock")
    # It is not to begin anew where it resets itself, and not to be kept where it crashes.
    for event in ("on_poweroff", "on_reboot", "on_crash"):
        _add(root, event, "destroy")
    _devices(root, source, boot.pipe)
    if boot.arguments:
        around = etree.SubElement(root, f"{{{NAMESPACE}}}commandline")
        for word in boot.arguments:
            etree.SubElement(around, f"{{{NAMESPACE}}}arg", value=word)
    return etree.tostring(root, encoding="unicode", pretty_print=True)


def vcpus(document: Document) -> tuple[int, int]:
    """How many vCPUs a domain has when it starts, and how many it may have; at most as many as the guest looks at."""
    element = next(iter(find_domain(document).named("vcpu")), None)
    most = (whole_number(element.text().strip(), decimal=True) if element else None) or 1
    now = whole_number((element.get("current") if element else None) or "", decimal=True) or most
    return min(now, most, MOST_VCPUS), min(most, MOST_VCPUS)


def arguments(document: Document) -> tuple[str, ...]:
    """What stands in a domain's `<qemu:commandline>`, as words."""
    lines = [child for child in find_domain(document).children if child.local == "commandline"]
    words = [word for line in lines if line.namespace == NAMESPACE for word in line.children]
    return tuple(word.get("value") or "" for word in words if word.local == "arg" and word.namespace == NAMESPACE)


def emulator(document: Document) -> str | None:
    """The QEMU that a domain names."""
    found = [one for devices in find_domain(document).named("devices") for one in devices.named("emulator")]
    return (found[0].text().strip() or None) if found else None


def irqchip(document: Document) -> str | None:
    """QEMU's value of kernel-irqchip (libvirt:src/qemu/qemu_command.c, qemuAppendDomainFeaturesMachineParam)."""
    features = find_domain(document).named("features")
    drivers = [one.get("driver") for found in features for one in found.named("ioapic")]
    return {"qemu": "split", "kvm": "on"}.get(drivers[0] or "") if drivers else None


def _system(root: etree._Element, source: Element, image: str) -> None:
    system = etree.SubElement(root, "os")
    types = [one for found in source.named("os") for one in found.named("type")]
    kept = {name: value for name in ("arch", "machine") if types and (value := types[0].get(name))}
    _add(system, "type", "hvm", **kept)
    _add(system, "loader", image, readonly="yes", type="rom")


def _devices(root: etree._Element, source: Element, pipe: str) -> None:
    devices = etree.SubElement(root, "devices")
    for element in (one for found in source.named("devices") for one in found.children if one.namespace is None):
        if element.tag == "emulator" or (element.tag == "panic" and element.get("model") in _PANICS):
            _copy(devices, element)
    _add(devices, "controller", "", type="usb", model="none")
    serial = etree.SubElement(devices, "serial", type="pipe")
    _add(serial, "source", "", path=pipe)
    target = etree.SubElement(serial, "target", type="isa-debug", port="0")
    _add(target, "model", "", name="isa-debugcon")
    _add(serial, "address", "", type="isa", iobase="0x402")
    _add(devices, "memballoon", "", model="none")


def _add(parent: etree._Element, tag: str, text: str, **attributes: str) -> None:
    etree.SubElement(parent, tag, attributes).text = text or None


def _copy_all(
    root: etree._Element, source: Element, tag: str, *, only: Sequence[str] = (), less: Sequence[str] = ()
) -> None:
    for element in source.named(tag):
        _copy(root, element, only=only, less=less)


def _copy(parent: etree._Element, element: Element, *, only: Sequence[str] = (), less: Sequence[str] = ()) -> None:
    """A copy without comments and without what is in a namespace; of the children perhaps only some."""
    attributes = {one.name: one.value for one in element.attributes() if ":" not in one.name and one.name != "xmlns"}
    copy = etree.SubElement(parent, element.tag, attributes)
    children = [child for child in element.children if child.namespace is None and ":" not in child.tag]
    copy.text = None if children else element.text() or None
    for child in children:
        if child.tag not in less and (not only or child.tag in only):
            _copy(copy, child)
