"""`hvctl schema`: the JSON Schemas of hvctl's file formats."""

from __future__ import annotations

from pathlib import Path

import click

from hvctl.cli.options import common

NAMES = ("profile", "host")


@click.command()
@click.argument("name", type=click.Choice(NAMES))
@common
def command(name: str) -> None:
    """Print the JSON Schema (draft-07) of a file format.

    An editor with YAML support uses it by a first line such as
    `# yaml-language-server: $schema=profile.schema.json`.
    """
    click.echo(_text(name), nl=False)


def _text(name: str) -> str:
    if name == "profile":
        from hvctl.formats.profile_schema import text

        return text()
    from hvctl import formats

    return (Path(formats.__path__[0]) / f"{name}.schema.json").read_text(encoding="utf-8")
