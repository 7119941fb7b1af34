"""What a guest pays with a set: the way that it leads a guest to, against the plan's, and never from too few runs."""

from __future__ import annotations

import pytest

from hvctl.bench.compare import TABLES, Gain, Table
from hvctl.bench.file import PLAN, Bench, Series, SetGuest, load_bench
from hvctl.bench.sets import COMPARED, difference, needed, operations, used
from hvctl.report.bench import bench_json
from tests.made_bench import made_sets

BENCH = made_sets()


def table(operation: str) -> Table:
    return next(one for one in TABLES if one.operation == operation)


def ways(name: str, bench: Bench = BENCH) -> dict[str, str]:
    return {one.name: cost.way for one in operations(bench) for cost in one.costs if cost.set == name}


def test_a_guest_uses_the_way_that_its_set_leads_it_to() -> None:
    assert ways(PLAN) == {
        "clock": "reference TSC page",
        "EOI": "MSR, VP assist page",
        "flush": "hypercall",
        "IPI": "hypercall",
        "timer": "synthetic timer",
        "nested": "enlightened MSR bitmap",
    }
    assert ways("none") == {
        "clock": "ACPI PM timer",
        "EOI": "APIC in memory",
        "flush": "interrupts",
        "IPI": "APIC",
        "timer": "APIC, one-shot",
        "nested": "plain VMCS or VMCB",
    }
    assert ways("nova") == {**ways(PLAN), "timer": "APIC, one-shot", "nested": "plain VMCS or VMCB"}


def test_without_a_valid_page_the_counter_is_read() -> None:
    one = SetGuest(PLAN, ())
    series = [Series(0x12, True, 1, (2.0,)), Series(0x13, True, 1, (3.0,))]
    found = used(table("clock"), one, series)
    assert found is not None
    assert found.id == 0x12


def test_a_guest_that_is_told_to_leave_the_apic_to_the_hardware_uses_it_in_memory() -> None:
    own = [Series(number, True, 8, (1.0,), "a") for number in (0x20, 0x21, 0x22)]
    assert used(table("EOI"), SetGuest("a", (("vapic", None),)), own) == own[2]
    assert used(table("EOI"), SetGuest("a", (("vapic", None), ("avic", None))), own) == own[0]


def test_costs_are_against_the_plan() -> None:
    clock = operations(BENCH)[0]
    plan, _, none = clock.costs
    assert (plan.ratio, plan.gain) == (1, Gain.ORDINARY)
    assert none.ratio == pytest.approx(5200 / 60)
    assert none.gain is Gain.SLOWER


def test_nothing_is_claimed_from_too_few_runs() -> None:
    for operation in operations(made_sets(runs=4)):
        assert {cost.gain for cost in operation.costs if cost.set != PLAN} <= {Gain.FEW, Gain.ABSENT}


def test_ways_of_the_plan_and_of_sets_are_not_mixed() -> None:
    """Older answers look at the plan and the guest without anything only."""
    from hvctl.bench.compare import answers, changes
    from tests.made_bench import made_bench

    groups = BENCH.groups
    assert answers(BENCH) == answers(made_bench(groups=groups))
    assert changes(BENCH, BENCH) == changes(made_bench(groups=groups), made_bench(groups=groups))


def test_what_no_comparison_needs_is_not_kept() -> None:
    kept = needed(BENCH)
    assert {one.set for one in kept} == {"", "nova"}
    assert len([one for one in kept if one.set]) == sum(3 if one.many else 1 for one in TABLES if one.operation)
    assert operations(BENCH._replace(series=kept)) == operations(BENCH)


def test_a_set_that_does_not_start_or_is_another_has_no_costs() -> None:
    assert {cost.set for one in operations(BENCH) for cost in one.costs} == {PLAN, "nova", "none"}


def test_what_differs_is_named_and_what_does_not_matter_is_not() -> None:
    plan = SetGuest(PLAN, (("vapic", None), ("spinlocks", "8191"), ("vendor-id", "Microsoft Hv"), ("stimer", None)))
    other = SetGuest("a", (("spinlocks", "4095"), ("reset", None), ("vapic", None), ("of-another-version", None)))
    assert difference(other, plan) == (("stimer",), ("reset", "of-another-version"), (("spinlocks", "4095", "8191"),))


def test_what_is_written_is_read_again() -> None:
    assert load_bench(bench_json(BENCH), "a.json") == BENCH


def test_sets_differ_in_these_groups() -> None:
    assert len(COMPARED) == 6
    assert "exit" not in COMPARED
