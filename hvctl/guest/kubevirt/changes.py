"""Changes to the objects of a guest, as splices of their text."""

from collections.abc import Sequence
from typing import Any

from hvctl.catalog import roles
from hvctl.catalog.kubevirt import TIMER, field_of, preferred, value_key
from hvctl.catalog.placement import ClockTimer
from hvctl.catalog.types import Row
from hvctl.errors import Span
from hvctl.guest.kubevirt.machine import KEYS, WORDS, Field, Home, Machine
from hvctl.model.guest import Changes, Edit, Place, Setting
from hvctl.text.yaml_edit import Editor, Tree
from hvctl.text.yaml_tree import Mapping

_FIELDS = frozenset(field_of(row) for row in roles.ELEMENTS.values() if row.kubevirt)


class MachineChanges(Changes):
    """Changes to the objects of one guest."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._trees: list[tuple[Home, Tree]] = []
        self._items: list[tuple[Mapping, Tree]] = []

    def edits(self) -> tuple[Edit, ...]:
        if not self.machine.editable:
            return ()
        editor = Editor(self.machine.text)
        # What is added at one place comes from the inside out, as `Editor.change` has it, too.
        trees = [*self._items, *((home.mapping, tree) for home, tree in self._trees)]
        found = [splice for mapping, tree in trees for splice in editor.change(mapping, tree)]
        return tuple(
            Edit(
                self._bytes(one.start),
                self._bytes(one.end),
                one.text,
                Span(self.machine.document, *editor.place(one.start), *editor.place(one.end)),
            )
            for one in sorted(found, key=lambda one: (one.start, one.end))
        )

    def _bytes(self, offset: int) -> int:
        return len(self.machine.text[:offset].encode("utf-8", "surrogateescape"))

    def turn_on(self, rows: Sequence[Row]) -> None:
        for row in rows:
            field, home = field_of(row), self.machine.homes[0]
            if isinstance(row.libvirt, ClockTimer):
                self.put(self._timers(), f"{field}.present", "true")
                continue
            around = field.rpartition(".")[0]
            if around in _FIELDS and (home.find(around) is None):
                self.put(home, f"{around}.enabled", "true")
            self.put(home, f"{field}.enabled", "true")
            written = home.find(field)
            if row in roles.NUMBERS and not (written and written.child(value_key(field))):
                self.put(home, f"{field}.{value_key(field)}", str(roles.ADVISED_NUMBER))

    def _timers(self) -> Home:
        """Where timers are written: the home whose timers count."""
        homes = self.machine.homes
        return next((home for home in homes if home.find(TIMER)), homes[0])

    def drop(self, setting: Setting) -> None:
        """As in Changes. Without the VirtualMachine's key its preference's would count, and other guests may have that
        preference, too: then the row is turned off."""
        first, *others = self.machine.homes
        field = field_of(setting.row)
        if setting.id in self.machine.implied:
            return
        if field in _FIELDS and any(home.find(field) for home in others):
            self.put(first, f"{field}.enabled", "false")
            self._keep_beside(first, field)
        else:
            self.remove(setting.where)

    def _keep_beside(self, first: Home, field: str) -> None:
        """Write what is on beside a field, where all of it is the preference's, which a key of the VirtualMachine's
        hides."""
        around = field.rpartition(".")[0]
        for other in self.machine.on.values():
            beside = field_of(other.row)
            if around in _FIELDS and first.find(around) is None and beside != field and beside.startswith(f"{around}."):
                self.put(first, f"{beside}.enabled", "true")

    def remove(self, where: Place) -> None:
        self._tree(where.home, where.path, None)

    def set(self, where: Place, name: str, value: str) -> None:
        self._tree(where.home, f"{where.path}.{name}" if name else where.path, value)

    def set_fact(self, fact: str, value: str) -> None:
        timer, _, attribute = fact.partition(".")
        if attribute:
            key = KEYS.get(attribute, attribute)
            self.put(self._timers(), f"{TIMER}.{timer}.{key}", WORDS.get(value, value))
        elif fact == "machine":
            where: Field = self.machine.places["machine"]
            self._tree(where.home, where.path, value)

    def item(self, mapping: Mapping, tree: Tree) -> None:
        """Change an item of a list."""
        self._items.append((mapping, tree))

    def put(self, home: Home, field: str, value: Any) -> None:
        """Set a field by its path in a VirtualMachine."""
        path = preferred(field) if home.is_preference else field
        assert path is not None, "Machine.can_turn_on() and can_set() say so"
        self._tree(home, path, value)

    def _tree(self, home: Home, path: str, value: Any) -> None:
        tree = next((tree for known, tree in self._trees if known is home), None)
        if tree is None:
            tree = {}
            self._trees.append((home, tree))
        *parents, last = path.split(".")
        for name in parents:
            inner = tree.get(name)
            if not isinstance(inner, dict):
                inner = tree[name] = {}
            tree = inner
        tree[last] = value
