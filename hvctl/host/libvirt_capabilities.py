"""What a libvirt tells of its host, by capabilities and domain capabilities, as the facts of a host.

Domain capabilities list what QEMU's expansion of hv-passthrough turns on (libvirt:src/qemu/qemu_capabilities.c,
virQEMUCapsInitQMPHypervCapabilities): a row that is listed can be had. Of one that is not, it is not known whether KVM,
QEMU or this libvirt lacks it. A listing without any row that KVM has to support stands on every KVM, one without
Hyper-V emulation too (observed with libvirt 9.0), so it tells nothing about KVM.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from hvctl.catalog import BY_ID, ROWS, rank
from hvctl.catalog.kvm import REGISTERS
from hvctl.catalog.machines import FAMILIES
from hvctl.catalog.placement import HypervElement, Placement
from hvctl.catalog.types import Row
from hvctl.errors import HostError, InputError
from hvctl.host.host_file import is_frequency
from hvctl.model.host import LIBVIRT, CpuidLeaf, Hardware, Host, Kvm, Libvirt, MachineType, Qemu
from hvctl.text.json_fields import is_line
from hvctl.xml.document import Element
from hvctl.xml.reader import parse

ARCH = "x86_64"
NOTE = (
    "only libvirt was asked about this host, and its domain capabilities do not tell everything: what they leave out "
    "is unknown; record the host on itself for the rest: hvctl check-host --record FILE"
)
LAUNCHER_NOTE = (
    "QEMU and libvirt are virt-launcher's, and its domain capabilities do not tell everything: what they leave out is "
    "unknown"
)
_HOW = {
    "kvm": "libvirt's domain capabilities for KVM guests",
    "hardware": "libvirt's capabilities",
    "qemu": "libvirt's capabilities and domain capabilities",
    "libvirt": "libvirt's domain capabilities",
}
# libvirt:src/cpu_map/x86_vendors.xml; the last is what CPUID itself says, as in other host files.
_VENDORS = {"Intel": "intel", "AMD": "amd", "Hygon": "HygonGenuine"}
_NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)
_WORD = re.compile(r"([0-9]+)")
_MOST_MACHINES = 1000
_LAST_ID = (1 << 32) - 2
_DAC_LABEL = r"\+([0-9]{1,10}):\+[0-9]+"


class Answers(NamedTuple):
    """What one libvirt answered: two XML texts, and the versions of its QEMU and its own, None where not told."""

    capabilities: str
    domain_capabilities: str
    qemu: str | None = None
    libvirt: str | None = None


def read_answers(answers: Answers, name: str) -> Host:
    """The host of a libvirt's answers.

    Raises:
        HostError: they are not what libvirt answers, or the host has no KVM for x86_64.
    """
    host = _root(answers.capabilities, "capabilities")
    domain = _root(answers.domain_capabilities, "domainCapabilities")
    machines = tuple(_machines(_kvm_guest(host)))
    if _text(domain, "domain") != "kvm" or _text(domain, "arch") != ARCH:
        raise HostError(f"{name}: libvirt's domain capabilities are not those of KVM guests of {ARCH}")
    told = tuple(_told(domain))
    return Host(
        name,
        _kvm(told),
        _hardware(host),
        (_qemu(domain, told, machines, answers.qemu),),
        Libvirt(answers.libvirt, tuple(sorted(_elements(domain), key=rank)), partial=True),
        tuple(_HOW.items()),
        (NOTE,),
    )


def with_launcher(host: Host, text: str, name: str) -> Host:
    """A node with the QEMU and libvirt that guests get there, instead of its own: those of KubeVirt's virt-launcher, as
    far as its domain capabilities tell (virt-handler keeps them in /var/lib/kubevirt-node-labeller).

    Raises:
        HostError: they are not what libvirt answers, or not those of KVM guests of x86_64.
    """
    domain = _root(text, "domainCapabilities")
    if _text(domain, "domain") != "kvm" or _text(domain, "arch") != ARCH:
        raise HostError(f"{name}: these domain capabilities are not those of KVM guests of {ARCH}")
    machine = _text(domain, "machine") or ""
    family = next((one for one, prefix in FAMILIES.items() if machine.startswith(prefix)), None)
    machines = (MachineType(machine, family),) if machine else ()
    told = _with_needs(_told(domain))
    known = _elements(domain) | {row.libvirt.path for row in told if row.libvirt}
    qemu = _qemu(domain, told, machines, None)
    libvirt = Libvirt(None, tuple(sorted(known, key=rank)), partial=True)
    how = tuple((layer, _HOW["libvirt"] if layer in ("qemu", "libvirt") else said) for layer, said in host.how)
    return host._replace(qemu=(qemu,), libvirt=libvirt, how=how, notes=(*host.notes, LAUNCHER_NOTE))


def qemu_user(capabilities: str) -> int | None:
    """The number of the user that a libvirt runs QEMU as; None where it is none's choice, as in a session.

    Raises:
        HostError: they are not what libvirt answers.
    """
    for model in _below(_root(capabilities, "capabilities"), "host", "secmodel"):
        if _text(model, "model") == "dac":  # of the base labels, all are the same
            match = re.fullmatch(_DAC_LABEL, _text(model, "baselabel") or "")
            return int(match[1]) if match and int(match[1]) <= _LAST_ID else None
    return None


def _root(text: str, tag: str) -> Element:
    try:
        root = parse(text.encode(), tag).root
    except InputError as error:
        raise HostError(f"libvirt's {tag} cannot be read: {error}") from error
    if root.tag != tag:
        raise HostError(f"libvirt's {tag} cannot be read: it is not what libvirt prints")
    return root


def _below(element: Element, *path: str) -> Iterator[Element]:
    """The elements at a path of names."""
    if not path:
        yield element
        return
    for child in element.named(path[0]):
        yield from _below(child, *path[1:])


def _text(element: Element, *path: str) -> str | None:
    """The text of the first element at a path; None where there is none that could be printed."""
    found = next((one.text().strip() for one in _below(element, *path)), None)
    return found if found and is_line(found) else None


def _kvm_guest(host: Element) -> Element:
    for arch in _below(host, "guest", "arch"):
        if arch.get("name") == ARCH and any(one.get("type") == "kvm" for one in arch.named("domain")):
            return arch
    raise HostError(
        f"its libvirt can start no KVM guests of {ARCH}",
        "does the host have /dev/kvm, and is QEMU for x86_64 installed there?",
    )


def _machines(arch: Element) -> Iterator[MachineType]:
    kvm = [one for one in arch.named("domain") if one.get("type") == "kvm"]
    listed = [machine for place in (arch, *kvm) for machine in place.named("machine")][:_MOST_MACHINES]
    aliases = {machine.get("canonical"): machine.text().strip() for machine in listed if machine.get("canonical")}
    names = {machine.text().strip() for machine in listed} - set(aliases.values())
    for name in sorted(filter(is_line, names), key=_natural):
        yield MachineType(name, aliases.get(name))


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    """By name, numbers in it by their value."""
    return tuple((int(word), "") if word.isdecimal() else (-1, word) for word in _WORD.split(name) if word)


def _listed(domain: Element) -> set[str]:
    """The elements of `<hyperv>` that are listed."""
    return {
        value.text().strip()
        for hyperv in _below(domain, "features", "hyperv")
        if hyperv.get("supported") == "yes"
        for enum in hyperv.named("enum")
        if enum.get("name") == "features"
        for value in enum.named("value")
    }


def _defaults(domain: Element) -> dict[str, bool]:
    """What libvirt 11.9 and newer say of elements inside others (`stimer_direct`): whether they are on."""
    return {
        child.tag: child.text().strip() == "on"
        for defaults in _below(domain, "features", "hyperv", "defaults")
        for child in defaults.children
    }


def _told(domain: Element) -> Iterator[Row]:
    """The rows that can be had, in the catalog's order."""
    listed, defaults = _listed(domain), _defaults(domain)
    for row in ROWS:
        if row.libvirt and (row.libvirt.path in listed or defaults.get(_default(row.libvirt), False)):
            yield row


