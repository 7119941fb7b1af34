"""Odd environments: full and read-only disks, ACLs, strangers' files, closed streams, no HOME, other languages.

Each is tried with every command that writes and with what prints a result. What mounts or changes owners needs root;
the driver has mounts of its own (`__main__`), which end with it.
"""

from __future__ import annotations

import errno
import functools
import json
import os
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.torture.checks import Wrong
from tests.torture.execute import NOTHING, Around, Outcome, execute
from tests.torture.kills import reference
from tests.torture.kinds import Kind, good
from tests.torture.runs import TEST, Put, Run
from tests.torture.writers import writers

_NOBODY, _STRANGER, _NAMELESS = 65534, 1234, 54321
_FILLER = "tmp/filler"
_SMALL = 8 << 20  # bytes of a file system
_ACL = "system.posix_acl_access"
# A version, then tag, permissions and id of each entry (Linux, include/uapi/linux/posix_acl_xattr.h): the owner, user
# 1234, the group, the mask, others. The group's bits of the mode are the mask's.
_ENTRIES = ((1, 6, -1), (2, 4, _STRANGER), (4, 0, -1), (16, 4, -1), (32, 0, -1))
_ACL_VALUE = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in _ENTRIES)
_KEPT = {_ACL: _ACL_VALUE, "user.torture": b"\0\xff kept"}

_PUTS = (Put("cwd/host.json", good(Kind.HOST)[0]), Put("cwd/domain.xml", good(Kind.DOMAIN)[0]))
_READERS = f"""
    gen windows-11 --host host.json
    gen windows-11 --host host.json --libvirt --explain
    gen nosuch
    lint domain.xml
    lint domain.xml --format json
    lint nosuch.xml
    convert domain.xml --to json
    check-migration domain.xml --from host.json --to host.json
    verify --dry-run --host host.json windows-11
    verify windows-11 --accel tcg
    show --connect {TEST}
    check-host --no-qemu
    launch windows-11 --dry-run
    explain
    profile list
    profile show minimal
    schema profile
    pool host.json --format json
    --help
    nosuch
"""


class Environment(NamedTuple):
    """One, by its name. `root` is whether only root can make it; with `alters` the files need not be the same after."""

    name: str
    around: Around
    root: bool = False
    variables: tuple[tuple[str, str], ...] = ()


def _shell(script: str) -> tuple[str, ...]:
    return ("bash", "-c", f"set -o pipefail; {script}", "bash")


def _as(user: int) -> tuple[str, ...]:
    return ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups")


def _fill(leave: int) -> Callable[[Path], None]:
    """Leaves so many bytes of a small file system."""

    def fill(place: Path) -> None:
        free = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize
        with (place / _FILLER).open("wb") as stream:
            stream.write(bytes(max(0, free - leave)))

    return fill


def _files(place: Path) -> list[Path]:
    return [path for path in (place / "cwd").rglob("*") if path.is_file()]


def _attributes(place: Path) -> None:
    for path in _files(place):
        for name, value in _KEPT.items():
            os.setxattr(path, name, value)


def _has_attributes(place: Path) -> Iterator[Wrong]:
    for path in _files(place):
        for name, value in _KEPT.items():
            found = os.getxattr(path, name) if name in os.listxattr(path) else None
            if found != value:
                yield "lost", f"{path.name}: {name} is {found!r}"


def _owners(user: int, *, folders: bool) -> Callable[[Path], None]:
    """Gives the files in cwd to a user, with `folders` all that is there."""

    def give(place: Path) -> None:
        given = [place, *place.rglob("*")] if folders else _files(place)
        for path in given:
            os.chown(path, user, user, follow_symlinks=False)

    return give


def _owned(user: int) -> Callable[[Path], Iterator[Wrong]]:
    def check(place: Path) -> Iterator[Wrong]:
        for path in _files(place):
            if path.stat().st_uid != user:
                yield "lost", f"{path.name} belongs to user {path.stat().st_uid}"

    return check


def _sticky(place: Path) -> None:
    """A directory as /tmp, and in it files that all may read."""
    (place / "cwd").chmod(0o1777)
    for path in _files(place):
        path.chmod(0o644)
    for name in ("home", "tmp"):
        os.chown(place / name, _NOBODY, _NOBODY)


def _remount(options: str) -> Callable[[Path], None]:
    def remount(place: Path) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)

    return remount


def _same_bytes(place: Path) -> Iterator[Wrong]:
    """For what must not be edited at all."""
    for path in _files(place):
        if path.stat().st_uid != 0:
            yield "lost", f"{path.name} was replaced"


