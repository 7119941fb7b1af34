"""Write the man pages into man/: `python -m scripts.manpages`. hvctl(1) is made here, from the commands' own help."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from hvctl.cli import COMMANDS, cli
from scripts.manpages.profile import profile_page
from scripts.manpages.reference import enlightenments_page, rules_page
from scripts.manpages.roff import section, see_also, text, title


def pages() -> dict[str, str]:
    """File name to text."""
    group = click.Context(cli, info_name="hvctl")
    return {
        "hvctl.1": commands_page(group, _contexts(group)),
        "hvctl-profile.5": profile_page(),
        "hvctl-enlightenments.7": enlightenments_page(),
        "hvctl-rules.7": rules_page(),
    }


def _contexts(group: click.Context) -> list[click.Context]:
    found = []
    for name in COMMANDS:
        command = cli.get_command(group, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=group)
        found.append(context)
        if isinstance(command, click.Group):
            found += [
                click.Context(command.commands[inner], info_name=inner, parent=context)
                for inner in command.list_commands(context)
            ]
    return found


def commands_page(group: click.Context, commands: Sequence[click.Context]) -> str:
    """hvctl(1), from the contexts of the group and its commands in the order of `hvctl --help`."""
    lines = [
        title("HVCTL", 1, "User Commands"),
        *section("NAME"),
        "hvctl \\- the right Hyper\\-V enlightenments for Windows guests on KVM",
        *section("SYNOPSIS"),
        ".B hvctl",
        ".I COMMAND",
        "[\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]",
        *section("DESCRIPTION"),
        *_help(group),
        *section("COMMANDS"),
    ]
    for context in commands:
        usage = " ".join(context.command.collect_usage_pieces(context))
        lines += [f".SS {text(context.command_path)} {text(usage)}", *_help(context), *_options(context)]
    lines += [
        *section("ENVIRONMENT"),
        ".TP",
        ".B NO_COLOR, FORCE_COLOR",
        text("Disable or force colours. --color overrides both."),
        ".TP",
        ".B XDG_CACHE_HOME",
        text("The directory that contains the directory hvctl, see FILES. Default: ~/.cache."),
        ".TP",
        ".B XDG_STATE_HOME",
        text("The same for what must not be lost. Default: ~/.local/state."),
        *section("FILES"),
        ".TP",
        ".B $XDG_CACHE_HOME/hvctl",
        text(
            "QEMU's answers. gen and launch reuse them until the binary, the kernel or KVM changes; check-host always "
            "asks again. The directory may be removed at any time. It is not used if other users can write to it or to "
            "a directory above it, or in another user's home (sudo -E)."
        ),
        ".TP",
        ".B $XDG_STATE_HOME/hvctl",
        text(
            "The definitions that apply has replaced. Where other users can write, or in another user's home, apply "
            "refuses to change a domain."
        ),
    ]
    return "\n".join(
        [*lines, *see_also("hvctl-profile(5)", "hvctl-enlightenments(7)", "hvctl-rules(7)", "qemu(1)", "virsh(1)"), ""]
    )


def _help(context: click.Context) -> list[str]:
    """The help text: paragraphs, and blocks marked by \\b kept as they are."""
    lines: list[str] = []
    for paragraph in (context.command.help or "").replace("\r", "").split("\n\n"):
        kept = paragraph.lstrip().startswith("\b")
        lines.append(".PP")
        if kept:
            body = [line.strip() for line in paragraph.replace("\b", "").split("\n") if line.strip()]
            lines += [".nf", *(text(line) for line in body), ".fi"]
        else:
            lines.append(text(paragraph))
    return lines[1:]


def _options(context: click.Context) -> list[str]:
    lines = []
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        if record:
            lines += [".TP", f".B {text(record[0])}", text(record[1])]
    return lines


def main() -> None:
    """Write every page."""
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "man"
    for name, page in pages().items():
        (directory / name).write_text(page)


if __name__ == "__main__":
    main()
