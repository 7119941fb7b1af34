"""The testbed is what it says: a KVM with Hyper-V emulation, in the release whose name the world carries."""

import fcntl
import os
import platform
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

# linux/kvm.h
KVM_CHECK_EXTENSION = 0xAE03
KVM_CAP_HYPERV = 44
KVM_CAP_HYPERV_SYNIC = 123

RELEASES = {"debian-12": ("12", (6, 1), (7, 2)), "debian-13": ("13", (6, 12), (10, 0))}


def extension(capability: int) -> int:
    device = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
    try:
        return fcntl.ioctl(device, KVM_CHECK_EXTENSION, capability)
    finally:
        os.close(device)


@pytest.mark.world("amd", "intel")
def test_kvm_emulates_hyper_v() -> None:
    assert extension(KVM_CAP_HYPERV) > 0
    assert extension(KVM_CAP_HYPERV_SYNIC) > 0


@pytest.mark.world("amd", "intel")
def test_world_is_the_release_of_its_name(testbed_world: str, note: Callable[[str], None]) -> None:
    release, kernel, qemu = RELEASES["-".join(testbed_world.split("-")[:2])]
    version = subprocess.run(["qemu-system-x86_64", "-version"], check=True, capture_output=True, text=True, timeout=60)
    note(f"Linux {platform.release()}, {version.stdout.splitlines()[0]}, Python {platform.python_version()}")
    assert os.environ["HVCTL_TESTBED"] == testbed_world
    assert platform.freedesktop_os_release()["VERSION_ID"] == release
    assert tuple(int(part) for part in platform.release().split(".")[:2]) == kernel
    assert version.stdout.startswith(f"QEMU emulator version {qemu[0]}.{qemu[1]}.")


def test_what_is_written_to_the_checkout_stays_in_l1() -> None:
    probe = Path(__file__).with_name("written-in-l1")
    probe.write_text("not on the machine outside")
    assert probe.exists()
