"""What a guest pays with other platforms' sets of enlightenments, for people, for programs, and for the page."""

from typing import Any, NamedTuple

from hvctl.bench.compare import FEWEST_RUNS, TIMER, Gain
from hvctl.bench.file import Bench, SetGuest, set_content
from hvctl.bench.sets import Cost, Difference, Operation, difference, operations
from hvctl.catalog.sets import SETS_BY_ID
from hvctl.catalog.windows import system_of
from hvctl.report.console import BOLD, GREEN, RED, Paint, time_text, wrapped
from hvctl.text.problems import counted

_NAME, _WAY, _TIME, _CELL = 13, 23, 8, 7
# Columns from which a table has room for the spread of the runs.
_WITH_SPREAD = 70
_COLORS = {Gain.FASTER: GREEN, Gain.SLOWER: RED}
_MARKS = {Gain.ORDINARY: "1", Gain.SAME: "=", Gain.FEW: "?", Gain.ABSENT: "-"}
_LEGEND = {
    "1": "the plan",
    "=": "no significant difference from it",
    "?": f"fewer than {FEWEST_RUNS} runs cannot tell",
    "-": "not measured",
}


def sets_lines(bench: Bench, width: int, paint: Paint) -> list[str]:
    """The sets, each operation with them, and one table of all."""
    found = operations(bench)
    lines = ["", *wrapped(_heading(bench), width)]
    for one in bench.sets[1:]:
        lines += [
            f"  {paint(one.id, BOLD)}",
            *(line for said in about(one, bench) for line in wrapped(said, width, 4, 6)),
        ]
    for operation in found:
        lines += ["", paint(_title(operation), BOLD)]
        lines += [_cost(cost, bench, paint, spread=width >= _WITH_SPREAD) for cost in operation.costs]
    return [*lines, "", *_summary(bench, found, width, paint)]


def about(one: SetGuest, bench: Bench) -> list[str]:
    """A set against the plan, in short sentences."""
    platform = SETS_BY_ID.get(one.id)
    told = [platform.title + (f" ({platform.note})" if platform.note else "")] if platform else []
    other = difference(one, bench.sets[0])
    if one.rows:
        told += [f"leaves out {', '.join(other.leaves_out)}"] if other.leaves_out else []
        told += [f"adds {', '.join(other.adds)}"] if other.adds else []
        told += [f"has {theirs} for {row_id}, not {ours}" for row_id, theirs, ours in other.changes]
    told += [f"the same here as {one.same_as}"] if one.same_as else []
    return [*told, f"does not run here: {one.refused}"] if one.refused else told


def _heading(bench: Bench) -> str:
    return f"compared with the plan: what others give {system_of(bench.release).title}"


def _title(operation: Operation) -> str:
    vcpus = f" ({counted(operation.vcpus, 'vCPU')})" if operation.vcpus else ""
    return f"{operation.name}: {operation.title}{vcpus}"


def _cost(cost: Cost, bench: Bench, paint: Paint, *, spread: bool) -> str:
    time, range_ = "", ""
    if cost.median and cost.low is not None and cost.high is not None:
        time = time_text(cost.median, bench.tsc_hz)
        range_ = f" {f'+/-{100 * (cost.high - cost.low) / 2 / cost.median:.0f}%':>7}" if spread else ""
    mark = f"{mark_of(cost):>8}"
    shown = paint(mark, _COLORS[cost.gain]) if _differs(cost) else mark
    return f"  {cost.set:<{_NAME}}{cost.way:<{_WAY}}{time:>{_TIME}}{range_}{shown}"


def mark_of(cost: Cost) -> str:
    """How many times the plan's time it is, or a sign that the legend explains."""
    return times(cost.ratio) if cost.ratio and _differs(cost) else _MARKS.get(cost.gain, _MARKS[Gain.SAME])


def _differs(cost: Cost) -> bool:
    """Whether a difference is significant, and large enough to show: 1.00 beside 1 would ask what it is."""
    return cost.gain in _COLORS and cost.ratio is not None and times(cost.ratio) != times(1)


def times(ratio: float) -> str:
    """A ratio with two digits at least."""
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}" if ratio >= 1.05 else f"{ratio:.2f}"


def _summary(bench: Bench, found: tuple[Operation, ...], width: int, paint: Paint) -> list[str]:
    columns = _columns(found)
    rows = [("", [operation.name for operation in columns]), *_rows(bench, columns)]
    lines = [paint("what your platform's default costs on this host", BOLD)]
    lines += [f"  {name:<{_NAME}}" + "".join(f"{cell:>{_CELL}}" for cell in cells) for name, cells in rows]
    used = {cell for _, cells in rows[1:] for cell in cells}
    return [*lines, "", *wrapped(legend(columns, used), width)]


