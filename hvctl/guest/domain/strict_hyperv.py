"""The enlightenments of a libvirt domain, each where the catalog says that libvirt writes it.

libvirt reads `<features>` and `<hyperv>` once more where they are repeated, and takes what comes last
(libvirt:src/conf/domain_conf.c, virDomainFeaturesHyperVDefParse). What is inside an enlightenment that is off it does
not read at all. What is said here of libvirt 9.0 was observed there, in the arguments that it makes of such domains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvctl.catalog import ORDER, ROWS, find
from hvctl.catalog.types import Kind
from hvctl.model.guest import Setting
from hvctl.text.problems import quoted

if TYPE_CHECKING:
    from hvctl.catalog.types import LibvirtPlace, Row
    from hvctl.guest.domain.strict_reading import Reading
    from hvctl.model.profile import Value
    from hvctl.xml.source import Element

Settings = dict[str, Setting]

_PLACES = {row.libvirt.path: row for row in ROWS if row.libvirt}
# What `mode` turns on as a whole.
_MODES = {row.id: row for row in ROWS if row.libvirt and row.libvirt.path == "@mode"}
_HOST_MODEL = "host-model"
# virXMLPropUInt, which reads the numbers here.
_UNSIGNED_INT = (1 << 32) - 1


def enlightenments(domain: Element, reading: Reading) -> tuple[Setting, ...]:
    """What a `<domain>` says of each enlightenment, in the catalog's order; what is not mentioned is left out."""
    settings: Settings = {}
    for features in domain.named("features"):
        for child in features.children:
            if child.local == "hyperv":
                _hyperv(child, settings, reading)
    for clock in domain.named("clock"):
        for timer in clock.named("timer"):
            _timer(timer, settings, reading)
    for devices in domain.named("devices"):
        for panic in devices.named("panic"):
            if row := _PLACES.get(f"panic:{panic.get('model')}"):
                settings[row.id] = Setting(row.id, True, None, panic.span)
    return in_order(settings)


def in_order(settings: Settings) -> tuple[Setting, ...]:
    """The settings in the catalog's order."""
    return tuple(sorted(settings.values(), key=lambda setting: ORDER[setting.id]))


def _hyperv(element: Element, settings: Settings, reading: Reading) -> None:
    mode = reading.word(element, "mode", ("custom", *_MODES, _HOST_MODEL))
    for row in _MODES.values():
        settings.pop(row.id, None)
        if mode == row.id:
            settings[row.id] = Setting(row.id, True, None, element.attribute_span("mode"))
    if mode == _HOST_MODEL:
        reading.doubt("<hyperv mode='host-model'>: libvirt chooses the enlightenments when the guest starts")
    for child in element.children:
        _child(child, child.local, settings, reading)
    if mode in _MODES and any(child.get("state") == "on" for child in element.children):
        # libvirt 9.0 writes both, 11.3 the mode alone; when that changed is not known.
        reading.doubt(f"<hyperv mode='{mode}'>: newer libvirts leave out what stands in it")


def _child(element: Element, path: str, settings: Settings, reading: Reading) -> None:
    row = _PLACES.get(path)
    if row is None or row.libvirt is None:
        reading.doubt(_unknown(element, path))
        return
    on = reading.state(element)
    if on is None:
        return
    value = _value(row, row.libvirt, element, reading) if on and row.libvirt.attribute else None
    # A number that is QEMU's default is what it has where nothing is said: off (hv-spinlocks=0xffffffff).
    default = row.kind is Kind.NUMBER and value == row.properties[0].default
    settings[row.id] = Setting(row.id, on and not default, None if default else value, element.span)
    for child in element.children:
        below = f"{path}/{child.local}"
        if on:
            _child(child, below, settings, reading)
        elif inner := _PLACES.get(below):
            # Not read by libvirt, so that it also takes nothing back: a repeated element may have turned it on.
            settings.setdefault(inner.id, Setting(inner.id, False, None, child.span))


def _value(row: Row, place: LibvirtPlace, element: Element, reading: Reading) -> Value | None:
    name, text = place.attribute, element.get(place.attribute)
    if row.kind is Kind.NUMBER:
        if text is None:
            reading.doubt(f"<{element.tag}> has no {name}: libvirt before 11.9.0 refuses that")
            return None
        return reading.number(element, name, place.minimum or 0, _UNSIGNED_INT)
    if text is None:
        reading.problems.add(f"<{element.tag}> has no {name}", element.span, f"write {name}='...'")
    elif "," in text or (row.maximum and len(text.encode()) > row.maximum):
        message = f"{name} of <{element.tag}> cannot be {quoted(text)}"
        hint = f"write at most {row.maximum} bytes, without a comma"
        reading.problems.add(message, element.value_span(name), hint)
    return text


def _timer(timer: Element, settings: Settings, reading: Reading) -> None:
    row = _PLACES.get(f"timer:{timer.get('name')}")
    if row is None:
        return
    # Absent is no (observed with libvirt 9.0), and one yes of several is enough: libvirt writes a flag for each yes.
    on = reading.word(timer, "present", ("yes", "no")) == "yes"
    if on or row.id not in settings:
        settings[row.id] = Setting(row.id, on, None, timer.span)


def _unknown(element: Element, path: str) -> str:
    """The doubt about an element that is not in the catalog; with the right one, where its name is known."""
    row = find(path.replace("/", "-"))
    place = row.libvirt.path if row and row.libvirt else ""
    kind, _, name = place.rpartition(":")
    right = {"timer": f"<timer name='{name}' present='yes'/>", "panic": f"<panic model='{name}'/>"}.get(kind)
    if not place or place.startswith("@") or "/" in place:
        return f"<{element.tag}> in <hyperv> is not known to hvctl"
    return f"<{element.tag}> in <hyperv> is not known to hvctl; libvirt writes it {right or f'<{place}>'}"
