"""Real migrations of a running guest: what comes of each, and what QEMU says."""

from __future__ import annotations

import functools
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from hvctl.guest.command.reader import read_command_line
from hvctl.host.probe import probe_host
from hvctl.migration.differences import Effect, Journey, Reason
from hvctl.migration.verdict import judge
from hvctl.model.host import Host
from tests.realkvm.migration import Move, Moved, Side, migrate
from tests.realkvm.migration_guest import FAULTED
from tests.realkvm.real import QEMU, this_host
from tests.testbed.world import NEWER

WORKS = "works"
MACHINE = "pc-i440fx-7.2"  # see Side: its devices have a state of few bytes
# What hvctl writes for windows-11, where either world has it.
FLAGS = {
    "spinlocks": "0x1fff",
    **dict.fromkeys(("relaxed", "vapic", "vpindex", "runtime", "time", "synic", "stimer", "stimer-direct"), "on"),
    **dict.fromkeys(("frequencies", "tlbflush", "ipi", "emsr-bitmap", "xmm-input"), "on"),
}
HOST = "host,migratable=on"
NAMED = "qemu64"
# Of the reference counter, 100 ns each: more than any move takes, less than a clock that is not carried on would show.
TWO_MINUTES = 120 * 10_000_000


def cpu(*without: str, model: str = HOST, more: str = "") -> str:
    flags = (f"hv-{name}={value}" for name, value in FLAGS.items() if name not in without)
    return ",".join((model, *flags)) + more


class Case(NamedTuple):
    """A migration and what comes of it: words of QEMU's, and the leaves that change under the guest.

    In a -cpu value {own} stands for the processor's TSC frequency, {near} for one that KVM takes for the same,
    {double} for twice it. The guest is a hypervisor, and its own guest runs, if it is `nested`.
    """

    name: str
    source: str
    target: str
    effect: str
    said: str = ""
    changed: frozenset[int] = frozenset()
    machines: tuple[str, str] = (MACHINE, MACHINE)
    reenlightened: bool = False
    capabilities: tuple[str, ...] = ()
    nested: bool = False


def changes(name: str, source: str, target: str, *leaves: int) -> Case:
    """QEMU says nothing to it."""
    return Case(name, source, target, Effect.CHANGES, changed=frozenset(leaves))


FULL = cpu()
# stimer needs time and synic.
TIMERLESS = cpu("stimer", "stimer-direct")
NO_TRACE = ("relaxed", "vapic", "runtime", "stimer", "stimer-direct", "frequencies", "tlbflush", "ipi", "xmm-input")
AUTO = cpu(more=",hv-no-nonarch-coresharing=auto")
NESTED = cpu(more=",hv-reenlightenment=on")
NESTED_FIXED = f"{NESTED},tsc-frequency={{own}}"
UNFIXED = "Guest enabled re-enlightenment notifications, 'tsc-frequency=' has to be specified"
MISMATCH = "Mismatch between user-specified TSC frequency and migrated TSC frequency"
CORESHARING = "'hv-no-nonarch-coresharing=auto' CPU flag prevents migration"
PASSTHROUGH = "'hv-passthrough' CPU flag prevents migration, use explicit set of hv-* flags instead"
KVMS_OWN = (0x40000000, *range(0x40000003, 0x40000006), 0x4000000A)
PASSED = f"{HOST},hv-passthrough=on"
VALUES = ",hv-vendor-id=KVMKVMKVM,hv-version-id-build=7600,hv-spinlocks=0xfff"


def versions(source: str, target: str) -> str:
    return f"Machine type received is '{source}' and local is '{target}'"


