"""`hvctl bench` on the real KVM: coarse ratios that hold even where KVM itself is emulated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hvctl.bench.compare import GROUPS, SINGLE, Gain, answers, mask
from hvctl.bench.file import Bench, HostState, read_bench
from hvctl.bench.measuring import Setup, measure
from hvctl.cli import run
from hvctl.guest.command.writer import arguments
from hvctl.plan.resolve import resolve
from hvctl.profile.reader import load_profile
from hvctl.verify.probe_subject import plain
from tests.realkvm.real import QEMU, this_host

FLUSH = next(group for group in GROUPS if group not in SINGLE)
Note = Callable[[str], None]


@pytest.mark.world("debian-12")
def test_the_reference_tsc_page_is_a_hundred_times_cheaper_than_the_pm_timer(tmp_path: Path, note: Note) -> None:
    kept = tmp_path / "clock.json"
    words = ["minimal", "--only", "clock", "--vcpus", "1", "--runs", "5", "-q"]
    assert run(["bench", *words, "--format", "json", "-o", str(kept)]) == 0
    (clock,) = answers(read_bench(str(kept)))
    lines = {line.title: line for line in clock.lines}
    page, timer = lines["reference TSC page"], lines["ACPI PM timer"]
    assert timer.gain is Gain.ORDINARY
    assert page.gain is Gain.FASTER
    assert page.ratio is not None
    assert page.ratio >= 100
    note(f"bench: the reference TSC page is {page.ratio:.0f} times cheaper than the PM timer")


@pytest.mark.world("debian-13")
def test_busy_vcpus_are_flushed_sooner_by_hypercall(note: Note) -> None:
    """Two of them on the testbed's one CPU: the other one never runs while it is asked."""
    host = this_host()
    words = (*arguments(resolve(load_profile("windows-11"), (host,))), "-accel", "kvm", "-smp", "2")
    kinds = ((False, plain(words)), (True, words))
    setups = [Setup((QEMU, *kind), enlightened, 2, mask((FLUSH,))) for enlightened, kind in kinds]
    measured = measure(setups, 5, lambda: None)
    (table,) = answers(Bench("", (FLUSH,), 5, host.hardware.tsc_hz, HostState(1), measured.series))
    ratio = table.lines[1].ratio
    assert table.lines[1].gain is Gain.FASTER
    assert ratio is not None
    note(f"bench: {table.vcpus} busy vCPUs are flushed {ratio:.0f} times sooner by hypercall")
