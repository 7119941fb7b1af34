"""hvctl-profile(5), from the table of a profile's keys and the catalog."""

from __future__ import annotations

from hvctl.catalog import ROWS, VERSION_SHAPE
from hvctl.catalog.types import Kind, Row
from hvctl.profile.keys import (
    RESERVED_FEATURES,
    RESERVED_PREFIXES,
    ROOT,
    Enlightenments,
    Features,
    Key,
    Number,
    Switch,
    Table,
    Text,
    Word,
    Words,
)
from hvctl.profile.wishes import VALUED, bounds
from scripts.manpages.roff import section, see_also, text, title, verbatim

PROFILE_EXAMPLE = """\
version: 1
name: db-server
description: SQL Server on a host that is not shared.
extends: windows-server-2022
guest:
  uses: [vbs]
migration: required
machine: q35
cpu:
  model: EPYC
  features:
    invtsc: off
tsc-frequency: 2600000000
vcpus:
  pinned: on
enlightenments:
  tlbflush: on          # refuse a host that has none
  ipi: prefer           # use it where every host can
  crash: off            # never
  spinlocks: 8191       # on, with this value
  vendor-id: {state: prefer, value: Example Inc}
clock:
  offset: localtime
  timers:
    hpet: off
"""


def profile_page() -> str:
    """hvctl-profile(5)."""
    lines = [
        title("HVCTL-PROFILE", 5, "File Formats"),
        *section("NAME"),
        "hvctl-profile \\- what a guest should get from KVM, for hvctl",
        *section("DESCRIPTION"),
        text(
            "A profile is a YAML mapping with the keys below. Only version must be there. Words are written exactly as "
            "here: on and off, not yes, true or On. A switch that is left out is off."
        ),
        ".PP",
        text(
            "`hvctl profile list` names the profiles that come with hvctl, `hvctl profile show` prints one, with "
            "--merged also what it inherits, `hvctl profile check` finds every mistake, and `hvctl schema profile` "
            "prints the JSON Schema for editors."
        ),
        *section("KEYS"),
        *_keys(ROOT, ""),
        *section("ENLIGHTENMENTS"),
        *_states(),
        *section("EXAMPLE"),
        ".nf",
        *(verbatim(line) for line in PROFILE_EXAMPLE.splitlines()),
        ".fi",
    ]
    return "\n".join([*lines, *see_also("hvctl(1)", "hvctl-enlightenments(7)"), ""])


def _keys(table: Table, path: str) -> list[str]:
    """Every key of a table, and below it those of the tables in it."""
    lines = []
    for name, key in table.keys.items():
        full = f"{path}{name}"
        lines += [".TP", f".B {text(full)}", text(key.help), ".br", text(f"Value: {_form(key)}.")]
        if isinstance(key, Table):
            lines += _keys(key, f"{full}.")
    return lines


def _form(key: Key) -> str:
    """What may stand as the value of a key."""
    match key:
        case Word():
            return f"one of {', '.join(key.words)}"
        case Switch():
            return "on or off"
        case Text():
            return f"{key.shape}; at most {key.longest} characters"
        case Number():
            numbers = f"a whole number from {key.minimum} to {key.maximum}"
            return " or ".join((str(key.minimum) if key.minimum == key.maximum else numbers, *key.words))
        case Words():
            return f"a list of some of {', '.join(key.words)}"
        case Features():
            reserved = {**{f"{prefix}*": hint for prefix, hint in RESERVED_PREFIXES.items()}, **RESERVED_FEATURES}
            refused = "; ".join(f"{name} ({hint})" for name, hint in reserved.items())
            return f"a mapping of QEMU's names of features to on or off. Refused are: {refused}"
        case Enlightenments():
            return "a mapping, see ENLIGHTENMENTS below"
        case Table():
            short = f", or the value of {key.short} alone" if key.short else ""
            keys = "key" if len(key.keys) == 1 else "keys"
            return f"a mapping with the {keys} {', '.join(key.keys)}{short}"


def _states() -> list[str]:
    """The values of `enlightenments`."""
    lines = [
        text(
            "Each key is an enlightenment, by its id in hvctl-enlightenments(7) or any other name of it. An entry of "
            "this file replaces the parent's. The value is one of:"
        )
    ]
    for state, meaning in (
        ("on", "It is required: a host that cannot give it refuses the profile. What it requires is turned on too."),
        ("prefer", "It is used where every host can and it is safe, else left out with a reason."),
        ("off", "It is never used, not even as a requirement of another."),
        ("VALUE", "For an enlightenment that takes a value: on, with this value."),
        ("{state: STATE, value: VALUE}", "The long form, for prefer with a value."),
    ):
        lines += [".TP", f".B {text(state)}", text(meaning)]
    lines += [".PP", text("These take a value:")]
    for row in ROWS:
        value = "" if row.experimental else _row_value(row)
        if value:
            need = "on and prefer need it" if row.kind in VALUED else "on without it is on"
            lines += [".TP", f".B {text(row.id)}", text(f"{value}; {need}.")]
    return lines


def _row_value(row: Row) -> str:
    """What the value of a row may be; empty for a row without one."""
    match row.kind:
        case Kind.NUMBER:
            return f"A whole number from {bounds(row).minimum} to {bounds(row).maximum}"
        case Kind.STRING:
            return f"{row.minimum} to {row.maximum} printable ASCII characters without comma"
        case Kind.VERSION:
            return f"A version, {VERSION_SHAPE}"
        case Kind.ON_OFF_AUTO:
            return "on or auto"
        case Kind.FLAG:
            return ""
