"""`hvctl schema`: the JSON Schemas of hvctl's file formats."""

from pathlib import Path

import click

from hvctl.cli.options import common

# Those in hvctl/schemas; that of profiles is made from the table of their keys.
FILES = ("host", "record", "plan", "pool", "check-migration", "lint", "diagnose", "verify", "verify-dry-run", "bench")
NAMES = ("profile", *FILES)


@click.command()
@click.argument("name", type=click.Choice(NAMES), metavar="NAME")
@common
def command(name: str) -> None:
    """Print the JSON Schema (draft-07) of a file format, or of what a command prints with --format json.

    NAME is profile, host, record, plan, pool, check-migration, lint, diagnose, verify, verify-dry-run or bench.

    An editor with YAML support uses it by a first line such as `# yaml-language-server: $schema=profile.schema.json`.
    """
    click.echo(_text(name), nl=False)


def _text(name: str) -> str:
    if name == "profile":
        from hvctl.profile.schema import text

        return text()
    import hvctl

    return (Path(hvctl.__path__[0]) / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")
