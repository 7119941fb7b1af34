"""Real migrations of a hypervisor whose own guest runs, and of a TSC that is scaled."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hvctl.guest.command.reader import read_command_line
from hvctl.host.probe import probe_host
from hvctl.migration.differences import Effect, Journey
from hvctl.migration.verdict import judge
from tests.realkvm.migration import LONG, Side, finished, running, until
from tests.realkvm.migration_guest import hypervisor
from tests.realkvm.real import QEMU, this_host
from tests.realkvm.test_migration import FULL, MACHINE, MISMATCH, NESTED, WORKS, Case, check, cpu, judged, names, tried

EVMCS = cpu(more=",hv-evmcs=on")
NO_INVTSC = ",invtsc=off"
NO_ROOM = "vmstate_load_state: Assertion `first_elem || !n_elems || !size' failed"
# Nested state, and another TSC frequency than the processor's, which TSC scaling gives.
ON_INTEL = (
    Case("enlightened VMCS", EVMCS, EVMCS, WORKS, nested=True),
    Case("evmcs goes", EVMCS, FULL, Effect.LOST, nested=True),
    Case("vmx goes", FULL, f"{FULL},vmx=off", Effect.LOST, NO_ROOM, nested=True),
    Case(*("scaled at the source only", cpu(more=f"{NO_INVTSC},tsc-frequency={{double}}"), cpu(more=NO_INVTSC), WORKS)),
    Case(
        *("reenlightened, scaled", f"{NESTED},tsc-frequency={{double}}", f"{NESTED},tsc-frequency={{double}}", WORKS),
        reenlightened=True,
    ),
)
ALSO_ON_INTEL = (
    Case("plain VMCS", FULL, FULL, WORKS, nested=True),
    Case(
        *("enlightened VMCS, scaled", f"{EVMCS},tsc-frequency={{double}}", f"{EVMCS},tsc-frequency={{double}}", WORKS),
        nested=True,
    ),
    Case("evmcs comes", FULL, EVMCS, Effect.CHANGES, changed=frozenset({0x40000004, 0x4000000A}), nested=True),
    Case("scaled at the destination only", FULL, f"{FULL},tsc-frequency={{double}}", Effect.LOST, MISMATCH),
)
WITHOUT_SCALING = (
    Case(
        *("not scaled", cpu(more=",tsc-frequency={own}"), cpu(more=",tsc-frequency={double}"), Effect.FAILS),
        said="TSC frequency mismatch between VM",
    ),
)
# Without svm at the destination a guest is lost, too, but only if its own guest runs at that moment, which is chance:
# there is nothing else to carry (qemu:target/i386/machine.c, svm_nested_state_needed()).
ON_AMD = (
    Case("not in the kernel", FULL, EVMCS, Effect.FAILS, "(hv-evmcs) is not supported by kernel"),
    Case("VMCB", FULL, FULL, WORKS, nested=True),
)


@pytest.mark.world("debian-12-intel", "debian-13-intel")
@pytest.mark.parametrize("case", ON_INTEL, ids=names(ON_INTEL))
def test_what_comes_of_a_migration_on_intel(case: Case, tmp_path: Path) -> None:
    check(case, tried(case, tmp_path), this_host(), this_host())


@pytest.mark.world("debian-13-intel")
@pytest.mark.parametrize("case", ALSO_ON_INTEL, ids=names(ALSO_ON_INTEL))
def test_what_else_comes_of_a_migration_on_intel(case: Case, tmp_path: Path) -> None:
    check(case, tried(case, tmp_path), this_host(), this_host())


@pytest.mark.world("debian-13-intel")
def test_a_frequency_brings_invtsc(tmp_path: Path) -> None:
    case = Case("", f"{FULL},tsc-frequency={{double}}", FULL, Effect.CHANGES)
    assert tried(case, tmp_path).changed() == {0x80000007}
    found = [(reason.effect, reason.id) for reason in judged(case, this_host(), this_host())]
    assert found == [(Effect.UNKNOWN, "cpu.features.invtsc")]


@pytest.mark.world("debian-12-intel-broadwell", "debian-13-intel-broadwell")
@pytest.mark.parametrize("case", WITHOUT_SCALING, ids=names(WITHOUT_SCALING))
def test_what_comes_of_a_migration_without_tsc_scaling(case: Case, tmp_path: Path) -> None:
    check(case, tried(case, tmp_path), this_host(), this_host())


@pytest.mark.parametrize("case", ON_AMD, ids=names(ON_AMD))
def test_what_comes_of_a_migration_on_amd(case: Case, tmp_path: Path) -> None:
    check(case, tried(case, tmp_path), this_host(), this_host())


@pytest.mark.world("debian-13-intel")
def test_a_saved_hypervisor_is_lost_if_nested_virtualization_is_off_when_it_is_loaded(tmp_path: Path) -> None:
    firmware, saved = tmp_path / "guest", tmp_path / "saved"
    firmware.write_bytes(hypervisor())
    side = Side((QEMU,), MACHINE, FULL, ("-bios", str(firmware)))
    guest = read_command_line(shlex.join(side.words()), "x")
    here = this_host()
    with running("source", side.words(), tmp_path) as source:
        assert source.greeted()
        source.ticked(0)
        source.ask("migrate", uri=f"exec:cat >{saved}")
        assert until(lambda: finished(source.ask("query-migrate")))["status"] == "completed"
    with loaded_without_nested():
        reasons = judge(Journey(guest, here), probe_host())
        with running("target", [*side.words(), "-incoming", f"exec:cat {saved}"], tmp_path) as target:
            target.process.wait(LONG)
            said = target.ended().said
    lost = [reason for reason in reasons if reason.effect is Effect.LOST]
    assert [reason.id for reason in lost] == ["cpu.features.vmx"]
    assert any(lost[0].error in line for line in said), said


@contextlib.contextmanager
def loaded_without_nested() -> Iterator[None]:
    """kvm_intel as after a reboot with another configuration."""

    def load(*parameters: str) -> None:
        for words in (("-r", "kvm_intel"), ("kvm_intel", *parameters)):
            subprocess.run(["modprobe", *words], check=True, timeout=60)

    load("nested=0")
    try:
        yield
    finally:
        load()
