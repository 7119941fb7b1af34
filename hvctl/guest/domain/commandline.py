"""What a domain's `<qemu:commandline>` says of enlightenments.

libvirt passes it to QEMU behind its own arguments: of several `-cpu` the last counts whole, and a `-global` sets what
the `-cpu` in force does not (observed with QEMU 7.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvctl.catalog import roles
from hvctl.guest.command.cpu_line import assignments
from hvctl.guest.command.cpu_properties import PREFIXES, Written, boolean, settings
from hvctl.guest.command.options import global_property, scan
from hvctl.guest.domain.strict_commandline import NAMESPACE
from hvctl.guest.guest import FREQUENCIES, Entry, Mistake, Switch, underscored

if TYPE_CHECKING:
    from hvctl.guest.domain.reader import Domain
    from hvctl.xml.source import Element

VALUE = "value"


def read_commandline(domain: Domain, element: Element) -> None:
    """Read a `<qemu:commandline>` into the domain's `arguments`."""
    if element.namespace != NAMESPACE:
        domain.ignored.append(element)
        return
    arguments = arguments_of(element)
    cpu = ""
    position = 0
    for option in scan([argument.get(VALUE) or "" for argument in arguments]):
        position += len(option.words)
        if option.name == "cpu" and option.value:
            cpu, domain.replaced = option.value, arguments[position - 1]
        elif option.name == "global" and option.value and (found := global_property(option.value)):
            driver, name, text = found
            if driver == "cpu" or driver.endswith("x86_64-cpu"):
                _take(domain, name, text, arguments[position - 1])
    if cpu and domain.replaced is not None:
        for one in assignments(part for part in cpu.split(",")[1:] if part):
            _take(domain, one.name, one.value, domain.replaced)
    if any(row.id in domain.arguments and domain.arguments[row.id].on for row in roles.EVERYTHING):
        domain.open = True


def arguments_of(commandline: Element) -> list[Element]:
    """The `<arg>` elements."""
    return [child for child in commandline.below if child.local == "arg" and child.namespace == NAMESPACE]


def property_of(part: str) -> tuple[str, str]:
    """The name and the value that a part of a `-cpu` gives a property."""
    if part[0] in ("+", "-"):
        return part[1:], "on" if part[0] == "+" else "off"
    name, equals, text = part.partition("=")
    return name.replace("_", "-"), text if equals else "on"


def _take(domain: Domain, name: str, text: str, argument: Element) -> None:
    if name in FREQUENCIES:
        domain.frequency = True
        return
    if not name.replace("_", "-").startswith(PREFIXES):
        if argument is domain.replaced or name not in domain.switches:
            domain.switches[name] = Switch(name, boolean(text) is True, argument)
        return
    if wrong := underscored(name, argument, VALUE):
        domain.mistakes.append(wrong)
        return
    found = settings({name: Written(text)}, domain.machine or "")
    for problem in found.problems:
        domain.mistakes.append(Mistake("value", problem.message, argument, "write what QEMU takes", VALUE))
    for unknown in found.unknown:
        domain.mistakes.append(Mistake("unknown", "", argument, "", VALUE, name=unknown))
    for setting in found.settings:
        row = roles.PROPERTIES[name]
        entry = Entry(row, setting.on, setting.value, argument, text, argument=True, attribute=VALUE)
        domain.arguments[row.id] = entry
        if not entry.on:
            domain.removals.append(entry)
        if row.id not in domain.written or domain.written[row.id].argument:
            domain.written[row.id] = entry
