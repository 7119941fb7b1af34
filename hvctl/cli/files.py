"""Writing results: stdout, or a file that is replaced whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path


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
    from pathlib import Path

    from hvctl.cli import NO_ROOM
    from hvctl.errors import HostError, UsageError

    try:
        replace(Path(path), text.encode() if isinstance(text, str) else text)
    except OSError as error:
        kind = HostError if error.errno in NO_ROOM else UsageError
        raise kind(f"{path} cannot be written: {error.strerror}") from error


def replace(path: Path, content: bytes) -> None:
    """Replace a file atomically: a temporary file beside it, fsync, rename; mode and owner are kept.

    A link is followed; what is not a regular file (/dev/stdout, a pipe) is written to in place.
    """
    import contextlib
    import os
    import tempfile

    with contextlib.suppress(FileNotFoundError):
        path.stat()  # a loop of links is an OSError here; what resolve() makes of one differs between Pythons
    target = path.resolve()
    if target.exists() and not target.is_file():
        target.write_bytes(content)
        return
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            _keep_mode(path, stream.fileno())
            os.fsync(stream.fileno())
        os.rename(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def _keep_mode(target: Path, handle: int) -> None:
    import os

    try:
        old = target.stat()
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        os.fchmod(handle, 0o666 & ~mask)
        return
    os.fchmod(handle, old.st_mode & 0o7777)
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(handle, old.st_uid, old.st_gid)
