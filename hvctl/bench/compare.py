"""Measurements compared: which way is faster, by how much, and whether the runs can tell at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from math import comb
from statistics import median, quantiles
from typing import NamedTuple

from hvctl.bench.tables import TABLES, Entry, Table
from hvctl.model.bench import Bench, Series

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
    wanted = (entry.id, entry.enlightened, vcpus)
    return next((one for one in series if (one.id, one.enlightened, one.vcpus) == wanted and one.cycles), None)


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
