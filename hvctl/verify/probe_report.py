"""The probe guest's report: bytes that a guest printed become an Observation, or are refused.

The form is hvctl/probe_guest/PROTOCOL.md's. Nothing is believed unseen: the report has a bounded size, a version, a
count and a checksum, each line a known name and the number of fields that it has to have, each number its width.
"""

import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from hvctl.model import verification as seen
from hvctl.model.host import CpuidLeaf

T = TypeVar("T")

VERSION = "hvctl-probe 3"
# Each line's fields: a number of 32 or of 64 bits (w, n), an answer of 64 bits (a).
FIELDS = {
    "cpus": "ww",
    "cpu": "wwa",
    "leaf": "wwwwww",
    "same": "ww",
    "msr": "wwa",
    "wrote": "wna",
    "page": "n",
    "call": "wa",
    "counter": "nnnnnn",
    "tscpage": "wnnwnn",
    "runtime": "aa",
    "apic": "awww",
    "message": "wanwwn",
    "direct": "wan",
    "sent": "wwaww",
    "flushed": "wwawwww",
    "plain": "aa",
    "enlightened": "aaa",
    "nested": "aaa",
    "inner": "ana",
}
# What a guest says that cannot go on.
TROUBLES = {"nolongmode": "", "died": "nnn"}
REPEATED = ("cpu", "leaf", "same", "msr", "wrote", "call", "message", "direct", "sent", "flushed")
Fields = tuple[int | None, ...]

_END = re.compile(rb"end ([1-9a-f][0-9a-f]{0,7}) (0|[1-9a-f][0-9a-f]{0,7})\n\Z")
_NUMBER = re.compile(r"0|[1-9a-f][0-9a-f]{0,15}")
_DIGITS = {"w": 8, "n": 16, "a": 16}


class ReportError(ValueError):
    """What a guest printed is no report; the message is a sentence without its subject, "it ..."."""


def is_complete(data: bytes) -> bool:
    """Whether this ends as a report does: nothing more is to be waited for."""
    return _END.search(data[-64:]) is not None


def read_report(data: bytes) -> seen.Observation:
    """The observation that a guest's output tells.

    Args:
        data: all that was printed; any bytes are harmless.

    Raises:
        ReportError: it is no whole and intact report of this version, or it says that the guest could not run.
    """
    found = read_lines(data, VERSION, FIELDS)
    for name, rows in found.items():
        if len(rows) > 1 and name not in REPEATED:
            raise ReportError(f"says {name!r} twice")
    return _observation(found)


def read_lines(data: bytes, version: str, forms: Mapping[str, str]) -> dict[str, list[Fields]]:
    """The lines of a report by their names.

    Args:
        data: all that was printed; any bytes are harmless.
        version: the first line.
        forms: the names of other lines, and their fields as in FIELDS.

    Raises:
        ReportError: as `read_report`.
    """
    found: dict[str, list[Fields]] = {}
    for text in _checked_lines(data, version)[1:]:
        name, fields = _line(text, {**forms, **TROUBLES})
        found.setdefault(name, []).append(fields)
    if "nolongmode" in found:
        raise ReportError("says that its CPU model has no 64-bit mode, which it needs")
    if "died" in found:
        vector, error, address = found["died"][0]
        raise ReportError(f"died of exception {vector} (error {error:#x}) at address {address:#x}")
    return found


def _checked_lines(data: bytes, version: str) -> list[str]:
    """The lines before the last one, once the last one has shown that they are whole."""
    if not data:
        raise ReportError("printed nothing")
    if len(data) > seen.LARGEST:
        raise ReportError(f"printed more than {seen.LARGEST} bytes")
    if not data.startswith(version.encode() + b"\n"):
        raise ReportError("printed something else than a report of the version that this hvctl reads")
    end = _END.search(data)
    if end is None or data[end.start() - 1 : end.start()] != b"\n":
        raise ReportError("broke off its report")
    body = data[: end.start()]
    if body.count(b"\n") != int(end[1], 16) or zlib.crc32(body) != int(end[2], 16):
        raise ReportError("printed a report whose checksum is wrong")
    try:
        return body.decode("ascii").split("\n")[:-1]
    except UnicodeDecodeError:
        raise ReportError("printed a report that is not ASCII") from None


def _line(text: str, forms: Mapping[str, str]) -> tuple[str, Fields]:
    name, *words = text.split(" ")
    kinds = forms.get(name)
    if kinds is None or len(words) != len(kinds):
        raise ReportError("printed a line of a form that this hvctl does not know")
    return name, tuple(map(_field, words, kinds))


