"""Many host files, or raw records, become a pool.

The files of a cluster repeat each other but for the host's name and its TSC frequency. Each file is cut at these two:
only where the rest is new, it is decoded and checked as JSON. So a file costs little more than reading it, and memory
grows with the classes.
"""

import json
import os
import re
from collections.abc import Iterable, Sequence
from itertools import chain, count
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

from hvctl.errors import InputError, Problem
from hvctl.host.host_file import FORM, dump_host, is_frequency, is_raw, load_host, stem
from hvctl.model.host import Host, HostClass, Member, Pool, Qemu
from hvctl.text.files import UnreadableError, decode
from hvctl.text.json_document import read_bytes
from hvctl.text.json_fields import is_line
from hvctl.text.problems import counted, printable

T = TypeVar("T")
_MOST_PROBLEMS = 20
# Bytes of the files that made the classes. A cluster has few: this is 1,000 real ones, each unlike all others.
_LARGEST = 24 << 20
_SUFFIX = ".json"


def read_pool(files: Iterable[str]) -> Pool:
    """The pool of these host files; `-` is stdin.

    Raises:
        InputError: some are wrong; with the first mistakes of all files.
    """
    reader = PoolReader()
    for path in files:
        reader.add(path)
    return reader.pool()


def host_files(paths: Sequence[str]) -> list[str]:
    """The files among these paths, and those in the directories among them; raises InputError."""
    found: list[str] = []
    problems: list[Problem] = []
    for path in paths:
        if path == "-" or not os.path.isdir(path):
            found.append(path)
            continue
        try:
            inside = sorted(entry.path for entry in os.scandir(path) if entry.name.endswith(_SUFFIX))
        except OSError as error:
            problems.append(Problem(f"{path}: the directory cannot be read: {error.strerror}"))
            continue
        # A pipe in a directory that nobody writes to would block for ever; one that is named is meant.
        odd = [entry for entry in inside if os.path.exists(entry) and not os.path.isfile(entry)]
        problems += [Problem(f"{entry}: this is not a regular file") for entry in odd]
        if not inside:
            problems.append(Problem(f"{path}: the directory holds no host files (*{_SUFFIX})", None, FORM.hint))
        found += inside
    if problems:
        raise InputError(problems)
    return found


class PoolReader:
    """Takes host files one by one."""

    def __init__(self) -> None:
        self._classes: dict[Host, list[Member]] = {}
        self._known: dict[bytes, list[Member]] = {}
        self._names: set[str] = set()
        self._parts: dict[Any, Any] = {}
        self._problems: list[Problem] = []
        self._count = 0
        self._size = 0
        self._unread = 0

    def add(self, path: str) -> None:
        """Read one file; what is wrong with it is told by `pool`."""
        self._count += 1
        if len(self._problems) >= _MOST_PROBLEMS:
            self._unread += 1
            return
        try:
            members, member = self._read(read_bytes(path, FORM), path)
        except InputError as error:
            self._problems += error.problems
            return
        name = self._unused(member.name, path)
        self._names.add(name)
        members.append(member if name == member.name else member._replace(name=name))

    def pool(self) -> Pool:
        """All that was read; raises InputError where anything was wrong."""
        if self._problems:
            more = [Problem(f"not looked at: {counted(self._unread, 'more file')}")] if self._unread else []
            raise InputError([*self._problems[:_MOST_PROBLEMS], *more], FORM.hint)
        return Pool(tuple(HostClass(facts, tuple(members)) for facts, members in self._classes.items()))

    def _read(self, data: bytes, path: str) -> tuple[list[Member], Member]:
        """The members of the file's class, and its own host."""
        cut = _cut(data) if self._count > 1 else None
        members = self._known.get(cut.digest) if cut else None
        if cut is None or members is None:
            text = decode(data, path)
            host = load_host(text, path)
            facts = self._facts(host)
            if facts not in self._classes:
                # Of a raw record, ten times as long, only what was decoded is kept.
                self._size += len(dump_host(host)) if is_raw(text) else len(data)
                if self._size > _LARGEST:
                    raise UnreadableError(path, f"the hosts before it differ in {_LARGEST >> 20} MiB already")
            members = self._classes.setdefault(facts, [])
            if cut and _stands_for(cut, data, host):
                self._known[cut.digest] = members
            return members, Member(host.name or stem(path) or printable(path), host.hardware.tsc_hz)
        return members, Member(cut.name or stem(path) or printable(path), cut.tsc_hz)

    def _unused(self, name: str, path: str) -> str:
        """Two recordings of one machine are worth comparing, but messages must tell them apart."""
        if name not in self._names:
            return name
        name = f"{name} ({printable(path)})"
        numbered = (f"{name} {number}" for number in count(2))
        return next(one for one in chain([name], numbered) if one not in self._names)

    def _facts(self, host: Host) -> Host:
        """The host's facts less what makes no class: names, frequency, where the facts come from."""
        return Host(
            name=None,
            kvm=self._same(host.kvm._replace(caps=_sorted(host.kvm.caps))),
            hardware=self._same(host.hardware._replace(tsc_hz=None)),
            qemu=tuple(self._same(_in_order(one)) for one in host.qemu),
            libvirt=self._same(host.libvirt),
        )

    def _same(self, record: Any) -> Any:
        """One object for equal records: a thousand classes may differ in nothing but their kernels' releases."""
        return self._parts.setdefault(record, record)


