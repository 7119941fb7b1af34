"""Write the man pages into man/, from the commands, the table of profile keys and the catalog."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from hvctl.cli import COMMANDS, cli
from hvctl.report.lint_man import rules_page
from hvctl.report.man import commands_page, enlightenments_page, profile_page


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


def main() -> None:
    """Write every page."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "man"
    for name, text in pages().items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    main()
