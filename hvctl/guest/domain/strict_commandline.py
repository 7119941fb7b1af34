"""What a domain's `<qemu:commandline>` changes of the CPU: libvirt passes it to QEMU behind its own arguments.

Observed with QEMU 7.2: of several `-cpu` the last counts whole. A `-global` sets what the `-cpu` in force does not, the
last of several wins, its property has dashes, and its class is the model's or one above it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvctl.catalog import BY_ID
from hvctl.catalog.cpu_features import qemu_name
from hvctl.guest.command.cpu_line import SUFFIX, TSC_FREQUENCY, assignments, drivers
from hvctl.guest.command.cpu_properties import PREFIXES, Written, boolean, settings
from hvctl.guest.command.options import global_property, scan
from hvctl.guest.domain.strict_hyperv import in_order
from hvctl.model.guest import HOST_MODELS, Guest
from hvctl.text.c_numbers import whole_number
from hvctl.text.problems import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from hvctl.guest.domain.strict_reading import Reading
    from hvctl.xml.source import Element

NAMESPACE = "http://libvirt.org/schemas/domain/qemu/1.0"

# Properties with a field of their own in a Guest; and `check`, which only makes QEMU warn.
_OWN = ("kvm", "migratable", "enforce", TSC_FREQUENCY, "check")
# Options that change the machine or the accelerator, or bring others in.
_BEYOND = ("machine", "M", "accel", "enable-kvm", "readconfig")

Global = tuple[str, str, Written]
"""Class, property, value."""


def with_commandline(guest: Guest, domain: Element, reading: Reading) -> Guest:
    """The guest with what its `<qemu:commandline>` changes; mistakes and doubts go to `reading`."""
    arguments = list(_arguments(domain, reading))
    models: list[Written] = []
    globals_: list[Global] = []
    position = 0
    for option in scan([argument.get("value") or "" for argument in arguments]):
        position += len(option.words)
        if option.name in _BEYOND:
            reading.doubt(f"-{option.name} in <qemu:commandline> was not read")
        elif option.name in ("cpu", "global") and option.value:
            written = Written(option.value, arguments[position - 1].value_span("value"))
            if option.name == "cpu":
                models.append(written)
            elif parts := global_property(written.value):
                globals_.append((parts[0], parts[1], Written(parts[2], written.span)))
    if models:
        return _replaced(guest, models[-1], globals_, reading)
    if not globals_:
        return guest
    fixed = _set_by_libvirt(guest)
    found = {name: written for name, written in _reaching(guest.cpu, globals_, reading).items() if name not in fixed}
    return _with_properties(guest, found, reading)


def _arguments(domain: Element, reading: Reading) -> Iterator[Element]:
    for element in domain.children:
        if element.local != "commandline":
            continue
        if element.namespace != NAMESPACE:
            reading.doubt(f"libvirt ignores <{element.tag}>: its namespace is not {NAMESPACE}")
            continue
        for argument in element.children:
            if argument.local == "arg" and argument.namespace == NAMESPACE:
                if argument.get("value") is None:
                    reading.problems.add(f"<{argument.tag}> has no value", argument.span, "write value='...'")
                yield argument


def _reaching(model: str | None, globals_: Iterable[Global], reading: Reading) -> dict[str, Written]:
    """The properties that `-global` sets on a CPU of a model, None where that is not known."""
    reached = drivers(model)
    found: dict[str, Written] = {}
    for driver, name, written in globals_:
        if model is None and driver.endswith(SUFFIX) and driver not in reached:
            reading.doubt(f"-global {driver}.{name} was not read: the CPU model is not known")
        elif driver in reached:
            found[name] = written
    return found


def _set_by_libvirt(guest: Guest) -> set[str]:
    """The properties that stand in libvirt's `-cpu`, which no `-global` changes; what is off is not written there."""
    names = {each.name for id_ in guest.enabled() for each in BY_ID[id_].properties}
    names |= {name for name, _ in guest.features}
    # migratable is written for the model host whether or not the domain mentions it.
    there = (("kvm", guest.hidden), (TSC_FREQUENCY, guest.tsc_frequency), ("migratable", guest.cpu == HOST_MODELS[0]))
    return names | {name for name, written in there if written}


def _replaced(guest: Guest, cpu: Written, globals_: Iterable[Global], reading: Reading) -> Guest:
    """The guest with the `-cpu` that takes the place of libvirt's; a comma cannot be doubled there."""
    model, *words = [word for word in cpu.value.split(",") if word] or [""]
    found = _reaching(model, globals_, reading)
    found |= {each.name: Written(each.value, cpu.span) for each in assignments(words)}
    plain = Guest(guest.label, guest.machine, model, accelerator=guest.accelerator, libvirt=True)
    return _with_properties(plain, found, reading)


def _with_properties(guest: Guest, properties: Mapping[str, Written], reading: Reading) -> Guest:
    found = settings(properties, guest.machine or "")
    for problem in found.problems:
        reading.problems.add(problem.message, problem.span, problem.hint)
    for name, written in properties.items():
        right = name.replace("_", "-")
        if right != name and right.startswith(PREFIXES):
            hint = "`_` is `-` in name=value behind -cpu only"
            reading.problems.add(f"QEMU knows no property {quoted(name)}: write {right}", written.span, hint)
    for name in found.unknown:
        reading.doubt(f"hvctl does not know the QEMU property {quoted(name)}")
    switches = {name: boolean(written.value) for name, written in properties.items() if not name.startswith(PREFIXES)}
    hertz = properties.get(TSC_FREQUENCY)
    features = dict(guest.features)
    for name, on in switches.items():
        if on is None and name != TSC_FREQUENCY:
            reading.doubt(f"the CPU property {quoted(name)} was not read")
        elif on is not None and name not in _OWN:
            features[qemu_name(name)] = on
    return guest._replace(
        migratable=_first(switches.get("migratable"), guest.migratable),
        enforce=_first(switches.get("enforce"), guest.enforce),
        hidden=not _first(switches.get("kvm"), not guest.hidden),
        features=tuple(features.items()),
        tsc_frequency=_frequency(hertz, reading) if hertz else guest.tsc_frequency,
        settings=in_order({setting.id: setting for setting in (*guest.settings, *found.settings)}),
    )


def _first(changed: bool | None, otherwise: bool) -> bool:
    return otherwise if changed is None else changed


def _frequency(written: Written, reading: Reading) -> int | None:
    hertz = whole_number(written.value)
    if hertz is None or hertz < 0:
        reading.problems.add(f"tsc-frequency cannot be {quoted(written.value)}", written.span, "write it in Hz")
    return hertz or None