def _in_order(qemu: Qemu) -> Qemu:
    """The same for every order in which a JSON text may have the keys of an object."""
    expansion = None if qemu.expansion is None else _sorted(qemu.expansion)
    return qemu._replace(properties=_sorted(qemu.properties), expansion=expansion)


def _sorted(items: tuple[tuple[str, T], ...]) -> tuple[tuple[str, T], ...]:
    return tuple(sorted(items, key=itemgetter(0)))


_NAME = re.compile(rb'"name"\s*:\s*(null|"(?:[^"\\\x00-\x1f]|\\.)*")')
# That of a raw record is in kHz.
_TSC = re.compile(rb'"tsc_(k?)hz"\s*:\s*(null|0|[1-9][0-9]*)')
_Places = tuple[tuple[int, int], tuple[int, int]]


class _Cut(NamedTuple):
    """A file's name and TSC frequency, written in so many Hz, with their places, and the digest of all around them."""

    name: str | None
    tsc_hz: int | None
    unit: int
    places: _Places
    digest: bytes


def _cut(data: bytes) -> _Cut | None:
    """Cut a file at the first things that look like its name and its TSC frequency; None where they are no good."""
    name, tsc = _NAME.search(data), _TSC.search(data)
    if name is None or tsc is None:
        return None
    try:
        said, number = json.loads(name[1]), json.loads(tsc[2])
    except ValueError:
        return None
    unit = 1000 if tsc[1] else 1
    tsc_hz = None if number is None else number * unit
    if not (said is None or is_line(said)) or not (tsc_hz is None or is_frequency(tsc_hz)):
        return None
    # OpenSSL, which hashlib loads, takes longer to load than one file to read.
    from hashlib import blake2b

    places = name.span(1), tsc.span(2)
    # No JSON text holds a NUL.
    rest = _exchanged(data, places, (b"\0name", b"\0tsc_hz"))
    return _Cut(said, tsc_hz, unit, places, blake2b(rest, digest_size=32).digest())


def _exchanged(data: bytes, places: _Places, values: tuple[bytes, bytes]) -> bytes:
    """The file with other bytes at the two places, in whichever order they stand."""
    (first, one), (second, other) = sorted(zip(places, values, strict=True))
    return b"".join((data[: first[0]], one, data[first[1] : second[0]], other, data[second[1] :]))


def _stands_for(cut: _Cut, data: bytes, host: Host) -> bool:
    """Whether the two values are the host's name and frequency, and not something else of that look.

    A JSON text keeps its structure when a whole value in it is exchanged: if other values at these places make another
    name and another frequency, and nothing else, then they do so in every file with the same rest.
    """
    name, tsc_hz = "b" if host.name == "a" else "a", 10**9 + (host.hardware.tsc_hz == 10**9)
    changed = _exchanged(data, cut.places, (json.dumps(name).encode(), b"%d" % (tsc_hz // cut.unit)))
    try:
        seen = load_host(decode(changed, ""), "")
    except InputError:
        return False
    return seen == host._replace(name=name, hardware=host.hardware._replace(tsc_hz=tsc_hz))
