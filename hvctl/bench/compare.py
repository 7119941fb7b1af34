"""Measurements compared, among each other and with older ones: which is faster, and whether the runs can tell.

There is one table for each question, its first row the ordinary way. The numbers are those of
hvctl/probe_guest/bench.h. Groups are what `--only` takes; two of them are named after the catalog's rows, whose
hypercalls they measure.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from math import comb
from statistics import median, quantiles
from typing import NamedTuple

from hvctl.bench.file import Bench, Series
from hvctl.catalog import ROWS
from hvctl.catalog.roles import HARDWARE_APIC


class Entry(NamedTuple):
    """A thing that is measured, in a guest with or without enlightenments."""

    id: int
    enlightened: bool
    title: str


class Table(NamedTuple):
    """One question. With `many` it is asked for each number of vCPUs.

    `operation` names it where sets of enlightenments are compared; empty where they do not differ. A set leads its
    guest to the last enlightened entry that the guest has, else to the first entry; with a row of `ordinary_with`
    always to the first.
    """

    group: str
    title: str
    entries: tuple[Entry, ...]
    many: bool = False
    operation: str = ""
    ordinary_with: tuple[str, ...] = ()


def _named_after(hypercall: str) -> str:
    return next(row.id for row in ROWS if hypercall in row.hypercalls)


_SEND = _named_after("HVCALL_SEND_IPI")
_FLUSH = _named_after("HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE")

# The bits of the parameter that the guest gets.
NESTED, TIMER = "nested", "timer"
GROUPS = {"clock": 1, "apic": 2, _FLUSH: 32, _SEND: 16, TIMER: 8, "exit": 4, NESTED: 64}
SINGLE = ("clock", "apic", TIMER, "exit", NESTED)

TABLES = (
    Table(
        "clock",
        "reading the clock",
        (
            Entry(0x13, False, "ACPI PM timer"),
            Entry(0x14, False, "HPET"),
            Entry(0x12, True, "reference counter MSR"),
            Entry(0x11, True, "reference TSC page"),
            Entry(0x10, False, "RDTSC alone"),
        ),
        operation="clock",
    ),
    Table(
        "apic",
        "an interrupt to itself and its end",
        (Entry(0x20, False, "APIC in memory"), Entry(0x21, True, "MSRs"), Entry(0x22, True, "MSR, VP assist page")),
        operation="EOI",
        # QEMU does not recommend the MSRs beside it (qemu:target/i386/kvm/kvm.c, hyperv_fill_cpuids).
        ordinary_with=tuple(row.id for row in HARDWARE_APIC),
    ),
    Table(
        "apic",
        "setting the task priority",
        (Entry(0x23, False, "APIC in memory"), Entry(0x24, True, "MSR"), Entry(0x25, False, "CR8")),
    ),
    Table(
        _FLUSH,
        "flushing the TLBs of busy vCPUs",
        (Entry(0x60, False, "interrupts"), Entry(0x61, True, "hypercall")),
        many=True,
        operation="flush",
    ),
    Table(
        _SEND,
        "interrupting busy vCPUs, until all answered",
        (Entry(0x50, False, "APIC"), Entry(0x51, True, "hypercall")),
        many=True,
        operation="IPI",
    ),
    Table(
        TIMER,
        "arming a timer",
        (
            Entry(0x40, False, "APIC, one-shot"),
            Entry(0x41, False, "TSC deadline"),
            Entry(0x42, True, "synthetic timer"),
        ),
        operation=TIMER,
    ),
    Table(
        "exit",
        "an exit by CPUID",
        (Entry(0x30, False, "without enlightenments"), Entry(0x30, True, "with enlightenments")),
    ),
    Table(
        "exit",
        "an exit by reading an MSR",
        (Entry(0x31, False, "without enlightenments"), Entry(0x31, True, "with enlightenments")),
    ),
    *(
        Table(
            NESTED,
            title,
            (
                Entry(0x70 + place, False, "plain VMCS or VMCB"),
                Entry(0x74 + place, True, "enlightened VMCS"),
                Entry(0x78 + place, True, "enlightened MSR bitmap"),
            ),
            operation="" if place else NESTED,
        )
        for place, title in (
            (0x00, "a nested guest's exit by CPUID"),
            (0x01, "a nested guest's exit by reading an MSR"),
            (0x02, "a nested guest's exit by HLT"),
            (0x03, "a nested guest's HLT and wake-up"),
            (0x10, "an interrupt to a nested guest"),
        )
    ),
    Table(
        NESTED,
        "a nested guest's TLB flush by hypercall",
        (
            Entry(0x81, False, "plain VMCS or VMCB"),
            Entry(0x85, True, "enlightened VMCS"),
            Entry(0x89, True, "enlightened MSR bitmap"),
            Entry(0x8C, True, "answered by KVM"),
        ),
    ),
)
# What the guest says is missing where its TSC counts instructions.
TIME = 0x01
# What the guest says is missing where its CPU has neither vmx nor svm.
NO_HYPERVISOR = 0x70


def mask(groups: tuple[str, ...]) -> int:
    """The guest's parameter for these groups."""
    return sum(GROUPS[group] for group in groups)


