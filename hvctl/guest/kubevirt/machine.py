"""A guest that KubeVirt's objects describe: a VirtualMachine with what its preference adds, or a preference alone."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hvctl.catalog import roles
from hvctl.catalog.kubevirt import LARGEST_NUMBER, LEAST_NUMBER, PANIC, TIMER, field_of, preferred
from hvctl.catalog.placement import ClockTimer, PanicDevice
from hvctl.catalog.types import Row
from hvctl.errors import Span
from hvctl.model.guest import Guest, Place, Setting
from hvctl.text.yaml_tree import Entry, Mapping, Scalar

TRUE, FALSE = ("true", "yes", "on", "y"), ("false", "no", "off", "n")
"""The words of YAML 1.1."""
KEYS = {"policy": "tickPolicy"}
WORDS = {"yes": "true", "no": "false"}
"""Of a timer's facts: its keys, and KubeVirt's words for values."""


class Home(NamedTuple):
    """Where the fields of a guest are below: `domain` of a VirtualMachine, `spec` of a preference."""

    mapping: Mapping
    is_preference: bool = False

    def find(self, field: str) -> "Field | None":
        """A field that is there, by its path in a VirtualMachine; null is as good as nothing."""
        path = preferred(field) if self.is_preference else field
        return self.written(path) if path is not None else None

    def written(self, path: str) -> "Field | None":
        """The same by the path that is written."""
        mapping: Mapping | None = self.mapping
        entry = None
        for name in path.split("."):
            entry = mapping.find(name) if mapping is not None else None
            if entry is None:
                return None
            mapping = entry.value if isinstance(entry.value, Mapping) else None
        assert entry is not None, "a path is not empty"
        return None if is_null(entry.value) else Field(entry, self, path)


class Field(NamedTuple):
    """A key that is written, with its path below its home."""

    entry: Entry
    home: Home
    path: str

    @property
    def tag(self) -> str:
        """Its name."""
        return self.entry.key.text

    @property
    def mapping(self) -> Mapping | None:
        """What is below it."""
        return self.entry.value if isinstance(self.entry.value, Mapping) else None

    def child(self, name: str) -> "Field | None":
        """A key below it."""
        entry = self.mapping.find(name) if self.mapping else None
        return None if entry is None or is_null(entry.value) else Field(entry, self.home, f"{self.path}.{name}")

    @property
    def on(self) -> bool:
        """Whether it is known to be on, which it is without a word."""
        child = self.child("enabled")
        return child is None or (isinstance(child.entry.value, Scalar) and child.entry.value.text.lower() in TRUE)

    def children(self) -> Iterator["Field"]:
        """All keys below it, without merged ones."""
        for entry in self.mapping.entries if self.mapping else ():
            yield Field(entry, self.home, f"{self.path}.{entry.key.text}")


def is_null(node: object) -> bool:
    """Whether a node is YAML's null."""
    return isinstance(node, Scalar) and node.plain and node.text in ("", "~", "null", "Null", "NULL")


