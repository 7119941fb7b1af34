"""The files that `hvctl lint` is to look at, and their bytes: never a wait, never more than may be read."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from hvctl.guest.guest import Kind

_SUFFIX = ".xml"
_COMMANDS = (".args", ".sh")
# Of a domain's XML: no longer string goes to libvirt's daemon (REMOTE_STRING_MAX, src/remote/remote_protocol.x).
LARGEST = 4 << 20
# Of a command line: Linux takes no longer word (MAX_ARG_STRLEN, 128 KiB), and QEMU's are a tenth of that in all.
_LONGEST = 256 << 10
_DEEPEST = 100
_CHUNK = 1 << 20
# Without O_NONBLOCK to open a named pipe is to wait for a writer.
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


class File(NamedTuple):
    """One file: `path` to open it (`-` is stdin), `name` for messages; `named` is whether the user named it."""

    path: str
    name: str
    named: bool = True


class UnreadableError(Exception):
    """A file or folder cannot be read; the message says why."""


class Unreadable(NamedTuple):
    """A folder that cannot be read, in the place of the files in it."""

    path: str
    reason: str


def find_files(paths: Sequence[str], stdin_name: str) -> Iterator[File | Unreadable]:
    """What was named, and the *.xml below the folders among it: by name, each file and folder once."""
    files = _find(paths, stdin_name)
    return _once(files) if len(paths) > 1 else files


def _once(files: Iterable[File | Unreadable]) -> Iterator[File | Unreadable]:
    seen: set[str] = set()
    for file in files:
        whole = os.path.abspath(file.path) if file.path != "-" else "-"
        if whole not in seen:
            seen.add(whole)
            yield file


def _find(paths: Sequence[str], stdin_name: str) -> Iterator[File | Unreadable]:
    seen: set[tuple[int, int]] = set()
    for path in paths:
        if path == "-":
            yield File(path, stdin_name)
        elif os.path.isdir(path):
            yield from _below(path, seen, 0)
        else:
            yield File(path, _name(path))


def _below(folder: str, seen: set[tuple[int, int]], depth: int) -> Iterator[File | Unreadable]:
    try:
        status = os.stat(folder)
        # A link may lead back to a folder above.
        if (status.st_dev, status.st_ino) in seen:
            return
        if depth > _DEEPEST:
            yield Unreadable(_name(folder), f"it is more than {_DEEPEST} folders deep")
            return
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        yield Unreadable(_name(folder), _reason(error))
        return
    for entry in inside:
        if _is_folder(entry):
            yield from _below(entry.path, seen, depth + 1)
        elif entry.name.endswith(_SUFFIX):
            yield File(entry.path, _name(entry.path), named=False)


def _name(path: str) -> str:
    """A path as GitHub and GitLab take it, from the repository's root on: without `./`."""
    return path[2:].lstrip("/") if path.startswith("./") else path


def from_here(path: str) -> str:
    """An absolute path as from the current folder, where it is below that."""
    if not path.startswith("/"):
        return path
    relative = os.path.relpath(path)
    return path if relative == ".." or relative.startswith("../") else relative


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def read(file: File) -> bytes:
    """The bytes of a file.

    Raises:
        UnreadableError: it cannot be read, is not a regular file, or is too large.
    """
    try:
        data = _from_stdin() if file.path == "-" else _from_file(file.path)
    except (OSError, ValueError) as error:
        raise UnreadableError(_reason(error)) from error
    if len(data) > LARGEST:
        raise UnreadableError(_TOO_LARGE)
    return data


_TOO_LARGE = f"it is larger than {LARGEST >> 20} MiB"


def _from_stdin() -> bytes:
    if sys.stdin is None:  # closed by whoever started hvctl
        raise ValueError("it is closed")
    return sys.stdin.buffer.read(LARGEST + 1)


def _from_file(path: str) -> bytes:
    handle = os.open(path, _OPEN)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            folder = stat.S_ISDIR(status.st_mode)
            raise ValueError("it is a directory" if folder else "it is not a regular file; pass it on stdin, as `-`")
        if status.st_size > LARGEST:
            raise ValueError(_TOO_LARGE)
        parts = []
        left = LARGEST + 1
        # /proc says that its files are empty. No more room is asked for than is wanted: it is made, and taken back.
        while left > 0 and (part := os.read(handle, min(left, status.st_size + 1 if status.st_size else _CHUNK))):
            parts.append(part)
            left -= len(part)
            if status.st_size and len(part) == status.st_size:
                break
        return parts[0] if len(parts) == 1 else b"".join(parts)
    finally:
        os.close(handle)


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text[:1].lower() + text[1:]


def check_length(data: bytes, kind: Kind) -> None:
    """Raise UnreadableError for what is too long for a command line."""
    if kind is Kind.COMMAND_LINE and len(data) > _LONGEST:
        raise UnreadableError(f"it is longer than {_LONGEST >> 10} KiB, and so no command line")


def kind_of(file: File, data: bytes, *, qemu_args: bool) -> Kind:
    """What a file is taken for: by its name, of a named one of another name by its content.

    `qemu_args` is whether all that are named are command lines.
    """
    if (qemu_args and file.named) or file.name.endswith(_COMMANDS):
        return Kind.COMMAND_LINE
    if file.name.endswith(_SUFFIX) or not file.named:
        return Kind.DOMAIN
    from hvctl.guest.recognition import Description, description

    return Kind.COMMAND_LINE if description(data) in (Description.COMMAND_LINE, Description.CPU) else Kind.DOMAIN