def _with_needs(told: Iterable[Row]) -> tuple[Row, ...]:
    """Rows, and what they require, which is not always listed: without that no QEMU starts with them."""
    found = list(told)
    for row in found:  # it grows
        found += [BY_ID[needed] for needed in row.requires if BY_ID[needed] not in found]
    return tuple(row for row in ROWS if row in found)


def _default(place: Placement) -> str:
    """The name of a placement among the defaults, such as `stimer_direct`."""
    match place:
        case HypervElement(name, inside=inside) if inside:
            return f"{inside}_{name}"
    return place.path


def _elements(domain: Element) -> set[str]:
    """The elements that this libvirt knows for certain."""
    known = _listed(domain)
    defaults = _defaults(domain)
    for row in ROWS:
        if isinstance(row.libvirt, HypervElement) and row.libvirt.inside and _default(row.libvirt) in defaults:
            known.add(row.libvirt.path)
    for panic in _below(domain, "devices", "panic"):
        enums = [enum for enum in panic.named("enum") if enum.get("name") == "model"]
        known |= {f"panic:{value.text().strip()}" for enum in enums for value in enum.named("value")}
    return {name for name in known if is_line(name)}


def _kvm(told: tuple[Row, ...]) -> Kvm:
    """KVM as far as the listed rows show it: the bits and capabilities that QEMU demands for them."""
    registers: dict[int, dict[str, int]] = {}
    for row in told:
        for bits in row.checks:
            leaf = registers.setdefault(bits.leaf, dict.fromkeys(REGISTERS, 0))
            leaf[bits.register] |= bits.mask
    caps = {name: 1 for row in told for name in row.caps}
    if registers:
        caps["KVM_CAP_HYPERV"] = 1
    ids = {row.id for row in told}
    unseen = tuple(row.id for row in ROWS if (row.checks or row.caps) and row.id not in ids)
    leaves = tuple(CpuidLeaf(leaf, **values) for leaf, values in sorted(registers.items()))
    return Kvm(None, LIBVIRT, tuple(sorted(caps.items())), leaves, unseen)


