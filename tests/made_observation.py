"""Observations of a guest that never ran: one in which all that is announced works, to be spoilt by tests."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence

from hvctl.catalog import ROWS
from hvctl.model.host import CpuidLeaf
from hvctl.model.verification import (
    Apic,
    Call,
    Counter,
    Direct,
    Evmcs,
    Flushed,
    Inner,
    Message,
    MsrRun,
    Nested,
    Observation,
    Sent,
    TscPage,
    Vcpu,
    Vmcs,
    Written,
)
from hvctl.verify.functions import CRASH_PARAMETERS

LEAVES = (*range(0x40000000, 0x4000000B), 0x40000080, 0x40000081, 0x40000082, 0x40000100, 0x40000101)
TSC_HZ = 2_500_000_000
# Answers that a check looks at; every other MSR is 0.
VALUES: dict[int, int | None] = {0x40000022: TSC_HZ, 0x40000023: 10**9, 0x40000070: None, 0x40000105: 1 << 63}


def made_observation(expected: Iterable[CpuidLeaf], *, vcpus: int = 2) -> Observation:
    """A guest that sees these leaves on every vCPU, and in which everything works."""
    known = {leaf.leaf: leaf for leaf in expected}
    leaves = tuple(known.get(number, CpuidLeaf(number)) for number in LEAVES)
    numbers = sorted({msr for row in ROWS for first, last in row.msrs for msr in range(first, last + 1)})
    runs = tuple(MsrRun(msr, msr, VALUES.get(msr, 0)) for msr in (0x40000000, 0x40000001, *numbers))
    return Observation(
        wanted=vcpus,
        vcpus=tuple(Vcpu(number, number, number, leaves) for number in range(vcpus)),
        msrs=runs,
        written=(Written(0x40000000, 1 << 63 | 1, 1 << 63 | 1), Written(0x40000083, 0x6A001, 0x6A001)),
        page=0xC3C1010F,
        calls=(Call(0x3FFF, 2), Call(8, 0), Call(0x5C, 0x12), Call(0x5D, 0x12)),
        counter=Counter(1000, 5000, 5400, 21000, 5_005_000, 5_005_400),
        tsc_page=TscPage(1, 1 << 56, (1 << 64) - 5, 0, 0, 0),
        runtime=(100, 120),
        apic=Apic(1, 1, 1, 0),
        messages=tuple(Message(number, 1, 500 + number, 0x80000010, 0, 0) for number in range(vcpus)),
        directs=tuple(Direct(number, 1, 700 + number) for number in range(vcpus)),
        sent=(Sent(0xB, 1, 0, vcpus, vcpus), Sent(0x15, 0, 0, vcpus, vcpus), Sent(0x15, 1, 0, vcpus, vcpus)),
        flushed=tuple(
            Flushed(code, fast, result, vcpus, vcpus, vcpus, vcpus)
            for code, fast, result in ((2, 1, 0), (2, 0, 0), (3, 0, 1 << 32), (0x13, 0, 0), (0x14, 0, 1 << 32))
        ),
        vmcs=Vmcs(10, 12),
        evmcs=Evmcs(10, 12, 10),
        nested=Nested(18, 18, 31),
        inner=Inner(12, 0, 0x10000031),
        reset=True,
        crash=CRASH_PARAMETERS,
    )


def printed(seen: Observation) -> bytes:
    """The report that a guest prints of an observation; `reset` is not in it."""
    return sealed(["hvctl-probe 3", *_lines(seen)])


def sealed(lines: Sequence[str]) -> bytes:
    """Lines with the last one, which counts and sums them."""
    body = "".join(f"{line}\n" for line in lines).encode()
    return body + f"end {len(lines):x} {zlib.crc32(body):x}\n".encode()


def _lines(seen: Observation) -> Iterator[str]:
    yield _line("cpus", seen.wanted, len(seen.vcpus))
    for vcpu in seen.vcpus:
        yield _line("cpu", *vcpu[:3])
        own = [leaf for leaf in vcpu.leaves if not vcpu.number or leaf not in seen.vcpus[0].leaves]
        yield from (_line("leaf", vcpu.number, *leaf) for leaf in own)
        if len(own) < len(vcpu.leaves):
            yield _line("same", vcpu.number, len(vcpu.leaves) - len(own))
    for name, rows in (("msr", seen.msrs), ("wrote", seen.written), ("call", seen.calls)):
        yield from (_line(name, *row) for row in rows)
    if seen.page is not None:
        yield _line("page", seen.page)
    singles: tuple[tuple[str, tuple[int | None, ...] | None], ...] = (
        ("counter", seen.counter),
        ("tscpage", seen.tsc_page),
        ("runtime", seen.runtime),
        ("apic", seen.apic),
        ("plain", seen.vmcs),
        ("enlightened", seen.evmcs),
        ("nested", seen.nested),
        ("inner", seen.inner),
    )
    for name, record in singles:
        if record is not None:
            yield _line(name, *record)
    yield from (_line("message", *row) for row in seen.messages)
    yield from (_line("direct", *row) for row in seen.directs)
    yield from (_line("sent", *row) for row in seen.sent)
    yield from (_line("flushed", *row) for row in seen.flushed)


def _line(name: str, *fields: int | None) -> str:
    return " ".join([name, *("fault" if field is None else f"{field:x}" for field in fields)])
