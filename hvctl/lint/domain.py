"""A libvirt domain as rules see it.

libvirt reads `<features>` and `<hyperv>` once more where they are repeated, and takes what comes last
(libvirt:src/conf/domain_conf.c, virDomainFeaturesHyperVDefParse); what is inside an enlightenment that is off it does
not read at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvctl.formats.domain_reading import whole_number
from hvctl.formats.profile_problems import quoted
from hvctl.lint import roles
from hvctl.lint.domain_hyperv import read_hyperv
from hvctl.lint.elements import attribute, local, plain_text
from hvctl.lint.guest import Entry, Guest, Mistake, Switch, Timer
from hvctl.lint.rule import Kind
from hvctl.lint.windows import is_windows

if TYPE_CHECKING:
    from hvctl.catalog.types import Row
    from hvctl.formats.xml_source import Element
    from hvctl.lint.guest import Changes, Place
    from hvctl.model.span import Span

_PRESENT = {"on": "yes", "true": "yes", "1": "yes", "off": "no", "false": "no", "0": "no"}
_YES = {"yes": True, "no": False}
_FORCED = ("force", "require")


class Domain(Guest):
    """A `<domain>`.

    `hyperv` are all elements of that name, `unread` what stands inside of an enlightenment that is off. `arguments` are
    the enlightenments of `<qemu:commandline>`, `replaced` is a `-cpu` there; `ignored` are such elements of another
    namespace.
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
        self.arguments: dict[str, Entry] = {}
        self.replaced: Element | None = None
        self.metadata: Element | None = None

    def span(self, where: Place, attribute: str = "") -> Span:
        element: Element = where
        if not attribute and local(element) == "arg":
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
        if "/" in row.libvirt.path:
            around = roles.PLACES[row.libvirt.path.rpartition("/")[0]]
            return around.id in self.on and not self.on[around.id].argument
        return "@" not in row.libvirt.path and not row.libvirt.path.startswith("panic:")

    def editor(self) -> Changes:
        from hvctl.lint.domain_changes import DomainChanges

        return DomainChanges(self)


def read_domain(element: Element) -> Domain:
    """Read a `<domain>`; what is wrong with it becomes mistakes."""
    domain = Domain(element)
    kind = attribute(element, "type")
    domain.kvm = kind == "kvm"
    domain.accelerator = kind or ""
    pins = vcpus = 0
    commandlines = []
    for child in element.below or ():
        tag = child.tag
        if tag == "features":
            domain.features = domain.features or child
            for inner in child.below or ():
                if local(inner) == "hyperv":
                    read_hyperv(domain, inner)
        elif tag == "cpu":
            _cpu(domain, child)
        elif tag == "clock":
            _clock(domain, child)
        elif tag == "devices":
            for inner in child.below or ():
                if inner.tag == "panic" and (row := roles.PLACES.get(f"panic:{attribute(inner, 'model')}")):
                    domain.written[row.id] = Entry(row, True, None, inner, attribute="model")
        elif tag == "os":
            for inner in child.below or ():
                if inner.tag == "type" and domain.machine_where is None:
                    domain.machine_where = inner
                    domain.machine = attribute(inner, "machine")
        elif tag == "vcpu":
            text = plain_text(child)
            vcpus = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0
        elif tag == "cputune":
            pins = len({attribute(pin, "vcpu") for pin in child.below or () if pin.tag == "vcpupin"})
        elif tag == "name":
            domain.name = plain_text(child)
        elif tag == "metadata":
            domain.metadata = child
        elif local(child) == "commandline":
            commandlines.append(child)
    if commandlines:
        from hvctl.lint.domain_commandline import read_commandline

        for child in commandlines:
            read_commandline(domain, child)
    domain.pinned = pins > 0 and pins >= (vcpus or 1)
    domain.finish()
    domain.windows = is_windows(domain)
    return domain


def _clock(domain: Domain, element: Element) -> None:
    domain.clock = domain.clock or element
    domain.offset, domain.offset_where = attribute(element, "offset"), element
    for timer in element.below or ():
        if timer.tag != "timer":
            continue
        name, text = attribute(timer, "name") or "", attribute(timer, "present")
        present = _YES.get(text or "")
        if text is not None and present is None:
            meant = _PRESENT.get(text.lower())
            instead = f"write present='{meant}'" if meant else "write present='yes' or present='no'"
            change = ("present", meant) if meant else None
            message = f"present of <timer> cannot be {quoted(text)}"
            domain.mistakes.append(Mistake("value", message, timer, instead, "present", change))
        domain.timers[name] = Timer(timer, attribute(timer, "tickpolicy"), present)
        if name == "tsc" and (whole_number(attribute(timer, "frequency") or "", decimal=True) or 0) > 0:
            domain.frequency = True
        row = roles.PLACES.get(f"timer:{name}")
        if row and (present or row.id not in domain.written):
            domain.written[row.id] = Entry(row, bool(present), None, timer, attribute="present")


def _cpu(domain: Domain, element: Element) -> None:
    for child in element.below or ():
        if child.tag == "feature":
            name = attribute(child, "name") or ""
            domain.switches[name] = Switch(name, attribute(child, "policy") in (None, *_FORCED), child)
        elif child.tag == "topology":
            threads = whole_number(attribute(child, "threads") or "")
            domain.threads = threads is not None
