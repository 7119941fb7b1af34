"""Where the text of a profile comes from: a file or stdin, bounded, and as UTF-8. Nothing is read that is not a regular
file, so that a named pipe or a device cannot hold hvctl up."""

from __future__ import annotations

import codecs
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hvctl.errors import InputError
from hvctl.model.span import Problem, Span

if TYPE_CHECKING:
    from typing import TextIO

LARGEST = 1 << 20  # bytes


class Source(NamedTuple):
    """The text of one file; `folder` is where the paths in it begin."""

    path: str
    folder: Path
    text: str


def from_file(path: Path) -> Source:
    """Read a file; raises InputError where that cannot be done."""
    name = str(path)
    try:
        # O_NONBLOCK: opening a pipe that nobody writes to would wait forever.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _unreadable(name, reason.lower()) from error
    with os.fdopen(handle, "rb") as stream:
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode):
            raise _unreadable(name, "it is a directory")
        if not stat.S_ISREG(mode):
            raise _unreadable(name, "it is not a regular file", "pass it on stdin, as `-`")
        try:
            content = stream.read(LARGEST + 1)
        except OSError as error:
            raise _unreadable(name, (error.strerror or str(error)).lower()) from error
    return Source(name, path.parent, text(content, name))


def from_stdin(stream: TextIO | None = None) -> Source:
    """Read stdin, or the stream that stands for it; paths in it begin at the working directory."""
    stream = sys.stdin if stream is None else stream
    binary = getattr(stream, "buffer", None)
    content = binary.read(LARGEST + 1) if binary else stream.read(LARGEST + 1).encode("utf-8", "surrogatepass")
    return Source("<stdin>", Path(), text(content, "<stdin>"))


def text(content: bytes, path: str) -> str:
    """The text of a file's bytes, without byte order mark; raises InputError for what is not UTF-8 or too large."""
    if len(content) > LARGEST:
        raise _unreadable(path, f"it is larger than {LARGEST >> 20} MiB")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise _unreadable(path, "it is UTF-16", "save it as UTF-8")
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InputError([_not_utf8(content, error, path)]) from error


def _not_utf8(content: bytes, error: UnicodeDecodeError, path: str) -> Problem:
    before = content[: error.start].decode().replace("\r\n", "\n").replace("\r", "\n")
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    rest = content[error.start :].splitlines()[:1] or [b""]
    excerpt = before[len(before) - column + 1 :] + rest[0].decode(errors="replace")
    span = Span(path, line, column, line, column + 1, excerpt)
    return Problem(f"the byte 0x{content[error.start]:02x} is not UTF-8", span, "save the file as UTF-8")


def _unreadable(path: str, reason: str, hint: str = "") -> InputError:
    return InputError([Problem(f"{path} cannot be read: {reason}", None, hint)])
