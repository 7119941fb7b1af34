"""Where libvirt puts the parts of a domain, for those that an edit has to add."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvctl.xml.edit import Node

if TYPE_CHECKING:
    from hvctl.xml.edit import Editor
    from hvctl.xml.source import Element

# libvirt:src/conf/domain_conf.c, virDomainDefFormatInternalSetRootName()
_DOMAIN = (
    *("name", "uuid", "hwuuid", "genid", "title", "description", "metadata", "maxMemory", "memory", "currentMemory"),
    *("blkiotune", "memtune", "memoryBacking", "vcpu", "vcpus", "iothreads", "iothreadids", "defaultiothread"),
    *("cputune", "numatune", "resource", "sysinfo", "bootloader", "bootloader_args", "os", "idmap", "features", "cpu"),
    *("clock", "on_poweroff", "on_reboot", "on_crash", "on_lockfailure", "pm", "perf", "devices", "seclabel"),
)
# libvirt:src/conf/domain_conf.c, virDomainFeature
_FEATURES = ("acpi", "apic", "pae", "hap", "viridian", "privnet", "hyperv", "kvm", "xen", "pvspinlock")
_ORDERS = {"domain": _DOMAIN, "features": _FEATURES}


def only(parent: Element | None, name: str) -> Element | None:
    """The first child of a name; None where there is none."""
    if parent is not None:
        for child in parent.below:
            if child.tag == name and child.namespace is None:
                return child
    return None


def last_before(parent: Element, name: str) -> Element | None:
    """The child behind which libvirt would write an element of a name; None where it would be the first."""
    order = _ORDERS.get(parent.local, ())
    if name not in order:
        return parent.children[-1] if parent.children else None
    before = order[: order.index(name)]
    return next((child for child in reversed(parent.children) if child.tag in before), None)


def child_of(editor: Editor, domain: Element, parent: Element | None, name: str, node: Node) -> None:
    """Add a node to a child of the domain, which is made where it is missing."""
    if parent is None:
        editor.insert(domain, Node(name, (), (node,)), last_before(domain, name))
    else:
        editor.insert(parent, node, last_before(parent, node.tag))
