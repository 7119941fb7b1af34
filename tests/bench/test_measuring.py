"""The measuring guest: its report, and real boots of it under TCG."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvctl.bench.compare import GROUPS, NESTED, SINGLE, TABLES, mask
from hvctl.bench.file import Boot, Took
from hvctl.bench.measuring import FIELDS, Setup, boot, first_sentence, load, measure, read_boot
from hvctl.errors import HostError, RefusedError
from hvctl.verify.probe_report import ReportError
from tests.made_observation import sealed
from tests.run.running import QEMU

LINES = ["hvctl-bench 1", "cpus 2 2", "took 10 7d0 a b c d e", "took 60 1 1 1 1 1 1", "missing 11"]
TCG = (QEMU, "-accel", "tcg", "-cpu", "max")


def test_a_report_is_read() -> None:
    found = read_boot(sealed(LINES))
    assert found == Boot(2, 2, (Took(0x10, 2000, (10, 11, 12, 13, 14)), Took(0x60, 1, (1, 1, 1, 1, 1))), (0x11,))
    assert found.took[0].each == 12 / 2000
    assert read_boot(sealed([*LINES, "lost 3"])).lost == 3


@pytest.mark.parametrize(
    "lines",
    [
        LINES[:1],
        ["hvctl-probe 1", *LINES[1:]],
        [*LINES, "cpus 2 2"],
        [*LINES, "lost 1", "lost 1"],
        [*LINES, "took 10 1 1 1 1 1 1"],
        [*LINES, "took 12 0 1 1 1 1 1"],
        [*LINES, "took 12 1 1 1 0 1 1"],
        [*LINES, "took 12 1 1 1 1 1"],
        [*LINES, "leaf 0 0 0 0 0 0"],
        [*LINES, "nolongmode"],
        [*LINES, "died 6 0 8000"],
    ],
    ids=lambda lines: lines[-1],
)
def test_what_is_no_report_is_refused(lines: list[str]) -> None:
    with pytest.raises(ReportError):
        read_boot(sealed(lines))


@given(st.lists(st.sampled_from([*LINES, *FIELDS, "took 1 1 1 1 1 1 fault", "missing ffffffff"]), max_size=12))
def test_a_hostile_guest_is_refused_or_read(lines: list[str]) -> None:
    try:
        assert read_boot(sealed([LINES[0], *lines])).wanted == 2
    except ReportError:
        return


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_a_boot_measures_what_it_is_asked_for(machine: str) -> None:
    argv = (*TCG, "-machine", machine, "-smp", "2")
    for group in GROUPS:
        found = boot(Setup(argv, False, 2, mask((group,))))
        known = {entry.id for table in TABLES if table.group == group for entry in table.entries}
        plain = {
            entry.id for table in TABLES if table.group == group for entry in table.entries if not entry.enlightened
        }
        took = {one.id for one in found.took}
        assert took | set(found.missing) >= plain
        assert took | set(found.missing) <= known
        assert all(one.each > 0 for one in found.took)


def test_a_machine_without_an_hpet_says_so() -> None:
    found = boot(Setup((*TCG, "-machine", "q35,hpet=off"), False, 1, mask(("clock",))))
    assert 0x14 in found.missing


def test_a_nested_guest_is_woken_and_interrupted_and_flushed() -> None:
    """By QEMU's emulated SVM alone; without that all is missing."""
    own = {0x70, 0x71, 0x72, 0x73, 0x80, 0x81}
    for cpu, took, missing in (("max", own, set()), ("max,svm=off", set(), own)):
        argv = (QEMU, "-accel", "tcg", "-cpu", cpu, "-smp", "1")
        found = boot(Setup(argv, False, 1, mask((NESTED,))))
        assert ({one.id for one in found.took}, set(found.missing)) == (took, missing)


def test_runs_alternate_and_each_has_a_value() -> None:
    argv = (*TCG, "-machine", "pc", "-smp", "1")
    steps: list[int] = []
    setups = [Setup(argv, enlightened, 1, mask(("exit",))) for enlightened in (False, True)]
    found = measure(setups, 3, lambda: steps.append(1))
    assert len(steps) == 6
    assert {(one.id, one.enlightened, len(one.cycles)) for one in found.series} == {
        (number, enlightened, 3) for number in (0x30, 0x31) for enlightened in (False, True)
    }


def test_vcpus_that_do_not_start_are_an_error() -> None:
    with pytest.raises(HostError, match="of 4 vCPUs 2 started"):
        boot(Setup((*TCG, "-machine", "pc", "-smp", "2"), False, 4, 0))


def test_a_refusal_is_told() -> None:
    with pytest.raises(RefusedError, match="unable to find CPU model"):
        boot(Setup((QEMU, "-accel", "tcg", "-cpu", "nosuch"), False, 1, 0))


def test_a_set_that_does_not_run_does_not_end_the_others() -> None:
    ready = Setup((*TCG, "-machine", "pc", "-smp", "1"), True, 1, mask(("exit",)))
    unknown = Setup((QEMU, "-accel", "tcg", "-cpu", "nosuch"), True, 1, mask(("exit",)), "a")
    lost = ready._replace(set="c", vcpus=2)
    steps: list[int] = []
    found = measure([ready, unknown, ready._replace(set="b"), lost], 2, lambda: steps.append(1))
    assert len(steps) == 8
    why = "of 2 vCPUs 1 started, and 0 answers did not come in time"
    assert found.refused == {"a": "unable to find CPU model 'nosuch'", "c": why}
    assert {(one.set, len(one.cycles)) for one in found.series} == {("", 2), ("b", 2)}


def test_a_refusal_is_its_first_sentence() -> None:
    error = RefusedError("qemu-system-x86_64: hv-a requires hv-b\nso nothing starts")
    assert first_sentence(error, "/usr/bin/qemu-system-x86_64") == "hv-a requires hv-b"


def test_load_is_what_runs_now() -> None:
    """Not what ran in the last minute, which the kernel's average has. Many, as the other tests run beside it."""
    with busy(16):
        before = load()
    assert before is not None
    assert before >= 15.5
    after = load()
    assert after is not None
    assert after <= before - 8


@contextmanager
def busy(count: int) -> Iterator[None]:
    words = [sys.executable, "-S", "-c", "print(flush=True)\nwhile True: pass"]
    with ExitStack() as stack:
        for _ in range(count):
            process = stack.enter_context(subprocess.Popen(words, stdout=subprocess.PIPE))
            stack.callback(process.kill)
            assert process.stdout is not None
            process.stdout.readline()
        yield


def test_groups_are_all_in_tables() -> None:
    assert {table.group for table in TABLES} == set(GROUPS)
    assert {table.group for table in TABLES if not table.many} == set(SINGLE)
    assert mask(tuple(GROUPS)) == 127
