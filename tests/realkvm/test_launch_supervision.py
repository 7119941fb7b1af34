"""`hvctl launch` on a real KVM: a crash that the guest reports, QEMU's refusals, what contradicts the plan."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.realkvm.real import hvctl
from tests.run.running import gone, qemu_of, wait_for
from tests.verify import firmware

# DRIVER_POWER_STATE_FAILURE as Windows reports it: kind 3, then addresses.
POWER_STATE_FAILURE = (0x9F, 3, 0xFFFFC80F4A1E2060, 0xFFFFF8051E6D5750, 0xFFFFC80F52A3B010)
LONG = 90.0
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


@contextlib.contextmanager
def launched(folder: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A running `hvctl launch`, whose stderr is what `said` gives; it is gone at the end."""
    with (folder / "said").open("wb") as stderr:
        process = subprocess.Popen([sys.executable, "-m", "hvctl", "launch", *words], stderr=stderr)
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


def said(folder: Path) -> str:
    return (folder / "said").read_text()


def bios(folder: Path, image: bytes) -> tuple[str, str]:
    (folder / "firmware").write_bytes(image)
    return ("-bios", str(folder / "firmware"))


def test_a_crash_is_reported_with_its_signature(tmp_path: Path, crashing: str) -> None:
    image = bios(tmp_path, firmware.crash(POWER_STATE_FAILURE))
    done = hvctl("launch", crashing, "--", *HEADLESS, *image, code=1)
    assert "hvctl: the guest crashed: bug check 0x0000009f DRIVER_POWER_STATE_FAILURE\n" in done.stderr
    assert "0x000000000000009f 0x0000000000000003 0xffffc80f4a1e2060" in done.stderr
    assert "hvctl: crash signature: 0000009F-3\n" in done.stderr


def test_a_guest_that_kvm_cannot_run_is_told_and_ended(tmp_path: Path) -> None:
    done = hvctl("launch", "minimal", "--", *HEADLESS, *bios(tmp_path, firmware.unemulated()), code=3)
    assert "hvctl: KVM could not run the guest any further: KVM internal error. Suberror: 1\n" in done.stderr
    assert "dmesg" in done.stderr


def test_a_crash_counts_even_if_the_guest_goes_on(tmp_path: Path, crashing: str) -> None:
    image = bios(tmp_path, firmware.crash(POWER_STATE_FAILURE))
    with launched(tmp_path, crashing, "--", *HEADLESS, *image, "-action", "panic=none") as launch:
        wait_for(lambda: "signature: 0000009F-3" in said(tmp_path), LONG)
        qemu = qemu_of(launch.pid)
        launch.terminate()
        wait_for(lambda: "asked the guest" in said(tmp_path), LONG)
        launch.terminate()
        assert launch.wait(LONG) == 1
        assert gone(qemu)


def test_without_crash_the_guest_ends_well(tmp_path: Path) -> None:
    debug = tmp_path / "debug"
    words = (*HEADLESS, *bios(tmp_path, firmware.power_button()), "-debugcon", f"file:{debug}")
    with launched(tmp_path, "windows-7", "--name", "a,b=c", "--", *words) as launch:
        wait_for(lambda: debug.exists() and debug.read_bytes() == firmware.READY, LONG)
        assert b"\0guest=a,,b=c\0" in Path(f"/proc/{qemu_of(launch.pid)}/cmdline").read_bytes()
        launch.terminate()
        assert launch.wait(LONG) == 0


def test_qemus_refusal_is_shown() -> None:
    done = hvctl("launch", "minimal", "--", *HEADLESS, "-device", "nosuch", code=1)
    assert "'nosuch' is not a valid device model name" in done.stderr
    assert "hvctl: QEMU refused to start (exit status 1)" in done.stderr


def test_every_contradiction_is_told_at_once() -> None:
    caller = ("-cpu", "max", "-machine", "pc,kernel-irqchip=off", "-readconfig", "/dev/null", "-rtc", "base=utc")
    done = hvctl("launch", "minimal", "--", *caller, "-global", "host-x86_64-cpu.hv-time=off", "-daemonize", code=2)
    assert done.stdout == ""
    assert done.stderr.count("error: ") == 7
    assert "7 problems" in done.stderr


def test_dry_run_is_the_command_that_is_executed(tmp_path: Path) -> None:
    caller = ("-M", "q35,vmport=off", "-m", "64M", *HEADLESS, *bios(tmp_path, firmware.crash(POWER_STATE_FAILURE)))
    dry = hvctl("launch", "minimal", "--dry-run", "--", *caller)
    assert dry.stdout.count("\n") == 1
    argv = shlex.split(dry.stdout)
    with launched(tmp_path, "minimal", "--exec", "--", *caller) as launch:
        wait_for(lambda: "qemu" in os.readlink(f"/proc/{launch.pid}/exe"), LONG)
        # The link to the program is there a moment before its arguments are.
        cmdline = wait_for(Path(f"/proc/{launch.pid}/cmdline").read_bytes, LONG)
        assert cmdline.decode().split("\0")[:-1] == argv


def test_kill_9_of_launch_leaves_no_qemu(tmp_path: Path) -> None:
    debug = tmp_path / "debug"
    words = (*HEADLESS, *bios(tmp_path, firmware.power_button()), "-debugcon", f"file:{debug}")
    with launched(tmp_path, "windows-7", "--", *words) as launch:
        wait_for(lambda: debug.exists() and debug.read_bytes() == firmware.READY, LONG)
        qemu = qemu_of(launch.pid)
        launch.kill()
        wait_for(lambda: gone(qemu))
