"""`hvctl explain`: what an enlightenment does, needs and costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hvctl.cli.options import common, output_format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hvctl.catalog.types import Row
    from hvctl.errors import UsageError


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@output_format("text", "json")
@common
def command(names: tuple[str, ...], output_format: str) -> int:
    """Say what an enlightenment does, needs and costs.

    NAME is an id or any other name of it: QEMU's (hv-stimer, hv_stimer), libvirt's (stimer/direct, hypervclock),
    KubeVirt's (synictimer), or a word of `guest.uses`. Without a NAME, all are listed.
    """
    from hvctl.catalog import find
    from hvctl.report import explain

    if not names:
        click.echo(_listing(output_format), nl=False)
        return 0
    rows = [(name, find(name)) for name in names]
    unknown = [name for name, row in rows if row is None and not explain.use_text(name)]
    if unknown:
        raise _unknown(unknown)
    if output_format == "json":
        click.echo(_json([row for _, row in rows if row]), nl=False)
        return 0
    pages = [explain.text(row) if row else explain.use_text(name) for name, row in rows]
    click.echo("\n".join(pages), nl=False)
    return 0


def _listing(output_format: str) -> str:
    from hvctl.catalog import ROWS
    from hvctl.report import explain

    return explain.listing(ROWS) if output_format == "text" else _json(ROWS)


def _json(rows: Sequence[Row]) -> str:
    import json

    from hvctl.report import explain

    return json.dumps({"format_version": 1, "enlightenments": [explain.as_json(row) for row in rows]}, indent=2) + "\n"


def _unknown(names: Sequence[str]) -> UsageError:
    import difflib

    from hvctl.catalog import names as known
    from hvctl.errors import UsageError

    close = {name: difflib.get_close_matches(name, known(), 1) for name in names}
    hints = [f"did you mean {found[0]!r} for {name!r}?" for name, found in close.items() if found]
    message = f"no enlightenment is called {' or '.join(repr(name) for name in names)}"
    return UsageError(message, " ".join([*hints, "`hvctl explain` lists all of them"]))
