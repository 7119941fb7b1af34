"""What a domain's `<qemu:commandline>` says of enlightenments.

libvirt passes it to QEMU behind its own arguments: of several `-cpu` the last counts whole, and a `-global` sets what
the `-cpu` in force does not (observed with QEMU 7.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvctl.formats.cpu_properties import PREFIXES, Written, settings
from hvctl.formats.domain_commandline import NAMESPACE
from hvctl.formats.qemu_args import global_property, scan
from hvctl.lint import roles
from hvctl.lint.guest import Entry, Mistake, Switch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hvctl.formats.xml_source import Element
    from hvctl.lint.domain import Domain

VALUE = "value"


def read_commandline(domain: Domain, element: Element) -> None:
    """Read a `<qemu:commandline>` into the domain's `arguments`."""
    if element.namespace != NAMESPACE:
        domain.ignored.append(element)
        return
    arguments = arguments_of(element)
    position = 0
    for option in scan([argument.get(VALUE) or "" for argument in arguments]):
        position += len(option.words)
        if option.name == "cpu" and option.value:
            domain.replaced = arguments[position - 1]
            for name, text in _properties(option.value):
                _take(domain, name, text, arguments[position - 1])
        elif option.name == "global" and option.value and (found := global_property(option.value)):
            driver, name, text = found
            if driver == "cpu" or driver.endswith("x86_64-cpu"):
                _take(domain, name, text, arguments[position - 1])


def arguments_of(commandline: Element) -> list[Element]:
    """The `<arg>` elements."""
    return [child for child in commandline.below if child.local == "arg" and child.namespace == NAMESPACE]


def _properties(value: str) -> Iterator[tuple[str, str]]:
    """The properties of a `-cpu`, as QEMU reads them (qemu:target/i386/cpu.c, x86_cpu_parse_featurestr())."""
    yield from (property_of(part) for part in value.split(",")[1:] if part)


def property_of(part: str) -> tuple[str, str]:
    """The name and the value that a part of a `-cpu` gives a property."""
    if part[0] in ("+", "-"):
        return part[1:], "on" if part[0] == "+" else "off"
    name, equals, text = part.partition("=")
    return name.replace("_", "-"), text if equals else "on"


def _take(domain: Domain, name: str, text: str, argument: Element) -> None:
    if name == "tsc-frequency":
        domain.frequency = True
    elif not name.startswith(PREFIXES):
        domain.switches.setdefault(name, Switch(name, text in ("on", "yes", "true", "y"), argument))
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
        domain.written.setdefault(row.id, entry)
