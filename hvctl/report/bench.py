"""Measurements for people, as tables of ways to do a thing with what the runs can tell; for programs; and as a page.

`hvctl bench --compare` reads the JSON again. The HTML page needs nothing else: no script, no font, no request. Its
tables are the data; the bars beside the numbers are drawn in place as SVG, on a logarithmic scale, since what is
compared differs by factors of ten and more.
"""

from math import ceil, floor, log10
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from hvctl.bench.compare import (
    FEWEST_RUNS,
    NO_HYPERVISOR,
    TIME,
    Answered,
    Change,
    Gain,
    Line,
    answers,
    changes,
    differences,
)
from hvctl.bench.file import Bench, content
from hvctl.report.bench_sets import sets_json, sets_lines, sets_page
from hvctl.report.console import BOLD, GREEN, RED, Paint, time_text, wrapped
from hvctl.text.json_document import write
from hvctl.text.problems import counted

BUSY, STOLEN = 0.5, 1.0
_BAR = 10
# The width of a bar's drawing in the page, in units of its own; the page stretches it.
WIDTH = 1000.0
_COLORS = {Gain.FASTER: GREEN, Gain.SLOWER: RED}
_STYLES = {Gain.FASTER: "faster", Gain.SLOWER: "slower"}
LEGEND = "* with enlightenments; the time is that of the median run, and half of the runs lie within +/-"


