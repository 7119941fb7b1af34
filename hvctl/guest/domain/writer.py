"""A guest as a libvirt domain."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from lxml import etree

from hvctl.catalog.cpu_models import CPU_MODES, libvirt_name
from hvctl.catalog.placement import ClockTimer, HypervElement, HypervMode, PanicDevice
from hvctl.errors import InputError, Problem
from hvctl.guest.command.writer import flags
from hvctl.guest.domain import LIBOSINFO, NAMESPACE
from hvctl.guest.plan import guest_of
from hvctl.model.guest import HOST_MODELS, X86, Guest, Setting, Timer, Topology
from hvctl.model.plan import Decision, Plan, digest
from hvctl.xml import Node

MODES = {model: mode for mode, model in CPU_MODES.items()}
IOAPICS = {"on": "kvm", "split": "qemu"}
_TYPES = {"tcg": "qemu"}
_FIRMWARE = {"uefi": "efi"}
P = TypeVar("P", HypervElement, HypervMode, ClockTimer, PanicDevice)
# Without an offset libvirt takes this, and so does QEMU.
_OFFSET = "utc"


def domain(
    plan: Plan,
    *,
    name: str | None = None,
    memory_mib: int = 4096,
    vcpus: int | None = None,
    fragment: bool = False,
    metadata: bool = False,
) -> str:
    """The plan as domain XML, elements in libvirt's order.

    Args:
        plan: resolved for libvirt, without refusals.
        name: the domain's name; the profile's by default.
        memory_mib: memory in MiB.
        vcpus: how many, as the cores of one socket: of several sockets Windows for clients uses one or two.
        fragment: leave out what the plan does not decide (name, memory, acpi, apic).
        metadata: put the plan's identity into <metadata>.

    Returns:
        The text, ending in a newline.
    """
    head = () if fragment else (Node("name", text=name or plan.profile),)
    memory = () if fragment else (Node("memory", (("unit", "MiB"),), text=str(memory_mib)),)
    known = (Node("metadata", children=(metadata_node(plan),)),) if metadata else ()
    basic = () if fragment else (Node("acpi"), Node("apic"))
    guest = guest_of(plan, libvirt=True)
    if vcpus:
        guest.vcpus, guest.topology = vcpus, Topology(1, None, vcpus, 1)
    return _text((*head, *known, *memory), guest, basic)


def fragment(guest: Guest) -> str:
    """The elements of a domain that hold what a guest has; ends in a newline."""
    return _text(tuple(_system(guest)), guest)


def _text(head: tuple[Node, ...], guest: Guest, features: tuple[Node, ...] = ()) -> str:
    kind = guest.accelerator or "kvm"
    nodes = (*head, *_vcpus(guest), *_os(guest), *_features(guest, features), *_cpu(guest), *_clock(guest))
    try:
        root = etree.Element("domain", type=_TYPES.get(kind, kind))
        for node in nodes:
            append(root, node)
    except ValueError as error:
        # What a command line says can hold control characters, and halves of characters.
        raise InputError([Problem(f"{guest.label}: the guest has a text that XML cannot hold")]) from error
    panics = [Node("panic", (("model", place.model),)) for place, _ in _at(guest, PanicDevice)]
    if panics:
        append(root, Node("devices", (), tuple(panics)))
    etree.indent(root)
    return etree.tostring(root, encoding="unicode") + "\n"


def append(parent: etree._Element, node: Node) -> None:
    """Put a node below an element; prefixes are those that nodes declare."""
    prefix, _, local = node.tag.rpartition(":")
    space = _SPACES.get(prefix)
    attributes = {key: value for key, value in node.attributes if not key.startswith("xmlns")}
    element = etree.SubElement(
        parent, f"{{{space}}}{local}" if space else local, attributes, {prefix: space} if space else None
    )
    element.text = node.text or None
    for child in node.children:
        append(element, child)


_SPACES = {"hvctl": NAMESPACE, "libosinfo": LIBOSINFO}


def metadata_node(plan: Plan) -> Node:
    """The plan's identity for `<metadata>`: name, digest, and the enlightenments that are on."""
    entries = tuple(
        Node("hvctl:enlightenment", (("id", one.id), *((("value", str(one.value)),) if one.value is not None else ())))
        for one in plan.enabled()
    )
    known = Node("hvctl:plan", (("profile", plan.profile), ("digest", digest(plan))), entries)
    return Node("hvctl:guest", (("xmlns:hvctl", NAMESPACE),), (known,))


def _system(guest: Guest) -> Iterator[Node]:
    """The operating system, as libosinfo's element in the metadata."""
    if guest.system:
        known = Node("libosinfo:os", (("id", guest.system),))
        yield Node("metadata", (), (Node("libosinfo:libosinfo", (("xmlns:libosinfo", LIBOSINFO),), (known,)),))


def qemu_arguments(decisions: Sequence[Decision]) -> list[str]:
    """The values of QEMU's -global for some enlightenments."""
    found = (flag.partition("=") for decision in decisions for flag in flags(decision))
    # A -global names the property as it is, with dashes.
    return [f"x86_64-cpu.{name.replace('_', '-')}={value}" for name, _, value in found]


