"""Measurements as one HTML page that needs nothing else: no script, no font, no request.

The tables are the data; the bars beside the numbers are drawn in place as SVG, on a logarithmic scale, since what is
compared differs by factors of ten and more.
"""

from __future__ import annotations

from math import ceil, floor, log10
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from hvctl.bench.compare import Answered, Gain, Line, answers
from hvctl.bench.since import Change, changes, differences
from hvctl.model.bench import Bench
from hvctl.report.bench import NESTED, doubts, gain_text, headline, host_facts, question, time_text

# The width of a bar's drawing, in units of its own; the page stretches it.
WIDTH = 1000.0


class _Bar(NamedTuple):
    """A way of doing a thing: the bar's length, and the place of the middle half of the runs."""

    title: str
    style: str
    time: str
    spread: str
    gain: str
    gain_style: str
    length: float
    low: float
    high: float


class _Chart(NamedTuple):
    """One question. `ticks` are the places of the powers of ten, the first and last named by `ends`."""

    title: str
    bars: tuple[_Bar, ...]
    ticks: tuple[float, ...]
    ends: tuple[str, str]


class _Change(NamedTuple):
    what: str
    old: str
    new: str
    gain: str
    style: str


def bench_html(bench: Bench, before: Bench | None = None) -> str:
    """The page, ending in a newline.

    Args:
        bench: what was measured.
        before: an older measurement, to be compared with it.
    """
    environment = Environment(
        loader=PackageLoader("hvctl.report"), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    environment.filters["sentence"] = lambda text: text[:1].upper() + text[1:]
    return environment.get_template("bench.html.j2").render(
        title=f"{bench.guest}: what its enlightenments gain",
        headline=headline(bench),
        facts=host_facts(bench),
        doubts=doubts(bench),
        charts=[_chart(answered, bench) for answered in answers(bench)],
        nested=NESTED,
        since=None if before is None else [_change(change, bench) for change in changes(before, bench)],
        differences=() if before is None else differences(before, bench),
        width=WIDTH,
    )


def _chart(answered: Answered, bench: Bench) -> _Chart:
    values = [value for line in answered.lines for value in (line.low, line.median, line.high) if value]
    first = floor(log10(_scaled(min(values, default=1.0), bench)))
    last = max(first + 1, ceil(log10(_scaled(max(values, default=1.0), bench))))
    bars = tuple(_bar(line, bench, first, last) for line in answered.lines)
    ticks = tuple(WIDTH * place / (last - first) for place in range(last - first + 1))
    ends = (_named(10.0**first, bench), _named(10.0**last, bench))
    return _Chart(question(answered, bench), bars, ticks, ends)


def _bar(line: Line, bench: Bench, first: int, last: int) -> _Bar:
    style = "with" if line.enlightened else "ordinary" if line.gain is Gain.ORDINARY else "without"
    if line.median is None or line.low is None or line.high is None:
        return _Bar(line.title, style, "-", "", str(Gain.ABSENT), "none", 0, 0, 0)
    places = [
        round(WIDTH * max(0.0, log10(max(_scaled(value, bench), 1e-9)) - first) / (last - first), 1)
        for value in (line.median, line.low, line.high)
    ]
    spread = f"{time_text(line.low, bench.tsc_hz)} to {time_text(line.high, bench.tsc_hz)}"
    gain_style = {Gain.FASTER: "faster", Gain.SLOWER: "slower"}.get(line.gain, "none")
    return _Bar(line.title, style, _time(line.median, bench), spread, gain_text(line), gain_style, *places)


def _change(change: Change, bench: Bench) -> _Change:
    vcpus = "" if change.vcpus is None else f" ({change.vcpus} vCPUs)"
    with_ = ", with enlightenments" if change.enlightened else ""
    hertz = 1_000_000_000 if bench.tsc_hz else None
    style = {Gain.FASTER: "faster", Gain.SLOWER: "slower"}.get(change.gain, "none")
    ratio = max(change.old, change.new) / max(min(change.old, change.new), 1e-9)
    told = f"{ratio:.2f} x {change.gain}" if style != "none" else str(change.gain)
    what = f"{change.title}: {change.way}{with_}{vcpus}"
    return _Change(what, time_text(change.old, hertz), time_text(change.new, hertz), told, style)


def _scaled(cycles: float, bench: Bench) -> float:
    """In nanoseconds where the frequency is known, else in cycles."""
    return cycles * 1e9 / bench.tsc_hz if bench.tsc_hz else cycles


def _time(cycles: float, bench: Bench) -> str:
    return time_text(cycles, bench.tsc_hz) if bench.tsc_hz else f"{cycles:.0f} cycles"


def _named(value: float, bench: Bench) -> str:
    return time_text(value, 1_000_000_000) if bench.tsc_hz else f"{value:.0f} cycles"
