"""The `<hyperv>` of a domain made what a plan says: in libvirt's order, child by child."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvctl.catalog import ROWS
from hvctl.catalog.types import Kind
from hvctl.guest.domain.order import child_of, only
from hvctl.guest.domain.strict_reading import whole_number
from hvctl.xml.edit import Node

if TYPE_CHECKING:
    from hvctl.catalog.types import Row
    from hvctl.guest.domain.edit_options import Edit
    from hvctl.xml.source import Element

_NUMBER = Kind.NUMBER
_MODES = tuple(row for row in ROWS if row.libvirt and row.libvirt.path == "@mode")


def _by_parent() -> dict[str, dict[str, Row]]:
    """The rows by the path of what they stand in, `` for `<hyperv>` itself, and by their elements' names."""
    found: dict[str, dict[str, Row]] = {}
    for row in ROWS:
        if row.libvirt and ":" not in row.libvirt.path and row not in _MODES:
            parent, _, name = row.libvirt.path.rpartition("/")
            found.setdefault(parent, {})[name] = row
    return found


_PLACES = _by_parent()
# What is but on or off, with nothing inside: most of them, and one node for all files.
_PLAIN = {
    row.id: Node(name, (("state", "on"),))
    for rows in _PLACES.values()
    for name, row in rows.items()
    if row.libvirt and not row.libvirt.attribute and row.libvirt.path not in _PLACES
}


def edit_hyperv(edit: Edit) -> None:
    """Make `<hyperv>` what the plan says."""
    features = only(edit.domain, "features")
    element = only(features, "hyperv")
    mode = tuple(("mode", row.id) for row in _MODES if row.id in edit.enabled)
    wanted = any(row.id in edit.enabled for row in _PLACES[""].values())
    if element is None:
        if wanted or mode:
            child_of(edit.editor, edit.domain, features, "features", Node("hyperv", mode, _nodes(edit, "")))
        return
    keeps = edit.options.keep_others and element.below
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
    rows = _PLACES[parent]
    return tuple([_node(edit, name, row) for name, row in rows.items() if row.id in edit.enabled])


def _node(edit: Edit, name: str, row: Row) -> Node:
    if plain := _PLAIN.get(row.id):
        return plain
    assert row.libvirt, "only what has a place is in _PLACES"
    attribute = row.libvirt.attribute
    value = ((attribute, str(edit.enabled[row.id].value)),) if attribute else ()
    inside = _nodes(edit, row.libvirt.path) if row.libvirt.path in _PLACES else ()
    return Node(name, (("state", "on"), *value), inside)


def _children(edit: Edit, element: Element, parent: str) -> None:
    """Make the children of `<hyperv>`, or of an enlightenment in it, those that are wanted; in libvirt's order."""
    rows, enabled = _PLACES.get(parent, {}), edit.enabled
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
    assert place, "only what has a place is in _PLACES"
    if place.attribute:
        text, value = said.get(place.attribute), edit.enabled[row.id].value
        same = text == value or (row.kind is _NUMBER and text is not None and whole_number(text) == value)
        if not same:
            edit.editor.set(element, place.attribute, str(value))
    if place.path in _PLACES or element.below:
        _children(edit, element, place.path)
