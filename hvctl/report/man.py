"""Man pages: the commands' own help, the catalog, and the keys of a profile, as roff with the man macros."""

from __future__ import annotations

from collections.abc import Sequence

import click

from hvctl.catalog import ROWS
from hvctl.catalog.types import Kind, Row
from hvctl.model.version_id import SHAPE
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
from hvctl.report.explain import sections
from hvctl.report.roff import section as _section
from hvctl.report.roff import see_also as _see_also
from hvctl.report.roff import text as _text
from hvctl.report.roff import title as _title
from hvctl.report.roff import verbatim as _verbatim

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


def enlightenments_page() -> str:
    """hvctl-enlightenments(7)."""
    lines = [
        _title("HVCTL-ENLIGHTENMENTS", 7, "Hyper-V enlightenments of KVM"),
        *_section("NAME"),
        "hvctl-enlightenments \\- the Hyper\\-V enlightenments of KVM, QEMU and libvirt",
        *_section("DESCRIPTION"),
        _text(
            "An enlightenment is a feature of Hyper-V that KVM emulates, so that Windows treats the virtual "
            "machine as one of "
            "Hyper-V's and leaves out what is slow there. QEMU turns each on by a CPU property, libvirt by an "
            "element of the domain."
        ),
        ".PP",
        _text(
            "A KVM whose kernel lacks CONFIG_KVM_HYPERV, and QEMU's TCG, accept most of these flags and ignore them. "
            "`hvctl check-host` says what a host can really give."
        ),
        *_section("ENLIGHTENMENTS"),
    ]
    for row in ROWS:
        lines.append(f".SS {_text(row.id)} \\- {_text(row.title)}")
        for heading, paragraphs in sections(row):
            lines += [".TP", f".B {_text(heading)}"]
            for number, paragraph in enumerate(paragraphs):
                lines += ([".br"] if number else []) + [_text(paragraph)]
    return "\n".join([*lines, *_see_also("hvctl(1)", "hvctl-profile(5)", "qemu(1)"), ""])


def profile_page() -> str:
    """hvctl-profile(5)."""
    lines = [
        _title("HVCTL-PROFILE", 5, "File Formats"),
        *_section("NAME"),
        "hvctl-profile \\- what a guest should get from KVM, for hvctl",
        *_section("DESCRIPTION"),
        _text(
            "A profile is a YAML mapping with the keys below. Only version must be there. Words are written exactly as "
            "here: on and off, not yes, true or On. A switch that is left out is off."
        ),
        ".PP",
        _text(
            "`hvctl profile list` names the profiles that come with hvctl, `hvctl profile show` prints one, with "
            "--merged also what it inherits, `hvctl profile check` finds every mistake, and `hvctl schema profile` "
            "prints the JSON Schema for editors."
        ),
        *_section("KEYS"),
        *_keys(ROOT, ""),
        *_section("ENLIGHTENMENTS"),
        *_states(),
        *_section("EXAMPLE"),
        ".nf",
        *(_verbatim(line) for line in PROFILE_EXAMPLE.splitlines()),
        ".fi",
    ]
    return "\n".join([*lines, *_see_also("hvctl(1)", "hvctl-enlightenments(7)"), ""])


def _keys(table: Table, path: str) -> list[str]:
    """Every key of a table, and below it those of the tables in it."""
    lines = []
    for name, key in table.keys.items():
        full = f"{path}{name}"
        lines += [".TP", f".B {_text(full)}", _text(key.help), ".br", _text(f"Value: {_form(key)}.")]
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
        _text(
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
        lines += [".TP", f".B {_text(state)}", _text(meaning)]
    lines += [".PP", _text("These take a value:")]
    for row in ROWS:
        value = "" if row.experimental else _row_value(row)
        if value:
            need = "on and prefer need it" if row.kind in VALUED else "on without it is on"
            lines += [".TP", f".B {_text(row.id)}", _text(f"{value}; {need}.")]
    return lines


def _row_value(row: Row) -> str:
    """What the value of a row may be; empty for a row without one."""
    match row.kind:
        case Kind.NUMBER:
            return f"A whole number from {bounds(row).minimum} to {bounds(row).maximum}"
        case Kind.STRING:
            return f"{row.minimum} to {row.maximum} printable ASCII characters without comma"
        case Kind.VERSION:
            return f"A version, {SHAPE}"
        case Kind.ON_OFF_AUTO:
            return "on or auto"
        case Kind.FLAG:
            return ""


def commands_page(group: click.Context, commands: Sequence[click.Context]) -> str:
    """hvctl(1), from the contexts of the group and its commands in the order of `hvctl --help`."""
    lines = [
        _title("HVCTL", 1, "User Commands"),
        *_section("NAME"),
        "hvctl \\- the right Hyper\\-V enlightenments for Windows guests on KVM",
        *_section("SYNOPSIS"),
        ".B hvctl",
        ".I COMMAND",
        "[\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]",
        *_section("DESCRIPTION"),
        *_help(group),
        *_section("COMMANDS"),
    ]
    for context in commands:
        usage = " ".join(context.command.collect_usage_pieces(context))
        lines += [f".SS {_text(context.command_path)} {_text(usage)}", *_help(context), *_options(context)]
    lines += [
        *_section("ENVIRONMENT"),
        ".TP",
        ".B NO_COLOR, FORCE_COLOR",
        _text("Turn colours off, or on where the output is no terminal. --color comes before both."),
        ".TP",
        ".B XDG_CACHE_HOME",
        _text("The folder that holds the folder hvctl, see FILES. Default: ~/.cache."),
        *_section("FILES"),
        ".TP",
        ".B $XDG_CACHE_HOME/hvctl",
        _text(
            "What QEMU said. gen and launch remember it until the binary, the kernel or KVM changes; check-host always "
            "asks anew. The folder may be removed at any time."
        ),
    ]
    return "\n".join(
        [*lines, *_see_also("hvctl-profile(5)", "hvctl-enlightenments(7)", "hvctl-rules(7)", "qemu(1)", "virsh(1)"), ""]
    )


def _help(context: click.Context) -> list[str]:
    """The help text: paragraphs, and blocks marked by \\b kept as they are."""
    lines: list[str] = []
    for paragraph in (context.command.help or "").replace("\r", "").split("\n\n"):
        text = paragraph.strip("\n")
        kept = text.lstrip().startswith("\b")
        lines.append(".PP")
        if kept:
            body = [line.strip() for line in text.replace("\b", "").split("\n") if line.strip()]
            lines += [".nf", *(_text(line) for line in body), ".fi"]
        else:
            lines.append(_text(text))
    return lines[1:]


def _options(context: click.Context) -> list[str]:
    lines = []
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        if record:
            lines += [".TP", f".B {_text(record[0])}", _text(record[1])]
    return lines
