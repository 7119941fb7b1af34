"""Writing results: stdout, or a file that is replaced whole or not at all."""

from __future__ import annotations

import click


def write_result(text: str | bytes, path: str | None) -> None:
    """Write to stdout (`path` None or `-`), or replace a file.

    Raises:
        HostError: there is no room for it.
        UsageError: it cannot be written for another reason.
    """
    if path is None or path == "-":
        click.echo(text, nl=False)
        return
    # Most results go to stdout; tempfile alone costs 7 ms of imports.
    from hvctl.cli import NO_ROOM
    from hvctl.errors import HostError, UsageError
    from hvctl.text.files import replace

    try:
        replace(path, text.encode() if isinstance(text, str) else text)
    except OSError as error:
        kind = HostError if error.errno in NO_ROOM else UsageError
        raise kind(f"{path} cannot be written: {error.strerror}") from error
