"""Files replaced whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def replace(path: str | Path, content: bytes) -> None:
    """Replace a file atomically: a temporary file beside it, fsync, rename; mode and owner are kept.

    A link is followed; what is not a regular file (/dev/stdout, a pipe) is written to in place.
    """
    path = Path(path)
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
