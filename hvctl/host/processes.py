"""The QEMU processes of a machine, as /proc shows them: whoever started them."""

import os
import re
from typing import NamedTuple

from hvctl.errors import HostError
from hvctl.text.files import LARGEST_TEXT, reason_of

# What emulates a machine, also as NixOS wraps it; not qemu-img, qemu-ga, or qemu-x86_64, which runs a program.
_QEMU = re.compile(r"\.?(?:qemu-system-[\w.+~-]+|qemu-kvm[\w.+~-]*|kvm(?:-spice)?)")
# `ld.so --library-path DIRECTORIES qemu-system-x86_64`
_LOADER = re.compile(r"ld(?:-[\w.+-]+)?\.so(?:\.\d+)?")
_FOREMOST = 4
# Of a program whose file was replaced since it began, as by an upgrade.
_DELETED = " (deleted)"
_INIT = 1


class Process(NamedTuple):
    """A QEMU that runs. `text` are its words from its own name on, a NUL after each, as in /proc/PID/cmdline."""

    pid: int
    text: str


class Unread(NamedTuple):
    """A process that is a QEMU (`certain`) or may be one, and why its command line is not known."""

    pid: int
    reason: str
    certain: bool


class Found(NamedTuple):
    """The QEMUs by their process ids; `hidden` is whether this user does not see the processes of others at all."""

    processes: tuple[Process, ...]
    unread: tuple[Unread, ...]
    hidden: bool


def find_qemus(root: str = "/") -> Found:
    """All QEMUs that run. What ends meanwhile is none, nor is a zombie.

    Args:
        root: the directory with `proc`.

    Raises:
        HostError: /proc cannot be read.
    """
    folder = os.path.join(root, "proc")
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise HostError(f"{folder} cannot be read: {reason_of(error)}") from error
    pids = sorted(int(name) for name in names if name.isascii() and name.isdecimal())
    known = [one for pid in pids if (one := _process(os.path.join(folder, str(pid)), pid))]
    return Found(
        tuple(one for one in known if isinstance(one, Process)),
        tuple(one for one in known if isinstance(one, Unread)),
        # With hidepid=2 only one's own are listed (linux:Documentation/filesystems/proc.rst, "Mount Options").
        _INIT not in pids,
    )


def _process(folder: str, pid: int) -> Process | Unread | None:
    """What a process is. All of it is read by one handle: another process may get the same number."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            program = _program(handle)
            if program is not None and not (_QEMU.fullmatch(program) or _LOADER.fullmatch(program)):
                return None
            data = _arguments(handle)
        finally:
            os.close(handle)
    except (FileNotFoundError, ProcessLookupError):  # it has ended, or is of the kernel
        return None
    except OSError as error:
        return Unread(pid, reason_of(error), certain=False)
    words = data.decode("utf-8", "surrogateescape").removesuffix("\0").split("\0") if data else []
    start = _start(program, words)
    if start is None:
        return None
    if len(data) > LARGEST_TEXT:
        return Unread(pid, f"its arguments are larger than {LARGEST_TEXT >> 10} KiB", certain=True)
    return Process(pid, "".join(f"{word}\0" for word in words[start:]))


def _program(handle: int) -> str | None:
    """The name of the file that a process runs; None where only its user and root may know."""
    try:
        return os.path.basename(os.readlink("exe", dir_fd=handle)).removesuffix(_DELETED)
    except PermissionError:
        return None


def _arguments(handle: int) -> bytes:
    """The bytes of a process's arguments, of too many one more than is read."""
    file = os.open("cmdline", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY, dir_fd=handle)
    data = b""
    try:
        while len(data) <= LARGEST_TEXT and (part := os.read(file, LARGEST_TEXT + 1 - len(data))):
            data += part
    finally:
        os.close(file)
    return data


def _start(program: str | None, words: list[str]) -> int | None:
    """The word that is QEMU's own name: the first, however it is spelled, or one after those of a loader."""
    name = program or os.path.basename(words[0] if words else "")
    if words and _QEMU.fullmatch(name):
        return 0
    if not _LOADER.fullmatch(name):
        return None
    names = map(os.path.basename, words[1:_FOREMOST])
    return next((at for at, one in enumerate(names, 1) if _QEMU.fullmatch(one)), None)