def _field(word: str, kind: str) -> int | None:
    if kind == "a" and word == "fault":
        return None
    if not _NUMBER.fullmatch(word) or len(word) > _DIGITS[kind]:
        raise ReportError("printed something else where a number is expected")
    return int(word, 16)


def _observation(found: dict[str, list[Fields]]) -> seen.Observation:
    if "cpus" not in found:
        raise ReportError("does not say how many vCPUs it has")
    wanted, started = _numbers(found["cpus"][0])
    vcpus = _vcpus(found)
    if len(vcpus) != started or not vcpus:
        raise ReportError("tells of another number of vCPUs than it says it has")
    return seen.Observation(
        wanted,
        vcpus,
        _runs(found.get("msr", [])),
        tuple(map(seen.Written._make, found.get("wrote", []))),
        _single(found, "page", lambda fields: fields[0]),
        tuple(map(seen.Call._make, found.get("call", []))),
        _single(found, "counter", seen.Counter._make),
        _single(found, "tscpage", seen.TscPage._make),
        _single(found, "runtime", lambda fields: (fields[0], fields[1])),
        _single(found, "apic", seen.Apic._make),
        _timers(found.get("message", []), vcpus, seen.Message._make),
        _timers(found.get("direct", []), vcpus, seen.Direct._make),
        tuple(map(seen.Sent._make, found.get("sent", []))),
        tuple(map(seen.Flushed._make, found.get("flushed", []))),
        _single(found, "plain", seen.Vmcs._make),
        _single(found, "enlightened", seen.Evmcs._make),
        _single(found, "nested", seen.Nested._make),
        _single(found, "inner", seen.Inner._make),
    )


def _single(found: dict[str, list[Fields]], name: str, make: Callable[[Fields], T]) -> T | None:
    return make(found[name][0]) if name in found else None


def _timers(rows: list[Fields], vcpus: Sequence[seen.Vcpu], make: Callable[[Fields], T]) -> tuple[T, ...]:
    numbers = [row[0] or 0 for row in rows]
    if len(set(numbers)) != len(numbers) or max(numbers, default=0) >= len(vcpus):
        raise ReportError("tells of a timer twice, or of no vCPU's")
    return tuple(map(make, rows))


def _numbers(fields: Fields) -> tuple[int, ...]:
    """The fields of a line without answers: these alone can be None."""
    return tuple(field for field in fields if field is not None)


def _runs(rows: list[Fields]) -> tuple[seen.MsrRun, ...]:
    runs = [seen.MsrRun._make(fields) for fields in rows]
    for before, run in zip([None, *runs], runs, strict=False):
        if run.last < run.first or (before is not None and run.first <= before.last):
            raise ReportError("printed MSRs that are not in order")
    return tuple(runs)


def _vcpus(found: dict[str, list[Fields]]) -> tuple[seen.Vcpu, ...]:
    """Every vCPU with all of its leaves, in the first one's order."""
    heads = found.get("cpu", [])
    if len(heads) > seen.MOST_VCPUS or [fields[0] for fields in heads] != list(range(len(heads))):
        raise ReportError("does not count its vCPUs up from 0")
    leaves: list[dict[int, CpuidLeaf]] = [{} for _ in heads]
    for row in found.get("leaf", []):
        number, *registers = _numbers(row)
        leaf = CpuidLeaf(*registers)
        if number >= len(heads) or leaf.leaf in leaves[number]:
            raise ReportError("tells of a CPUID leaf twice, or of no vCPU's")
        leaves[number][leaf.leaf] = leaf
    _check_same(found, leaves)
    first = leaves[0] if leaves else {}
    return tuple(
        seen.Vcpu._make((*head, tuple({**first, **own}.values()))) for head, own in zip(heads, leaves, strict=True)
    )


def _check_same(found: dict[str, list[Fields]], leaves: list[dict[int, CpuidLeaf]]) -> None:
    """That a vCPU's own leaves and those that are the first one's are as many as the first one has."""
    same = [0] * len(leaves)
    for number, count in map(_numbers, found.get("same", [])):
        if number >= len(leaves) or not count or same[number]:
            raise ReportError("says twice, or of no vCPU, which CPUID leaves are the same")
        same[number] = count
    for number, own in enumerate(leaves[1:], 1):
        if len(own) + same[number] != len(leaves[0]) or not own.keys() <= leaves[0].keys():
            raise ReportError("does not tell of every CPUID leaf of every vCPU")
