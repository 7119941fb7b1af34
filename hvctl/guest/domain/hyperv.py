"""The enlightenments in a domain's `<hyperv>`; what cannot be read becomes mistakes and doubts.

libvirt reads `<features>` and `<hyperv>` again where they are repeated, and takes what comes last
(libvirt:src/conf/domain_conf.c, virDomainFeaturesHyperVDefParse); what is inside an enlightenment that is off it does
not read at all.
"""

from hvctl.catalog import find, roles
from hvctl.catalog.placement import HypervElement, HypervMode, example
from hvctl.catalog.types import Kind, Row
from hvctl.guest.domain.domain import HOST_MODEL, Domain
from hvctl.model.guest import Mistake, Setting, setting_of
from hvctl.model.profile import Value
from hvctl.text.c_numbers import binary_number, whole_number
from hvctl.text.problems import quoted
from hvctl.xml.document import Element, named

# Looked up once: an enumeration takes its time to find them.
_NUMBER, _STRING = Kind.NUMBER, Kind.STRING
_MODES = ("custom", *roles.MODES, HOST_MODEL)
_STATES = {"on": True, "off": False}
# What people write for on and off, and libvirt does not take.
_MEANT = {
    **dict.fromkeys(("yes", "true", "1", "enabled", "ON", "On"), "on"),
    **dict.fromkeys(("no", "false", "0", "disabled", "OFF", "Off"), "off"),
}
# The elements that have nothing but their state, as libvirt writes them, and most people.
_PLAIN = {
    f"<{name} state={quote}{state}{quote}/>": (row, on)
    for name, row in roles.ELEMENTS.items()
    if "/" not in name and isinstance(row.libvirt, HypervElement) and not row.libvirt.attribute
    for state, on in _STATES.items()
    for quote in "'\""
}
# virXMLPropUInt, which reads the numbers here.
_UNSIGNED_INT = (1 << 32) - 1


def read_hyperv(domain: Domain, element: Element) -> None:
    """Read a `<hyperv>` into a domain."""
    domain.hyperv.append(element)
    mode = element.get("mode")
    if mode is not None and mode not in _MODES:
        words = " or ".join(f"'{word}'" for word in _MODES)
        domain.wrong(f"<hyperv> has no mode {quoted(mode)}", element, f"write mode={words}", "mode")
    domain.mode = mode or ""
    domain.open = mode in (*roles.MODES, HOST_MODEL)
    for row in roles.MODES.values():
        domain.settings.pop(row.id, None)
        if mode == row.id:
            domain.settings[row.id] = Setting(row, True, None, element, attribute="mode")
    if mode == HOST_MODEL:
        domain.doubt("<hyperv mode='host-model'>: libvirt chooses the enlightenments when the guest starts", "settings")
    settings = domain.settings
    for child in element.below:
        plain = _PLAIN.get(child.written.text)
        if plain is None or plain[0].id in settings:
            _child(domain, child, child.local)
        else:  # most, in a fraction of the time
            row, on = plain
            settings[row.id] = setting_of((row, on, None, child, None, False, ""))
    if mode in roles.MODES and any(child.get("state") == "on" for child in element.below):
        # libvirt 9.0 writes both, 11.3 the mode alone; when that changed is not known.
        domain.doubt(f"<hyperv mode='{mode}'>: newer libvirts leave out its children")


def _child(domain: Domain, element: Element, path: str) -> None:
    row = roles.ELEMENTS.get(path)
    if row is None:
        domain.mistakes.append(Mistake("unknown", "", element, "", name=path))
        domain.doubt(_unknown(element, path))
        return
    on = _STATES.get(element.written.values.get("state", ""))
    if on is None:
        on = _meant(domain, element)
        if on is None:
            # So that it is not added again.
            domain.settings.setdefault(row.id, Setting(row, False, None, element))
            return
    place = row.libvirt
    if isinstance(place, HypervElement) and place.attribute:
        name = place.attribute
        value = _value(domain, row, place, element) if on else None
        # A number that is QEMU's default is what it has where nothing is said: off (hv-spinlocks=0xffffffff).
        default = row.kind is _NUMBER and value == row.properties[0].default
        value = None if default else value
        setting = Setting(row, on and not default, value, element, element.get(name), False, name)
    else:
        setting = Setting(row, on, None, element)
    if row.id in domain.settings:
        domain.repeated.append((domain.settings[row.id], setting))
    domain.settings[row.id] = setting
    for child in element.below:
        below = f"{path}/{child.local}"
        if on:
            _child(domain, child, below)
        elif below in roles.ELEMENTS:
            domain.unread.append((setting, child))


def _meant(domain: Domain, element: Element) -> bool | None:
    """What a state that libvirt does not take is meant to be; it becomes a mistake."""
    text = element.get("state")
    tag = named(element.tag)
    message = f"{tag} has no state" if text is None else f"state of {tag} cannot be {quoted(text)}"
    meant = _MEANT.get(text or "")
    change = ("state", meant) if meant else None
    instead = f"write state='{meant}'" if meant else "write state='on' or state='off'"
    domain.mistakes.append(Mistake("value", message, element, instead, "state", change))
    return _STATES.get(meant or "")


def _value(domain: Domain, row: Row, place: HypervElement, element: Element) -> Value | None:
    name, text = place.attribute, element.get(place.attribute)
    if row.kind is _STRING:
        if text is None:
            domain.wrong(f"{named(element.tag)} has no {name}", element, f"write {name}='...'")
        elif "," in text or (row.maximum and len(text.encode()) > row.maximum):
            message = f"{name} of {named(element.tag)} cannot be {quoted(text)}"
            instead = f"write at most {row.maximum} bytes, without a comma"
            domain.mistakes.append(Mistake("range", message, element, instead, name))
        return text
    if text is None:
        domain.doubt(f"{named(element.tag)} has no {name}: libvirt before 11.9.0 refuses that")
        return None
    binary = binary_number(text)
    number = whole_number(text) if binary is None else binary
    if number is None:
        message = f"{name} of {named(element.tag)} is no number: {quoted(text)}"
        domain.wrong(message, element, f"write a whole number from {place.minimum}", name)
    elif not (place.minimum or 0) <= number <= _UNSIGNED_INT:
        message = f"{name} of {named(element.tag)} cannot be {quoted(text)}"
        instead = f"write a whole number from {place.minimum or 0} to {_UNSIGNED_INT}"
        domain.mistakes.append(Mistake("range", message, element, instead, name))
    elif binary is not None:
        domain.unclear(f"{name}={quoted(text)} of {named(element.tag)}", binary, element, name, whole=True)
    return number


def _unknown(element: Element, path: str) -> str:
    """The doubt about an element that is not in the catalog; with the right one, where its name is known."""
    row = find(path.replace("/", "-"))
    sentence = f"{named(element.tag)} in <hyperv> is not known to hvctl"
    if row is None or row.libvirt is None or isinstance(row.libvirt, HypervMode):
        return sentence
    return f"{sentence}; libvirt writes it {example(row.libvirt)}"
