"""Measurements for people: tables of ways to do a thing, with what the runs can tell."""

from __future__ import annotations

from hvctl.bench.compare import FEWEST_RUNS, Answered, Gain, Line, answers
from hvctl.bench.since import Change, changes, differences
from hvctl.model.bench import Bench
from hvctl.report.paint import BOLD, GREEN, RED, Paint
from hvctl.report.wrap import wrapped

BUSY, STOLEN = 0.5, 1.0
_BAR = 10
_COLORS = {Gain.FASTER: GREEN, Gain.SLOWER: RED}
LEGEND = "* with enlightenments; the time is that of the median run, and half of the runs lie within +/-"
NESTED = (
    "not measured: exits of a guest inside the guest with and without the enlightened VMCS, for which this guest would "
    "have to be a hypervisor (Intel only)"
)


def bench_text(bench: Bench, before: Bench | None = None, *, width: int = 80, color: bool = False) -> str:
    """The whole report: what was run, on what, the doubts, the tables, and what has changed since `before`."""
    paint = Paint(color)
    lines = [paint(f"{bench.guest}: {headline(bench)}", BOLD)]
    for fact in (*host_facts(bench), *(f"note: {doubt}" for doubt in doubts(bench))):
        lines += wrapped(fact, width, 2, 6)
    for answered in answers(bench):
        lines += ["", paint(question(answered, bench), BOLD), *_table(answered, bench, paint)]
    lines += ["", *wrapped(LEGEND, width)]
    lines += wrapped(NESTED, width)
    if before:
        lines += ["", *since_lines(before, bench, paint)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def headline(bench: Bench) -> str:
    """What was done, in half a sentence."""
    return f"{bench.runs} {'run' if bench.runs == 1 else 'runs'} with and without its enlightenments in turn"


def host_facts(bench: Bench) -> list[str]:
    """What the measurements were made on."""
    host = bench.host
    cpus = "1 CPU" if host.cpus == 1 else f"{host.cpus} CPUs"
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
    vcpus = "" if change.vcpus is None else f" ({change.vcpus} vCPUs)"
    what = f"{change.title}: {change.way}{' *' if change.enlightened else ''}{vcpus}"
    times = f"{_plain(change.old, bench)} > {_plain(change.new, bench)}"
    ratio = change.old / change.new if change.gain is Gain.FASTER else change.new / change.old
    return f"  {what}\n{'':<6}{times:<24} {paint(f'{ratio:.2f} x {change.gain}', _COLORS[change.gain])}"


def _plain(value: float, bench: Bench) -> str:
    """Changes are in nanoseconds already where both frequencies are known."""
    return time_text(value, 1_000_000_000 if bench.tsc_hz else None)


def question(answered: Answered, bench: Bench) -> str:
    """The title of a table."""
    if answered.vcpus is None:
        return answered.title
    cpus = f"{bench.host.cpus} CPU{'' if bench.host.cpus == 1 else 's'}"
    return f"{answered.title} ({answered.vcpus} vCPU{'' if answered.vcpus == 1 else 's'} on {cpus})"


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


def time_text(cycles: float, tsc_hz: int | None) -> str:
    """A duration with three digits; cycles where the frequency is not known."""
    if not tsc_hz:
        return f"{cycles:.0f}"
    value = cycles * 1e9 / tsc_hz
    for unit in ("ns", "us", "ms"):
        if value < 999.5:
            return f"{value:.{0 if value >= 99.95 else 1}f} {unit}"
        value /= 1000
    return f"{value:.2f} s"