# With five runs on each side, all of one below all of the other happens by chance in 2 of 252 cases; with four in 2 of
# 70, which is no proof.
FEWEST_RUNS = 5
CHANCE = 0.01


class Gain(StrEnum):
    """How a way compares with the ordinary one."""

    ORDINARY = "ordinary"
    FASTER = "faster"
    SLOWER = "slower"
    SAME = "no significant difference"
    FEW = "too few runs to tell"
    ABSENT = "not measured"


class Line(NamedTuple):
    """One way: cycles of the median run, and the quarters of the runs (Q1, Q3); None where it was not measured.

    `ratio` is how many times as long the ordinary way takes.
    """

    title: str
    enlightened: bool
    median: float | None
    low: float | None
    high: float | None
    ratio: float | None
    gain: Gain


class Answered(NamedTuple):
    """One question, for one number of vCPUs where these have a part in it, else None."""

    group: str
    title: str
    vcpus: int | None
    lines: tuple[Line, ...]


def answers(bench: Bench) -> tuple[Answered, ...]:
    """Every table of the groups that were asked for, in the tables' order."""
    return tuple(answered for table in TABLES if table.group in bench.groups for answered in _tables(table, bench))


def _tables(table: Table, bench: Bench) -> Iterator[Answered]:
    numbers = sorted({one.vcpus for one in bench.series if one.id in {entry.id for entry in table.entries}})
    for vcpus in numbers if table.many else numbers[:1]:
        yield Answered(
            table.group, table.title, vcpus if table.many else None, tuple(_lines(table.entries, vcpus, bench))
        )


def _lines(entries: Sequence[Entry], vcpus: int, bench: Bench) -> Iterator[Line]:
    ordinary = _find(bench.series, entries[0], vcpus)
    for place, entry in enumerate(entries):
        series = _find(bench.series, entry, vcpus)
        if series is None:
            yield Line(entry.title, entry.enlightened, None, None, None, None, Gain.ABSENT)
            continue
        middle = median(series.cycles)
        ratio = median(ordinary.cycles) / middle if ordinary and middle else None
        gain = compare(ordinary.cycles, series.cycles) if ordinary else Gain.ABSENT
        if place == 0:
            gain = Gain.ORDINARY
        yield Line(entry.title, entry.enlightened, middle, *quarters(series.cycles), ratio, gain)


def quarters(values: Sequence[float]) -> tuple[float, float]:
    """What a quarter and three quarters of the values are at most."""
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = quantiles(values, n=4, method="inclusive")
    return low, high