def _columns(found: tuple[Operation, ...]) -> list[Operation]:
    """Each operation once: that of the fewest vCPUs which have others to reach."""
    columns: dict[str, Operation] = {}
    for operation in found:
        if operation.vcpus != 1:
            columns.setdefault(operation.name, operation)
    return list(columns.values())


def _rows(bench: Bench, columns: list[Operation]) -> list[tuple[str, list[str]]]:
    rows = []
    for one in bench.sets:
        if one.refused:
            rows.append((one.id, ["  does not run here"]))
        elif one.same_as:
            rows.append((one.id, [f"  as {one.same_as}"]))
        else:
            costs = [next(cost for cost in operation.costs if cost.set == one.id) for operation in columns]
            rows.append((one.id, [mark_of(cost) for cost in costs]))
    return rows


def legend(columns: list[Operation], used: set[str]) -> str:
    """What the figures are, and the signs among them."""
    signs = [f"{sign} {meaning}" for sign, meaning in _LEGEND.items() if sign in used]
    shared = [operation for operation in columns if operation.vcpus]
    many = f"; {' and '.join(one.name for one in shared)} with {shared[0].vcpus} vCPUs" if shared else ""
    timer = "; timer is arming one, not how often a guest does so" if any(one.name == TIMER for one in columns) else ""
    return f"times the plan's median, in the way that each set leads a guest to: {', '.join(signs)}{many}{timer}"


def sets_json(bench: Bench) -> list[dict[str, Any]]:
    """Each set as the measurement has it, with what it differs in and what it costs."""
    found = operations(bench)
    return [
        {
            **set_content(one),
            "title": SETS_BY_ID[one.id].title if one.id in SETS_BY_ID else None,
            "sources": list(SETS_BY_ID[one.id].sources) if one.id in SETS_BY_ID else [],
            **_difference_json(difference(one, bench.sets[0])),
            "costs": [
                _cost_json(operation, cost) for operation in found for cost in operation.costs if cost.set == one.id
            ],
        }
        for one in bench.sets
    ]


def _difference_json(other: Difference) -> dict[str, Any]:
    changes = [{"id": row_id, "value": theirs, "plan": ours} for row_id, theirs, ours in other.changes]
    return {"leaves_out": list(other.leaves_out), "adds": list(other.adds), "changes": changes}


def _cost_json(operation: Operation, cost: Cost) -> dict[str, Any]:
    figures = {name: getattr(cost, name) for name in ("median", "low", "high", "ratio")}
    rounded = {name: None if value is None else round(value, 3) for name, value in figures.items()}
    named = {"operation": operation.name, "title": operation.title, "vcpus": operation.vcpus}
    return {**named, "way": cost.way or None, **rounded, "gain": cost.gain}


class Page(NamedTuple):
    """What the page shows of the sets."""

    heading: str
    sets: list[dict[str, Any]]
    tables: list[dict[str, Any]]
    columns: list[str]
    rows: list[dict[str, Any]]
    legend: str


def sets_page(bench: Bench) -> Page:
    """The same as the text, in cells."""
    found = operations(bench)
    columns = _columns(found)
    rows = _rows(bench, columns)
    tables = [
        {"title": _title(operation), "costs": [_cells(cost, bench) for cost in operation.costs]} for operation in found
    ]
    sets = [{"id": one.id, "about": about(one, bench), "sources": _sources(one)} for one in bench.sets[1:]]
    return Page(
        _heading(bench),
        sets,
        tables,
        [operation.name for operation in columns],
        [{"id": name, "cells": [_styled(cell) for cell in cells]} for name, cells in rows],
        legend(columns, {cell for _, cells in rows for cell in cells}),
    )


def _sources(one: SetGuest) -> tuple[str, ...]:
    return SETS_BY_ID[one.id].sources if one.id in SETS_BY_ID else ()


def _styled(cell: str) -> dict[str, str]:
    number = float(cell) if cell.replace(".", "", 1).isdecimal() and cell != "1" else 1.0
    return {"text": cell.strip(), "style": "slower" if number > 1 else "faster" if number < 1 else "none"}


def _cells(cost: Cost, bench: Bench) -> dict[str, str]:
    known = cost.median is not None and cost.low is not None and cost.high is not None
    spread = [time_text(value, bench.tsc_hz) for value in (cost.low, cost.high) if value is not None]
    return {
        "set": cost.set,
        "way": cost.way or "-",
        "time": time_text(cost.median, bench.tsc_hz) if known and cost.median else "-",
        "spread": " to ".join(spread),
        "mark": mark_of(cost),
        "style": str(cost.gain) if _differs(cost) else "none",
    }
