"""Changes to a domain's text, by the editor that writes as the file is written."""

from collections.abc import Sequence

from hvctl.catalog import ORDER, roles
from hvctl.catalog.placement import ClockTimer, HypervElement
from hvctl.catalog.roles import enclosing
from hvctl.catalog.types import Kind, Row
from hvctl.guest.domain.commandline import VALUE, arguments_of
from hvctl.guest.domain.domain import Domain
from hvctl.model.guest import Changes, Edit, Place, Setting
from hvctl.xml import Node
from hvctl.xml.document import Element
from hvctl.xml.edit import Editor

_GLOBAL = ("-global", "--global")
_ATTRIBUTES = {"policy": "tickpolicy"}

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


class DomainChanges(Changes):
    """Changes to one domain; `xml` is for what has no word here."""

    def __init__(self, domain: Domain) -> None:
        self.domain = domain
        self.xml = Editor(domain.root.document)

    def edits(self) -> tuple[Edit, ...]:
        document = self.domain.root.document
        splices = self.xml.splices()
        return tuple(Edit(start, end, text, document.span(start, end)) for start, end, text in splices)

    def turn_on(self, rows: Sequence[Row]) -> None:
        timers, elements = [], []
        for row in rows:
            setting = self.domain.settings.get(row.id)
            present = setting is not None and not setting.argument
            match row.libvirt:
                case ClockTimer() if setting is not None and present:
                    self.xml.set(setting.where, "present", "yes")
                case ClockTimer(name):
                    timers.append(Node("timer", (("name", name), ("present", "yes"))))
                case HypervElement() if setting is not None and present:
                    self.xml.set(setting.where, "state", "on")
                    self._value(setting)
                case HypervElement():
                    elements.append(row)
                case _:
                    raise AssertionError(f"Domain.can_turn_on() refuses {row.id}")
        self._add_timers(timers)
        self._add_elements(elements)

    def drop(self, setting: Setting) -> None:
        if setting.where is self.domain.cpu_argument:
            self.drop_part(setting)
        elif setting.argument:
            self.drop_argument(setting.where)
        else:
            self.xml.remove(setting.where)

    def set(self, where: Place, name: str, value: str) -> None:
        self.xml.set(where, name, value)

    def remove(self, where: Place) -> None:
        self.xml.remove(where)

    def rename(self, where: Place, name: str) -> None:
        self.xml.replace(where, Node(name, tuple(where.values.items())))

    def set_fact(self, fact: str, value: str) -> None:
        timer, _, attribute = fact.partition(".")
        found = self.domain.timers.get(timer)
        attribute = _ATTRIBUTES.get(attribute, attribute)
        if not attribute and fact == "topology":
            self._set_topology(value)
        elif not attribute and fact == "machine":
            self.xml.set(self.domain.places["machine"], "machine", value)
        elif not attribute:
            self._set_offset(value)
        elif found is not None:
            self.xml.set(found.where, attribute, value)
        else:
            self._add_timers([Node("timer", (("name", timer), (attribute, value)))])

    def _set_topology(self, cores: str) -> None:
        """One socket with so many cores; threads stay as they are."""
        written = self.domain.places.get("topology")
        if written is not None:
            for name, value in (("sockets", "1"), ("cores", cores)):
                self.xml.set(written, name, value)
            for name in ("dies", "clusters"):
                self.xml.drop(written, name)
            return
        node = Node("topology", (("sockets", "1"), ("cores", cores), ("threads", "1")))
        after = ("model", "vendor")
        cpu = self.domain.cpu_element
        if cpu is None:
            root = self.domain.root
            self.xml.insert(root, Node("cpu", (), (node,)), last_before(root, "cpu"))
        else:
            self.xml.insert(cpu, node, next((one for one in reversed(cpu.below) if one.tag in after), None))

    def _set_offset(self, value: str) -> None:
        clock = self.domain.places.get("offset")
        if clock is not None:
            self.xml.set(clock, "offset", value)
        else:
            node = Node("clock", (("offset", value),))
            self.xml.insert(self.domain.root, node, last_before(self.domain.root, "clock"))

    def drop_part(self, setting: Setting) -> None:
        """Remove a row from a `-cpu` in `<qemu:commandline>`."""
        model, *parts = (setting.where.get(VALUE) or "").split(",")
        kept = [part for part in parts if not part or roles.PROPERTIES.get(_property(part)) is not setting.row]
        self.xml.set(setting.where, VALUE, ",".join([model, *kept]))

    def drop_argument(self, argument: Element) -> None:
        """Remove an `<arg>` of `<qemu:commandline>` and its option, or all of it where no more is left."""
        parent = argument.parent
        assert parent is not None, "an <arg> is in <commandline>"
        arguments = arguments_of(parent)
        place = arguments.index(argument)
        option = arguments[place - 1]
        if not place or option.get(VALUE) not in _GLOBAL:
            return  # part of a `-cpu` that another one takes the place of
        if len(parent.children) == 2:
            self.xml.remove(parent)
            return
        for element in (option, argument):
            self.xml.remove(element)

    def _value(self, setting: Setting) -> None:
        """A number where an element that is turned on has none: older libvirts demand it."""
        place = setting.row.libvirt
        if isinstance(place, HypervElement) and setting.row.kind is Kind.NUMBER and setting.text is None:
            self.xml.set(setting.where, place.attribute, str(roles.ADVISED_NUMBER))

    def _add_timers(self, nodes: Sequence[Node]) -> None:
        clock = self.domain.clock
        if clock is None and nodes:
            # Without an offset libvirt takes utc.
            node = Node("clock", (("offset", "utc"),), tuple(nodes))
            self.xml.insert(self.domain.root, node, last_before(self.domain.root, "clock"))
            return
        for node in nodes:
            assert clock is not None, "handled above"
            self.xml.insert(clock, node, clock.children[-1] if clock.children else None)

    def _add_elements(self, rows: Sequence[Row]) -> None:
        if rows and not self.domain.hyperv:
            node = Node("hyperv", (), tuple(_node(row) for row in rows if enclosing(row) is None))
            child_of(self.xml, self.domain.root, self.domain.features_element, "features", node)
            return
        for row in rows:
            outer = enclosing(row)
            around = self.domain.hyperv[-1]
            if outer is not None:
                setting = self.domain.settings.get(outer.id)
                if setting is None or setting.argument:
                    continue
                around = setting.where
            self.xml.insert(around, _node(row), _before(around, row, outer))


def _property(part: str) -> str:
    """The property that a part of a `-cpu` sets."""
    return part[1:] if part[0] in "+-" else part.partition("=")[0].replace("_", "-")


def _node(row: Row) -> Node:
    assert isinstance(row.libvirt, HypervElement), "what has no element is not written"
    attributes = [("state", "on")]
    if row.kind is Kind.NUMBER:
        attributes.append((row.libvirt.attribute, str(roles.ADVISED_NUMBER)))
    return Node(row.libvirt.name, tuple(attributes))


def _before(around: Element, row: Row, outer: Row | None) -> Element | None:
    """The last child that libvirt would write before a row's element."""
    prefix = f"{outer.libvirt.path}/" if outer and outer.libvirt else ""
    found = None
    for child in around.children:
        other = roles.ELEMENTS.get(f"{prefix}{child.local}")
        if other is not None and ORDER[other.id] < ORDER[row.id]:
            found = child
    return found


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