def _find(series: Sequence[Series], entry: Entry, vcpus: int) -> Series | None:
    wanted = (entry.id, entry.enlightened, vcpus, "")
    return next((one for one in series if (one.id, one.enlightened, one.vcpus, one.set) == wanted and one.cycles), None)


def compare(ordinary: Sequence[float], other: Sequence[float]) -> Gain:
    """Whether `other` takes less or more time than `ordinary`, as far as the runs can tell."""
    if min(len(ordinary), len(other)) < FEWEST_RUNS:
        return Gain.FEW
    if chance(ordinary, other) > CHANCE:
        return Gain.SAME
    return Gain.FASTER if median(other) < median(ordinary) else Gain.SLOWER


def chance(first: Sequence[float], second: Sequence[float]) -> float:
    """How probable it is that two samples of one distribution differ by so much in rank: Mann and Whitney's exact test.

    Nothing is assumed of the distribution. Equal values count as half, which makes the answer larger.
    """
    above = sum((one > other) + (one == other) / 2 for one in first for other in second)
    least = int(min(above, len(first) * len(second) - above) + 0.5)
    ways = _ways(len(first), len(second))
    return min(1.0, 2 * sum(ways[: least + 1]) / comb(len(first) + len(second), len(first)))


def _ways(first: int, second: int) -> list[int]:
    """In how many orders of two samples a value of the first is above one of the second 0, 1, 2, ... times.

    The coefficients of the Gaussian binomial: the product of (1 - q**(second + i)) / (1 - q**i).
    """
    ways = [1] + [0] * (first * second)
    for i in range(1, first + 1):
        for place in range(len(ways) - 1, second + i - 1, -1):
            ways[place] -= ways[place - second - i]
        for place in range(i, len(ways)):
            ways[place] += ways[place - i]
    return ways


class Change(NamedTuple):
    """One way to do one thing, in both measurements: the median runs, in ns, or in cycles where a frequency is unknown.

    `vcpus` is None where the number of vCPUs has no part in it.
    """

    title: str
    way: str
    enlightened: bool
    vcpus: int | None
    old: float
    new: float
    gain: Gain


def changes(old: Bench, new: Bench) -> tuple[Change, ...]:
    """All that both have measured, in the tables' order."""
    scales = _scales(old, new)
    found = []
    for table in TABLES:
        for entry in table.entries:
            before, after = (_values(bench, table, entry) for bench in (old, new))
            for vcpus in after:
                if vcpus in before:
                    first, second = (
                        [cycles * scale for cycles in values[vcpus]]
                        for values, scale in zip((before, after), scales, strict=True)
                    )
                    gain = compare(first, second)
                    title = (table.title, entry.title, entry.enlightened, vcpus)
                    found.append(Change(*title, median(first), median(second), gain))
    return tuple(found)


def _values(bench: Bench, table: Table, entry: Entry) -> dict[int | None, tuple[float, ...]]:
    """The runs of one way by the number of vCPUs, where that has a part in it."""
    found: dict[int | None, tuple[float, ...]] = {}
    for one in bench.series:
        if (one.id, one.enlightened, one.set) == (entry.id, entry.enlightened, "") and one.cycles:
            found.setdefault(one.vcpus if table.many else None, one.cycles)
    return found


def differences(old: Bench, new: Bench) -> tuple[str, ...]:
    """What else differs between the two, beside what was measured."""
    names = {"processor": "processor", "kernel": "kernel", "qemu": "QEMU", "clocksource": "clock source"}
    first, second = old.host._asdict(), new.host._asdict()
    return tuple(
        f"{name}: {first[key] or 'unknown'}, now {second[key] or 'unknown'}"
        for key, name in {**names, "cpus": "CPUs", "governor": "CPU governor"}.items()
        if first[key] != second[key]
    )


def _scales(old: Bench, new: Bench) -> tuple[float, float]:
    if old.tsc_hz and new.tsc_hz:
        return 1e9 / old.tsc_hz, 1e9 / new.tsc_hz
    return 1.0, 1.0
