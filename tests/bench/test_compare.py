"""Measurements compared: ranks, medians, and the refusal to name what the runs cannot tell."""

from __future__ import annotations

import itertools
from collections import Counter
from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvctl.bench.compare import (
    CHANCE,
    FEWEST_RUNS,
    GROUPS,
    TABLES,
    Gain,
    answers,
    chance,
    changes,
    compare,
    differences,
    quarters,
)
from hvctl.bench.file import Series
from tests.made_bench import HOST, made_bench

SAMPLES = st.lists(st.floats(1, 1e6, allow_nan=False), min_size=1, max_size=8)


def by_counting(first: list[float], second: list[float]) -> float:
    """The same probability, from all orders of the pooled sample."""
    size = len(first) + len(second)
    above = sum(one > other for one in first for other in second)
    least = min(above, len(first) * len(second) - above)
    counts: Counter[int] = Counter()
    for places in itertools.combinations(range(size), len(first)):
        counts[sum(place - rank for rank, place in enumerate(places))] += 1
    ways = sum(number for value, number in counts.items() if value <= least)
    return float(min(Fraction(1), 2 * Fraction(ways, comb(size, len(first)))))


@given(st.permutations(range(9)), st.integers(1, 8))
def test_the_probability_is_that_of_all_orders(ranks: list[int], size: int) -> None:
    first, second = [float(rank) for rank in ranks[:size]], [float(rank) for rank in ranks[size:]]
    assert chance(first, second) == pytest.approx(by_counting(first, second))


@given(SAMPLES, SAMPLES)
def test_it_is_a_probability_and_symmetric(first: list[float], second: list[float]) -> None:
    assert 0 < chance(first, second) <= 1
    assert chance(first, second) == pytest.approx(chance(second, first))


def test_five_runs_are_the_fewest_that_can_tell() -> None:
    apart = [([float(run) for run in range(runs)], [100.0 + run for run in range(runs)]) for runs in range(1, 8)]
    for first, second in apart:
        assert (chance(first, second) <= CHANCE) == (len(first) >= FEWEST_RUNS)


@pytest.mark.parametrize(
    ("ordinary", "other", "gain"),
    [
        ([5, 6, 7, 8, 9], [1, 2, 3, 4, 4.5], Gain.FASTER),
        ([1, 2, 3, 4, 5], [6, 7, 8, 9, 10], Gain.SLOWER),
        ([1, 2, 3, 4, 5], [5, 6, 7, 8, 9], Gain.SAME),  # one value is equal, and might be on either side
        ([5, 6, 7, 8, 9], [1, 2, 3, 4, 6.5], Gain.SAME),
        ([7] * 7, [7] * 7, Gain.SAME),
        ([5, 6, 7, 8], [1, 2, 3, 4], Gain.FEW),
        ([5, 6, 7, 8, 9], [1, 2, 3, 4], Gain.FEW),
    ],
)
def test_gains(ordinary: list[float], other: list[float], gain: Gain) -> None:
    assert compare(ordinary, other) is gain


@given(st.lists(st.floats(1, 1e9), min_size=1, max_size=20))
def test_half_of_the_runs_lie_between_the_quarters(values: list[float]) -> None:
    low, high = quarters(values)
    assert min(values) <= low <= high <= max(values)


def test_every_table_is_answered() -> None:
    found = answers(made_bench())
    assert [one.title for one in found if one.vcpus is None] == [table.title for table in TABLES if not table.many]
    assert [one.vcpus for one in found if one.vcpus] == [8, 16, 32] * 2
    clock = found[0]
    assert clock.lines[0].gain is Gain.ORDINARY
    page = next(line for line in clock.lines if line.title == "reference TSC page")
    assert page.gain is Gain.FASTER
    assert page.ratio == pytest.approx(5200 / 60)


@pytest.mark.parametrize("group", GROUPS)
def test_only_what_was_asked_for_is_answered(group: str) -> None:
    assert {one.group for one in answers(made_bench(groups=(group,)))} == {group}


def test_fewer_runs_name_no_gain() -> None:
    gains = {line.gain for one in answers(made_bench(runs=4)) for line in one.lines}
    assert gains == {Gain.ORDINARY, Gain.FEW}


def test_what_is_missing_is_not_measured() -> None:
    bench = made_bench()
    without = bench._replace(series=tuple(one for one in bench.series if one.id not in (0x11, 0x20)))
    lines = {line.title: line for one in answers(without) for line in one.lines if one.title == "reading the clock"}
    assert (lines["reference TSC page"].gain, lines["reference TSC page"].median) == (Gain.ABSENT, None)
    # Without the ordinary way there is nothing to be compared with.
    apic = next(one for one in answers(without) if one.title.startswith("an interrupt"))
    assert [line.gain for line in apic.lines] == [Gain.ABSENT] * 3


def test_nothing_at_all() -> None:
    empty = made_bench()._replace(series=())
    assert answers(empty) == ()
    assert changes(empty, empty) == ()


def test_changes_are_in_time_not_in_cycles() -> None:
    old, new = made_bench(), made_bench(factor=2)._replace(tsc_hz=5_000_000_000)
    assert {change.gain for change in changes(old, new)} == {Gain.SAME}
    assert {change.gain for change in changes(old, new._replace(tsc_hz=None))} == {Gain.SLOWER}
    assert {change.gain for change in changes(made_bench(factor=2), old)} == {Gain.FASTER}


def test_changes_are_of_what_both_have() -> None:
    old, new = made_bench(groups=("clock",)), made_bench()
    assert {change.title for change in changes(old, new)} == {"reading the clock"}
    more = new._replace(series=tuple(one._replace(vcpus=one.vcpus + 1) for one in new.series))
    # How many vCPUs there are matters only where they have a part in it.
    assert {change.vcpus for change in changes(new, more)} == {None}
    assert len(changes(new, new)) == sum(len(table.entries) * (3 if table.many else 1) for table in TABLES)


def test_a_value_of_nothing_does_no_harm() -> None:
    zero = made_bench()._replace(series=(Series(0x13, False, 1, (0.0,) * 7), Series(0x11, True, 1, (0.0,) * 7)))
    assert answers(zero)[0].lines[0].ratio is None
    assert len(changes(zero, zero)) == 2


def test_what_else_differs_is_told() -> None:
    other = made_bench(host=HOST._replace(kernel="6.13.0", governor=None))
    assert differences(made_bench(), other) == ("kernel: 6.12.0, now 6.13.0", "CPU governor: performance, now unknown")
