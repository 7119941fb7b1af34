"""A plan as a libvirt domain, built with lxml."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lxml import etree

from hvctl.catalog import BY_ID
from hvctl.catalog.cpu_features import libvirt_name
from hvctl.guest.domain.identity import NAMESPACE
from hvctl.model.profile import Migration
from hvctl.xml.edit import Node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hvctl.model.plan import Decision, Plan


def domain(
    plan: Plan,
    *,
    name: str | None = None,
    memory_mib: int = 4096,
    fragment: bool = False,
    metadata: bool = False,
) -> str:
    """The plan as domain XML, elements in libvirt's order.

    Args:
        plan: resolved for libvirt, without refusals.
        name: the domain's name; the profile's by default.
        memory_mib: memory in MiB.
        fragment: leave out what the plan does not decide (name, memory, acpi, apic).
        metadata: put the plan's identity into <metadata>.

    Returns:
        The text, ending in a newline.
    """
    root = etree.Element("domain", type="kvm")
    if not fragment:
        etree.SubElement(root, "name").text = name or plan.profile
    if metadata:
        append(etree.SubElement(root, "metadata"), metadata_node(plan))
    if not fragment:
        etree.SubElement(root, "memory", unit="MiB").text = str(memory_mib)
    system = etree.SubElement(root, "os")
    etree.SubElement(system, "type", arch="x86_64", machine=plan.machine.type).text = "hvm"
    _features(root, plan, fragment=fragment)
    _cpu(root, plan)
    _clock(root, plan)
    _devices(root, plan)
    etree.indent(root)
    return etree.tostring(root, encoding="unicode") + "\n"


def append(parent: etree._Element, node: Node) -> None:
    """Put a node below an element; `hvctl:` is the one prefix that nodes have here."""
    prefix, _, local = node.tag.rpartition(":")
    name = f"{{{NAMESPACE}}}{local}" if prefix else local
    attributes = {key: value for key, value in node.attributes if not key.startswith("xmlns")}
    element = etree.SubElement(parent, name, attributes, {prefix: NAMESPACE} if prefix else None)
    element.text = node.text or None
    for child in node.children:
        append(element, child)


def metadata_node(plan: Plan) -> Node:
    """The plan's identity for `<metadata>`: name, digest, and the enlightenments that are on."""
    from hvctl.model.digest import digest

    entries = tuple(
        Node(
            "hvctl:enlightenment",
            (("id", one.id), *((("value", str(one.value)),) if one.value is not None else ())),
        )
        for one in plan.enabled()
    )
    known = Node("hvctl:plan", (("profile", plan.profile), ("digest", digest(plan))), entries)
    return Node("hvctl:guest", (("xmlns:hvctl", NAMESPACE),), (known,))


def qemu_arguments(decisions: Sequence[Decision]) -> list[str]:
    """The values of QEMU's -global for some enlightenments."""
    from hvctl.guest.command.writer import flags

    found = (flag.partition("=") for decision in decisions for flag in flags(decision))
    # A -global names the property as it is, with dashes.
    return [f"x86_64-cpu.{name.replace('_', '-')}={value}" for name, _, value in found]


def _placed(plan: Plan, prefix: str) -> list[tuple[str, Decision]]:
    """The enabled rows that libvirt writes as `timer:NAME` or `panic:MODEL`, with that name."""
    found = []
    for decision in plan.enabled():
        place = BY_ID[decision.id].libvirt
        if place and place.path.startswith(prefix):
            found.append((place.path.removeprefix(prefix), decision))
    return found


def _features(root: etree._Element, plan: Plan, *, fragment: bool) -> None:
    features = etree.SubElement(root, "features")
    if not fragment:
        etree.SubElement(features, "acpi")
        etree.SubElement(features, "apic")
    hyperv = etree.SubElement(features, "hyperv")
    for decision in plan.enabled():
        place = BY_ID[decision.id].libvirt
        if place is None or ":" in place.path:
            continue
        if place.path == "@mode":
            hyperv.set("mode", decision.id)
            continue
        parent, _, child = place.path.rpartition("/")
        above = hyperv if not parent else hyperv.find(parent)
        assert above is not None, "resolve() has turned the surrounding element on"
        element = etree.SubElement(above, child, state="on")
        if place.attribute:
            element.set(place.attribute, str(decision.value))
    if not len(hyperv) and not hyperv.attrib:
        features.remove(hyperv)
    if plan.cpu.hidden:
        etree.SubElement(etree.SubElement(features, "kvm"), "hidden", state="on")
    if not len(features):
        root.remove(features)


def _cpu(root: etree._Element, plan: Plan) -> None:
    if plan.cpu.model == "host":
        cpu = etree.SubElement(root, "cpu", mode="host-passthrough", check="none")
        if plan.migration is Migration.REQUIRED:
            cpu.set("migratable", "on")
    else:
        cpu = etree.SubElement(root, "cpu", mode="custom", match="exact", check="none")
        etree.SubElement(cpu, "model", fallback="forbid").text = plan.cpu.model
    for name, on in plan.cpu.features:
        etree.SubElement(cpu, "feature", policy="require" if on else "disable", name=libvirt_name(name))


def _clock(root: etree._Element, plan: Plan) -> None:
    clock = etree.SubElement(root, "clock", offset=plan.clock.offset)
    etree.SubElement(clock, "timer", name="rtc", tickpolicy=plan.clock.rtc)
    etree.SubElement(clock, "timer", name="pit", tickpolicy=plan.clock.pit)
    etree.SubElement(clock, "timer", name="hpet", present="yes" if plan.clock.hpet else "no")
    for name, _ in _placed(plan, "timer:"):
        etree.SubElement(clock, "timer", name=name, present="yes")
    if plan.cpu.tsc_frequency is not None:
        etree.SubElement(clock, "timer", name="tsc", frequency=str(plan.cpu.tsc_frequency))


def _devices(root: etree._Element, plan: Plan) -> None:
    models = _placed(plan, "panic:")
    if models:
        devices = etree.SubElement(root, "devices")
        for model, _ in models:
            etree.SubElement(devices, "panic", model=model)
