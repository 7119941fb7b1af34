"""What an edit of a domain is, and `<hyperv>` made what a plan says: in libvirt's order, child by child."""

from hvctl.catalog import roles
from hvctl.catalog.placement import HypervElement
from hvctl.catalog.types import Kind, Row
from hvctl.guest.domain.changes import child_of, only
from hvctl.model.plan import EditOptions, Outcome, Plan
from hvctl.text.c_numbers import whole_number
from hvctl.xml import Node
from hvctl.xml.document import Document, Element
from hvctl.xml.edit import Editor

_NUMBER = Kind.NUMBER


def _by_parent() -> dict[str, dict[str, Row]]:
    """The rows by the name of the element that they are in, `` for `<hyperv>` itself, and by their elements' names."""
    found: dict[str, dict[str, Row]] = {}
    for row in roles.ELEMENTS.values():
        if isinstance(row.libvirt, HypervElement):
            found.setdefault(row.libvirt.inside, {})[row.libvirt.name] = row
    return found


_INSIDE = _by_parent()
# What is but on or off, with nothing inside: most of them, and one node for all files.
_PLAIN = {
    row.id: Node(name, (("state", "on"),))
    for rows in _INSIDE.values()
    for name, row in rows.items()
    if isinstance(row.libvirt, HypervElement) and not row.libvirt.attribute and name not in _INSIDE
}


class Edit:
    """One edit of a domain: the editor, the plan, and which of its rows are on."""

    def __init__(self, document: Document, domain: Element, plan: Plan, options: EditOptions) -> None:
        self.domain = domain
        self.plan = plan
        self.options = options
        self.editor = Editor(document)
        on = Outcome.ON  # looked up once: an enumeration takes its time to find it
        self.enabled = {one.id: one for one in plan.decisions if one.state is on}

    def goes(self, row_id: str) -> bool:
        """Whether what the file has of a row that is not on is taken away: `off`, and `prefer` that cannot be had."""
        if row_id in self.enabled:
            return False
        return not self.options.keep_others or any(one.id == row_id and one.asked for one in self.plan.decisions)


def edit_hyperv(edit: Edit) -> None:
    """Make `<hyperv>` what the plan says."""
    features = only(edit.domain, "features")
    element = only(features, "hyperv")
    mode = tuple(("mode", name) for name, row in roles.MODES.items() if row.id in edit.enabled)
    wanted = any(row.id in edit.enabled for row in _INSIDE[""].values())
    if element is None:
        if wanted or mode:
            child_of(edit.editor, edit.domain, features, "features", Node("hyperv", mode, _nodes(edit, "")))
        return
    rows = [_INSIDE[""].get(child.local) for child in element.below]
    keeps = edit.options.keep_others and any(row is None or not edit.goes(row.id) for row in rows)
    if not (wanted or mode or keeps or element.get("mode")):
        edit.editor.remove(element)
        return
    if mode:
        edit.editor.set(element, *mode[0])
    elif element.get("mode") not in (None, "custom"):
        edit.editor.drop(element, "mode")
    _children(edit, element, "")


def _nodes(edit: Edit, parent: str) -> tuple[Node, ...]:
    """New elements of what is on directly below a path, with those inside them."""
    rows = _INSIDE[parent]
    return tuple([_node(edit, name, row) for name, row in rows.items() if row.id in edit.enabled])


def _node(edit: Edit, name: str, row: Row) -> Node:
    if plain := _PLAIN.get(row.id):
        return plain
    assert isinstance(row.libvirt, HypervElement), "only elements are in _INSIDE"
    attribute = row.libvirt.attribute
    value = ((attribute, str(edit.enabled[row.id].value)),) if attribute else ()
    inside = _nodes(edit, name) if name in _INSIDE else ()
    return Node(name, (("state", "on"), *value), inside)


def _children(edit: Edit, element: Element, parent: str) -> None:
    """Make the children of `<hyperv>`, or of an enlightenment in it, those that are wanted; in libvirt's order."""
    rows, enabled = _INSIDE.get(parent, {}), edit.enabled
    there: dict[str, Element] = {}
    for child in element.below:
        row = rows.get(child.local)
        if row is None:
            if not edit.options.keep_others:
                edit.editor.remove(child)
        elif row.id in enabled:
            if row.id in there:
                edit.editor.remove(there[row.id])  # libvirt takes the last
            there[row.id] = child
        elif edit.goes(row.id):
            edit.editor.remove(child)
        else:
            there.setdefault(row.id, child)
    behind: Element | None = None
    for name, row in rows.items():
        if row.id in there:
            behind = there[row.id]
            if row.id in enabled:
                _existing(edit, behind, row)
        elif row.id in enabled:
            edit.editor.insert(element, _node(edit, name, row), behind)


def _existing(edit: Edit, element: Element, row: Row) -> None:
    said = element.values
    if said.get("state") != "on":
        edit.editor.set(element, "state", "on")
    if row.id in _PLAIN and not element.below:
        return
    place = row.libvirt
    assert isinstance(place, HypervElement), "only elements are in _INSIDE"
    if place.attribute:
        text, value = said.get(place.attribute), edit.enabled[row.id].value
        same = text == value or (row.kind is _NUMBER and text is not None and whole_number(text) == value)
        if not same:
            edit.editor.set(element, place.attribute, str(value))
    if place.name in _INSIDE or element.below:
        _children(edit, element, place.name)