class Machine(Guest):
    """One guest.

    `homes` are where its fields are, the VirtualMachine's first. `implied` are the ids that KubeVirt turns on for
    others. `forced` are features of the CPU that it requires, each with the setting that it does so for, and where
    another policy is written. `shadowed` pairs fields of the VirtualMachine with those of its preference that do not
    count because of them. `ignored` are fields of the clock that KubeVirt has not. `unseen` is whether it has a
    preference that is not known, `reference` where it names its preference, which may be in another file. `editable` is
    whether the text has nothing that stands for several places.
    """

    syntax_name = "KubeVirt object"
    taker = "KubeVirt"
    __slots__ = (
        *("document", "editable", "forced", "homes", "ignored", "implied", "reference", "shadowed", "text", "unseen"),
    )

    def __init__(self, path: str, text: str, root: Entry) -> None:
        super().__init__(path)
        self.libvirt = True
        self.accelerator, self.kvm = "kvm", True
        self.text = text
        self.root: Entry = root
        self.document = path
        self.homes: list[Home] = []
        self.implied: dict[str, str] = {}
        self.forced: list[tuple[str, Setting, Place]] = []
        self.shadowed: list[tuple[Field, Field]] = []
        self.ignored: list[Field] = []
        self.editable = True
        self.unseen = False
        self.reference: Entry | None = None

    def find(self, field: str) -> Field | None:
        """A field, of the first home that has it."""
        for home in self.homes:
            if found := home.find(field):
                return found
        return None

    def span(self, where: Place, attribute: str = "") -> Span:
        """As in Guest; of a key with others below it, the key."""
        if isinstance(where, Field):
            if attribute and (child := where.child(attribute)):
                return child.entry.span
            where = where.entry
        span: Span = where.span
        return span

    def origin(self, where: Place) -> str:
        """As in Guest: the preference, where that is in another file."""
        span = self.span(where) if where is not None else None
        return f"the preference: {span.path}:{span.line}" if span and span.path != self.document else ""

    def cause(self, where: Place) -> Place:  # noqa: ARG002 - it has one preference
        """As in Guest: what names the preference."""
        return self.reference or self.root

    @property
    def clock_place(self) -> Place:
        """The clock where there is one."""
        return self.find("clock") or self.root

    def name_of(self, row: Row) -> str:
        """As in Guest: the id, which people know, but where KubeVirt's name is another word."""
        return f"the {row.kubevirt} timer" if isinstance(row.libvirt, ClockTimer) else row.id

    def uses(self, row: Row) -> bool:
        """As in Guest: not what KubeVirt has no field for."""
        return bool(row.kubevirt) and super().uses(row)

    def syntax(self, row: Row) -> str:
        if not row.kubevirt:
            return f"{row.id}, which KubeVirt has no field for"
        if isinstance(row.libvirt, PanicDevice):
            return f"`{{model: {row.libvirt.model}}}` in {self.path_of(PANIC)}"
        if isinstance(row.libvirt, ClockTimer):
            return self._timer_syntax(f"{row.kubevirt}.present: true")
        return f"`{self.path_of(row.kubevirt)}.enabled: true`"

    def syntax_of(self, fact: str, value: str) -> str:
        timer, _, attribute = fact.partition(".")
        if attribute:
            return self._timer_syntax(f"{TIMER}.{timer}.{KEYS.get(attribute, attribute)}: {WORDS.get(value, value)}")
        if fact == "offset":
            return f"`{self.path_of('clock.timezone')}` with the guest's zone, such as Europe/Berlin"
        return f"`{self.path_of('machine.type')}: {value}`"

    def _timer_syntax(self, text: str) -> str:
        """A timer's key where the timers are that count: with a key of its own a machine has none of its preference."""
        home = next((home for home in self.homes if home.find(TIMER)), None)
        if home is None or not home.is_preference or home is self.homes[0]:
            return f"`{self.path_of(text)}`"
        return f"`{preferred(text)}` in the preference"

    def path_of(self, field: str) -> str:
        """A field's path as it is written in the first home."""
        return (preferred(field) if self.homes and self.homes[0].is_preference else None) or field

    def cpu_syntax(self, model: str, features: Sequence[str] = ()) -> str:
        on = ", ".join(f"{{name: {name}, policy: require}}" for name in features)
        return f"`cpu: {{model: {'host-passthrough' if model == 'host' else model}, features: [{on}]}}`"

    def can_turn_on(self, row: Row) -> bool:
        field = field_of(row)
        if not (self.editable and self.homes and field) or isinstance(row.libvirt, PanicDevice) or row.takes_all:
            return False
        if self.homes[0].is_preference and preferred(field) is None:
            return False
        return not isinstance(row.libvirt, ClockTimer) or self._has_timers()

    def can_set(self, fact: str) -> bool:
        """As in Guest: what is in the clock's timers, where no preference is hidden by that, and a machine type."""
        if not self.editable or not self.homes or fact in ("offset", "topology"):
            return False
        if fact == "machine":
            return fact in self.places and not self.origin(self.places[fact])
        return self._has_timers()

    def _has_timers(self) -> bool:
        """Whether the timers that count are written here, or would be: its own hide all that its preference has."""
        return not self.unseen and not self.origin(self.find(TIMER))

    def value_name(self, setting: Setting) -> str:
        return f"{setting.where.path}.{setting.attribute}"

    def limits(self, row: Row) -> tuple[int, int]:
        return (LEAST_NUMBER, LARGEST_NUMBER) if row in roles.NUMBERS else super().limits(row)