CASES = (
    Case("the same", FULL, FULL, WORKS),
    Case("passthrough", PASSED, PASSED, Effect.REFUSED, PASSTHROUGH),
    Case(
        *("machine versions", FULL, FULL, Effect.FAILS, versions("pc-i440fx-7.1", MACHINE)),
        machines=("pc-i440fx-7.1", MACHINE),
    ),
    Case("synic goes", TIMERLESS, cpu("synic", "stimer", "stimer-direct"), Effect.FAILS, 'ramblock "synic-0-msg-page"'),
    # The guest's state comes last. By then the source has sent all and is done, unless it waits for an answer.
    Case("reenlightened", NESTED, NESTED, Effect.LOST, UNFIXED, reenlightened=True),
    Case(
        *("reenlightened, answered", NESTED, NESTED, Effect.FAILS, UNFIXED),
        reenlightened=True,
        capabilities=("return-path",),
    ),
    Case("reenlightened, fixed frequency", NESTED_FIXED, NESTED_FIXED, WORKS, reenlightened=True),
    Case("frequencies", cpu(more=",tsc-frequency={own}"), cpu(more=",tsc-frequency={near}"), Effect.LOST, MISMATCH),
    changes("time goes", TIMERLESS, cpu("time", "stimer", "stimer-direct"), 0x40000003),
    changes("what leaves no trace goes", FULL, cpu(*NO_TRACE), 0x40000003, 0x40000004),
    changes("other values", FULL, FULL + VALUES, 0x40000000, 0x40000002, 0x40000004),
)
# About these, one QEMU and kernel tell as much as two.
OF_ONE_WORLD = (
    Case("property unknown", FULL, FULL + ",hv-nosuch=on", Effect.FAILS, "'host-x86_64-cpu.hv-nosuch' not found"),
    Case("coresharing=auto", AUTO, AUTO, Effect.REFUSED, CORESHARING),
    changes("Hyper-V comes", HOST, FULL, *range(0x40000000, 0x40000006), 0x4000000A, 0x40000100, 0x40000101),
    changes("passthrough comes", FULL, PASSED, *KVMS_OWN),
    Case(
        *("stimer goes, and synic", FULL, cpu("synic", "stimer", "stimer-direct"), Effect.LOST),
        said="error: failed to set MSR 0x400000b0",
        machines=("pc-i440fx-3.0", "pc-i440fx-3.0"),
    ),
)
TO_NEWER = (
    Case("the same", cpu(model=NAMED), cpu(model=NAMED), WORKS),
    # KVM's own features, and what the processor says of its errors: the new QEMU offers more of both.
    changes("CPU model host", FULL, FULL, 0x40000101, 0x80000007),
    Case(*("machine alias", FULL, FULL, Effect.FAILS, versions(MACHINE, "pc-i440fx-10.0")), machines=("pc", "pc")),
)
TO_OLDER = (
    Case("the same", cpu(model=NAMED), cpu(model=NAMED), WORKS),
    Case(
        *("machine unknown", FULL, FULL, Effect.FAILS, "unsupported machine type"),
        machines=("pc-i440fx-10.0", "pc-i440fx-10.0"),
    ),
)


def observed(moved: Moved) -> str:
    """The effect of a migration that was tried."""
    assert moved.before, (moved.source, "the source did not start")
    if moved.refused:
        return Effect.REFUSED
    if moved.stayed:
        return Effect.FAILS
    if not moved.after:
        return Effect.LOST
    return Effect.CHANGES if moved.changed() else WORKS


def judged(case: Case, source: Host, target: Host) -> tuple[Reason, ...]:
    here, there = (
        read_command_line(f"qemu -machine {machine} -accel kvm -cpu {filled(value)}", "x")
        for machine, value in zip(case.machines, (case.source, case.target), strict=True)
    )
    return judge(Journey(here, source, there), target)


def expected(case: Case, source: Host, target: Host) -> str:
    """The effect by hvctl's own verdict on the two command lines: what comes first in the stream decides."""
    found = {reason.effect for reason in judged(case, source, target)}
    for effect in (Effect.REFUSED, Effect.FAILS, Effect.LOST, Effect.CHANGES):
        if effect in found:
            answered = effect is Effect.LOST and "return-path" in case.capabilities
            return Effect.FAILS if answered else effect
    assert not found, found
    return WORKS


def said_by_hvctl(case: Case, source: Host, target: Host) -> list[str]:
    """What hvctl says that QEMU will say."""
    reasons = judged(case, source, target)
    return [reason.error for reason in reasons if reason.error and reason.effect is not Effect.CHANGES]


def names(cases: Sequence[Case]) -> list[str]:
    return [case.name for case in cases]


@pytest.mark.world("amd", "debian-13-intel")
@pytest.mark.parametrize("case", CASES, ids=names(CASES))
def test_what_comes_of_a_migration(case: Case, tmp_path: Path) -> None:
    check(case, tried(case, tmp_path), this_host(), this_host())


