"""`hvctl launch` against a real KVM: a crash that the guest reports, QEMU's refusals, arguments that contradict the plan."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.guest import firmware
from tests.guest.running import gone, qemu_of, wait_for
from tests.realkvm.real import hvctl

# DRIVER_POWER_STATE_FAILURE as Windows reports it: kind 3, then addresses.
POWER_STATE_FAILURE = (0x9F, 3, 0xFFFFC80F4A1E2060, 0xFFFFF8051E6D5750, 0xFFFFC80F52A3B010)
HEADLESS = ("-nodefaults", "-display", "none")
CRASHING = """\
version: 1
name: crashing
extends: minimal
enlightenments:
  crash: "on"
"""


@pytest.fixture
def crashing(tmp_path: Path) -> str:
    profile = tmp_path / "crashing.yaml"
    profile.write_text(CRASHING)
    return str(profile)


def bios(folder: Path, image: bytes) -> tuple[str, str]:
    (folder / "firmware").write_bytes(image)
    return ("-bios", str(folder / "firmware"))


def test_a_crash_is_reported_with_its_signature(testbed_world: str, tmp_path: Path, crashing: str) -> None:
    image = bios(tmp_path, firmware.crash(POWER_STATE_FAILURE))
    done = hvctl("launch", crashing, "--", *HEADLESS, *image, code=1)
    assert "hvctl: the guest crashed: bug check 0x0000009f DRIVER_POWER_STATE_FAILURE\n" in done.stderr
    assert "0x000000000000009f 0x0000000000000003 0xffffc80f4a1e2060" in done.stderr
    assert "hvctl: crash signature: 0000009F-3\n" in done.stderr


def test_a_crash_counts_even_if_the_guest_goes_on(testbed_world: str, tmp_path: Path, crashing: str) -> None:
    words = [sys.executable, "-m", "hvctl", "launch", crashing, "--", *HEADLESS, "-action", "panic=none"]
    words += bios(tmp_path, firmware.crash(POWER_STATE_FAILURE))
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as launch:
        try:
            assert launch.stderr is not None
            wait_for(lambda: launch.stderr is not None and "signature: 0000009F-3" in launch.stderr.readline(), 120)
            qemu = qemu_of(launch.pid)
            launch.send_signal(signal.SIGTERM)
            assert "asked the guest" in launch.stderr.readline()
            launch.send_signal(signal.SIGTERM)
            assert launch.wait(60) == 1
            assert gone(qemu)
        finally:
            launch.kill()


def test_without_crash_the_guest_ends_well(testbed_world: str, tmp_path: Path) -> None:
    image = bios(tmp_path, firmware.power_button())
    debug = tmp_path / "debug"
    words = [sys.executable, "-m", "hvctl", "launch", "windows-7", "--name", "a,b=c", "--"]
    words += [*HEADLESS, *image, "-debugcon", f"file:{debug}"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as launch:
        try:
            wait_for(lambda: debug.exists() and debug.read_bytes() == firmware.READY, 120)
            assert b"\0guest=a,,b=c\0" in Path(f"/proc/{qemu_of(launch.pid)}/cmdline").read_bytes()
            launch.terminate()
            assert launch.wait(60) == 0
        finally:
            launch.kill()


def test_qemus_refusal_is_explained(testbed_world: str, tmp_path: Path) -> None:
    # TSC scaling is what no KVM in TCG has: QEMU itself finds out.
    profile = tmp_path / "scaled.yaml"
    profile.write_text("version: 1\nname: scaled\nextends: minimal\n")
    done = hvctl("launch", str(profile), "--", *HEADLESS, "-global", "isa-debugcon.nosuch=on", "-device", "nosuch", code=1)
    assert "'nosuch' is not a valid device model name" in done.stderr
    assert "hvctl: QEMU refused to start (exit status 1)" in done.stderr


def test_every_contradiction_is_told_at_once(testbed_world: str) -> None:
    caller = ("-cpu", "max", "-machine", "pc,kernel-irqchip=off", "-readconfig", "/dev/null", "-rtc", "base=utc")
    done = hvctl("launch", "minimal", "--", *caller, "-global", "host-x86_64-cpu.hv-time=off", "-daemonize", code=2)
    assert done.stdout == ""
    assert done.stderr.count("error: ") == 7
    assert "7 problems" in done.stderr


def test_dry_run_is_the_command_that_is_executed(testbed_world: str, tmp_path: Path) -> None:
    caller = ("-M", "q35,vmport=off", "-m", "64M", *HEADLESS, *bios(tmp_path, firmware.crash(POWER_STATE_FAILURE)))
    dry = hvctl("launch", "minimal", "--dry-run", "--", *caller)
    assert dry.stdout.count("\n") == 1
    argv = shlex.split(dry.stdout)
    with subprocess.Popen([sys.executable, "-m", "hvctl", "launch", "minimal", "--exec", "--", *caller]) as launch:
        try:
            wait_for(lambda: "qemu" in os.readlink(f"/proc/{launch.pid}/exe"), 120)
            assert Path(f"/proc/{launch.pid}/cmdline").read_bytes().decode().split("\0")[:-1] == argv
        finally:
            launch.kill()


def test_kill_9_of_launch_leaves_no_qemu(testbed_world: str) -> None:
    words = [sys.executable, "-m", "hvctl", "launch", "minimal", "--", *HEADLESS, "-S"]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as launch:
        qemu = int(wait_for(lambda: launch.poll() is None and qemu_of(launch.pid), 120))
        launch.kill()
        launch.wait(30)
        wait_for(lambda: gone(qemu))
