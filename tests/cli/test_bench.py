"""`hvctl bench`: its command line; what it measures is in tests/realkvm."""

from __future__ import annotations

from pathlib import Path

import pytest

from hvctl.api import check, load_hosts, load_profile, resolve
from hvctl.bench.compare import GROUPS
from hvctl.catalog.sets import SETS, SETS_BY_ID
from hvctl.cli.bench import guests
from hvctl.plan.sets import release_of
from tests.cli.run import hvctl
from tests.cli.test_verify import kvm_without_hyperv

AS_NOVA = """\
version: 1
name: as-nova
guest: {os: windows-11}
enlightenments: {relaxed: on, vapic: on, spinlocks: {state: on, value: 8191}, vpindex: on, runtime: on, time: on,
  synic: on, reset: on, frequencies: on, tlbflush: on, ipi: on}
"""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nosuch",), "nosuch"),
        (("--only", "clocks"), "did you mean 'clock' for 'clocks'?"),
        (("--only", "spin"), "they are clock, apic, tlbflush, ipi, timer, exit, nested"),
        (("--only", ","), "--only names nothing"),
        (("--set", "proxmx"), "did you mean 'proxmox' for 'proxmx'?"),
        (("--set", "cloud"), "they are proxmox, kubevirt, nova, ovirt, virt-install, qemu-docs, none,"),
        (("--set", "all", "--runs", "51"), "--set takes at most 50 runs"),
        (("--set", ","), "--set names nothing"),
        (("--set", "nova", "--only", "clock,exit"), "exit is the same with every set"),
        (("windows-8.1", "--set", "nova,kubevirt"), "kubevirt has no default for Windows 8.1"),
        (("-o", "/nonexistent/page.html"), "cannot be written: there is no directory"),
        (("--runs", "0"), "not in the range"),
        (("--runs", "101"), "not in the range"),
        (("--vcpus", "65"), "not in the range"),
        (("--format", "xml"), "'xml' is not one of"),
        (("--compare", "/nonexistent.json"), "cannot be read"),
        (("-", "--compare", "-"), "stdin can be read once"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_command_line_is_exit_code_2(words: tuple[str, ...], told: str) -> None:
    done = hvctl("bench", *words, code=2)
    assert told in done.stderr
    assert done.stdout == ""


def test_what_is_no_measurement_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    old.write_text('{"format_version": 1}')
    assert '"kind" is missing' in hvctl("bench", "--compare", str(old), code=2).stderr


def test_help_names_every_group() -> None:
    said = " ".join(hvctl("bench", "--help").stdout.split())
    assert f"Only these: {', '.join(GROUPS)}." in said


def test_help_names_every_set() -> None:
    said = " ".join(hvctl("bench", "--help").stdout.split())
    assert f"give: {', '.join(one.id for one in SETS)}; or all." in said


@pytest.mark.parametrize(
    ("profile", "named", "sets", "booted"),
    [
        ("windows-11", (), [], ["", ""]),
        (
            "windows-11",
            ("kubevirt", "ovirt", "none"),
            [("plan", ""), ("kubevirt", ""), ("ovirt", "kubevirt"), ("none", "")],
            ["", "", "kubevirt"],
        ),
        # What is without a set is booted anyhow, and shown where another set is the same.
        ("windows-xp", ("proxmox",), [("plan", ""), ("proxmox", "none"), ("none", "")], ["", ""]),
        ("as-nova.yaml", ("nova",), [("plan", ""), ("nova", "plan")], ["", ""]),
    ],
    ids=["nothing", "one-as-another", "one-as-none", "one-as-the-plan"],
)
def test_no_guest_is_booted_twice(
    profile: str, named: tuple[str, ...], sets: list[tuple[str, str]], booted: list[str], tmp_path: Path
) -> None:
    (tmp_path / "as-nova.yaml").write_text(AS_NOVA)
    (here,) = load_hosts(["tests/hosts/debian-13.json"]).representatives()
    wanted = load_profile(str(tmp_path / profile) if profile.endswith(".yaml") else profile)
    platforms = tuple(SETS_BY_ID[name] for name in named)
    kinds, found = guests(check(resolve(wanted, (here,))), here, platforms, release_of(wanted.os))
    assert [(one.id, one.same_as) for one in found] == sets
    assert [kind.set for kind in kinds] == booted
    assert [kind.enlightened for kind in kinds] == [False, *[True] * (len(kinds) - 1)]
    assert len({kind.words for kind in kinds}) == len(kinds)


def test_a_plan_with_passthrough_has_what_kvm_has() -> None:
    (here,) = load_hosts(["tests/hosts/debian-13.json"]).representatives()
    plan = check(resolve(load_profile("passthrough"), (here,)))
    _, (own, _) = guests(plan, here, (SETS_BY_ID["ovirt"],), release_of("other"))
    assert {"passthrough", "tlbflush-ext", "stimer-direct"} <= set(dict(own.rows))


@pytest.mark.skipif(not kvm_without_hyperv(), reason="needs a KVM without Hyper-V emulation")
def test_a_kvm_without_hyperv_is_exit_code_3() -> None:
    assert "no Hyper-V emulation" in hvctl("bench", "--runs", "1", code=3).stderr


@pytest.mark.skipif(not kvm_without_hyperv(), reason="needs a KVM without Hyper-V emulation")
def test_what_is_left_out_and_assumed_is_said_before_the_host_is_asked() -> None:
    done = hvctl("bench", "--set", "all", "--runs", "1", code=3)
    assert "the profile names no Windows release: the sets are those for Windows 11" in " ".join(done.stderr.split())
    done = hvctl("bench", "windows-8.1", "--set", "all", "--runs", "1", code=3)
    assert "kubevirt is left out: it has no default for Windows 8.1" in " ".join(done.stderr.split())
    assert "no Hyper-V emulation" in done.stderr