def _at(guest: Guest, kind: type[P], *, off: bool = False) -> list[tuple[P, Setting]]:
    """The placements of one kind, with what is on there; also what is off where that is asked for."""
    return [
        (setting.row.libvirt, setting)
        for setting in guest.in_order()
        if (setting.on or off) and isinstance(setting.row.libvirt, kind)
    ]


def _vcpus(guest: Guest) -> Iterator[Node]:
    if guest.most_vcpus:
        yield Node("vcpu", (("current", str(guest.vcpus)),), text=str(guest.most_vcpus))
    elif guest.vcpus:
        yield Node("vcpu", text=str(guest.vcpus))


def _os(guest: Guest) -> Iterator[Node]:
    attributes = (("firmware", _FIRMWARE.get(guest.firmware.kind, guest.firmware.kind)),) if guest.firmware else ()
    secure = guest.firmware.secure if guest.firmware else None
    chosen: tuple[Node, ...] = ()
    if secure is not None:
        switch = Node("feature", (("enabled", "yes" if secure else "no"), ("name", "secure-boot")))
        chosen = (Node("firmware", (), (switch,)),)
    if guest.machine or attributes or guest.arch != X86:
        machine = (("machine", guest.machine),) if guest.machine else ()
        kind = Node("type", (("arch", guest.arch), *machine), (), "hvm")
        yield Node("os", attributes, (kind, *chosen))


def _features(guest: Guest, basic: tuple[Node, ...]) -> Iterator[Node]:
    mode = [("mode", place.name) for place, _ in _at(guest, HypervMode)]
    children = _elements(guest, "")
    parts = [*basic]
    if mode or children:
        parts.append(Node("hyperv", tuple(mode), children))
    if guest.hidden:
        parts.append(Node("kvm", (), (Node("hidden", (("state", "on"),)),)))
    if guest.irqchip in IOAPICS:
        parts.append(Node("ioapic", (("driver", IOAPICS[guest.irqchip]),)))
    if parts:
        yield Node("features", (), tuple(parts))


def _elements(guest: Guest, inside: str) -> tuple[Node, ...]:
    """The children of `<hyperv>`, or of one of them."""
    found = []
    for place, setting in _at(guest, HypervElement, off=True):
        if place.inside == inside:
            attributes = [("state", "on" if setting.on else "off")]
            if place.attribute and setting.on and setting.value is not None:
                attributes.append((place.attribute, str(setting.value)))
            found.append(Node(place.name, tuple(attributes), _elements(guest, place.name) if setting.on else ()))
    return tuple(found)


def _cpu(guest: Guest) -> Iterator[Node]:
    node = new_cpu(guest)
    shape = guest.topology._asdict() if guest.topology else {}
    said = tuple((name, str(number)) for name, number in shape.items() if number)
    if said:
        # In libvirt's order, after <model>.
        models = tuple(child for child in node.children if child.tag == "model")
        node = node._replace(children=(*models, Node("topology", said), *node.children[len(models) :]))
    yield node


def new_cpu(guest: Guest) -> Node:
    """A `<cpu>` for a guest."""
    features = feature_nodes(guest.features)
    # Libvirt's own way not to start a guest that lacks a CPU feature.
    check = ("check", "full" if guest.enforce else "none")
    if guest.cpu is None:
        return Node("cpu", (("mode", "host-model"), check), features)
    if guest.cpu not in HOST_MODELS:
        model = Node("model", (("fallback", "forbid"),), (), guest.cpu)
        return Node("cpu", (("mode", "custom"), ("match", "exact"), check), (model, *features))
    written = not guest.migratable or "migratable" in guest.places
    said = (("migratable", "on" if guest.migratable else "off"),) if written else ()
    return Node("cpu", (("mode", MODES[guest.cpu]), check, *said), features)


def feature_nodes(features: Iterable[tuple[str, bool]]) -> tuple[Node, ...]:
    """The `<feature>`s of a `<cpu>`."""
    return tuple(feature_node(name, on=on) for name, on in features)


def feature_node(name: str, *, on: bool) -> Node:
    """One `<feature>`."""
    return Node("feature", (("policy", policy(on=on)), ("name", libvirt_name(name))))


def policy(*, on: bool) -> str:
    """The policy of a `<feature>`."""
    return "require" if on else "disable"


def _ticks(timer: Timer | None) -> tuple[tuple[str, str], ...]:
    said = (("tickpolicy", timer.policy), ("track", timer.track)) if timer else ()
    return tuple((name, text) for name, text in said if text)


def _clock(guest: Guest) -> Iterator[Node]:
    timers: list[tuple[tuple[str, str], ...]] = []
    for name in ("rtc", "pit"):
        if said := _ticks(guest.timers.get(name)):
            timers.append((("name", name), *said))
    for name in ("hpet", "kvmclock"):
        if name in guest.timers and (present := guest.timers[name].present) is not None:
            timers.append((("name", name), ("present", "yes" if present else "no")))
    for place, setting in _at(guest, ClockTimer, off=True):
        timers.append((("name", place.name), ("present", "yes" if setting.on else "no")))
    if guest.tsc_frequency is not None:
        timers.append((("name", "tsc"), ("frequency", str(guest.tsc_frequency))))
    if timers or guest.offset:
        yield Node("clock", (("offset", guest.offset or _OFFSET),), tuple(Node("timer", said) for said in timers))
