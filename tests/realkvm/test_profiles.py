"""Every shipped profile on a real KVM: its leaves bit for bit, and a Linux guest that lives on them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from hvctl.catalog import ROWS
from hvctl.formats.shipped import names
from hvctl.model.cpuid import CpuidLeaf
from tests.realkvm.cpuid_firmware import LEAVES, seen_leaves
from tests.realkvm.real import QEMU, hvctl
from tests.testbed.linuxguest import boot_arguments, make_initramfs

PROFILES = names()


def generated(profile: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(hvctl("gen", profile, "--format", "json").stdout)
    return answer


def predicted(answer: dict[str, Any]) -> dict[int, CpuidLeaf]:
    rows = [CpuidLeaf(*(int(leaf[name], 16) for name in CpuidLeaf._fields)) for leaf in answer["leaves"]]
    return {row.leaf: row for row in rows}


@pytest.mark.parametrize("profile", PROFILES)
def test_the_guest_sees_the_predicted_leaves_bit_for_bit(profile: str, tmp_path: Path) -> None:
    answer = generated(profile)
    seen = seen_leaves(QEMU, [*answer["argv"], "-accel", "kvm"], tmp_path)
    # On AMD, what lies beyond the announced leaves reads as zero.
    assert seen == {leaf: predicted(answer).get(leaf, CpuidLeaf(leaf)) for leaf in LEAVES}


def hidden(profile: str, folder: Path) -> str:
    """The profile with KVM hidden: else a Linux guest takes KVM's own interface and leaves Hyper-V's alone."""
    path = folder / f"{profile}.yaml"
    path.write_text(f"version: 1\nname: {profile}\nextends: {profile}\ncpu: {{hidden: true}}\n")
    return str(path)


def test_a_linux_guest_lives_on_each_distinct_set_of_leaves(tmp_path: Path) -> None:
    blocking = {row.id for row in ROWS if str(row.blocks_migration) == "always"}
    make_initramfs(tmp_path / "guest.img")
    done: set[tuple[CpuidLeaf, ...]] = set()
    for profile in PROFILES:
        if profile in blocking:
            continue
        path = hidden(profile, tmp_path)
        leaves = predicted(generated(path))
        if tuple(leaves.values()) in done:
            continue
        done.add(tuple(leaves.values()))
        check_guest(profile, hvctl("launch", path, "--", *boot_arguments(tmp_path / "guest.img")).stdout, leaves)
    assert len(done) > 2


def check_guest(profile: str, output: str, leaves: dict[int, CpuidLeaf]) -> None:
    flags = re.search(r"privilege flags low (\S+), high (\S+), hints (\S+), misc ([0-9a-fx]+)", output)
    assert flags, (profile, output)
    features, hints = leaves[0x40000003], leaves[0x40000004]
    assert [int(flag, 16) for flag in flags.groups()] == [features.eax, features.ebx, hints.eax, features.edx], profile
    assert "Hypervisor detected: Microsoft Hyper-V" in output
    assert "clock source hyperv_clocksource_tsc_page" in output, (profile, output)
