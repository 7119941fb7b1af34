"""A libvirt domain as rules see it.

libvirt reads `<features>` and `<hyperv>` once more where they are repeated, and takes what comes last
(libvirt:src/conf/domain_conf.c, virDomainFeaturesHyperVDefParse); what is inside an enlightenment that is off it does
not read at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvctl.catalog import roles
from hvctl.guest.domain.elements import local, plain_text
from hvctl.guest.domain.hyperv import read_hyperv
from hvctl.guest.domain.strict_reading import whole_number
from hvctl.guest.domain.windows import is_windows
from hvctl.guest.guest import Entry, Guest, Kind, Mistake, Switch, Timer
from hvctl.text.problems import quoted

if TYPE_CHECKING:
    from collections.abc import Callable

    from hvctl.catalog.types import Row
    from hvctl.guest.guest import Changes, Place
    from hvctl.model.span import Span
    from hvctl.xml.source import Element

_PRESENT = {"on": "yes", "true": "yes", "1": "yes", "off": "no", "false": "no", "0": "no"}
_YES = {"yes": True, "no": False}
_FORCED = ("force", "require")
_TIMERS = {path.removeprefix("timer:"): row for path, row in roles.PLACES.items() if path.startswith("timer:")}


class Domain(Guest):
    """A `<domain>`.

    `hyperv` are all elements of that name, `unread` what stands inside of an enlightenment that is off, `repeated` are
    enlightenments that another element takes the place of, with that. `commandlines` are all `<qemu:commandline>`,
    `arguments` the enlightenments there, `replaced` is the `-cpu` there that counts; `ignored` are such elements of
    another namespace. `cpu_features` are all `<feature>`s of `<cpu>`. `pins` is how many of the `vcpus` have a CPU of
    their own.
    """

    kind = Kind.DOMAIN
    root: Element

    def __init__(self, element: Element) -> None:
        super().__init__(element.document.path)
        self.root = element
        self.hyperv: list[Element] = []
        self.features: Element | None = None
        self.clock: Element | None = None
        self.ignored: list[Element] = []
        self.unread: list[tuple[Entry, Element]] = []
        self.repeated: list[tuple[Entry, Entry]] = []
        self.arguments: dict[str, Entry] = {}
        self.removals: list[Entry] = []
        self.replaced: Element | None = None
        self.metadata: Element | None = None
        self.commandlines: list[Element] = []
        self.cpu_features: list[Switch] = []
        self.pins = self.vcpus = 0

    def span(self, where: Place, attribute: str = "") -> Span:
        element: Element = where
        if local(element) == "arg":
            attribute = "value"
        if attribute and element.get(attribute) is not None:
            return element.attribute_span(attribute)
        if element is self.root or element.below:
            return element.document.span(element.start, element.start + element.document.width(f"<{element.tag}"))
        return element.span

    def name_of(self, row: Row) -> str:
        if row.libvirt is None:
            return row.properties[0].name
        kind, _, name = row.libvirt.path.rpartition(":")
        return f"the {name} timer" if kind == "timer" else row.id

    def syntax(self, row: Row) -> str:
        if self.replaced is not None:
            from hvctl.guest.command.changes import setting

            return f"{setting(row)} in this -cpu"
        place = row.libvirt
        if place is None:
            return f"-global x86_64-cpu.{row.properties[0].name}=on"
        kind, _, name = place.path.rpartition(":")
        if kind == "timer":
            return f"<timer name='{name}' present='yes'/> in <clock>"
        if kind == "panic":
            return f"<panic model='{name}'/> in <devices>"
        parent, _, child = place.path.rpartition("/")
        value = f" {place.attribute}='...'" if place.attribute else ""
        return f"<{child} state='on'{value}/> in <{parent or 'hyperv'}>"

    def can_turn_on(self, row: Row) -> bool:
        if row.libvirt is None or row.id in self.arguments or self.replaced is not None:
            return False
        off = self.written.get(row.id)
        if off is not None and not off.on and off.where.below:
            return False  # whether what stands inside was meant to count, nobody can tell
        if "/" in row.libvirt.path:
            around = roles.PLACES[row.libvirt.path.rpartition("/")[0]]
            return around.id in self.on and not self.on[around.id].argument
        return "@" not in row.libvirt.path and not row.libvirt.path.startswith("panic:")

    def editor(self) -> Changes:
        from hvctl.guest.domain.changes import DomainChanges

        return DomainChanges(self)


def read_domain(element: Element) -> Domain:
    """Read a `<domain>`; what is wrong with it becomes mistakes."""
    domain = Domain(element)
    kind = element.get("type")
    domain.kvm = kind == "kvm"
    domain.accelerator = kind or ""
    for child in element.below:
        read = _READERS.get(child.tag)
        if read is not None:
            read(domain, child)
        elif ":" in child.tag and local(child) == "commandline":
            domain.commandlines.append(child)
    if domain.commandlines:
        from hvctl.guest.domain.commandline import read_commandline

        for child in domain.commandlines:
            read_commandline(domain, child)
    domain.pinned = domain.pins > 0 and domain.pins >= (domain.vcpus or 1)
    domain.finish()
    domain.windows = is_windows(domain)
    return domain


def _features(domain: Domain, element: Element) -> None:
    domain.features = domain.features or element
    for child in element.below:
        if local(child) == "hyperv":
            read_hyperv(domain, child)


def _devices(domain: Domain, element: Element) -> None:
    for child in element.below:
        if child.tag == "panic" and (row := roles.PLACES.get(f"panic:{child.get('model')}")):
            domain.written[row.id] = Entry(row, True, None, child, attribute="model")


def _system(domain: Domain, element: Element) -> None:
    for child in element.below:
        if child.tag == "type" and domain.machine_where is None:
            domain.machine_where = child
            domain.machine = child.get("machine")


def _vcpu(domain: Domain, element: Element) -> None:
    text = plain_text(element)
    domain.vcpus = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0


def _cputune(domain: Domain, element: Element) -> None:
    # Several CPUs for one vCPU, or one for several of them, are no promise of anything.
    single = {pin.get("vcpu"): cpu for pin in element.below if pin.tag == "vcpupin" and (cpu := _one_cpu(pin))}
    domain.pins = len(set(single.values()))


def _one_cpu(pin: Element) -> str:
    """The CPU that a vCPU is pinned to; empty where it is not one."""
    text = (pin.get("cpuset") or "").strip()
    return text if text.isdecimal() else ""


def _name(domain: Domain, element: Element) -> None:
    domain.name = plain_text(element)


def _metadata(domain: Domain, element: Element) -> None:
    domain.metadata = element


def _clock(domain: Domain, element: Element) -> None:
    domain.clock = domain.clock or element
    domain.offset, domain.offset_where = element.get("offset"), element
    for timer in element.below:
        if timer.tag != "timer":
            continue
        said = timer.written.values
        name, text = said.get("name", ""), said.get("present")
        present = _YES.get(text or "")
        if text is not None and present is None:
            domain.mistakes.append(mistake := _not_present(timer, text))
            # The rest is judged as it is meant.
            present = _YES[mistake.change[1]] if mistake.change else None
        domain.timers[name] = Timer(timer, said.get("tickpolicy"), present)
        if name == "tsc" and (whole_number(said.get("frequency", ""), decimal=True) or 0) > 0:
            domain.frequency = True
        row = _TIMERS.get(name)
        if row and (present or row.id not in domain.written):
            domain.written[row.id] = Entry(row, bool(present), None, timer, attribute="present")


def _not_present(timer: Element, text: str) -> Mistake:
    """A timer says neither yes nor no."""
    meant = _PRESENT.get(text.lower())
    instead = f"write present='{meant}'" if meant else "write present='yes' or present='no'"
    change = ("present", meant) if meant else None
    return Mistake("value", f"present of <timer> cannot be {quoted(text)}", timer, instead, "present", change)


def _cpu(domain: Domain, element: Element) -> None:
    for child in element.below:
        if child.tag == "feature":
            name = child.get("name") or ""
            domain.switches[name] = switch = Switch(name, child.get("policy") in (None, *_FORCED), child)
            domain.cpu_features.append(switch)
        elif child.tag == "topology":
            threads = whole_number(child.get("threads") or "")
            domain.threads = threads is not None


_READERS: dict[str, Callable[[Domain, Element], None]] = {
    "features": _features,
    "cpu": _cpu,
    "clock": _clock,
    "devices": _devices,
    "os": _system,
    "vcpu": _vcpu,
    "cputune": _cputune,
    "name": _name,
    "metadata": _metadata,
}
"""What reads a child of `<domain>`, by its name."""
