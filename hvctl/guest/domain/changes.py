"""Changes to a domain's text, by the editor that writes as the file is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvctl.catalog import ORDER, roles
from hvctl.catalog.types import Kind as RowKind
from hvctl.guest.domain.commandline import VALUE, arguments_of, property_of
from hvctl.guest.domain.order import child_of, last_before
from hvctl.guest.guest import Changes
from hvctl.model.finding import Edit
from hvctl.xml.edit import Editor, Node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hvctl.catalog.types import Row
    from hvctl.guest.domain.reader import Domain
    from hvctl.guest.guest import Entry, Place
    from hvctl.xml.source import Element

_GLOBAL = ("-global", "--global")


class _Splices(Editor):
    """An editor that tells what it would change."""

    def splices(self) -> list[tuple[int, int, str]]:
        for parent, entries in self._inside.items():
            self._insert_all(parent, entries)
        self._inside.clear()
        return sorted(self._splices, key=lambda splice: splice[:2])


class DomainChanges(Changes):
    """Changes to one domain; `xml` is for what has no word here."""

    def __init__(self, domain: Domain) -> None:
        self.domain = domain
        self.xml = _Splices(domain.root.document)

    def edits(self) -> tuple[Edit, ...]:
        document = self.domain.root.document
        splices = self.xml.splices()
        return tuple(Edit(start, end, text, document.span(start, end)) for start, end, text in splices)

    def turn_on(self, rows: Sequence[Row]) -> None:
        new = []
        for row in rows:
            entry = self.domain.written.get(row.id)
            if entry is None or entry.argument:
                new.append(row)
            elif row.libvirt and row.libvirt.path.startswith("timer:"):
                self.xml.set(entry.where, "present", "yes")
            else:
                self.xml.set(entry.where, "state", "on")
                self._value(entry)
        self._add_timers([row for row in new if row.libvirt and row.libvirt.path.startswith("timer:")])
        self._add_elements([row for row in new if row.libvirt and ":" not in row.libvirt.path])

    def drop(self, entry: Entry) -> None:
        if entry.where is self.domain.replaced:
            self.drop_part(entry)
        elif entry.argument:
            self.drop_argument(entry.where)
        else:
            self.xml.remove(entry.where)

    def set(self, where: Place, name: str, value: str) -> None:
        self.xml.set(where, name, value)

    def set_machine(self, name: str) -> None:
        self.xml.set(self.domain.machine_where, "machine", name)

    def remove(self, where: Place) -> None:
        self.xml.remove(where)

    def rename(self, where: Place, name: str) -> None:
        self.xml.replace(where, Node(name, tuple(where.values.items())))

    def set_timer(self, timer: str, name: str, value: str) -> None:
        found = self.domain.timers.get(timer)
        if found is not None:
            self.xml.set(found.where, name, value)
        else:
            self._add_timer_nodes([Node("timer", (("name", timer), (name, value)))])

    def set_offset(self, value: str) -> None:
        clock = self.domain.offset_where
        if clock is not None:
            self.xml.set(clock, "offset", value)
        else:
            node = Node("clock", (("offset", value),))
            self.xml.insert(self.domain.root, node, last_before(self.domain.root, "clock"))

    def drop_part(self, entry: Entry) -> None:
        """Take what a `-cpu` in `<qemu:commandline>` says of a row away."""
        model, *parts = entry.where.get(VALUE).split(",")
        kept = [part for part in parts if not part or roles.PROPERTIES.get(property_of(part)[0]) is not entry.row]
        self.xml.set(entry.where, VALUE, ",".join([model, *kept]))

    def drop_argument(self, argument: Element) -> None:
        """Take an `<arg>` of `<qemu:commandline>` and its option away, or all of it where no more is left."""
        parent = argument.parent
        assert parent is not None, "an <arg> stands in <commandline>"
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

    def _value(self, entry: Entry) -> None:
        """A number where an element that is turned on has none: older libvirts demand it."""
        place = entry.row.libvirt
        if place and entry.row.kind is RowKind.NUMBER and entry.where.get(place.attribute) is None:
            self.xml.set(entry.where, place.attribute, str(roles.ADVISED_NUMBER))

    def _add_timers(self, rows: Sequence[Row]) -> None:
        places = [row.libvirt.path.partition(":")[2] for row in rows if row.libvirt]
        self._add_timer_nodes([Node("timer", (("name", name), ("present", "yes"))) for name in places])

    def _add_timer_nodes(self, nodes: Sequence[Node]) -> None:
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
        if not rows:
            return
        if not self.domain.hyperv:
            node = Node("hyperv", (), tuple(_node(row) for row in rows if row.libvirt and "/" not in row.libvirt.path))
            child_of(self.xml, self.domain.root, self.domain.features, "features", node)
            return
        for row in rows:
            self._add_element(row)

    def _add_element(self, row: Row) -> None:
        assert row.libvirt is not None, "what has no element is not added"
        parent, _, _ = row.libvirt.path.rpartition("/")
        around = self.domain.hyperv[-1]
        if parent:
            above = next((one for one in self.domain.written.values() if _path(one.row) == parent), None)
            if above is None or above.argument:
                return
            around = above.where
        self.xml.insert(around, _node(row), _before(around, row, f"{parent}/" if parent else ""))


def _path(row: Row) -> str:
    return row.libvirt.path if row.libvirt else ""


def _node(row: Row) -> Node:
    assert row.libvirt is not None, "what has no element is not written"
    attributes = [("state", "on")]
    if row.kind is RowKind.NUMBER:
        attributes.append((row.libvirt.attribute, str(roles.ADVISED_NUMBER)))
    return Node(row.libvirt.path.rpartition("/")[2], tuple(attributes))


def _before(around: Element, row: Row, prefix: str) -> Element | None:
    """The last child that libvirt would write before a row's element."""
    found = None
    for child in around.children:
        other = roles.PLACES.get(f"{prefix}{child.local}")
        if other is not None and ORDER[other.id] < ORDER[row.id]:
            found = child
    return found
