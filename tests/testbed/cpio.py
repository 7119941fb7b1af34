"""The initramfs format, a cpio archive of the kind "newc", written without a helper program.

Documentation/driver-api/early-userspace/buffer-format.rst of the kernel describes it.
"""

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TRAILER = "TRAILER!!!"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or folder of an archive; `name` is relative to the root."""

    name: str
    data: bytes = b""
    mode: int = stat.S_IFREG | 0o644


def folder(name: str) -> Entry:
    return Entry(name, mode=stat.S_IFDIR | 0o755)


def program(name: str, data: bytes) -> Entry:
    return Entry(name, data, stat.S_IFREG | 0o755)


def tree(path: Path, name: str) -> Iterator[Entry]:
    """A folder of this machine as the folder `name`, with all in it; what a link leads to, not the link."""
    yield folder(name)
    for child in sorted(path.iterdir()):
        if child.is_dir():
            yield from tree(child, f"{name}/{child.name}")
        elif child.is_file():
            yield Entry(f"{name}/{child.name}", child.read_bytes(), stat.S_IFREG | (child.stat().st_mode & 0o777))


def archive(entries: tuple[Entry, ...]) -> bytes:
    """The archive's bytes. The same entries give the same bytes: no times, no owners."""
    numbered = enumerate((*entries, Entry(TRAILER, mode=0)), start=1)
    return b"".join(_packed(inode, entry) for inode, entry in numbered)


def write(path: Path, entries: tuple[Entry, ...]) -> None:
    path.write_bytes(archive(entries))


def _packed(inode: int, entry: Entry) -> bytes:
    name = entry.name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    # ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
    fields = (inode, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0, 0, 0, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + name) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
