"""A libvirt domain as a Guest."""

from collections.abc import Sequence

from hvctl.catalog import roles
from hvctl.catalog.cpu_models import libvirt_name
from hvctl.catalog.placement import ClockTimer, HypervElement, HypervMode, PanicDevice, example
from hvctl.catalog.types import Row
from hvctl.errors import Span
from hvctl.guest.command.line import advised
from hvctl.model.guest import Guest, Place, Setting, Switch
from hvctl.xml.document import Element

HOST_MODEL = "host-model"


class Domain(Guest):
    """A `<domain>`.

    `hyperv` are all elements of that name, `unread` what is inside an enlightenment that is off. `commandlines` are all
    `<qemu:commandline>`, `arguments` the enlightenments that a `-global` there names, `cpu_argument` is the `-cpu`
    there that counts; `ignored` are such elements of another namespace. `cpu_features` are all `<feature>`s of `<cpu>`
    as written. `pins` is how many vCPUs have a CPU of their own.
    """

    syntax_name = "domain"

    __slots__ = (
        *("pins", "mode", "name", "hyperv", "features_element", "clock", "cpu_element", "metadata", "unread"),
        *("commandlines", "ignored", "arguments", "cpu_argument", "cpu_features"),
    )

    def __init__(self, element: Element) -> None:
        super().__init__(element.document.path)
        self.libvirt = True
        self.root: Element = element
        self.pins = 0
        self.mode = ""
        self.name = ""
        self.hyperv: list[Element] = []
        self.features_element: Element | None = None
        self.clock: Element | None = None
        self.cpu_element: Element | None = None
        self.metadata: Element | None = None
        self.unread: list[tuple[Setting, Element]] = []
        self.commandlines: list[Element] = []
        self.ignored: list[Element] = []
        self.arguments: dict[str, Setting] = {}
        self.cpu_argument: Element | None = None
        self.cpu_features: list[Switch] = []

    @property
    def hyperv_place(self) -> Place:
        """`<hyperv>` where there is one."""
        return self.hyperv[-1] if self.hyperv and self.cpu_argument is None else super().hyperv_place

    @property
    def clock_place(self) -> Place:
        """`<clock>` where there is one."""
        return self.places.get("offset", self.root)

    def span(self, where: Place, attribute: str = "") -> Span:
        """As in Guest; of an element with others inside it, its tag's name."""
        element: Element = where
        if element.local == "arg":
            attribute = "value"
        if attribute and element.get(attribute) is not None:
            return element.attribute_span(attribute)
        if element is self.root or element.below:
            return element.document.span(element.start, element.start + element.document.width(f"<{element.tag}"))
        return element.span

    def name_of(self, row: Row) -> str:
        """As in Guest: the id, which people know, but where libvirt's name is another word."""
        match row.libvirt:
            case None:
                return row.properties[0].name
            case ClockTimer(name):
                return f"the {name} timer"
        return row.id

    def syntax(self, row: Row) -> str:
        if self.cpu_argument is not None:
            return f"{advised(row)} in this -cpu"
        if row.libvirt is None:
            return f"-global x86_64-cpu.{row.properties[0].name}=on"
        return example(row.libvirt)

    def syntax_of(self, fact: str, value: str) -> str:
        timer, _, attribute = fact.partition(".")
        if attribute:
            name = {"policy": "tickpolicy"}.get(attribute, attribute)
            return f"<timer name='{timer}' {name}='{value}'/> in <clock>"
        return f"<clock offset='{value}'>" if fact == "offset" else f"machine='{value}'"

    def cpu_syntax(self, model: str, features: Sequence[str] = ()) -> str:
        on = "".join(f"<feature policy='require' name='{libvirt_name(name)}'/>" for name in features)
        return f"<cpu mode='custom'><model>{model}</model>{on}</cpu>"

    def can_turn_on(self, row: Row) -> bool:
        if row.id in self.arguments or self.cpu_argument is not None:
            return False
        off = self.settings.get(row.id)
        if off is not None and not off.on and off.where.below:
            return False  # whether what is inside was meant to count, nobody can tell
        match row.libvirt:
            case HypervElement(inside=inside) if inside:
                around = self.on.get(roles.ELEMENTS[inside].id)
                return around is not None and not around.argument
            case HypervElement() | ClockTimer():
                return True
            case PanicDevice() | HypervMode() | None:
                return False

    def can_set(self, fact: str) -> bool:
        """As in Guest: all but a machine type that is not written, what `<qemu:commandline>` says, and the topology of
        a guest with NUMA cells, which are shared out over its sockets."""
        if fact == "topology" and self.cpu_element is not None and self.cpu_element.named("numa"):
            return False
        timer, _, attribute = fact.partition(".")
        found = self.timers.get(timer) if attribute else None
        place = found.where if found else self.places.get(fact)
        return (place is None or place.local != "arg") and (fact != "machine" or self.machine is not None)
