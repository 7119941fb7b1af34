"""What `gen --for proxmox` writes, started as Proxmox VE would: the guest sees the leaves of the plan."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from hvctl.guest.proxmox.config import read_models
from hvctl.guest.proxmox.cpu import facts_of
from hvctl.guest.proxmox.reader import command_line, read_guests
from hvctl.host.host_file import dump_host
from tests.cli.run import inside
from tests.realkvm.cpuid_firmware import seen_leaves
from tests.realkvm.real import QEMU, qemu_refusal, this_host

PROFILES = ("windows-11", "windows-10", "windows-7", "all", "minimal", "nested-hyperv")


@pytest.mark.parametrize("how", ["machine", "any-machine", "args"])
@pytest.mark.parametrize("profile", PROFILES)
def test_the_guest_sees_the_leaves_of_the_plan(profile: str, how: str, tmp_path: Path) -> None:
    host = this_host()
    (tmp_path / "host.json").write_text(dump_host(host))
    machine = max(one.name for one in host.qemu[0].machines if one.name.startswith("pc-q35-"))
    words = ["gen", profile, "--for", "proxmox", "--host", str(tmp_path / "host.json"), "--vmid", "100"]
    words += ["--machine", machine] if how != "any-machine" else []
    words += ["--how", "args"] if how == "args" else []
    said = json.loads(inside(*words, "--format", "json", code=None).stdout)
    if said["command"] is None:
        assert said["plan"]["refusals"]
        return
    seen = seen_leaves(QEMU, started(said["section"], said["command"], machine), tmp_path)
    for leaf in said["leaves"]:
        wanted = {name: int(value, 16) for name, value in leaf.items()}
        assert seen[wanted["leaf"]]._asdict() == wanted, said


def started(section: str | None, command: list[str], machine: str) -> list[str]:
    """The words that QEMU gets of Proxmox VE for a guest of nothing else, after `qm set`."""
    assert command[:3] == ["qm", "set", "100"]
    given = {"--machine": machine, **dict(zip(command[3::2], command[4::2], strict=True))}
    text = "".join(f"{name.removeprefix('--')}: {value}\n" for name, value in sorted(given.items()))
    (guest,) = read_guests(text, "100.conf", read_models(section or "", "m"), facts_of([this_host()]))
    assert not guest.mistakes
    return [*command_line(guest), *shlex.split(given.get("--args", "")), "-accel", "kvm"]


def test_qemu_refuses_the_spelling_of_proxmox_after_a_sign() -> None:
    assert qemu_refusal("host,hv_relaxed,hv_reset,-hv-reset") == ""
    assert "hv_reset' not found" in qemu_refusal("host,hv_relaxed,hv_reset,-hv_reset")


def test_a_flag_is_for_what_is_on_or_off_only() -> None:
    assert "Invalid parameter type" in qemu_refusal("host,hv_relaxed,+hv-no-nonarch-coresharing")
    assert "expects uint64" in qemu_refusal("host,hv_relaxed,+hv-spinlocks")