def environments() -> tuple[Environment, ...]:
    """All of them."""
    small = f"size={_SMALL}"
    return (
        *(
            Environment(f"a disk with {leave} bytes left", Around((), small, _fill(leave)), root=True)
            for leave in (0, 4096, 20_000)
        ),
        Environment("a disk without inodes", Around((), "nr_inodes=320"), root=True),
        Environment("a read-only disk", Around((), small, _remount("ro"), undo=_remount("rw")), root=True),
        Environment("ACL and attributes", Around(prepare=_attributes, check=_has_attributes)),
        Environment(
            "a stranger's files", Around((), "", _owners(_STRANGER, folders=False), _owned(_STRANGER)), root=True
        ),
        Environment(
            "another user", Around(_as(_NOBODY), "", _owners(_NOBODY, folders=True), _owned(_NOBODY)), root=True
        ),
        Environment("a sticky directory of root's", Around(_as(_NOBODY), "", _sticky, _same_bytes), root=True),
        Environment(
            "a user without a name", Around(("env", "-u", "HOME", *_as(_NAMELESS)), prepare=_sticky), root=True
        ),
        Environment("closed stdin", Around(_shell('exec "$@" <&-'))),
        Environment("closed stdout", Around(_shell('exec "$@" >&-'))),
        Environment("closed stderr", Around(_shell('exec "$@" 2>&-'))),
        Environment("closed streams", Around(_shell('exec "$@" <&- >&- 2>&-'))),
        Environment("full stdout", Around(_shell('exec "$@" >/dev/full'))),
        Environment("full stderr", Around(_shell('exec "$@" 2>/dev/full'))),
        Environment("full streams", Around(_shell('exec "$@" >/dev/full 2>&1'))),
        Environment("no reader", Around(_shell('"$@" | true'))),
        Environment("stdin is for writing", Around(_shell('exec "$@" 0>/dev/null'))),
        Environment("no HOME", Around(("env", "-u", "HOME"))),
        Environment("an empty HOME", NOTHING, variables=(("HOME", ""),)),
        Environment("no such HOME", NOTHING, variables=(("HOME", "/nonexistent"),)),
        Environment("HOME is a file", NOTHING, variables=(("HOME", "/dev/null"),)),
        Environment("a HOME of odd bytes", Around(_shell('HOME="$HOME/"$\'\\377\\033\'; exec "$@"'))),
        Environment("relative directories", NOTHING, variables=(("XDG_CACHE_HOME", "a"), ("XDG_STATE_HOME", "b"))),
        Environment("no TMPDIR", NOTHING, variables=(("TMPDIR", "/nonexistent"),)),
        Environment(
            "the language C", NOTHING, variables=(("LC_ALL", "C"), ("PYTHONUTF8", "0"), ("PYTHONCOERCECLOCALE", "0"))
        ),
        Environment("ASCII", NOTHING, variables=(("PYTHONIOENCODING", "ascii:strict"),)),
        Environment("Latin-1", NOTHING, variables=(("PYTHONIOENCODING", "latin-1"),)),
        Environment("no environment", Around(("env", "-i"))),
        Environment("few descriptors", Around(_shell('ulimit -n 20; exec "$@"'))),
        Environment("no large files", Around(_shell('ulimit -f 0; exec "$@"'))),
        Environment("a deleted directory", Around(_shell('mkdir gone && cd gone && rmdir ../gone && exec "$@"'))),
        Environment("umask 0777", Around(_shell('umask 0777; exec "$@"'))),
        Environment("SIGPIPE ignored", Around(_shell("trap '' PIPE; \"$@\" | true"))),
        Environment("SIGCHLD ignored", Around(("env", "--ignore-signal=CHLD"))),
    )


def runs() -> tuple[Run, ...]:
    """What is tried in each."""
    readers = (line.strip() for line in _READERS.splitlines() if line.strip())
    return (*writers(), *(Run(line, tuple(line.split()), _PUTS, stdout="exact") for line in readers))


def cases() -> list[tuple[Environment, Run]]:
    """Every run in every environment that can be had here."""
    return [(around, run) for around in environments() for run in runs() if not why_not(around)]


@functools.cache
def may_mount() -> bool:
    """Whether this process can have mounts that only it sees; in a container root may not."""
    return os.geteuid() == 0 and subprocess.run(["unshare", "--mount", "true"], check=False).returncode == 0


def why_not(environment: Environment) -> str:
    """Why an environment cannot be had; empty where it can."""
    if environment.root and not may_mount():
        return "it needs root, and mounts of its own"
    if environment.around.prepare is _attributes:
        with tempfile.NamedTemporaryFile() as file:
            try:
                for name, value in _KEPT.items():
                    os.setxattr(file.name, name, value)
            except OSError as error:
                if error.errno != errno.ENOTSUP:
                    raise
                return "the file system of TMPDIR has no such attributes"
    return ""


def reasons() -> list[str]:
    """Why some cannot be had here."""
    return [f"{one.name}: {reason}" for one in environments() if (reason := why_not(one))]


def _whole(run: Run) -> Callable[[Path], Iterator[Wrong]]:
    """Looks whether what a run makes in cwd is old or new, or at least a whole document: users' hosts differ."""
    names = [path for path in run.makes if path.startswith("cwd/")]
    known = reference(writers().index(run)) if names else None

    def check(place: Path) -> Iterator[Wrong]:
        for name in names:
            data = (place / name).read_bytes() if (place / name).exists() else b""
            if known and data not in (known.before[name], known.after[name]) and not _is_json(data):
                yield "lost", f"{name} is neither old nor new, {len(data)} bytes"

    return check


def _is_json(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data), dict)
    except ValueError:
        return False


def carry_out(number: int, folder: Path, failures: Path) -> Outcome:
    """One case."""
    environment, run = cases()[number]
    around, whole = environment.around, _whole(run)
    both = around._replace(check=lambda place: (*around.check(place), *whole(place)))
    variables = (("LANG", "C.UTF-8"), *environment.variables)
    run = run._replace(name=f"environment-{number:04}", environment=variables, makes=(*run.makes, _FILLER))
    outcome = execute(run, folder, failures, both)
    if outcome.wrong:
        with (failures / run.name / "wrong").open("a") as stream:
            stream.write(f"environment: {environment.name}\n")
    return outcome
