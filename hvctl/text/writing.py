"""The user's files, replaced whole or not at all, and compared."""

import contextlib
import errno
import fcntl
import functools
import os
import re
import select
import signal
import stat
import time
from collections.abc import Iterator

from hvctl.errors import RefusedError
from hvctl.text.files import CHUNK, FOR_A_WRITER, FOR_THE_END, OPEN, UnreadableError, read, reason_of

_TEMPORARY = ".hvctl-tmp"
_LEFT_OVER = re.compile(rf"\..+\.[0-9a-f]{{12}}{re.escape(_TEMPORARY)}", re.DOTALL)
# The kernel's own, of what a file contains: a copy would make the new content invalid.
_OF_CONTENT = {"security.ima", "security.evm"}


class UnwritableError(RefusedError):
    """A file is left as it is. `reason` is why, and what to do about that, without its name."""

    def __init__(self, name: str, reason: str, remedy: str) -> None:
        super().__init__(f"{name} cannot be written: {reason}", remedy)
        self.reason = f"{reason}; {remedy}"


def replace(path: str, content: bytes, *, was: bytes | None = None) -> None:
    """Replace a file whole or not at all; owner, mode, ACL and other extended attributes are kept, or nothing is done.

    A link is followed; a pipe or a device is written to in place, and no pipe is waited for without end.

    Args:
        path: the file.
        content: all that it is to have.
        was: what was read of it, for an edit of what is there: it must still be that, and be a regular file.

    Raises:
        UnwritableError: replacing it would lose something of it.
        OSError: it cannot be written.
    """
    old = _status(path)
    if old and not stat.S_ISREG(old.st_mode):
        if was is not None:
            raise UnwritableError(path, "it is not a regular file", "write to a file with -o")
        _write_in_place(path, content)
        return
    if old and old.st_nlink > 1:
        reason = f"it has {old.st_nlink} hard links, of which the others would keep the old content"
        raise UnwritableError(path, reason, "make it a file of its own: copy it with cp -a, and move the copy over it")
    target = os.path.realpath(path)
    with _beside(target, content, 0o600 if old else 0o666) as (temporary, handle):
        if old:
            _keep_attributes(path, target, old, handle)
        os.fsync(handle)
        if was is not None and not _still(target, was):
            raise UnwritableError(path, "it was changed by someone else meanwhile", "run the command again")
        os.rename(temporary, target)


