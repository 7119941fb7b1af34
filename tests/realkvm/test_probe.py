"""check-host against the real KVM and the real QEMU: what it says is what they do."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from hvctl.catalog import BY_ID, ROWS
from hvctl.catalog.types import Kind, Row
from hvctl.host.host_file import read_host
from hvctl.host.kvm import capabilities, system_leaves, vcpu_leaves
from hvctl.host.kvm_device import LinuxKvm, opened, throw_away_vcpu
from hvctl.model.host import CpuidLeaf, Host, Qemu
from hvctl.model.plan import Layer
from hvctl.plan.support import State, support
from tests.paths import HOSTS
from tests.realkvm.real import hvctl, qemu_refusal, this_host

# As QEMU words it since 4.1 (qemu:target/i386/kvm/kvm.c, hv_feature_check).
UNSUPPORTED = "is not supported by kernel"
VALUES = {Kind.FLAG: "on", Kind.ON_OFF_AUTO: "on", Kind.NUMBER: "4095", Kind.STRING: "Test", Kind.VERSION: "7"}


def both_forms(*, irqchip: bool) -> tuple[tuple[CpuidLeaf, ...], tuple[CpuidLeaf, ...]]:
    device = LinuxKvm("/dev/kvm")
    with opened(device) as system, throw_away_vcpu(device, system, irqchip=irqchip) as vcpu:
        return system_leaves(device, system), vcpu_leaves(device, vcpu, capabilities(device, system))


def test_the_system_ioctl_and_the_vcpu_ioctl_agree() -> None:
    of_system, of_vcpu = both_forms(irqchip=True)
    assert of_system == of_vcpu
    assert len(of_system) >= 10


def test_a_vcpu_without_irqchip_lacks_what_needs_one() -> None:
    of_system, of_vcpu = both_forms(irqchip=False)
    lost = {leaf.leaf: leaf for leaf in of_system}[0x40000003].edx & ~{leaf.leaf: leaf for leaf in of_vcpu}[
        0x40000003
    ].edx
    (stimer_direct,) = BY_ID["stimer-direct"].checks
    assert lost == stimer_direct.mask


def comparable(host: Host) -> Host:
    """Without what differs from machine to machine and from one Debian point release to the next."""
    kernel = host.kvm._replace(release=short(host.kvm.release))
    hardware = host.hardware._replace(tsc_hz=None, clocksource=None)
    return host._replace(kvm=kernel, hardware=hardware, qemu=tuple(map(without_point_release, host.qemu)))


def without_point_release(qemu: Qemu) -> Qemu:
    return qemu._replace(version=short(qemu.version))


def short(version: str | None) -> str:
    return ".".join((version or "").split(".")[:2])


@pytest.mark.world("amd", *(path.stem for path in HOSTS.glob("*-intel*.json")))
def test_the_recorded_host_is_recorded_again(testbed_world: str, tmp_path: Path) -> None:
    path = tmp_path / "again.json"
    done = hvctl("check-host", "windows-11", "--record", str(path), "--name", testbed_world)
    assert "profile windows-11: yes" in done.stdout
    assert comparable(read_host(str(path))) == comparable(read_host(str(HOSTS / f"{testbed_world}.json")))


def started_alone(row: Row) -> str:
    """The CPU with one row and what it requires."""
    wanted = [row]
    for known in wanted:
        wanted += [BY_ID[name] for name in known.requires if BY_ID[name] not in wanted]
    return ",".join(["host", *(f"{known.properties[0].name}={VALUES[known.kind]}" for known in wanted)])


@pytest.mark.world("amd", "intel")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_the_verdict_is_what_qemu_does(row: Row) -> None:
    host = this_host()
    answers = {answer.layer: answer.state for answer in support(host, row, host.qemu[0])}
    # pc starts in half the time of q35 there.
    refusal = qemu_refusal(started_alone(row), machine="pc")
    # The hardware's answer is advice: QEMU takes avic on a processor without AVIC.
    can = answers[Layer.KERNEL] is State.YES and answers[Layer.QEMU] is State.YES
    assert can == (refusal == "")
    if answers[Layer.QEMU] is State.NO:
        assert "not found" in refusal
    elif not can:
        assert refusal == f"Hyper-V {row.qemu_name} {UNSUPPORTED}"


def test_passthrough_enables_what_the_kernel_answers_yes_to() -> None:
    host = this_host()
    said = {row.id for row in ROWS if row.in_passthrough and support(host, row, host.qemu[0])[0].state is State.YES}
    # QEMU up to 9.1 adds syndbg.
    assert said == {name for name in host.qemu[0].passthrough or () if BY_ID[name].in_passthrough}


def test_a_profile_that_is_refused_is_exit_code_1(tmp_path: Path) -> None:
    profile = tmp_path / "intel-only.yaml"
    profile.write_text("version: 1\nmigration: none\nenlightenments: {vapic: on, evmcs: on}\n")
    refused = hvctl("check-host", "minimal", str(profile), "--format", "json", code=1)
    found = json.loads(refused.stdout)
    assert [entry["resolves"] for entry in found["profiles"]] == [True, False]
    assert found["profiles"][1]["plan"]["refusals"][0]["id"] == "evmcs"


def test_a_profile_without_any_qemu_is_exit_code_3() -> None:
    done = hvctl("check-host", "minimal", "--qemu", "/bin/true", code=3)
    assert "no usable QEMU" in done.stderr
    assert "/bin/true: not a usable QEMU: it ended (exit code 0)" in done.stdout


def test_a_root_folder_of_links(tmp_path: Path) -> None:
    for name in ("dev", "proc", "sys"):
        (tmp_path / name).symlink_to(f"/{name}")
    hvctl("check-host", "--no-qemu", "--root", str(tmp_path))


def test_a_second_time_is_the_same() -> None:
    first, second = (json.loads(hvctl("check-host", "--no-qemu", "--format", "json").stdout) for _ in range(2))
    for found in (first, second):
        del found["host"]["hardware"]["tsc_hz"]
    assert first == second


def test_the_world_has_what_the_testbed_promises(testbed_world: str) -> None:
    assert os.environ["HVCTL_TESTBED"] == testbed_world
    host = this_host()
    assert host.kvm.how == "system-ioctl"
    assert host.hardware.nested
    assert host.libvirt
    assert host.qemu[0].models
    assert host.notes == (
        "this host is itself a virtual machine: its guests are nested and slower than on the hardware",
    )
