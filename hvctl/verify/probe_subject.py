"""What of a guest boots the probe guest: machine, CPU, clock and enlightenments, and no device or disk.

Of arguments, the options that make these are kept. A domain is written from what is known to matter, so nothing else in
the other one's XML reaches libvirt: no disk, no network, no device, no pinning, no path but QEMU's own.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lxml import etree

from hvctl.catalog import BY_ID, roles
from hvctl.guest.command.options import Option, global_property, parameters, scan
from hvctl.guest.domain.commandline import NAMESPACE
from hvctl.guest.domain.reader import find_domain
from hvctl.model.verification import MOST_VCPUS
from hvctl.text.c_numbers import decimal_number
from hvctl.xml.document import Document, Element

MACHINE = ("machine", "M")
ACCELERATOR = ("accel", "enable-kvm")
KEPT = frozenset({*MACHINE, *ACCELERATOR, "cpu", "smp", "rtc", "global", "no-hpet", "no-acpi", "no-user-config"})
# What the probe guest brings itself.
SILENT = frozenset({"nodefaults", "no-reboot"})
# Values that name something else on the command line (qemu:hw/core/machine.c, hw/i386/pc_sysfw.c).
REFERENCES = ("memory-backend", "memory-encryption", "confidential-guest-support", "pflash0", "pflash1")
# Values that name files. The command line may be a stranger's: what it starts is to be the probe guest, and KVM.
FILES = ("kernel", "initrd", "append", "shim", "dtb", "dumpdtb", "firmware", "device")
CPU_DRIVER, PIT = "-cpu", "kvm-pit"
ALL_DEVICES = ("device", "object")
DEFAULT_VCPUS = 2


class Essential(NamedTuple):
    """What is left of a command line, and the names of the options that are not, each once."""

    words: tuple[str, ...]
    dropped: tuple[str, ...]


def essential(caller: Sequence[str]) -> Essential:
    """A command line, without the program, less all that is no part of machine, accelerator, CPU and clock."""
    words: list[str] = []
    dropped: list[str] = []
    for option in scan(caller):
        if option.name in MACHINE and option.value is not None:
            words += _without(option, (*REFERENCES, *FILES))
        elif option.name == "accel" and option.value is not None:
            words += _without(option, FILES, "accel")
        elif option.name in KEPT and (option.name != "global" or _is_cpu(option.value or "")):
            words += option.words
        elif option.name not in SILENT:
            dropped.append(f"-{option.name}" if option.name else option.words[0])
    return Essential(tuple(words), tuple(dict.fromkeys(dropped)))


def with_vcpus(words: Sequence[str], number: int | None) -> tuple[str, ...]:
    """The words with this number of vCPUs; None leaves what they say, or the default."""
    others = [option for option in scan(words) if option.name != "smp"]
    if number is None and len(others) < len(scan(words)):
        return tuple(words)
    return (*_words(others), "-smp", str(number or DEFAULT_VCPUS))


def with_accelerator(words: Sequence[str], name: str) -> tuple[str, ...]:
    """The words with this accelerator alone. TCG has no CPU model `host`, which becomes `max`, and not KVM's PIT."""
    kept: list[str] = ["-accel", name]
    for option in scan(words):
        if option.name in ACCELERATOR:
            continue
        if option.name in MACHINE and option.value is not None:
            kept += _without(option, ("accel",))
        elif name == "tcg" and option.name == "cpu" and option.value is not None:
            model, comma, rest = option.value.partition(",")
            kept += [option.words[0], ("max" if model == "host" else model) + comma + rest]
        elif not (name == "tcg" and option.name == "global" and _driver(option.value or "") == PIT):
            kept += option.words
    return tuple(kept)


def without_rows(words: Sequence[str], ids: Iterable[str]) -> tuple[str, ...]:
    """The words less these rows' properties of the CPU."""
    names = {known.name for row_id in ids for known in BY_ID[row_id].properties}
    names |= {alias for row_id in ids for alias in BY_ID[row_id].property_aliases}
    kept: list[str] = []
    for option in scan(words):
        if option.name == "cpu" and option.value is not None:
            parts = option.value.split(",")
            own = [part for part in parts if part.lstrip("+-").partition("=")[0].replace("_", "-") not in names]
            kept += [option.words[0], ",".join(own)]
        else:
            kept += option.words
    return tuple(kept)


def plain(words: Sequence[str]) -> tuple[str, ...]:
    """The words without any enlightenment, and with the HPET that the machine has then."""
    kept: list[str] = []
    for option in scan(without_rows(words, BY_ID)):
        kept += _without(option, ("hpet",)) if option.name in MACHINE else option.words
    return tuple(kept)


