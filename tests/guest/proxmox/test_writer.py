"""What is written for Proxmox VE, read again as Proxmox VE and QEMU read it: the plan, or what is named."""

from __future__ import annotations

import shlex

import pytest

from hvctl import api
from hvctl.catalog import proxmox
from hvctl.guest.proxmox.config import NO_MODELS, read_models
from hvctl.guest.proxmox.cpu import facts_of
from hvctl.guest.proxmox.layer import Target, platform
from hvctl.guest.proxmox.reader import read_guests
from hvctl.guest.proxmox.writer import Written, custom_model, set_arguments, set_cpu
from hvctl.model.host import Host
from hvctl.model.plan import Plan
from hvctl.profile.source import shipped_names
from tests.made_hosts import made_amd_host
from tests.paths import HOSTS

RECORDED = api.load_hosts([str(HOSTS / "debian-13.json")]).representatives()
INTEL = api.load_hosts([str(HOSTS / "debian-13-intel.json")]).representatives()
MACHINES = (None, "pc-q35-5.1", "pc-q35-9.2+pve1", "pc-q35-11.0+pve2")


def planned(profile: str, hosts: tuple[Host, ...], target: Target | None = None) -> Plan | None:
    loaded = api.load_profile(profile)
    target = target or Target(proxmox.RELEASES[loaded.os])
    plan = api.resolve(loaded, hosts, platform=platform(loaded, target))
    return None if plan.refusals else plan


def conf(written: Written, target: Target, machine: str) -> str:
    bios = f"bios: {target.bios}\n" if target.bios else ""
    return f"{bios}cpu: {written.cpu}\nmachine: {machine}\nmemory: 1\nostype: {target.ostype}\n"


@pytest.mark.parametrize("hosts", [RECORDED, INTEL], ids=["amd", "intel"])
@pytest.mark.parametrize("bios", [None, "seabios", "ovmf"])
@pytest.mark.parametrize("profile", shipped_names())
def test_what_is_written_is_the_plan(profile: str, bios: str | None, hosts: tuple[Host, ...]) -> None:
    ostype = proxmox.RELEASES[api.load_profile(profile).os]
    plan = planned(profile, hosts, Target(ostype, bios))
    if plan is None:
        return
    # QEMU's own vendor id needs no word.
    wanted = {one.id: one.value for one in plan.enabled() if one.value != "Microsoft Hv"}
    for machine in MACHINES:
        target = Target(ostype, bios, machine)
        written = custom_model(plan, target)
        for real in (machine,) if machine else MACHINES[1:]:
            assert real is not None
            models = read_models(written.section, "m") if written.section else NO_MODELS
            (guest,) = read_guests(conf(written, target, real), "100.conf", models, facts_of(hosts))
            assert not guest.mistakes
            differs = {
                row for row in wanted.keys() | guest.enabled().keys() if wanted.get(row) != guest.enabled().get(row)
            }
            named = " ".join(written.unsaid).replace("_", "-")
            assert all(f"hv-{row}" in named for row in differs), (real, differs, written)
            assert dict(plan.cpu.features).items() <= dict(guest.features).items()
            assert guest.cpu == plan.cpu.model
            assert guest.hidden == plan.cpu.hidden


def test_only_the_difference_is_written() -> None:
    plan = planned("windows-11", RECORDED)
    assert plan is not None
    with_machine = custom_model(plan, Target("win11", machine="pc-q35-9.2+pve1"), "hvctl-windows-11")
    lines = with_machine.section.splitlines()
    assert lines[:2] == ["cpu-model: hvctl-windows-11", "    reported-model host"]
    flags = lines[2].removeprefix("    flags ").split(";")
    assert "-hv-reset" in flags
    assert "+hv-frequencies" in flags
    assert not {"+hv-relaxed", "+hv-vapic", "+hv-synic"} & set(flags)
    every = custom_model(plan, Target("win11")).section
    assert "+hv-relaxed" in every
    assert "-hv-evmcs" in every or "+hv-evmcs" in every


def test_flags_are_spelt_as_qemu_takes_them_after_a_sign() -> None:
    plan = planned("windows-11", INTEL)
    assert plan is not None
    assert "hv_" not in custom_model(plan, Target("win11")).section


def test_values_are_named() -> None:
    plan = planned("windows-11", RECORDED)
    assert plan is not None
    other = plan._replace(
        decisions=tuple(one._replace(value=4095) if one.id == "spinlocks" else one for one in plan.decisions)
    )
    assert "hv_spinlocks=0xfff: Proxmox VE writes 0x1fff" in custom_model(other, Target("win11")).unsaid
    without = plan._replace(decisions=tuple(one for one in plan.decisions if one.id != "spinlocks"))
    assert "without hv-spinlocks: Proxmox VE always writes it" in custom_model(without, Target("win11")).unsaid


def test_the_commands() -> None:
    plan = planned("windows-11", (made_amd_host(),))
    assert plan is not None
    target = Target("win11", "ovmf", "pc-q35-9.2+pve1")
    found = custom_model(plan, target)
    words = set_cpu(plan, target, found.cpu, 100)
    assert shlex.join(words) == (
        "qm set 100 --cpu custom-hvctl --ostype win11 --localtime 1 --tdf 1 --bios ovmf --machine pc-q35-9.2+pve1"
    )
    assert found.section.startswith("cpu-model: hvctl\n    reported-model host\n    flags +hv-")
    words = set_arguments(plan, target, None)
    assert words[:4] == ("qm", "set", "VMID", "--args")
    guest = read_guests(f"args: {words[4]}\nmemory: 1\nostype: win11\n", "100.conf")[0]
    assert guest.enabled() == {one.id: one.value for one in plan.enabled()}
    assert guest.timers["pit"].policy == plan.clock.pit
