"""The properties of QEMU's CPU: what `-cpu` and `-global` set, in the order in which QEMU sets it, as it reads values.

Source: qemu:target/i386/cpu.c, x86_cpu_parse_featurestr() and x86_cpu_expand_features(): `_` is `-` but after `+` and
`-`, whose words come after all `name=value`; the last one wins; `-global` comes before.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from hvctl.catalog import ROWS, machines
from hvctl.catalog.cpu_models import qemu_name
from hvctl.catalog.roles import PREFIXES
from hvctl.catalog.types import Kind, Property, Row
from hvctl.model.guest import HOST_MODELS, X86, Guest, Mistake, Place, Setting, Switch
from hvctl.model.profile import Value
from hvctl.text.c_numbers import binary_number, metric_number, whole_number
from hvctl.text.problems import short

# qemu:qapi/qapi-util.c, qapi_bool_parse()
ON, OFF = ("on", "yes", "true", "y"), ("off", "no", "false", "n")
SUFFIX = "-x86_64-cpu"
# By libvirt's name of an architecture, where the class of a CPU has another name.
_SUFFIXES = {"i686": "-i386-cpu"}
TSC_FREQUENCY = "tsc-frequency"
_TSC_FREQ = "tsc-freq"
# Properties with a field of their own in a Guest; and `check`, which only makes QEMU warn.
_SWITCHES = ("migratable", "enforce", "check", "kvm")
# The class above every CPU's; below it is that of the architecture (qemu:target/i386/cpu-qom.h).
_BASE = "cpu"
_LIMITS = {**{f"uint{bits}": (0, (1 << bits) - 1) for bits in (8, 16, 32)}, "int32": (-(1 << 31), (1 << 31) - 1)}
_KNOWN: dict[str, tuple[Row, Property]] = {
    name: (row, known)
    for row in ROWS
    for known in row.properties
    for name in (known.name, *(row.property_aliases if len(row.properties) == 1 else ()))
}


class Assignment(NamedTuple):
    """A property and its value as text, their place, and whether it is set by `+` or `-`."""

    name: str
    value: str
    where: Place = None
    attribute: str = ""
    signed: bool = False


def drivers(model: str | None, arch: str = X86) -> frozenset[str]:
    """What a `-global` can name to reach a CPU of a model: the classes it is derived from (host from max)."""
    models = HOST_MODELS if model == HOST_MODELS[0] else (model,) if model else ()
    suffix = _SUFFIXES.get(arch, SUFFIX)
    return frozenset((_BASE, suffix[1:], *(f"{one}{suffix}" for one in models)))


def assignments(words: Iterable[str]) -> Iterator[Assignment]:
    """The features after the model, as QEMU sets them one after the other; each has its word as its place."""
    signs: dict[str, list[str]] = {"+": [], "-": []}
    for word in words:
        if word[:1] in signs:
            signs[word[0]].append(word)
            continue
        name, equals, value = word.partition("=")
        name = name.replace("_", "-")
        value = value if equals else ON[0]
        if name == _TSC_FREQ:
            name, value = TSC_FREQUENCY, _hertz(value)
        yield Assignment(name, value, word)
    for sign, value in (("+", ON[0]), ("-", OFF[0])):
        yield from (Assignment(word[1:], value, word, signed=True) for word in signs[sign])


def _hertz(text: str) -> str:
    """tsc-freq, the older name of tsc-frequency, takes a unit (qemu:util/cutils.c, qemu_strtosz_metric())."""
    number = metric_number(text)
    return text if number is None else str(number)


def set_properties(guest: Guest, assigned: Iterable[Assignment]) -> None:
    """Set properties of a guest's CPU, one after the other; what cannot be read becomes mistakes and doubts."""
    found: dict[str, Assignment] = {}
    for one in assigned:
        binary = binary_number(one.value) if _is_number(one.name) else None
        read = one if binary is None else one._replace(value=str(binary))
        if mistake := _mistake(read, guest.cpu):
            guest.mistakes.append(mistake)
            continue
        if binary is not None:
            guest.unclear(f"{one.name}={short(one.value)}", binary, one.where, one.attribute)
        # What was set before gives way, its place in the order too; QEMU has taken it first.
        found.pop(one.name, None)
        found[one.name] = read
    written = list(found)
    # In the order of the text, so that a finding about all of them is at the first.
    for setting in sorted(settings_of(found, guest.machine or ""), key=lambda one: _first(one.row, written)):
        guest.settings[setting.id] = setting
        if not setting.on:
            guest.removals.append(setting)
    others: list[tuple[str, str]] = []
    for name, one in found.items():
        on = boolean(one.value)
        if name.startswith(PREFIXES):
            if name not in _KNOWN:
                guest.mistakes.append(Mistake("unknown", "", one.where, "", one.attribute, name=name))
                guest.doubt(f"hvctl does not know the QEMU property {short(name)}")
                others.append((name, one.value))
        elif name == TSC_FREQUENCY:
            hertz = whole_number(one.value) or 0
            # QEMU counts in kHz, and takes what is less for nothing.
            guest.tsc_frequency = hertz if hertz >= 1000 else None
            guest.places["tsc_frequency"] = one.where
        elif name in _SWITCHES:
            _set_switch(guest, name, one, on)
        elif on is None:
            others.append((name, one.value))
        else:
            guest.switches[qemu_name(name)] = Switch(name, on, one.where)
    guest.properties = (*guest.properties, *others)


