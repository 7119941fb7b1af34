"""The guest that a command is about: a file of any kind, a process, a QMP socket, a libvirt domain, a profile."""

import os
import re
import stat

from hvctl import api
from hvctl.api import Described
from hvctl.cli.options import no_such
from hvctl.errors import HostError, UsageError
from hvctl.model.guest import Guest
from hvctl.text.files import LARGEST_TEXT, UnreadableError, read, reason_of

_CMDLINE = re.compile(r"/proc/([0-9]+)/cmdline", re.ASCII)
# `ld.so --library-path DIRECTORIES qemu-system-x86_64`
_FOREMOST = 4


def find_guest(word: str) -> Described:
    """What a GUEST on the command line means.

    Args:
        word: `URI#DOMAIN`, a process id or its /proc/PID/cmdline, `-`, the path of a QMP socket or of a file, or a
            shipped profile's name.

    Raises:
        UsageError: it is none of these.
        InputError: the file is wrong.
        HostError: the process, socket or domain cannot be asked.
    """
    uri, mark, name = word.rpartition("#")
    if mark and "://" in uri:
        return Described(_domain(uri, name))
    if word.isascii() and word.isdecimal():
        return Described(_process(word))
    if match := _CMDLINE.fullmatch(word):
        return Described(_process(match[1]))
    mode = None if word == "-" else _mode(word)
    if word != "-" and mode is None:
        return _shipped(word)
    if mode is not None and stat.S_ISSOCK(mode):
        from hvctl.run.running import read_running

        return Described(read_running(word))
    return api.read_guest(word)


def _mode(path: str) -> int | None:
    """The mode of a file; None if it does not exist."""
    try:
        return os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UnreadableError(path, reason_of(error)) from error


def _shipped(word: str) -> Described:
    from hvctl.profile.source import shipped_names

    if word in shipped_names():
        return Described(profile=api.load_profile(word))

    error = no_such("guest", [word], shipped_names())
    error.hint = f"{error.hint} name a file, a process id, a QMP socket, URI#DOMAIN, or a shipped profile".lstrip()
    raise error


def _domain(uri: str, name: str) -> Guest:
    from hvctl.guest.domain.reader import read_domain
    from hvctl.libvirt.connection import connected

    with connected(uri) as connection:
        xml = connection.xml(connection.domain(name))
    return read_domain(xml.encode(), f"{uri}#{name}")


def _process(pid: str) -> Guest:
    from hvctl.guest.command.reader import read_process

    try:
        text = read(f"/proc/{pid}/cmdline", LARGEST_TEXT).decode(errors="replace")
    except UnreadableError as error:
        if isinstance(error.__cause__, FileNotFoundError | ProcessLookupError):
            raise HostError(f"no process {pid}") from error
        raise HostError(f"cannot read the command line of process {pid}: {error.reason}") from error
    words = text.split("\0")
    start = _start(words)
    if start is None:
        name = os.path.basename(words[0]) or "a kernel thread, or has ended"
        raise UsageError(f"process {pid} is {name}, and no QEMU")
    return read_process("\0".join(words[start:]), f"process {pid}").check()


def _start(words: list[str]) -> int | None:
    """The word that is the name of a QEMU, called directly or by a loader; None for any other program. The user has
    named the process, so that a wrapper's name will do."""
    first, *others = map(os.path.basename, words[:_FOREMOST])
    if "qemu" in first or "kvm" in first:
        return 0
    return next((at for at, name in enumerate(others, 1) if name.startswith(("qemu-system-", "qemu-kvm"))), None)
