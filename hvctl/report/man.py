"""Man pages: the commands' own help, and the catalog, as roff with the man macros."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvctl import __version__
from hvctl.catalog import ROWS
from hvctl.report.explain import sections

if TYPE_CHECKING:
    from collections.abc import Sequence

    import click


RELEASED = "2026-11-23"


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
    return "\n".join([*lines, *_see_also("hvctl(1)", "qemu(1)"), ""])


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
    ]
    return "\n".join([*lines, *_see_also("hvctl-enlightenments(7)", "qemu(1)", "virsh(1)"), ""])


def _title(name: str, section: int, title: str) -> str:
    return f'.TH {name} {section} "{RELEASED}" "hvctl {__version__}" "{title}"'


def _section(name: str) -> list[str]:
    return [f".SH {name}"]


def _see_also(*pages: str) -> list[str]:
    found = []
    for number, page in enumerate(pages, 1):
        name, _, section = page.partition("(")
        found.append(f".BR {_text(name)} ({section}{',' if number < len(pages) else ''}")
    return [*_section("SEE ALSO"), *found]


def _text(text: str) -> str:
    """Text as roff input on one line: nothing in it is a request or an escape."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga")
    escaped = " ".join(escaped.split())
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


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