def _is_number(name: str) -> bool:
    return name == TSC_FREQUENCY or (name in _KNOWN and _KNOWN[name][1].type in _LIMITS)


def _first(row: Row, names: Sequence[str]) -> int:
    """The position of the first of a row's properties."""
    return next(place for place, name in enumerate(names) if name in _KNOWN and _KNOWN[name][0] is row)


def _set_switch(guest: Guest, name: str, one: Assignment, on: bool | None) -> None:
    if on is None or name == "check":
        return
    match name:
        case "migratable":
            guest.migratable = on
        case "enforce":
            guest.enforce = on
        case "kvm":
            guest.hidden = not on
    guest.places["hidden" if name == "kvm" else name] = one.where


def settings_of(properties: Mapping[str, Assignment], machine: str = "") -> tuple[Setting, ...]:
    """What properties, by their names with `-`, say of enlightenments, in the catalog's order; wrong values are passed
    over. `machine` is the machine type, of which some change the default of what is written in part."""
    values: dict[str, dict[str, tuple[Value | bool, Assignment]]] = {}
    for name, one in properties.items():
        if name in _KNOWN:
            row, known = _KNOWN[name]
            value = _read(known.type, one.value)
            if value is not None:
                values.setdefault(row.id, {})[known.name] = value, one
    defaults = machines.compat(machine) if values else {}
    return tuple([_setting(row, values[row.id], defaults) for row in ROWS if row.id in values] if values else ())


def _mistake(one: Assignment, model: str | None) -> Mistake | None:
    """What every QEMU has against an assignment."""
    name, value = one.name, one.value
    right = name.replace("_", "-")
    if right != name and right.startswith(PREFIXES):
        message = f"QEMU knows no property {short(name)}"
        instead = f"write {short(right)}: `_` is `-` in name=value after -cpu only"
        return Mistake("name", message, one.where, instead, one.attribute, name=name)
    fault = ""
    if name in _KNOWN:
        kind = _KNOWN[name][1].type
        if one.signed and kind != "bool":
            fault = f"{name} cannot be set by + or -: {_expected(kind)}"
        elif _read(kind, value) is None:
            fault = f"{name}={short(value)}: {_expected(kind)}"
    elif not name:
        fault = "there is no name of a property"
    elif name in _SWITCHES and boolean(value) is None:
        fault = f"{name}={short(value)}: a switch is on or off"
    elif name == "migratable" and model is not None and model not in HOST_MODELS:
        fault = f"CPU model {short(model)} has no property {name}"
    elif name == TSC_FREQUENCY:
        hertz = whole_number(value)
        if hertz is None or not 0 <= hertz < 1 << 63:
            fault = f"{name}={short(value)}: this is no number of Hz"
    return Mistake("value", fault, one.where, "write a value that QEMU accepts", one.attribute) if fault else None


def boolean(text: str) -> bool | None:
    """A switch as QEMU reads it; None for anything else."""
    return True if text in ON else False if text in OFF else None


def _read(kind: str, text: str) -> Value | bool | None:
    if kind == "bool":
        return boolean(text)
    if kind == "OnOffAuto":
        return text if text in ("on", "off", "auto") else None
    if kind in _LIMITS:
        return _number(whole_number(text), *_LIMITS[kind])
    return text


def _number(number: int | None, least: int, most: int) -> int | None:
    """The number if it fits; strtoull(3), which reads the unsigned ones, takes a negative one modulo 2**64."""
    if number is not None and number < 0 <= least:
        number += 1 << 64
    return number if number is not None and least <= number <= most else None


def _expected(kind: str) -> str:
    if kind == "bool":
        return "a switch is on or off"
    if kind == "OnOffAuto":
        return "the value is on, off or auto"
    return "the value is a text" if kind == "string" else f"the value is a whole number that fits into {kind}"


def _setting(
    row: Row, values: Mapping[str, tuple[Value | bool, Assignment]], defaults: Mapping[str, bool | int]
) -> Setting:
    value, last = list(values.values())[-1]
    on = True
    final: Value | None = None
    if row.kind is Kind.VERSION:
        final = _version(row, {**defaults, **{name: part for name, (part, _) in values.items()}})
    elif row.kind is Kind.ON_OFF_AUTO:
        on, final = value != "off", value if value != "off" else None
    elif isinstance(value, bool):
        on = value
    elif row.kind is Kind.NUMBER and value == row.properties[0].default:
        on = False
    else:
        # QEMU takes the first 12 characters and warns (qemu:target/i386/cpu.c, x86_cpu_hyperv_realize()).
        final = value[: row.maximum] if isinstance(value, str) else value
    return Setting(row, on, final, last.where, last.value, argument=True, attribute=last.attribute)


def _version(row: Row, parts: Mapping[str, Value | bool]) -> str:
    """The parts of a version in their order, those that are not written with QEMU's default.

    A property can be wider than its field in CPUID, which gets the low bits (qemu:target/i386/kvm/kvm.c,
    hyperv_fill_cpuids()).
    """
    numbers = [str(int(parts.get(known.name, known.default)) & _mask(known)) for known in row.properties]
    short = ".".join(numbers[:3])
    return short if numbers[3:] == ["0", "0", "0"] else f"{short}.{'-'.join(numbers[3:])}"


def _mask(known: Property) -> int:
    return (1 << known.field.width) - 1 if known.field else -1
