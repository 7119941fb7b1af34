"""What a domain's `<qemu:commandline>` changes of the CPU: libvirt passes it to QEMU behind its own arguments.

Observed with QEMU 7.2: of several `-cpu` the last counts whole. A `-global` sets what the `-cpu` in force does not, the
last of several wins, its property has dashes, and its class is the model's or one above it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hvctl.catalog import BY_ID
from hvctl.formats.c_numbers import metric_number, whole_number
from hvctl.formats.cpu_properties import PREFIXES, Written, boolean, settings
from hvctl.formats.domain_hyperv import in_order
from hvctl.formats.profile_problems import quoted
from hvctl.formats.qemu_args import parameters, scan
from hvctl.model.guest import HOST_MODELS, Guest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from hvctl.formats.domain_reading import Reading
    from hvctl.formats.xml_source import Element

NAMESPACE = "http://libvirt.org/schemas/domain/qemu/1.0"

# The classes of every x86 CPU; a model's own is MODEL-x86_64-cpu, and that of host is derived from that of max.
_CLASSES = ("cpu", "x86_64-cpu")
_SUFFIX = "-x86_64-cpu"
# sscanf("%63[^.=].%63[^=]=") of qemu_global_option (qemu:softmmu/vl.c): the value is taken as it stands.
_GLOBAL = re.compile(r"([^.=]+)\.([^=]+)=(.*)", re.DOTALL)
# Properties with a field of their own in a Guest; and `check`, which only makes QEMU warn.
_OWN = ("kvm", "migratable", "enforce", "tsc-frequency", "check")
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
            else:
                globals_ += _global(written)
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


def _global(written: Written) -> list[Global]:
    if match := _GLOBAL.fullmatch(written.value):
        return [(match[1], match[2], Written(match[3], written.span))]
    parts = {part.key: part.value for part in parameters(written.value)}
    if not {"driver", "property", "value"} <= parts.keys():
        return []
    return [(parts["driver"], parts["property"], Written(parts["value"], written.span))]


def _reaching(model: str | None, globals_: Iterable[Global], reading: Reading) -> dict[str, Written]:
    """The properties that `-global` sets on a CPU of a model, None where that is not known."""
    classes = {*_CLASSES, f"{model}{_SUFFIX}"}
    if model == HOST_MODELS[0]:
        classes.add(f"{HOST_MODELS[1]}{_SUFFIX}")
    found: dict[str, Written] = {}
    for driver, name, written in globals_:
        if model is None and driver.endswith(_SUFFIX):
            reading.doubt(f"-global {driver}.{name} was not read: the CPU model is not known")
        elif driver in classes:
            found[name] = written
    return found


def _set_by_libvirt(guest: Guest) -> set[str]:
    """The properties that stand in libvirt's `-cpu`, which no `-global` changes; what is off is not written there."""
    names = {each.name for id_ in guest.enabled() for each in BY_ID[id_].properties}
    names |= {name for name, _ in guest.features}
    # migratable is written for the model host whether or not the domain mentions it.
    there = (("kvm", guest.hidden), ("tsc-frequency", guest.tsc_frequency), ("migratable", guest.cpu == HOST_MODELS[0]))
    return names | {name for name, written in there if written}


def _replaced(guest: Guest, cpu: Written, globals_: Iterable[Global], reading: Reading) -> Guest:
    """The guest with the `-cpu` that takes the place of libvirt's (x86_cpu_parse_featurestr, qemu:target/i386/cpu.c).

    A comma cannot be doubled there, `_` is `-` but after a sign, and what has a sign is set last.
    """
    model, *parts = [part for part in cpu.value.split(",") if part] or [""]
    found = _reaching(model, globals_, reading)
    for name, equals, text in (part.partition("=") for part in parts if part[0] not in "+-"):
        found[name.replace("_", "-")] = Written(text if equals else "on", cpu.span)
    for sign, word in (("+", "on"), ("-", "off")):
        found |= {part[1:]: Written(word, cpu.span) for part in parts if part[0] == sign}
    if older := found.pop("tsc-freq", None):
        hertz = metric_number(older.value)
        found["tsc-frequency"] = Written(older.value if hertz is None else str(hertz), older.span)
    plain = Guest(guest.label, guest.machine, model, accelerator=guest.accelerator, libvirt=True)
    return _with_properties(plain, found, reading)


def _with_properties(guest: Guest, properties: Mapping[str, Written], reading: Reading) -> Guest:
    found = settings(properties, guest.machine or "")
    for problem in found.problems:
        reading.problems.add(problem.message, problem.span, problem.hint)
    for name in found.unknown:
        reading.doubt(f"hvctl does not know the QEMU property {quoted(name)}")
    switches = {name: boolean(written.value) for name, written in properties.items() if not name.startswith(PREFIXES)}
    hertz = properties.get("tsc-frequency")
    features = dict(guest.features)
    for name, on in switches.items():
        if on is None and name != "tsc-frequency":
            reading.doubt(f"the CPU property {quoted(name)} was not read")
        elif on is not None and name not in _OWN:
            features[name] = on
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
