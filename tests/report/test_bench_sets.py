"""What is said of platforms' sets: text in three widths, JSON, and cells of the page."""

from __future__ import annotations

import json
import re

import jsonschema
import pytest

from hvctl.bench.compare import Gain
from hvctl.bench.file import HostState
from hvctl.bench.sets import Cost
from hvctl.catalog.sets import SETS_BY_ID
from hvctl.report.bench import bench_html, bench_json, bench_text
from hvctl.report.bench_sets import mark_of, sets_page, times
from tests.made_bench import made_bench, made_sets
from tests.paths import schema

BENCH = made_sets()
CLOCK = """\
clock: reading the clock
  plan         reference TSC page      24.7 ns   +/-1%       1
  nova         reference TSC page      24.7 ns   +/-1%       =
  none         ACPI PM timer            2.1 us   +/-1%      87

"""
SUMMARY = """\
what your platform's default costs on this host
                 clock    EOI  flush    IPI  timer nested
  plan               1      1      1      1      1      1
  nova               =      =      =      =    1.1    1.6
  ovirt          as plan
  proxmox        does not run here
  none              87    2.1    2.4    1.3    1.1    1.6

times the plan's median, in the way that each set leads a guest to: 1 the plan,
    = no significant difference from it; flush and IPI with 8 vCPUs; timer is
    arming one, not how often a guest does so
"""


def test_the_tables() -> None:
    text = bench_text(BENCH)
    assert CLOCK in text
    assert text.endswith(SUMMARY)
    assert text.startswith("windows-11: 7 runs with the plan and each set in turn\n")


def test_what_a_set_leaves_out_and_adds_is_named() -> None:
    text = " ".join(bench_text(BENCH).split())
    assert "leaves out stimer, stimer-direct, emsr-bitmap adds reset" in text
    assert "the same here as plan" in text
    assert "does not run here: Hyper-V enlightened VMCS is not supported by kernel" in text


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("runs", [1, 7])
def test_every_line_fits(width: int, runs: int) -> None:
    text = bench_text(made_sets(runs=runs), width=width)
    longest = max(text.splitlines(), key=len)
    assert len(longest) <= width, longest
    assert text.isascii()


def test_nothing_is_claimed_from_too_few_runs() -> None:
    text = bench_text(made_sets(runs=4))
    assert re.search(r"^  none +\? +\? +\?", text, re.MULTILINE)
    assert "? fewer than 5 runs cannot tell" in " ".join(text.split())


@pytest.mark.parametrize(("ratio", "mark"), [(0.994, "0.99"), (0.996, "="), (1.004, "="), (1.006, "1.01")])
def test_what_is_too_little_to_show_is_the_same(ratio: float, mark: str) -> None:
    gain = Gain.SLOWER if ratio > 1 else Gain.FASTER
    assert mark_of(Cost("a", "APIC", ratio, ratio, ratio, ratio, gain)) == mark


def test_colour_takes_no_room() -> None:
    coloured = bench_text(BENCH, color=True)
    assert "\x1b[31m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == bench_text(BENCH)


def test_json_has_the_sets_with_sources_and_costs() -> None:
    document = json.loads(bench_json(BENCH))
    jsonschema.Draft7Validator(schema("bench")).validate(document)
    assert document["release"] == "windows-11"
    plan, nova, ovirt, proxmox, none = document["sets"]
    assert nova["sources"] == list(SETS_BY_ID["nova"].sources)
    assert nova["leaves_out"] == ["stimer", "stimer-direct", "emsr-bitmap"]
    assert nova["adds"] == ["reset"]
    assert (ovirt["same_as"], ovirt["costs"]) == ("plan", [])
    assert proxmox["refused"]
    clock = none["costs"][0]
    assert (clock["operation"], clock["way"], clock["gain"]) == ("clock", "ACPI PM timer", "slower")
    assert clock["ratio"] == pytest.approx(86.667)
    assert plan["costs"][0]["gain"] == "ordinary"
    assert json.loads(bench_json(made_bench()))["sets"] == []


def test_a_set_of_another_version_is_shown_as_it_is() -> None:
    sets = (BENCH.sets[0], BENCH.sets[1]._replace(id="tomorrow"))
    other = BENCH._replace(
        sets=sets, series=tuple(one._replace(set="tomorrow" if one.set else "") for one in BENCH.series)
    )
    assert "  tomorrow     reference TSC page" in bench_text(other)
    assert json.loads(bench_json(other))["sets"][1]["title"] is None


def test_the_page_has_the_same() -> None:
    page = bench_html(BENCH)
    assert "What your platform&#39;s default costs on this host" in page or "What your platform's default costs" in page
    assert "LibvirtVmXmlBuilder.java" in page
    assert "<svg" not in page
    cells = sets_page(BENCH)
    assert cells.columns == ["clock", "EOI", "flush", "IPI", "timer", "nested"]
    rows = {row["id"]: row["cells"] for row in cells.rows}
    assert rows["none"][0] == {"text": "87", "style": "slower"}
    assert rows["proxmox"] == [{"text": "does not run here", "style": "none"}]


def test_hostile_words_are_escaped() -> None:
    hostile = BENCH.sets[1]._replace(refused="<script>")
    page = bench_html(BENCH._replace(host=HostState(1), sets=(BENCH.sets[0], hostile)))
    assert "<script>" not in page


@pytest.mark.parametrize(
    ("ratio", "text"), [(1897.4, "1897"), (12.3, "12"), (2.06, "2.1"), (1.04, "1.04"), (0.85, "0.85"), (0.004, "0.00")]
)
def test_ratios_have_two_digits(ratio: float, text: str) -> None:
    assert times(ratio) == text
