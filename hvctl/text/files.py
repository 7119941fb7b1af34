"""The user's files, read within bounds and without endless waiting; and who may have written what is at a path."""

import codecs
import errno
import os
import stat
import sys
import time
from collections.abc import Sized

from hvctl.errors import InputError, Problem, Span

# What a file may have, in bytes. No real one has more, and to judge what has takes minutes and gigabytes.
# Of XML: no longer string goes to libvirt's daemon (REMOTE_STRING_MAX, libvirt:src/remote/remote_protocol.x).
LARGEST_XML = 4 << 20
# Of what hvctl itself writes: the host file of a machine with six QEMUs has 100 KiB.
LARGEST_JSON = 1 << 20
# Of what people write. QEMU's arguments are together less than Linux takes for one (MAX_ARG_STRLEN, 128 KiB).
LARGEST_TEXT = 256 << 10
STDIN = ("-", "/dev/stdin")
# Without O_NONBLOCK, to open a named pipe is to wait for its writer, and some files of /proc and /sys wait for events.
OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
CHUNK = 1 << 20
_USE_STDIN = "pass it on stdin, as `-`"
# A pipe of the shell's <(...) has its writer from the beginning; a named pipe gets it when both sides are opened.
FOR_A_WRITER, FOR_THE_END = 1.0, 10.0  # seconds
_given_up = float("-inf")  # when a pipe was last waited for in vain


class UnreadableError(InputError):
    """A file cannot be read. `reason` is why, and what to do about that, without its name."""

    def __init__(self, name: str, reason: str, remedy: str = "", hint: str = "") -> None:
        super().__init__([Problem(f"{name} cannot be read: {reason}", None, remedy or hint)])
        self.reason = "; ".join(filter(None, (reason, remedy)))


class _OddError(Exception):
    """A file is of a kind that is not read."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.reason, self.remedy = reason, remedy


def name_of(path: str) -> str:
    """How messages name a file."""
    return "<stdin>" if path == "-" else path


def read(path: str, most: int, *, name: str = "", hint: str = "", pipe: bool = True, owner: int | None = None) -> bytes:
    """All bytes of a regular file, a pipe or stdin. Waits without end for stdin alone, where that may be a pipe.

    Args:
        path: the file; `-` is stdin.
        most: how many bytes it may have.
        name: how messages name it, if not by its path.
        hint: how one comes by such a file, where there is nothing better to say.
        pipe: whether it may be a pipe: one that the user names is meant, one that is found is not.
        owner: the user that the file must belong to; None for any.

    Raises:
        UnreadableError: it cannot be read, is of another kind, or is larger.
    """
    name = name or name_of(path)
    try:
        data = _from_stdin(most) if pipe and path in STDIN else _from_path(path, most, pipe, owner)
    except _OddError as error:
        raise UnreadableError(name, error.reason, error.remedy, hint) from error
    except (OSError, ValueError) as error:
        raise UnreadableError(name, reason_of(error), hint=hint) from error
    check_size(data, most, name, hint)
    return data


def check_size(data: Sized, most: int, name: str, hint: str = "") -> None:
    """Raise UnreadableError for what has more bytes, or characters, than it may have."""
    if len(data) > most:
        size = f"{most >> 20} MiB" if most >> 20 else f"{most >> 10} KiB"
        raise UnreadableError(name, f"it is larger than {size}", hint=hint)


def reason_of(error: OSError | ValueError) -> str:
    """What the system says of a file, as the end of a sentence."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text[:1].lower() + text[1:]


def distrust(path: str, writing: int = stat.S_IWOTH) -> str:
    """Why others than root and the caller may have put something at a path; empty if nobody can have.

    In a sticky directory others can replace nothing that is not theirs, but a file's owner is not who put it there: it
    may be a hard link. What is missing is judged by the directories above it.

    Args:
        path: an absolute path.
        writing: bits of a mode that let others write; S_IWGRP is an ACL's mask, too.
    """
    for place in dict.fromkeys((path, os.path.realpath(path))):
        in_it = stat.S_IFREG
        while True:
            try:
                status = os.lstat(place)
            except OSError:
                in_it = stat.S_IFDIR
            else:
                if status.st_uid not in (0, os.geteuid()):
                    return f"{place} belongs to another user"
                sticky = status.st_mode & stat.S_ISVTX and in_it == stat.S_IFDIR
                in_it = stat.S_IFMT(status.st_mode)
                if status.st_mode & writing and not sticky and in_it != stat.S_IFLNK:
                    return f"other users can write to {place}"
            if place == (above := os.path.dirname(place)):
                break
            place = above
    return ""


