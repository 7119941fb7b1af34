"""What is said of measurements: in 80 columns, without colour, and with its doubts."""

from __future__ import annotations

import re

import pytest

from hvctl.bench.compare import GROUPS
from hvctl.report.bench import bench_text, doubts
from hvctl.report.console import time_text
from tests.made_bench import HOST, made_bench

CLOCK = """\
windows-11: 7 runs with and without its enlightenments in turn
  Made EPYC, 8 CPUs, TSC 2500 MHz
  Linux 6.12.0, QEMU 10.0.13, clock source tsc
  load 0.10, steal 0.0 %, CPU governor performance

reading the clock
  ACPI PM timer             2.1 us   +/-1%  #########
  HPET                      2.5 us   +/-1%  ########## 1.2 x slower
  reference counter MSR *   1.0 us   +/-1%  ####       2.1 x faster
  reference TSC page *     24.7 ns   +/-1%  #          87 x faster
  RDTSC alone              10.3 ns   +/-1%  #          208 x faster

* with enlightenments; the time is that of the median run, and half of the runs
    lie within +/-
"""


def test_a_table() -> None:
    assert bench_text(made_bench(groups=("clock",))) == CLOCK


def test_few_runs_and_ways_that_are_missing() -> None:
    bench = made_bench(runs=3, groups=("clock",))
    text = bench_text(bench._replace(series=tuple(one for one in bench.series if one.id != 0x14)))
    assert "note: no gain is named from fewer than 5 runs" in text
    assert re.search(r"^  HPET +- +not measured$", text, re.MULTILINE)
    assert re.search(r"^  reference TSC page \* .* too few runs to tell$", text, re.MULTILINE)


@pytest.mark.parametrize("runs", [1, 4, 7])
def test_every_line_fits(runs: int) -> None:
    here = made_bench(runs=runs)
    for bench in (here, made_bench(runs=runs, factor=1e6), here._replace(tsc_hz=None)):
        text = bench_text(bench, made_bench(runs=runs, factor=3))
        longest = max(text.splitlines(), key=len)
        assert len(longest) <= 80, longest
        assert text.isascii()
        assert text.count("vCPUs on 8 CPUs)") == 6


def test_what_has_changed() -> None:
    other = made_bench(factor=0.5, host=HOST._replace(kernel="6.13.0"))
    lines = bench_text(other, made_bench()).splitlines()
    assert "  kernel: 6.12.0, now 6.13.0" in lines
    at = lines.index("  reading the clock: ACPI PM timer")
    assert lines[at + 1].split() == ["2.1", "us", ">", "1.1", "us", "2.00", "x", "faster"]
    same = bench_text(made_bench(), made_bench())
    assert "ways: no significant difference" in same
    assert "nothing was measured in both" in bench_text(made_bench(groups=("clock",)), made_bench(groups=("exit",)))


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ({"virtual": True}, "virtual machine or emulated itself"),
        ({"virtual": None}, "is not known"),
        ({"load": 7.5}, "busy with other things (load 7.50 on 8 CPUs)"),
        ({"steal": 2.5}, "2.5 % of the time was taken"),
        ({"clocksource": "hpet"}, "the reference TSC page is not valid here"),
        ({"governor": "powersave"}, "the CPU governor powersave changes the frequency"),
    ],
)
def test_doubts_are_told(host: dict[str, object], says: str) -> None:
    assert doubts(made_bench()) == []
    (doubt,) = doubts(made_bench(host=HOST._replace(**host)))  # type: ignore[arg-type]
    assert says in doubt


def test_an_emulated_clock_is_told() -> None:
    emulated = made_bench()._replace(missing=(1,), tsc_hz=250_000_000)
    (doubt,) = doubts(emulated)
    assert doubt.endswith("counts instructions: 1 us is 250 of them")
    (doubt,) = doubts(emulated._replace(tsc_hz=None))
    assert doubt.endswith("counts instructions: the figures are their number")


def test_what_needs_a_hypervisor_in_the_guest_is_told_where_there_is_none() -> None:
    (doubt,) = doubts(made_bench()._replace(missing=(0x70, 0x71, 0x72)))
    assert "the guest's CPU has neither vmx nor svm" in doubt


@pytest.mark.parametrize(
    ("cycles", "hertz", "text"),
    [
        (25, 2_500_000_000, "10.0 ns"),
        (250, 2_500_000_000, "100 ns"),
        (2498, 2_500_000_000, "999 ns"),
        (2499, 2_500_000_000, "1.0 us"),
        (2_500_000, 2_500_000_000, "1.0 ms"),
        (5_000_000_000, 2_500_000_000, "2.00 s"),
        (123.4, None, "123"),
    ],
)
def test_times_have_three_digits(cycles: float, hertz: int | None, text: str) -> None:
    assert time_text(cycles, hertz) == text


def test_colour_takes_no_room() -> None:
    bench = made_bench(groups=tuple(GROUPS))
    coloured = bench_text(bench, bench, color=True)
    assert "\x1b[32m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == bench_text(bench, bench)
