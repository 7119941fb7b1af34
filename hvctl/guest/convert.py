"""A guest's CPU and enlightenments in another form: translated, not resolved. What has no place there is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from lxml import etree

from hvctl.catalog import BY_ID
from hvctl.catalog.cpu_features import unknown_to_libvirt
from hvctl.catalog.types import Kind
from hvctl.guest.command.cpu_properties import PREFIXES
from hvctl.guest.command.writer import cpu, flags
from hvctl.guest.domain.edit_cpu import feature_nodes, new_cpu
from hvctl.guest.domain.writer import append
from hvctl.guest.plan import plan_of
from hvctl.model.guest import HOST_MODELS
from hvctl.xml.edit import Node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hvctl.catalog.types import Row
    from hvctl.model.guest import Guest, Setting


class Converted(NamedTuple):
    """A text, and sentences about what could not be carried over."""

    text: str
    lost: tuple[str, ...]


def to_qemu(guest: Guest) -> Converted:
    """The value of `-cpu`; what is written as off stays written as off."""
    lost = []
    if guest.cpu is None:
        lost.append("the CPU model is libvirt's to choose when the guest starts; host stands for it")
        guest = guest._replace(cpu=HOST_MODELS[0])
    parts = [cpu(plan_of(guest)), *(_off(BY_ID[one.id]) for one in guest.settings if not one.on)]
    if guest.cpu in HOST_MODELS and not guest.migratable:
        parts.append("migratable=off")
    if guest.enforce:
        parts.append("enforce=on")
    parts += [f"{name}={value}" for name, value in others(guest)]
    return Converted(",".join(parts), tuple(lost))


def others(guest: Guest) -> list[tuple[str, str]]:
    """The CPU's properties with values, without enlightenments that the catalog does not know: doubts name those."""
    return [(name, value) for name, value in guest.properties if not name.startswith(PREFIXES)]


def _off(row: Row) -> str:
    name = row.properties[0].name.replace("-", "_")
    # A number is off at its default: hv-spinlocks never notifies then.
    return f"{name}={row.properties[0].default:#x}" if row.kind is Kind.NUMBER else f"{name}=off"


def to_libvirt(guest: Guest) -> Converted:
    """The elements of a domain that hold what the guest has; ends in a newline."""
    lost = [
        f"{name}={value}: {unknown_to_libvirt(name) or 'libvirt has no such property of a CPU'}"
        for name, value in others(guest)
    ]
    unknown = {name: why for name, _ in guest.features if (why := unknown_to_libvirt(name))}
    lost += [f"{name}={'on' if on else 'off'}: {unknown[name]}" for name, on in guest.features if name in unknown]
    guest = guest._replace(features=tuple(one for one in guest.features if one[0] not in unknown))
    root = etree.Element("domain", type="kvm")
    for node in _domain(guest, lost):
        append(root, node)
    etree.indent(root)
    return Converted(etree.tostring(root, encoding="unicode") + "\n", tuple(lost))


def _domain(guest: Guest, lost: list[str]) -> Iterator[Node]:
    if guest.machine:
        kind = Node("type", (("arch", "x86_64"), ("machine", guest.machine)), (), "hvm")
        yield Node("os", (), (kind,))
    settings = [setting for setting in guest.settings if _has_place(setting, guest, lost)]
    hyperv = _hyperv(settings)
    hidden = (Node("kvm", (), (Node("hidden", (("state", "on"),)),)),) if guest.hidden else ()
    if hyperv or hidden:
        yield Node("features", (), (*hyperv, *hidden))
    if guest.cpu is None:
        yield Node("cpu", (("mode", "host-model"),), feature_nodes(guest.features))
    else:
        yield _cpu(guest)
    timers = tuple(
        Node("timer", (("name", name), ("present", "yes" if setting.on else "no")))
        for name, setting in _at(settings, "timer:")
    )
    if guest.tsc_frequency:
        timers = (*timers, Node("timer", (("name", "tsc"), ("frequency", str(guest.tsc_frequency)))))
    if timers:
        yield Node("clock", (("offset", "localtime"),), timers)
    panics = tuple(Node("panic", (("model", name),)) for name, setting in _at(settings, "panic:") if setting.on)
    if panics:
        yield Node("devices", (), panics)


def _cpu(guest: Guest) -> Node:
    node = new_cpu(plan_of(guest), migratable=guest.migratable)
    if not guest.enforce:
        return node
    # Libvirt's own way not to start a guest that lacks a CPU feature.
    attributes = tuple((name, "full" if name == "check" else said) for name, said in node.attributes)
    return node._replace(attributes=attributes)


def _has_place(setting: Setting, guest: Guest, lost: list[str]) -> bool:
    place = BY_ID[setting.id].libvirt
    if place is None:
        if setting.on:
            lost.append(f"{setting.id}: libvirt has no element for it")
        return False
    parent = place.path.rpartition("/")[0]
    if parent and setting.on:
        around = next(one.id for one in BY_ID.values() if one.libvirt and one.libvirt.path == parent)
        if around not in guest.enabled():
            lost.append(f"{setting.id}: libvirt writes it only inside {around}, which is not on")
            return False
    if place.minimum is not None and isinstance(setting.value, int) and setting.value < place.minimum:
        lost.append(f"{setting.id}: libvirt refuses a value below {place.minimum}")
        return False
    return True


def _at(settings: list[Setting], prefix: str) -> Iterator[tuple[str, Setting]]:
    for setting in settings:
        place = BY_ID[setting.id].libvirt
        if place and place.path.startswith(prefix):
            yield place.path.removeprefix(prefix), setting


def _hyperv(settings: list[Setting]) -> tuple[Node, ...]:
    mode = tuple(("mode", setting.id) for path, setting in _at(settings, "@mode") if setting.on and not path)
    children = _nodes(settings, "")
    return (Node("hyperv", mode, children),) if children or mode else ()


def _nodes(settings: list[Setting], parent: str) -> tuple[Node, ...]:
    found = []
    for setting in settings:
        place = BY_ID[setting.id].libvirt
        if place is None or ":" in place.path or place.path.startswith("@"):
            continue
        above, _, name = place.path.rpartition("/")
        if above != parent:
            continue
        attributes = [("state", "on" if setting.on else "off")]
        if place.attribute and setting.on and setting.value is not None:
            attributes.append((place.attribute, str(setting.value)))
        found.append(Node(name, tuple(attributes), _nodes(settings, place.path) if setting.on else ()))
    return tuple(found)


def lost_in_profile(guest: Guest) -> tuple[str, ...]:
    """What of a guest's CPU no profile has a key for."""
    said = [*(["enforce=on"] if guest.enforce else []), *(f"{name}={value}" for name, value in others(guest))]
    return tuple(f"{one}: a profile has no key for it" for one in said)


def to_json(guest: Guest) -> dict[str, Any]:
    """The object that `convert --to json` prints."""
    return {
        "format_version": 1,
        "machine": guest.machine,
        "cpu": {
            "model": guest.cpu,
            "migratable": guest.migratable,
            "enforce": guest.enforce,
            "hidden": guest.hidden,
            "features": dict(guest.features),
            "tsc_frequency": guest.tsc_frequency,
            "properties": dict(guest.properties),
        },
        "accelerator": guest.accelerator,
        "enlightenments": [{"id": one.id, "on": one.on, "value": one.value} for one in guest.settings],
        "qemu": [flag for one in plan_of(guest).enabled() for flag in flags(one)],
        "notes": list(guest.doubts),
    }