def base_directory(variable: str, *below: str) -> str | None:
    """A base directory of the XDG specification: what a variable names, or one below the home directory.

    None where there is neither: a home that is not there is not made. "All paths set in these environment variables
    must be absolute": others count as not set.
    """
    named = os.environ.get(variable, "")
    if os.path.isabs(named):
        return named
    home = os.path.expanduser("~")
    return os.path.join(home, *below) if os.path.isabs(home) and os.path.isdir(home) else None


def distrust_own(folder: str) -> str:
    """Why a directory for files of hvctl's own, where it is or would be made, is not the caller's alone; or empty."""
    if why := distrust(folder):
        return why
    try:
        status = os.stat(folder)
    except OSError:
        return ""
    if status.st_uid != os.geteuid():
        return f"{folder} belongs to another user"
    return f"other users can write to {folder}" if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) else ""


def decode(data: bytes, name: str) -> str:
    """The text of a file's bytes, without byte order mark; raises InputError for what is not UTF-8."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UnreadableError(name, "it is UTF-16", "save it as UTF-8")
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InputError([_not_utf8(data, error.start, name)]) from error


def _not_utf8(data: bytes, at: int, name: str) -> Problem:
    before = data[:at].decode().replace("\r\n", "\n").replace("\r", "\n")
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    rest = data[at:].splitlines()[:1] or [b""]
    excerpt = before[len(before) - column + 1 :] + rest[0].decode(errors="replace")
    span = Span(name, line, column, line, column + 1, excerpt)
    return Problem(f"the byte 0x{data[at]:02x} is not UTF-8", span, "save the file as UTF-8")


def _from_stdin(most: int) -> bytes:
    if sys.stdin is None:  # closed by whoever started hvctl
        raise ValueError("it is closed")
    return sys.stdin.buffer.read(most + 1)


def _from_path(path: str, most: int, pipe: bool, owner: int | None) -> bytes:
    try:
        handle = os.open(path, OPEN)
    except OSError as error:
        if error.errno == errno.ENXIO and stat.S_ISSOCK(os.stat(path).st_mode):
            from shlex import quote

            raise _OddError("it is a socket", f"read the guest of QEMU's with `hvctl convert {quote(path)}`") from error
        raise
    try:
        status = os.fstat(handle)
        if owner not in (None, status.st_uid):
            raise _OddError("it belongs to another user")
        if stat.S_ISREG(status.st_mode):
            return _from_file(handle, status.st_size, most)
        if stat.S_ISDIR(status.st_mode):
            raise _OddError("it is a directory", "name a file in it")
        if not (pipe and stat.S_ISFIFO(status.st_mode)):
            raise _OddError("it is not a regular file", _USE_STDIN)
        return _from_pipe(handle, most)
    finally:
        os.close(handle)


def _from_file(handle: int, size: int, most: int) -> bytes:
    parts = []
    left = most + 1
    # /proc says that its files are empty. No more room is asked for than is wanted: it is made, and taken back.
    while left > 0 and (part := os.read(handle, min(left, size + 1 if size else CHUNK))):
        parts.append(part)
        left -= len(part)
        if size and len(part) == size:
            break
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _from_pipe(handle: int, most: int) -> bytes:
    """Read to the end of a pipe, which comes when the last writer closes it; POLLHUP tells that from none yet."""
    import select  # few commands read a pipe

    global _given_up
    parts = []
    left = most + 1
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    begun = time.monotonic()
    # While the one before was waited for, this one had time as well: many silent pipes take no longer than one.
    patient = begun - _given_up > FOR_A_WRITER
    has_writer = False
    while left > 0:
        end = begun + patient * (FOR_THE_END if has_writer else FOR_A_WRITER)
        events = poll.poll(max(0.0, end - time.monotonic()) * 1000)
        try:
            part = os.read(handle, min(left, CHUNK))
        except BlockingIOError:
            has_writer = True
            part = b""
            if begun + patient * FOR_THE_END > time.monotonic():
                continue
        if part:
            has_writer = True
            parts.append(part)
            left -= len(part)
        elif events:
            break
        else:
            _given_up = time.monotonic()
            reason = f"the pipe has no end within {FOR_THE_END:.0f} s" if has_writer else "nothing writes to this pipe"
            raise _OddError(reason, _USE_STDIN)
    return b"".join(parts)
