"""Where the text of a profile comes from: a shipped file, a user's file or stdin; bounded, and as UTF-8.

Nothing is read that is not a regular file, so that a named pipe or a device cannot hold hvctl up.
"""

import codecs
import stat
import sys
from typing import NamedTuple, TextIO

from hvctl.errors import InputError
from hvctl.model.span import Problem, Span
from hvctl.profile import shipped

LARGEST = 1 << 20  # bytes


class Source(NamedTuple):
    """The text of one file. `folder` is where the paths in it begin; `identity` tells it from other files."""

    path: str
    text: str
    folder: str = "."
    identity: str = ""


def from_shipped(name: str) -> Source | None:
    """The shipped profile of this name; None if there is none."""
    path = shipped.path(name)
    if path is None:
        return None
    try:
        with open(path, "rb") as stream:
            return Source(path, text(stream.read(LARGEST + 1), path), shipped.folder(), path)
    except FileNotFoundError:
        return None


def from_file(name: str) -> Source:
    """Read a user's file; raises InputError where that cannot be done."""
    from pathlib import Path

    path = Path(name)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise _unreadable(name, "it is a directory")
        if not stat.S_ISREG(mode):
            raise _unreadable(name, "it is not a regular file", "pass it on stdin, as `-`")
        with path.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _unreadable(name, reason[:1].lower() + reason[1:]) from error
    return Source(name, text(content, name), str(path.parent), str(path.resolve()))


def exists(name: str) -> bool:
    """Whether there is a file of this name, readable or not."""
    from pathlib import Path

    try:
        return Path(name).exists()
    except (OSError, ValueError):
        return False


def beside(child: Source, name: str) -> str:
    """The path of a file that another one names."""
    name = name.removeprefix("./")
    return name if name.startswith("/") or child.folder == "." else f"{child.folder}/{name}"


def from_stdin(stream: TextIO | None = None) -> Source:
    """Read stdin, or the stream that stands for it; paths in it begin at the working directory."""
    stream = sys.stdin if stream is None else stream
    if stream is None:  # closed by whoever started hvctl
        raise _unreadable("<stdin>", "it is closed")
    binary = getattr(stream, "buffer", None)
    try:
        content = binary.read(LARGEST + 1) if binary else stream.read(LARGEST + 1).encode("utf-8", "surrogatepass")
    except OSError as error:
        raise _unreadable("<stdin>", (error.strerror or str(error)).lower()) from error
    return Source("<stdin>", text(content, "<stdin>"))


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