def create(path: str, content: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all; raises OSError where it is there already."""
    with _beside(path, content, 0o600) as (temporary, handle):
        os.fsync(handle)
        os.link(temporary, path)  # which replaces nothing


@contextlib.contextmanager
def _beside(target: str, content: bytes, mode: int) -> Iterator[tuple[str, int]]:
    """A temporary file with this content, which is gone after the block: signals that end hvctl wait for that.

    Only SIGKILL leaves it. Its writer holds a lock on it, which the system drops with the process, whichever host,
    container or boot that was in: what nobody has locked is left over.
    """
    folder, name = os.path.split(target)
    _remove_left_over(folder or ".")
    with signals_held():
        while True:
            temporary = os.path.join(folder, f".{name[:50]}.{os.urandom(6).hex()}{_TEMPORARY}")
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            with contextlib.suppress(OSError):  # without locks, none can be taken for left over
                fcntl.flock(handle, fcntl.LOCK_EX)
            if os.fstat(handle).st_nlink:
                break
            os.close(handle)  # another hvctl took it for left over, before it was locked
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
                stream.flush()
                yield temporary, handle
        finally:
            with contextlib.suppress(FileNotFoundError):  # it has its name
                os.unlink(temporary)


@functools.cache  # once in a process: a directory may have many files to be written
def _remove_left_over(folder: str) -> None:
    """Remove the user's own temporary files that a hvctl left which was killed."""
    with contextlib.suppress(OSError):
        for name in filter(_LEFT_OVER.fullmatch, os.listdir(folder)):
            with contextlib.suppress(OSError):
                temporary = os.path.join(folder, name)
                handle = os.open(temporary, OPEN | os.O_NOFOLLOW)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if os.geteuid() in (0, os.fstat(handle).st_uid):
                        os.unlink(temporary)
                finally:
                    os.close(handle)


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Let signals that end the process come after the block. Handlers, not masks: a mask is one thread's alone."""
    came: list[int] = []
    ending = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    held = {number: old for number in ending if (old := signal.getsignal(number)) not in (None, signal.SIG_IGN)}
    try:
        with contextlib.suppress(ValueError):  # another thread than the main one, which gets no signals
            for number in held:
                signal.signal(number, lambda number, _: came.append(number))
        yield
    finally:
        with contextlib.suppress(ValueError):
            for number, handler in held.items():
                signal.signal(number, handler)
        for one in came:
            signal.raise_signal(one)


def _still(path: str, was: bytes) -> bool:
    """Whether a file is what was read; its bytes tell more than its inode, size and time, which edits can keep."""
    try:
        return read(path, len(was), pipe=False) == was
    except UnreadableError:
        return False


def _keep_attributes(path: str, target: str, old: os.stat_result, handle: int) -> None:
    """Owner, then ACL and other attributes, then mode: before the ACL the mode lets in whom the ACL keeps out."""
    new = os.fstat(handle)
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        os.fchown(handle, old.st_uid, old.st_gid)
    kept, given = _attributes(target), _attributes(handle)
    for name in given.keys() - kept.keys():
        if name.startswith("system."):  # an ACL that the directory gives to what is new in it
            os.removexattr(handle, name)
    for name, value in kept.items():
        try:
            if given.get(name) != value:
                os.setxattr(handle, name, value)
        except OSError as error:
            reason = f"its attribute {name} would be lost ({reason_of(error)})"
            raise UnwritableError(path, reason, "run hvctl as a user who may set it") from error
    os.fchmod(handle, stat.S_IMODE(old.st_mode))


def _attributes(file: str | int) -> dict[str, bytes]:
    try:
        return {name: os.getxattr(file, name) for name in os.listxattr(file) if name not in _OF_CONTENT}
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        return {}


def _write_in_place(path: str, content: bytes) -> None:
    """Write to a pipe or device, while somebody reads it."""
    end = time.monotonic() + FOR_A_WRITER
    while True:
        try:
            handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
            break
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() > end:
                raise OSError(errno.ENXIO, "nothing reads from it") from error
            time.sleep(0.01)
    try:
        poll = select.poll()
        poll.register(handle, select.POLLOUT)
        while content:
            if not poll.poll(FOR_THE_END * 1000):
                raise OSError(errno.ETIMEDOUT, f"nothing was read from it for {FOR_THE_END:.0f} s")
            with contextlib.suppress(BlockingIOError):
                content = content[os.write(handle, content[:CHUNK]) :]
    finally:
        os.close(handle)


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # a loop of links is an OSError here; what realpath() makes of one differs between Pythons
    except FileNotFoundError:
        return None


def unified(before: bytes, after: bytes, name: str) -> str:
    """A unified diff, as `diff -u` prints it; empty where nothing differs."""
    from difflib import unified_diff  # it takes as long to import as all of text, and few commands show a difference

    old, new = (_lines(data) for data in (before, after))
    lines = unified_diff(old, new, f"{name} (before)", f"{name} (after)", lineterm="")
    return "".join(f"{line}\n" for line in lines)


def patch(before: bytes, after: bytes, path: str) -> str:
    """A unified diff; bytes that are not UTF-8 are surrogates, as in the names of files.

    An absolute path stays one (`patch -p0`). Of UTF-16 the diff is for people alone: git has none for it.
    """
    from difflib import unified_diff

    ours, theirs = ("", "") if path.startswith("/") else ("a/", "b/")
    lines = unified_diff(_git_lines(before), _git_lines(after), _name(ours + path), _name(theirs + path))
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(data: bytes) -> list[str]:
    codec = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    return data.decode(codec, "replace").splitlines()


def _git_lines(data: bytes) -> list[str]:
    utf_16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = data.decode("utf-16", "replace") if utf_16 else data.decode("utf-8", "surrogateescape")
    # Not splitlines: of the line ends that it knows, git and patch know one.
    lines = text.split("\n")
    return [*(f"{line}\n" for line in lines[:-1]), *filter(None, lines[-1:])]


def _name(path: str) -> str:
    """A name as git writes it: quoted as in C where it must be; a tab tells that a space before it is part of it."""
    if path.isprintable() and not set(path) & set('"\\'):
        return f"{path}\t" if " " in path else path
    plain = (chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}" for byte in path.encode("utf-8", "surrogateescape"))
    return '"' + "".join(f"\\{char}" if char in '"\\' else char for char in plain) + '"'