def bench_text(bench: Bench, before: Bench | None = None, *, width: int = 80, color: bool = False) -> str:
    """The whole report: what was run, on what, the doubts, the tables, and what has changed since `before`."""
    paint = Paint(color)
    lines = [paint(f"{bench.guest}: {headline(bench)}", BOLD)]
    for fact in (*host_facts(bench), *(f"note: {doubt}" for doubt in doubts(bench))):
        lines += wrapped(fact, width, 2, 6)
    if bench.sets:
        lines += sets_lines(bench, width, paint)
    else:
        for answered in answers(bench):
            lines += ["", paint(question(answered, bench), BOLD), *_table(answered, bench, paint)]
        lines += ["", *wrapped(LEGEND, width)]
    if before:
        lines += ["", *since_lines(before, bench, paint)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def headline(bench: Bench) -> str:
    """What was done, in half a sentence."""
    if bench.sets:
        return f"{counted(bench.runs, 'run')} with the plan and each set in turn"
    return f"{counted(bench.runs, 'run')} with and without its enlightenments in turn"


def host_facts(bench: Bench) -> list[str]:
    """What the measurements were made on."""
    host = bench.host
    cpus = counted(host.cpus, "CPU")
    tsc = f"TSC {bench.tsc_hz / 1e6:.0f} MHz" if bench.tsc_hz else "TSC frequency unknown: times are TSC cycles"
    named = f"{host.processor or 'unknown processor'}, {cpus}, {tsc}"
    software = (
        f"Linux {host.kernel or 'unknown'}, QEMU {host.qemu or 'unknown'}, clock source {host.clocksource or '?'}"
    )
    load = "unknown" if host.load is None else f"{host.load:.2f}"
    steal = "unknown" if host.steal is None else f"{host.steal:.1f} %"
    return [named, software, f"load {load}, steal {steal}, CPU governor {host.governor or 'none'}"]


def doubts(bench: Bench) -> list[str]:
    """Why the figures may mean less than they seem to."""
    host = bench.host
    found = []
    if host.virtual:
        found.append("this host is a virtual machine or emulated itself: only large ratios mean anything")
    if host.virtual is None:
        found.append("whether this host is a virtual machine itself is not known")
    if host.load is not None and host.load > BUSY * host.cpus:
        found.append(f"this host was busy with other things (load {host.load:.2f} on {host.cpus} CPUs)")
    if host.steal is not None and host.steal > STOLEN:
        found.append(f"{host.steal:.1f} % of the time was taken by this host's own host")
    if host.clocksource not in (None, "tsc"):
        found.append(f"the clock source is {host.clocksource}, not tsc: the reference TSC page is not valid here")
    if host.governor not in (None, "performance"):
        found.append(f"the CPU governor {host.governor} changes the frequency while things are measured")
    if TIME in bench.missing:
        number = f"1 us is {bench.tsc_hz / 1e6:.0f} of them" if bench.tsc_hz else "the figures are their number"
        found.append(f"this processor is emulated, and its TSC counts instructions: {number}")
    if NO_HYPERVISOR in bench.missing:
        found.append("exits of a nested guest were not measured: the guest's CPU has neither vmx nor svm")
    if bench.runs < FEWEST_RUNS:
        found.append(f"no gain is named from fewer than {FEWEST_RUNS} runs")
    return found


def since_lines(before: Bench, bench: Bench, paint: Paint) -> list[str]:
    """What both measurements have, and how it has changed."""
    found = changes(before, bench)
    changed = [change for change in found if change.gain in _COLORS]
    lines = [paint("since the older measurement", BOLD)]
    lines += [f"  {text}" for text in differences(before, bench)]
    lines += [_change(change, bench, paint) for change in changed]
    if not found:
        return [*lines, "  nothing was measured in both"]
    others = sum(change.gain is Gain.SAME for change in found)
    few = sum(change.gain is Gain.FEW for change in found)
    return [*lines, *(f"  {number} ways: {gain}" for number, gain in ((others, Gain.SAME), (few, Gain.FEW)) if number)]


def _change(change: Change, bench: Bench, paint: Paint) -> str:
    what = f"{change.title}: {change.way}{' *' if change.enlightened else ''}{_on(change)}"
    times = f"{_plain(change.old, bench)} > {_plain(change.new, bench)}"
    return f"  {what}\n{'':<6}{times:<24} {paint(_ratio(change), _COLORS[change.gain])}"


def _on(change: Change) -> str:
    return "" if change.vcpus is None else f" ({change.vcpus} vCPUs)"


def _ratio(change: Change) -> str:
    return f"{max(change.old, change.new) / max(min(change.old, change.new), 1e-9):.2f} x {change.gain}"


def _plain(value: float, bench: Bench) -> str:
    """Changes are in nanoseconds already where both frequencies are known."""
    return time_text(value, 1_000_000_000 if bench.tsc_hz else None)


def question(answered: Answered, bench: Bench) -> str:
    """The title of a table."""
    if answered.vcpus is None:
        return answered.title
    cpus = counted(bench.host.cpus, "CPU")
    return f"{answered.title} ({counted(answered.vcpus, 'vCPU')} on {cpus})"


def _table(answered: Answered, bench: Bench, paint: Paint) -> list[str]:
    longest = max((line.median or 0.0 for line in answered.lines), default=0.0)
    return [_line(line, longest, bench, paint) for line in answered.lines]


def _line(line: Line, longest: float, bench: Bench, paint: Paint) -> str:
    title = f"  {line.title + (' *' if line.enlightened else ''):<24}"
    if line.median is None or line.low is None or line.high is None:
        return f"{title}{'-':>8}{'':>20}{Gain.ABSENT}"
    spread = f"+/-{100 * (line.high - line.low) / 2 / line.median:.0f}%"
    bar = "#" * max(1, round(_BAR * line.median / longest)) if longest else ""
    gain = gain_text(line)
    shown = paint(gain, _COLORS[line.gain]) if line.gain in _COLORS else gain
    return f"{title}{time_text(line.median, bench.tsc_hz):>8} {spread:>7}  {bar:<{_BAR}} {shown}"


def gain_text(line: Line) -> str:
    """`12 x faster`, or what else there is to say."""
    if line.ratio is None or line.gain not in _COLORS:
        return "" if line.gain is Gain.ORDINARY else str(line.gain)
    factor = line.ratio if line.gain is Gain.FASTER else 1 / line.ratio
    return f"{factor:.{0 if factor >= 10 else 1}f} x {line.gain}"


def bench_json(bench: Bench, before: Bench | None = None) -> str:
    """The object that `bench --format json` prints, with a final newline: what was measured, and what that says."""
    answered = [_answered(one) for one in answers(bench)]
    since = None if before is None else [change._asdict() for change in changes(before, bench)]
    told = {"doubts": doubts(bench), "answers": answered, "since": since}
    return write({**content(bench), "sets": sets_json(bench), **told}) + "\n"


def _answered(answered: Answered) -> dict[str, Any]:
    ways = [{name: _rounded(value) for name, value in line._asdict().items()} for line in answered.lines]
    return {"group": answered.group, "title": answered.title, "vcpus": answered.vcpus, "ways": ways}


def _rounded(value: object) -> object:
    return round(value, 3) if isinstance(value, float) else value


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
        charts=[] if bench.sets else [_chart(answered, bench) for answered in answers(bench)],
        sets=sets_page(bench) if bench.sets else None,
        since=None if before is None else [_change_cells(change, bench) for change in changes(before, bench)],
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
    gain_style = _STYLES.get(line.gain, "none")
    return _Bar(line.title, style, _time(line.median, bench), spread, gain_text(line), gain_style, *places)


def _change_cells(change: Change, bench: Bench) -> dict[str, str]:
    enlightened = ", with enlightenments" if change.enlightened else ""
    return {
        "what": f"{change.title}: {change.way}{enlightened}{_on(change)}",
        "old": _plain(change.old, bench),
        "new": _plain(change.new, bench),
        "gain": _ratio(change) if change.gain in _STYLES else str(change.gain),
        "style": _STYLES.get(change.gain, "none"),
    }


def _scaled(cycles: float, bench: Bench) -> float:
    """In nanoseconds where the frequency is known, else in cycles."""
    return cycles * 1e9 / bench.tsc_hz if bench.tsc_hz else cycles


def _time(cycles: float, bench: Bench) -> str:
    return time_text(cycles, bench.tsc_hz) if bench.tsc_hz else f"{cycles:.0f} cycles"


def _named(value: float, bench: Bench) -> str:
    return time_text(value, 1_000_000_000) if bench.tsc_hz else f"{value:.0f} cycles"
