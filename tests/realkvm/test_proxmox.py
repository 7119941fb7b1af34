"""What is written for Proxmox VE, started as Proxmox VE would: the guest sees the leaves of the plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from hvctl.catalog import proxmox
from hvctl.guest.proxmox.config import read_models
from hvctl.guest.proxmox.cpu import facts_of
from hvctl.guest.proxmox.reader import command_line, read_guests
from hvctl.guest.proxmox.writer import Target, custom_model
from hvctl.plan.cpuid import predict
from hvctl.plan.resolve import resolve
from hvctl.profile.reader import load_profile
from tests.realkvm.cpuid_firmware import seen_leaves
from tests.realkvm.real import QEMU, qemu_refusal, this_host


@pytest.mark.parametrize("open_machine", [False, True], ids=["machine", "any machine"])
@pytest.mark.parametrize("profile", ["windows-11", "windows-10", "windows-7"])
def test_the_custom_model_gives_the_leaves_of_the_plan(profile: str, open_machine: bool, tmp_path: Path) -> None:
    host = this_host()
    plan = resolve(load_profile(profile), (host,))
    assert not plan.refusals
    machine = plan.machine.type
    written = custom_model(plan, Target(proxmox.RELEASES[plan.os], machine=None if open_machine else machine))
    assert written.unsaid == ("PIT policy delay: Proxmox VE writes discard",)
    text = f"cpu: {written.cpu}\nmachine: {machine}\nmemory: 512\nostype: {proxmox.RELEASES[plan.os]}\n"
    (guest,) = read_guests(text, "100.conf", read_models(written.section, "m"), facts_of([host]))
    words = [*command_line(guest), "-accel", "kvm"]
    seen = seen_leaves(QEMU, words, tmp_path)
    for leaf in predict(plan, host):
        assert seen[leaf.leaf] == leaf, written.section


def test_qemu_refuses_the_spelling_of_proxmox_after_a_sign() -> None:
    assert qemu_refusal("host,hv_relaxed,hv_reset,-hv-reset") == ""
    assert "hv_reset' not found" in qemu_refusal("host,hv_relaxed,hv_reset,-hv_reset")
