"""Properties of QEMU's CPU, as they are written, become the settings of a guest; values are read as QEMU reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hvctl.catalog import ROWS, machines
from hvctl.catalog.types import Kind
from hvctl.model.guest import Setting
from hvctl.model.span import Problem
from hvctl.text.c_numbers import whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hvctl.catalog.types import Property, Row
    from hvctl.model.profile import Value
    from hvctl.model.span import Span

PREFIXES = ("hv-", "x-hv-")
# qemu:qapi/qapi-util.c, qapi_bool_parse()
ON, OFF = ("on", "yes", "true", "y"), ("off", "no", "false", "n")
_LIMITS = {**{f"uint{bits}": (0, (1 << bits) - 1) for bits in (8, 16, 32)}, "int32": (-(1 << 31), (1 << 31) - 1)}

_KNOWN: dict[str, tuple[Row, Property]] = {
    name: (row, known)
    for row in ROWS
    for known in row.properties
    for name in (known.name, *(row.property_aliases if len(row.properties) == 1 else ()))
}


class Written(NamedTuple):
    """A property's value as text, and its place."""

    value: str
    span: Span | None = None


class Settings(NamedTuple):
    """What properties say of enlightenments: the settings in the catalog's order, unknown names, wrong values."""

    settings: tuple[Setting, ...]
    unknown: tuple[str, ...]
    problems: tuple[Problem, ...]


def settings(properties: Mapping[str, Written], machine: str = "") -> Settings:
    """Read the hv-* and x-hv-* properties among these.

    Args:
        properties: by their names with `-`.
        machine: the machine type, of which some change the default of what is written in part.
    """
    problems: list[Problem] = []
    values: dict[str, dict[str, tuple[Value | bool, Span | None]]] = {}
    unknown = []
    for name, written in properties.items():
        if not name.startswith(PREFIXES):
            continue
        if name not in _KNOWN:
            unknown.append(name)
            continue
        row, known = _KNOWN[name]
        value = _read(known.type, written.value)
        if value is not None:
            values.setdefault(row.id, {})[known.name] = value, written.span
        elif problem := wrong_value(name, written):
            problems.append(problem)
    defaults = machines.compat(machine)
    found = tuple(_setting(row, values[row.id], defaults) for row in ROWS if row.id in values)
    return Settings(found, tuple(unknown), tuple(problems))


def wrong_value(name: str, written: Written, *, sign: bool = False) -> Problem | None:
    """What QEMU has against the value of an enlightenment's property; `sign`: it is set by `+` or `-`."""
    kind = _KNOWN[name][1].type if name in _KNOWN else ""
    if sign and kind not in ("bool", ""):
        return Problem(f"{name} cannot be set by + or -: {_expected(kind)}", written.span)
    if kind and _read(kind, written.value) is None:
        return Problem(f"{name}={written.value}: {_expected(kind)}", written.span)
    return None


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
    row: Row, values: Mapping[str, tuple[Value | bool, Span | None]], defaults: Mapping[str, bool | int]
) -> Setting:
    value, span = list(values.values())[-1]
    if row.kind is Kind.VERSION:
        written = {name: part for name, (part, _) in values.items()}
        return Setting(row.id, True, _version(row, {**defaults, **written}), span)
    if row.kind is Kind.ON_OFF_AUTO:
        return Setting(row.id, value != "off", value if value != "off" else None, span)
    if isinstance(value, bool):
        return Setting(row.id, value, None, span)
    if value == row.properties[0].default and row.kind is Kind.NUMBER:
        return Setting(row.id, False, None, span)
    # QEMU takes the first 12 characters and warns (qemu:target/i386/cpu.c, x86_cpu_hyperv_realize()).
    return Setting(row.id, True, value[: row.maximum] if isinstance(value, str) else value, span)


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
