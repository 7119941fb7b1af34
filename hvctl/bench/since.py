"""A measurement against an older one: what has become faster or slower, as far as the runs can tell."""

from __future__ import annotations

from statistics import median
from typing import NamedTuple

from hvctl.bench.compare import Gain, compare
from hvctl.bench.tables import TABLES, Entry, Table
from hvctl.model.bench import Bench


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
        if (one.id, one.enlightened) == (entry.id, entry.enlightened) and one.cycles:
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
