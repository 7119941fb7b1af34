"""The enlightenments in a domain's `<hyperv>`; what cannot be read becomes mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvctl.catalog import roles
from hvctl.catalog.types import Kind as RowKind
from hvctl.guest.domain.elements import local, named
from hvctl.guest.domain.strict_reading import whole_number
from hvctl.guest.guest import Entry, Mistake
from hvctl.text.problems import quoted

if TYPE_CHECKING:
    from hvctl.catalog.types import LibvirtPlace, Row
    from hvctl.guest.domain.reader import Domain
    from hvctl.model.profile import Value
    from hvctl.xml.source import Element

HOST_MODEL = "host-model"
# Looked up once: an enumeration takes its time to find them.
_NUMBER, _STRING = RowKind.NUMBER, RowKind.STRING
_MODES = ("custom", *roles.MODES, HOST_MODEL)
_STATES = {"on": True, "off": False}
# What people write for on and off, and libvirt does not take.
_MEANT = {
    **dict.fromkeys(("yes", "true", "1", "enabled", "ON", "On"), "on"),
    **dict.fromkeys(("no", "false", "0", "disabled", "OFF", "Off"), "off"),
}


def read_hyperv(domain: Domain, element: Element) -> None:
    """Read a `<hyperv>` into a domain."""
    domain.hyperv.append(element)
    mode = element.get("mode")
    if mode is not None and mode not in _MODES:
        words = " or ".join(f"'{word}'" for word in _MODES)
        domain.mistakes.append(
            Mistake("value", f"<hyperv> has no mode {quoted(mode)}", element, f"write mode={words}", "mode")
        )
    domain.mode, domain.mode_where = mode or "", element
    domain.open = mode in (*roles.MODES, HOST_MODEL)
    for row in roles.MODES.values():
        domain.written.pop(row.id, None)
        if mode == row.id:
            domain.written[row.id] = Entry(row, True, None, element, attribute="mode")
    for child in element.below:
        _child(domain, child, local(child))


def _child(domain: Domain, element: Element, path: str) -> None:
    row = roles.PLACES.get(path)
    if row is None or row.libvirt is None:
        domain.mistakes.append(Mistake("unknown", "", element, "", name=path))
        return
    on = _STATES.get(element.written.values.get("state", ""))
    if on is None:
        on = _meant(domain, element, row)
        if on is None:
            domain.written.setdefault(row.id, Entry(row, False, None, element))  # so that it is not added once more
            return
    name = row.libvirt.attribute
    if name:
        value = _value(domain, row, row.libvirt, element) if on else None
        # A number that is QEMU's default is what it has where nothing is said: off (hv-spinlocks=0xffffffff).
        default = row.kind is _NUMBER and value == row.properties[0].default
        entry = Entry(row, on and not default, value, element, element.get(name), False, name)
    else:
        entry = Entry(row, on, None, element)
    if row.id in domain.written:
        domain.repeated.append((domain.written[row.id], entry))
    domain.written[row.id] = entry
    for child in element.below:
        below = f"{path}/{local(child)}"
        if on:
            _child(domain, child, below)
        elif below in roles.PLACES:
            domain.unread.append((entry, child))


def _meant(domain: Domain, element: Element, row: Row) -> bool | None:
    """What a state that libvirt does not take is meant to be; it becomes a mistake."""
    text = element.get("state")
    message = (
        f"{named(element.tag)} has no state"
        if text is None
        else f"the state of {named(element.tag)} cannot be {quoted(text)}"
    )
    meant = _MEANT.get(text or "")
    change = ("state", meant) if meant else None
    instead = f"write state='{meant}'" if meant else "write state='on' or state='off'"
    domain.mistakes.append(Mistake("value", message, element, instead, "state", change, row))
    return _STATES.get(meant or "")


def _value(domain: Domain, row: Row, place: LibvirtPlace, element: Element) -> Value | None:
    text = element.get(place.attribute)
    if row.kind is _STRING:
        if text is None:
            message = f"{named(element.tag)} has no {place.attribute}"
            instead = f"write {place.attribute}='...'"
            domain.mistakes.append(Mistake("value", message, element, instead, row=row))
        return text
    if text is None:
        return None
    number = whole_number(text)
    if number is None:
        message = f"{place.attribute} of {named(element.tag)} is no number: {quoted(text)}"
        domain.mistakes.append(
            Mistake("value", message, element, f"write a whole number from {place.minimum}", place.attribute, row=row)
        )
    return number