def _hardware(host: Element) -> Hardware:
    vendor = _text(host, "host", "cpu", "vendor")
    signature = next(_below(host, "host", "cpu", "signature"), None)
    family, model, stepping = (_number(signature, name) for name in ("family", "model", "stepping"))
    counter = next((one for one in _below(host, "host", "cpu", "counter") if one.get("name") == "tsc"), None)
    frequency = _number(counter, "frequency")
    scaling = counter.get("scaling") if counter else None
    return Hardware(
        vendor=_VENDORS.get(vendor, vendor) if vendor else None,
        family=family,
        model=model,
        stepping=stepping,
        tsc_hz=frequency if is_frequency(frequency) else None,
        tsc_scaling={"yes": True, "no": False}.get(scaling or ""),
    )


def _number(element: Element | None, name: str) -> int | None:
    text = element.get(name) if element else None
    return int(text) if text and _NUMBER.fullmatch(text) else None


def _qemu(domain: Element, told: tuple[Row, ...], machines: tuple[MachineType, ...], version: str | None) -> Qemu:
    return Qemu(
        path=_text(domain, "path") or "the QEMU of its libvirt",
        version=version,
        properties=tuple((known.name, known.type) for row in told for known in row.properties),
        machines=machines,
        models=_models(domain),
        partial=True,
    )


def _models(domain: Element) -> tuple[str, ...] | None:
    """The CPU models that the host can give; None where libvirt does not know it of each."""
    modes = [mode for mode in _below(domain, "cpu", "mode") if mode.get("name") == "custom"]
    models = [(model.text().strip(), model.get("usable")) for mode in modes for model in mode.named("model")]
    if not models or any(usable not in ("yes", "no") for _, usable in models):
        return None
    return tuple(sorted(name for name, usable in models if usable == "yes" and is_line(name)))