@pytest.mark.world("debian-13")
@pytest.mark.parametrize("case", OF_ONE_WORLD, ids=names(OF_ONE_WORLD))
def test_what_comes_of_a_migration_in_one_world(case: Case, tmp_path: Path) -> None:
    check(case, tried(case, tmp_path), this_host(), this_host())


@pytest.mark.world("debian-12")
@pytest.mark.parametrize("case", TO_NEWER, ids=names(TO_NEWER))
def test_to_a_newer_qemu(case: Case, tmp_path: Path) -> None:
    check(case, tried(case, tmp_path, target=newer_qemu()), this_host(), newer_host())


@pytest.mark.world("debian-12")
@pytest.mark.parametrize("case", TO_OLDER, ids=names(TO_OLDER))
def test_to_an_older_qemu(case: Case, tmp_path: Path) -> None:
    check(case, tried(case, tmp_path, source=newer_qemu()), newer_host(), this_host())


@pytest.mark.world("debian-12")
def test_a_guest_dies_of_using_what_it_has_lost(tmp_path: Path) -> None:
    """What changes under a guest is no matter of taste: it goes on reading the reference counter, and that is gone."""
    moved = tried(Case("", cpu("synic", "stimer", "stimer-direct"), HOST, Effect.CHANGES), tmp_path)
    assert (moved.migration, moved.source.state) == ("completed", "postmigrate")
    assert (moved.target.status, moved.after) == (0, None)


def filled(value: str) -> str:
    # QEMU takes a frequency in kHz.
    own = (this_host().hardware.tsc_hz or 0) // 1000 * 1000
    return value.format(own=own, near=own + own // 10_000_000 * 1000, double=2 * own)


def tried(case: Case, folder: Path, *, source: Sequence[str] = (QEMU,), target: Sequence[str] = (QEMU,)) -> Moved:
    here, there = (
        Side(tuple(qemu), machine, filled(value))
        for qemu, machine, value in zip((source, target), case.machines, (case.source, case.target), strict=True)
    )
    return migrate(Move(here, there, case.reenlightened, case.capabilities, case.nested), folder)


def newer_qemu() -> tuple[str, ...]:
    """Debian 13's QEMU by its own loader, from the root of the other world."""
    loader, libraries = NEWER / "lib64/ld-linux-x86-64.so.2", NEWER / "usr/lib/x86_64-linux-gnu"
    return (
        *(str(loader), "--library-path", str(libraries), str(NEWER / "usr/bin" / QEMU)),
        *("-L", str(NEWER / "usr/share/qemu"), "-L", str(NEWER / "usr/share/seabios")),
    )


@functools.cache
def newer_host() -> Host:
    """This machine with the newer QEMU, asked as any other."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "qemu-system-x86_64"
        script.write_text(f'#!/bin/sh\nexec {shlex.join(newer_qemu())} "$@"\n')
        script.chmod(0o755)
        return probe_host(qemu=[str(script)])


def check(case: Case, moved: Moved, source: Host, target: Host) -> None:
    assert observed(moved) == case.effect == expected(case, source, target), moved
    assert any(case.said in words for words in moved.said()), moved
    # A guest that resets ends its QEMU without a word.
    if case.effect is not Effect.CHANGES and moved.target.status != 0:
        said = said_by_hvctl(case, source, target)
        assert case.effect == WORKS or any(one in words for one in said for words in moved.said()), (said, moved)
    match case.effect:
        case Effect.REFUSED:
            assert moved.blocked == (moved.refused,)
            assert moved.stayed
        case Effect.FAILS:
            assert (moved.source.state, moved.target.status) == ("running", 1)
        case Effect.LOST:
            assert (moved.migration, moved.source.state) == ("completed", "postmigrate")
        case Effect.CHANGES:
            assert moved.changed() == case.changed
        case _:
            check_it_goes_on(moved, nested=case.nested)


def check_it_goes_on(moved: Moved, *, nested: bool) -> None:
    """The guest that has moved uses what it used."""
    before, after = moved.before, moved.after
    assert before
    assert after
    assert (moved.source.state, moved.target.state) == ("postmigrate", "running")
    if nested:
        assert after.exits - before.exits == after.ticks - before.ticks
        assert after.reason == before.reason != FAULTED
        return
    assert 0 < after.counter - before.counter < TWO_MINUTES
    assert after.timer > before.timer
    assert after.tsc_sequence > 0
