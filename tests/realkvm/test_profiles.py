"""What a Linux guest makes of the leaves of shipped profiles; test_verify.py compares those of all bit for bit."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from hvctl.catalog import ROWS
from hvctl.guest.command.writer import arguments
from hvctl.model.host import CpuidLeaf
from hvctl.model.plan import Plan
from hvctl.plan.cpuid import predict
from hvctl.plan.resolve import resolve
from hvctl.profile.reader import load_profile
from hvctl.profile.source import shipped_names
from tests.realkvm.cpuid_firmware import seen_leaves
from tests.realkvm.real import QEMU, hvctl, this_host
from tests.testbed.linuxguest import boot_arguments, make_initramfs

PROFILES = shipped_names()


def planned(profile: str) -> tuple[Plan, dict[int, CpuidLeaf]]:
    """The plan for this machine and the leaves that it predicts."""
    plan = resolve(load_profile(profile), (this_host(),))
    assert not plan.refusals
    return plan, {leaf.leaf: leaf for leaf in predict(plan, this_host())}


def test_a_wrong_prediction_would_be_seen(tmp_path: Path) -> None:
    plan, leaves = planned("minimal")
    without = [word.replace("hv_relaxed=on", "hv_relaxed=off") for word in arguments(plan)]
    assert seen_leaves(QEMU, [*without, "-accel", "kvm"], tmp_path)[0x40000004] != leaves[0x40000004]


def test_the_command_line_gives_what_the_core_gives() -> None:
    answer = json.loads(hvctl("gen", "windows-11", "--format", "json").stdout)
    plan, leaves = planned("windows-11")
    assert answer["argv"] == list(arguments(plan))
    shown = [CpuidLeaf(*(int(leaf[name], 16) for name in CpuidLeaf._fields)) for leaf in answer["leaves"]]
    assert shown == list(leaves.values())


def hidden(profile: str, folder: Path) -> str:
    """The profile with KVM hidden: else a Linux guest takes KVM's own interface and leaves Hyper-V's alone."""
    path = folder / f"{profile}.yaml"
    path.write_text(f"version: 1\nname: {profile}\nextends: {profile}\ncpu: {{hidden: on}}\n")
    return str(path)


# The other world has more to do, and its leaves are those that verify compares.
@pytest.mark.world("debian-13")
def test_a_linux_guest_lives_on_the_smallest_and_the_largest_set(tmp_path: Path) -> None:
    """The leaves of all profiles are compared above; a Linux guest takes half a minute there."""
    blocking = {row.id for row in ROWS if row.takes_all}
    make_initramfs(tmp_path / "guest.img")
    sizes = {}
    for profile in PROFILES:
        if profile not in blocking:
            path = hidden(profile, tmp_path)
            plan, leaves = planned(path)
            sizes[len(plan.enabled())] = profile, path, leaves
    sizes.pop(0)  # of what looks for no hypervisor
    assert len(sizes) > 2
    for size in (min(sizes), max(sizes)):
        profile, path, leaves = sizes[size]
        check_guest(profile, hvctl("launch", path, "--", *boot_arguments(tmp_path / "guest.img")).stdout, leaves)


def check_guest(profile: str, output: str, leaves: dict[int, CpuidLeaf]) -> None:
    flags = re.search(r"privilege flags low (\S+), high (\S+), hints (\S+), misc ([0-9a-fx]+)", output)
    assert flags, (profile, output)
    features, hints = leaves[0x40000003], leaves[0x40000004]
    assert [int(flag, 16) for flag in flags.groups()] == [features.eax, features.ebx, hints.eax, features.edx], profile
    assert "Hypervisor detected: Microsoft Hyper-V" in output
    assert "clock source hyperv_clocksource_tsc_page" in output, (profile, output)
