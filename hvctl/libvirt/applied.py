"""The definitions that apply has replaced, kept under XDG_STATE_HOME until they are put back.

A folder for each domain of each libvirt; in it, for each time, the definition before and what libvirt made of the new
one. They can hold passwords, so nobody else may read them; nor write: what another user put there would be defined.
"""

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from hvctl.errors import HostError, InputError, Problem
from hvctl.text.files import LARGEST_XML, UnreadableError, base_directory, decode, distrust_own, read
from hvctl.text.writing import create
from hvctl.xml.reader import parse

_NUMBER = re.compile(r"([0-9]{4,9})-(?:before|after|overwritten)\.xml", re.ASCII)


class Kept(NamedTuple):
    """One replaced definition, and the files that have it and what the change made of it.

    `made` is None where that is not known: hvctl was killed before it could read it, or its file is damaged.
    """

    before: Path
    after: Path
    definition: bytes
    made: bytes | None = None

    def overwritten(self, now: bytes) -> Path:
        """Keep what someone else has made of the domain since, and its file's name."""
        path = self.before.with_name(self.before.name.replace("before", "overwritten"))
        if path.exists():  # of an undo that libvirt refused, or that was interrupted
            path = _next(path.parent, "overwritten")
        write(path, now)
        return path

    def drop(self) -> None:
        """Forget it."""
        self.after.unlink(missing_ok=True)
        self.before.unlink(missing_ok=True)


def newest(uri: str, uuid: str, say: Callable[[str], None]) -> Kept | None:
    """The definition of a domain that was replaced last, of those whose files are whole; `say` names the others."""
    folder = _folder(uri, uuid)

    def whole(path: Path, uuid: str | None = None) -> bytes | None:
        try:
            return _read(path, uuid) if os.path.lexists(path) else None
        except InputError as error:
            reason = error.reason if isinstance(error, UnreadableError) else error.message
            say(f"note: {path} is damaged and passed over: {reason}")
            return None

    for number in reversed(_numbers(folder)):
        before, after = folder / f"{number:04}-before.xml", folder / f"{number:04}-after.xml"
        if (definition := whole(before, uuid)) is not None:
            return Kept(before, after, definition, whole(after))
    return None


def keep(uri: str, uuid: str, before: bytes) -> Kept:
    """Keep a definition that is about to be replaced.

    Raises:
        HostError: it cannot be written.
    """
    path = _next(_folder(uri, uuid), "before")
    write(path, before)
    return Kept(path, path.with_name(path.name.replace("before", "after")), before)


def write(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read, in folders of the same kind; it must not be there yet."""
    try:
        for folder in (path.parent.parent.parent, path.parent.parent, path.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if why := distrust_own(str(path.parent.parent.parent)):  # made by another user since `_folder` looked
            raise PermissionError(errno.EPERM, why)
        create(str(path), data)
    except OSError as error:
        raise HostError(
            f"the definition cannot be kept in {path.parent}: {error.strerror}",
            "nothing was changed; XDG_STATE_HOME names another place",
        ) from error


def _read(path: Path, uuid: str | None) -> bytes:
    """A kept definition; raises InputError for what is not one of this domain, if its UUID is given."""
    data = read(str(path), LARGEST_XML, pipe=False, owner=os.geteuid())
    if uuid:
        decode(data, str(path))
        root = parse(data, str(path)).root
        if root.local != "domain" or [child.text() for child in root.named("uuid")] != [uuid]:
            raise InputError([Problem(f"it is not a definition of the domain {uuid}")])
    return data


def _folder(uri: str, uuid: str) -> Path:
    from hashlib import blake2b

    base = base_directory("XDG_STATE_HOME", ".local", "state")
    if base is None:
        message = "there is no home directory, in which the old definition could be kept"
        raise HostError(message, "nothing was changed; set HOME, or name a place by XDG_STATE_HOME")
    home = Path(base)
    if why := distrust_own(str(home / "hvctl")):
        message = f"{home / 'hvctl'} is no safe place for old definitions: {why}"
        raise HostError(
            message, "nothing was changed; use your own home (`sudo -H`), or name a place by XDG_STATE_HOME"
        )
    return home / "hvctl" / "domains" / f"{uuid}-{blake2b(uri.encode(), digest_size=4).hexdigest()}"


def _numbers(folder: Path) -> list[int]:
    try:
        found = [_NUMBER.fullmatch(name) for name in os.listdir(folder)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise HostError(f"the old definitions in {folder} cannot be read: {error.strerror}") from error
    return sorted({int(match[1]) for match in found if match})


def _next(folder: Path, what: str) -> Path:
    return folder / f"{max(_numbers(folder), default=0) + 1:04}-{what}.xml"