def _words(options: Sequence[Option]) -> list[str]:
    return [word for option in options for word in option.words]


def _without(option: Option, names: Sequence[str], implied: str = "type") -> tuple[str, ...]:
    """An option less these parameters; as it is where it has none of them, and nothing where it has no other."""
    all_parts = parameters(option.value or "", implied)
    kept = [part for part in all_parts if part.name not in names]
    if len(kept) == len(all_parts):
        return option.words
    return (option.words[0], ",".join(part.text() for part in kept)) if kept else ()


def _is_cpu(value: str) -> bool:
    """Whether a -global is about the CPU or KVM's timer: those of devices would have nothing to work on.

    It is for every object of a class or one derived from it (qemu:qom/object.c, object_apply_global_props): the model's
    own class, max's for host, x86_64-cpu, cpu, and what all devices are. What QEMU refuses is left to it.
    """
    driver = _driver(value)
    return driver is None or f"-{driver}".endswith(CPU_DRIVER) or driver in (PIT, *ALL_DEVICES)


def _driver(value: str) -> str | None:
    """The class that a -global is about; None where it is about none."""
    found = global_property(value)
    return found[0] if found else None


MEMORY_MIB = 64
# The others are about devices, firmware or other processors.
FEATURES = ("acpi", "apic", "hap", "hyperv", "ioapic", "kvm", "pae", "pmu", "pvspinlock", "smm", "viridian", "vmport")
# A layout of the memory that the guest has not.
_NO_PART_OF_THE_CPU = ("numa",)
_PANICS = tuple(roles.PANIC_DEVICES)


class Boot(NamedTuple):
    """What the domain is started with, beside what is the other one's.

    `image` is the path of the firmware, `pipe` that of the named pipes PIPE.in and PIPE.out for what the guest prints.
    `vcpus` is a number of vCPUs instead of the other domain's, `arguments` are QEMU's, for `<qemu:commandline>`.
    `emulator` is the path of QEMU: never copied, since whoever wrote the other domain may have named any program.
    """

    name: str
    image: str
    pipe: str
    vcpus: int | None = None
    arguments: tuple[str, ...] = ()
    emulator: str | None = None


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
    # It is not to start again where it resets itself, and not to be kept where it crashes.
    for event in ("on_poweroff", "on_reboot", "on_crash"):
        _add(root, event, "destroy")
    _devices(root, source, boot)
    if boot.arguments:
        around = etree.SubElement(root, f"{{{NAMESPACE}}}commandline")
        for word in boot.arguments:
            etree.SubElement(around, f"{{{NAMESPACE}}}arg", value=word)
    return etree.tostring(root, encoding="unicode", pretty_print=True)


def vcpus(document: Document) -> tuple[int, int]:
    """How many vCPUs a domain has when it starts, and how many it may have; at most as many as the guest looks at."""
    element = next(iter(find_domain(document).named("vcpu")), None)
    most = (decimal_number(element.text().strip()) if element else None) or 1
    now = decimal_number((element.get("current") if element else None) or "") or most
    return min(now, most, MOST_VCPUS), min(most, MOST_VCPUS)


def arguments(document: Document) -> tuple[str, ...]:
    """The words of a domain's `<qemu:commandline>`."""
    lines = [child for child in find_domain(document).children if child.local == "commandline"]
    words = [word for line in lines if line.namespace == NAMESPACE for word in line.children]
    return tuple(word.get("value") or "" for word in words if word.local == "arg" and word.namespace == NAMESPACE)


def emulator(document: Document) -> str | None:
    """The QEMU that a domain names."""
    found = [one for devices in find_domain(document).named("devices") for one in devices.named("emulator")]
    return (found[0].text().strip() or None) if found else None


def _system(root: etree._Element, source: Element, image: str) -> None:
    system = etree.SubElement(root, "os")
    types = [one for found in source.named("os") for one in found.named("type")]
    kept = {name: value for name in ("arch", "machine") if types and (value := types[0].get(name))}
    _add(system, "type", "hvm", **kept)
    _add(system, "loader", image, readonly="yes", type="rom")


def _devices(root: etree._Element, source: Element, boot: Boot) -> None:
    devices = etree.SubElement(root, "devices")
    if boot.emulator:
        _add(devices, "emulator", boot.emulator)
    for element in (one for found in source.named("devices") for one in found.children if one.namespace is None):
        if element.tag == "panic" and element.get("model") in _PANICS:
            _copy(devices, element)
    _add(devices, "controller", "", type="usb", model="none")
    serial = etree.SubElement(devices, "serial", type="pipe")
    _add(serial, "source", "", path=boot.pipe)
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
