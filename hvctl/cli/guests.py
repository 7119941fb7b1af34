"""The guest that a command is about: a file of any kind, a process, a QMP socket, a libvirt domain, a profile."""

from __future__ import annotations

import os
import re
import stat
from typing import NamedTuple

from hvctl.errors import HostError, InputError, UsageError
from hvctl.model.guest import Guest
from hvctl.model.lock import Lock
from hvctl.model.profile import Profile
from hvctl.model.span import Problem

MOST_BYTES = 16 << 20
_CMDLINE = re.compile(r"/proc/([0-9]+)/cmdline", re.ASCII)
# `ld.so --library-path FOLDERS qemu-system-x86_64`
_FOREMOST = 4


class Named(NamedTuple):
    """What was named: one of these. A lock has its guest beside it."""

    guest: Guest | None = None
    profile: Profile | None = None
    lock: Lock | None = None


def find_guest(word: str) -> Named:
    """What a GUEST on the command line means.

    Args:
        word: `URI#DOMAIN`, a process id or its /proc/PID/cmdline, `-`, the path of a QMP socket or of a file, or a
            shipped profile's name.

    Raises:
        UsageError: it is none of these.
        InputError: the file says something wrong.
        HostError: the process, socket or domain cannot be asked.
    """
    uri, mark, name = word.rpartition("#")
    if mark and "://" in uri:
        return Named(_domain(uri, name))
    if word.isascii() and word.isdecimal():
        return Named(_process(word))
    if match := _CMDLINE.fullmatch(word):
        return Named(_process(match[1]))
    mode = None if word == "-" else _mode(word)
    if word != "-" and mode is None:
        return _shipped(word)
    if mode is not None and stat.S_ISSOCK(mode):
        from hvctl.run.running import read_running

        return Named(read_running(word))
    return _file(word)


def _mode(path: str) -> int | None:
    """The mode of a file; None where there is none of that name."""
    try:
        return os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InputError([Problem(f"{path} cannot be read: {(error.strerror or str(error)).lower()}")]) from error


def _shipped(word: str) -> Named:
    from hvctl.profile import shipped
    from hvctl.profile.reader import load_profile

    if word in shipped.names():
        return Named(profile=load_profile(word))
    from hvctl.cli.options import no_such

    error = no_such("guest", [word], shipped.names())
    error.hint = f"{error.hint} name a file, a process id, a QMP socket, URI#DOMAIN, or a shipped profile".lstrip()
    raise error


def _domain(uri: str, name: str) -> Guest:
    from hvctl.guest.domain.strict import read_domain
    from hvctl.libvirt.connection import connected

    with connected(uri) as connection:
        xml = connection.xml(connection.domain(name))
    return read_domain(xml.encode(), f"{uri}#{name}")


def _process(pid: str) -> Guest:
    from hvctl.guest.command.strict import read_command_line

    try:
        with open(f"/proc/{pid}/cmdline", "rb") as stream:
            text = stream.read(MOST_BYTES).decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError) as error:
        raise HostError(f"there is no process {pid}") from error
    except OSError as error:
        raise HostError(f"process {pid} cannot be looked at: {(error.strerror or str(error)).lower()}") from error
    program = _program(text)
    if program is None:
        name = os.path.basename(text.partition("\0")[0]) or "a kernel thread, or has ended"
        raise UsageError(f"process {pid} is {name}, and no QEMU")
    guest = read_command_line(text, f"process {pid}")
    # qemu:softmmu/vl.c, configure_accelerators(): the default, by the name of the program.
    default = "kvm" if program.endswith("kvm") else "tcg"
    return guest._replace(accelerator=guest.accelerator or default)


def _program(text: str) -> str | None:
    """The name of a QEMU, called directly or by a loader; None for any other program."""
    first, *others = (os.path.basename(word) for word in text.split("\0")[:_FOREMOST])
    if "qemu" in first or "kvm" in first:
        return first
    return next((name for name in others if name.startswith(("qemu-system-", "qemu-kvm"))), None)


def _file(path: str) -> Named:
    from hvctl.guest.recognition import Description, description
    from hvctl.xml.source import read

    data = read(path)
    name = "<stdin>" if path == "-" else path
    if not data.strip():
        raise InputError([Problem(f"{name} is empty", None, "give a domain XML, a QEMU command line or a profile")])
    match description(data):
        case Description.DOMAIN:
            from hvctl.guest.domain.strict import read_domain

            return Named(read_domain(data, name))
        case Description.LOCK:
            from hvctl.guest.plan import guest_of
            from hvctl.plan_file.reader import load_lock

            lock = load_lock(_text(data, name), name)
            return Named(guest_of(lock.plan, libvirt=lock.argv is None), lock=lock)
        case Description.COMMAND_LINE:
            from hvctl.guest.command.strict import read_command_line

            return Named(read_command_line(_text(data, name), name))
        case Description.CPU:
            from hvctl.guest.command.strict import read_cpu

            return Named(read_cpu(_text(data, name), name))
        case Description.PROFILE:
            from hvctl.profile.reader import load_profile, profile_from_text

            # Only a file can extend a file beside it.
            return Named(profile=profile_from_text(_text(data, name), name) if path == "-" else load_profile(path))


def _text(data: bytes, name: str) -> str:
    from hvctl.profile.source import text

    return text(data, name)
