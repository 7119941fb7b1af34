"""What a guest pays with the sets of other platforms, against the profile's plan, which is the first of the sets."""

from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple

from hvctl.bench.compare import TABLES, Gain, Table, compare, quarters
from hvctl.bench.file import PLAN, Bench, Series, SetGuest
from hvctl.catalog import BY_ID
from hvctl.catalog.sets import NONE
from hvctl.catalog.types import Advice


class Cost(NamedTuple):
    """One operation with one set: the way that it leads a guest to, and what the median run and the quarters take.

    `ratio` is how many times as long as with the plan it takes; all are None where it was not measured.
    """

    set: str
    way: str
    median: float | None
    low: float | None
    high: float | None
    ratio: float | None
    gain: Gain


class Operation(NamedTuple):
    """One operation, for one number of vCPUs where these have a part in it, with each set that was measured."""

    name: str
    title: str
    vcpus: int | None
    costs: tuple[Cost, ...]


class Difference(NamedTuple):
    """What of the plan a set leaves out, what it has beside it, and what has another value: set, then plan."""

    leaves_out: tuple[str, ...]
    adds: tuple[str, ...]
    changes: tuple[tuple[str, str, str], ...]


COMPARED = tuple(dict.fromkeys(table.group for table in TABLES if table.operation))
"""The groups in which sets differ."""


def operations(bench: Bench) -> tuple[Operation, ...]:
    """Every operation that was measured with the plan or a set, in the tables' order."""
    return tuple(found for table in TABLES if table.operation for found in _operations(table, bench))


def _operations(table: Table, bench: Bench) -> Iterator[Operation]:
    ids = {entry.id for entry in table.entries}
    numbers = sorted({one.vcpus for one in bench.series if one.id in ids})
    for vcpus in numbers if table.many else numbers[:1]:
        found = tuple(_costs(table, vcpus, bench))
        if any(cost.median is not None for cost in found):
            yield Operation(table.operation, table.title, vcpus if table.many else None, found)


def _costs(table: Table, vcpus: int, bench: Bench) -> Iterator[Cost]:
    plan: Series | None = None
    for one in bench.sets:
        if one.same_as or one.refused:
            continue
        series = used(table, one, [it for it in bench.series if it.vcpus == vcpus and it.cycles])
        plan = series if one.id == PLAN else plan
        if series is None:
            yield Cost(one.id, "", None, None, None, None, Gain.ABSENT)
            continue
        middle = median(series.cycles)
        ratio = middle / median(plan.cycles) if plan and middle and median(plan.cycles) else None
        gain = compare(plan.cycles, series.cycles) if plan else Gain.ABSENT
        way = next(entry.title for entry in table.entries if entry.id == series.id)
        yield Cost(one.id, way, middle, *quarters(series.cycles), ratio, Gain.ORDINARY if one.id == PLAN else gain)


def used(table: Table, guest: SetGuest, series: Sequence[Series]) -> Series | None:
    """The way that a set leads a guest to, of those that the guest has, which need not be the fastest; None for none.

    Args:
        table: the operation.
        guest: the set.
        series: all that was measured with one number of vCPUs.
    """
    own = {one.id: one for one in series if _is_of(one, guest.id)}
    enlightened = [entry.id for entry in reversed(table.entries) if entry.enlightened]
    if any(row_id in table.ordinary_with for row_id, _ in guest.rows):
        enlightened = []
    return next((own[number] for number in (*enlightened, table.entries[0].id) if number in own), None)


def _is_of(series: Series, name: str) -> bool:
    if name in (PLAN, NONE):
        return not series.set and series.enlightened == (name == PLAN)
    return series.set == name


def needed(bench: Bench) -> tuple[Series, ...]:
    """The series less those of sets' guests that no comparison looks at: files have a limit."""
    kept = set()
    for one in bench.sets:
        for table in TABLES if one.id not in (PLAN, NONE) else ():
            for vcpus in {series.vcpus for series in bench.series}:
                found = used(table, one, [series for series in bench.series if series.vcpus == vcpus])
                if table.operation and found:
                    kept.add((found.set, found.id, vcpus))
    return tuple(one for one in bench.series if not one.set or (one.set, one.id, one.vcpus) in kept)


def difference(guest: SetGuest, plan: SetGuest) -> Difference:
    """How a set differs from the plan; what neither harms nor helps a guest is passed over."""
    theirs, ours = dict(guest.rows), dict(plan.rows)
    both = [row_id for row_id in theirs if row_id in ours]
    return Difference(
        tuple(row_id for row_id in ours if row_id not in theirs and _matters(row_id)),
        tuple(row_id for row_id in theirs if row_id not in ours and _matters(row_id)),
        tuple((row_id, theirs[row_id] or "", ours[row_id] or "") for row_id in both if theirs[row_id] != ours[row_id]),
    )


def _matters(row_id: str) -> bool:
    # A file of another version may have rows that this one does not know.
    return row_id not in BY_ID or BY_ID[row_id].advice is not Advice.LEAVE
