"""check-host, apply, launch and show on a real libvirtd, whose QEMU driver uses the real KVM."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hvctl.guest.domain.edit import for_domain
from hvctl.guest.domain.reader import read_domain
from hvctl.host.host_file import dump_host, read_host
from hvctl.model.host import Host
from hvctl.model.plan import Layer
from hvctl.plan.cpuid import predict
from hvctl.plan.resolve import resolve
from hvctl.plan.support import State, judge
from hvctl.profile.reader import load_profile
from hvctl.profile.source import shipped_names
from tests.cli.in_process import Hvctl
from tests.realkvm import cpuid_firmware
from tests.realkvm.conftest import Note
from tests.realkvm.libvirt_daemon import DOMAIN, READ_ONLY_THROUGH_RW, URI, Daemon, daemon, leaves_of
from tests.realkvm.real import this_host
from tests.verify import firmware

POWER_STATE_FAILURE = (0x9F, 3, 0xFFFFC80F4A1E2060, 0xFFFFF8051E6D5750, 0xFFFFC80F52A3B010)
CRASHING = "version: 1\nname: crashing\nextends: minimal\nenlightenments:\n  crash: 'on'\n"
# A start takes 4 to 8 s here, since libvirt asks for the guest's CPU property by property: every different guest is
# started in the world that has more of them.
STARTS = {"debian-12": 2, "debian-13": 99}
# libvirt asks QEMU at the first question, which takes up to 20 s here.
PATIENT = ("--timeout", "120")
LONG = 90.0


@pytest.fixture(scope="module")
def libvirtd() -> Iterator[Daemon]:
    with daemon() as running:
        yield running


@pytest.fixture
def hvctl(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hvctl:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", URI)
    return Hvctl(capsys)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> str:
    """This machine's host file: asking QEMU anew for each command would take most of the time."""
    path = tmp_path_factory.mktemp("host") / "here.json"
    path.write_text(dump_host(this_host()))
    return str(path)


def domain(folder: Path, name: str, image: bytes, machine: str = "q35") -> str:
    (folder / f"{name}.bin").write_bytes(image)
    return DOMAIN.format(name=name, machine=machine, firmware=folder / f"{name}.bin", output=folder / f"{name}.out")


def layers(host: Host) -> dict[tuple[str, Layer], State]:
    return {(one.row.id, answer.layer): answer.state for one in judge(host, host.qemu[0]) for answer in one.answers}


@pytest.mark.world("amd", "debian-12-intel", "debian-13-intel")
@pytest.mark.usefixtures("libvirtd")
def test_what_libvirt_tells_of_its_host_is_what_the_ioctl_says(hvctl: Hvctl, tmp_path: Path, note: Note) -> None:
    path = tmp_path / "told.json"
    out = hvctl("check-host", "--connect", URI, *PATIENT, "--record", str(path), "--name", "told").out
    assert "told: an unknown kernel, KVM with Hyper-V emulation" in out
    told, truth = read_host(str(path)), this_host()
    real = layers(truth)
    known = {place: state for place, state in layers(told).items() if state is not State.UNKNOWN}
    assert {place: state for place, state in known.items() if real[place] is not state} == {}
    note(f"{len(known)} of {len(real)} answers could be told by libvirt")
    assert sum(layer is Layer.KERNEL for _, layer in known) >= 15
    machines = {machine.name: machine.alias for machine in truth.qemu[0].machines}
    assert {machine.name: machine.alias for machine in told.qemu[0].machines}.items() <= machines.items()
    # libvirt 9.0 lists the models that it knows itself.
    assert set(told.qemu[0].models or ()) <= set(truth.qemu[0].models or ())
    assert told.hardware.family == truth.hardware.family
    # Like any other host file: in a pool, and to generate for.
    (tmp_path / "here.json").write_text(path.read_text().replace('"told"', '"again"'))
    assert "2 hosts in 1 class" in hvctl("pool", str(path), str(tmp_path / "here.json")).out
    refused = hvctl("gen", "windows-11", "--libvirt", "--host", str(path), code=1).err
    assert "time: refused: libvirt's domain capabilities do not tell (told, kernel)" in refused


def test_every_profile_is_applied_seen_by_a_guest_and_undone(
    hvctl: Hvctl, libvirtd: Daemon, here: str, tmp_path: Path, note: Note, testbed_world: str
) -> None:
    machines = {load_profile(name).machine for name in shipped_names()}
    for machine in machines:
        libvirtd.connection.defineXML(domain(tmp_path, f"win-{machine}", cpuid_firmware.image(), machine))
    before = {machine: libvirtd.definition(f"win-{machine}") for machine in machines}
    started: set[object] = set()
    for profile in shipped_names():
        machine = load_profile(profile).machine
        name = f"win-{machine}"
        guest = read_domain(before[machine].encode(), name)
        plan = resolve(for_domain(load_profile(profile), guest), (this_host(),), libvirt=True)
        hvctl("apply", profile, name, "--yes", "--host", here, *PATIENT)
        defined = read_domain(libvirtd.definition(name).encode(), name)
        assert defined.enabled() == {one.id: one.value for one in plan.enabled()}, profile
        expected = predict(plan, this_host())
        if expected not in started and len(started) < STARTS[testbed_world]:
            if not started:
                said = hvctl("apply", profile, name, "--dry-run", "--host", here).err
                assert f"already matches profile {profile}" in said
            started.add(expected)
            assert seen(libvirtd, name, tmp_path).items() >= {leaf.leaf: leaf for leaf in expected}.items(), profile
        hvctl("apply", "--undo", name)
        assert libvirtd.definition(name) == before[machine], profile
    note(f"{len(shipped_names())} profiles, {len(started)} different guests")
    assert len(started) == STARTS[testbed_world] or len(started) > 5


def seen(libvirtd: Daemon, name: str, folder: Path) -> dict[int, object]:
    """The leaves that the guest of a domain sees."""
    output = folder / f"{name}.out"
    output.unlink(missing_ok=True)
    handle = libvirtd.connection.lookupByName(name)
    handle.create()
    try:
        return dict(leaves_of(output))
    finally:
        handle.destroy()


def test_show_says_what_was_applied(hvctl: Hvctl, libvirtd: Daemon, tmp_path: Path) -> None:
    libvirtd.connection.defineXML(domain(tmp_path, "shown", cpuid_firmware.image()))
    hvctl("apply", "windows-11", "shown", "--yes", "--metadata")
    uri = ("--connect", READ_ONLY_THROUGH_RW)
    document = json.loads(hvctl("show", "shown", *uri, "--format", "json").out)
    (found,) = document["domains"]
    assert (found["accelerator"], found["running"], found["applied"]["profile"]) == ("kvm", False, "windows-11")
    assert found["beside"]["same"]
    assert "applied windows-11: the same" in hvctl("show", "shown", *uri).out


def test_a_daemon_that_wants_to_know_who_asks(hvctl: Hvctl, libvirtd: Daemon) -> None:
    assert libvirtd.process.poll() is None
    assert f"{URI}: access was refused: " in hvctl("show", code=3).err


def later(done: Callable[[], bool], then: Callable[[], object]) -> threading.Thread:
    """Do something as soon as it can be done, while hvctl waits."""

    def run() -> None:
        end = time.monotonic() + LONG
        while not done() and time.monotonic() < end:
            time.sleep(0.1)
        then()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


@pytest.mark.usefixtures("libvirtd")
def test_a_panic_arrives_with_its_parameters(hvctl: Hvctl, tmp_path: Path) -> None:
    (tmp_path / "crashing.yaml").write_text(CRASHING)
    (tmp_path / "guest.xml").write_text(domain(tmp_path, "crashing", firmware.crash(POWER_STATE_FAILURE)))
    words = (str(tmp_path / "crashing.yaml"), "--connect", URI, "--domain", str(tmp_path / "guest.xml"))
    said = hvctl("launch", *words, code=1).err
    assert "hvctl: crashing started " in said
    assert "hvctl: the guest crashed: bug check 0x0000009f DRIVER_POWER_STATE_FAILURE " in said
    assert "0x000000000000009f 0x0000000000000003 0xffffc80f4a1e2060" in said
    assert "hvctl: crash signature: 0000009F-3 " in said
    assert said.endswith("hvctl: crashing stopped: after a crash")


def test_a_guest_that_kvm_cannot_run_is_told(hvctl: Hvctl, libvirtd: Daemon, here: str, tmp_path: Path) -> None:
    (tmp_path / "guest.xml").write_text(domain(tmp_path, "stuck", firmware.unemulated()))
    words = ("--connect", URI, "--domain", str(tmp_path / "guest.xml"), "--host", here)
    said = hvctl("launch", "minimal", *words, code=3).err
    assert "hvctl: KVM could not run the guest any further; libvirt's log of stuck has QEMU's words" in said
    assert "dmesg" in said
    guest = libvirtd.connection.lookupByName("stuck")
    assert guest.isActive()
    guest.destroy()


def test_launch_of_a_defined_domain(hvctl: Hvctl, libvirtd: Daemon, here: str, tmp_path: Path) -> None:
    libvirtd.connection.defineXML(domain(tmp_path, "win", cpuid_firmware.image()))
    words = ("minimal", "--connect", URI, "--domain", "win", "--host", here)
    assert "win does not match profile minimal" in hvctl("launch", *words, code=1).err
    hvctl("apply", "minimal", "win", "--yes", "--host", here)
    later(lambda: libvirtd.running("win"), lambda: libvirtd.connection.lookupByName("win").destroy())
    said = hvctl("launch", *words).err
    assert "hvctl: win started " in said
    assert said.endswith("hvctl: win stopped: destroyed")


@pytest.mark.world("debian-12")
def test_ctrl_c_leaves_the_guest_alone(hvctl: Hvctl, libvirtd: Daemon, here: str, tmp_path: Path) -> None:
    (tmp_path / "guest.xml").write_text(domain(tmp_path, "kept", cpuid_firmware.image()))
    words = ("minimal", "--connect", URI, "--domain", str(tmp_path / "guest.xml"), "--host", here)
    command = [sys.executable, "-m", "hvctl", "launch", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = [process.stderr.readline()]
        while "kept started" not in lines[-1]:
            assert lines[-1], lines
            lines.append(process.stderr.readline())
        process.send_signal(signal.SIGINT)
        assert process.wait(LONG) == 0
        assert process.stderr.read().endswith("hvctl: detached; kept goes on without hvctl\n")
    assert libvirtd.running("kept")
    assert "kept" in hvctl("launch", *words, code=1).err
    libvirtd.connection.lookupByName("kept").destroy()


def test_what_libvirt_refuses_to_start_is_told(hvctl: Hvctl, libvirtd: Daemon, here: str, tmp_path: Path) -> None:
    text = domain(tmp_path, "broken", cpuid_firmware.image())
    (tmp_path / "guest.xml").write_text(text.replace(f"{tmp_path}/broken.bin", f"{tmp_path}/nosuch.bin"))
    words = ("--connect", URI, "--domain", str(tmp_path / "guest.xml"), "--host", here)
    said = hvctl("launch", "minimal", *words, code=1).err
    assert "libvirt cannot start" in said
    assert "nosuch.bin" in said
    assert not libvirtd.running("broken")


@pytest.mark.world("debian-13")
def test_a_daemon_that_goes_away(hvctl: Hvctl, libvirtd: Daemon, here: str, tmp_path: Path) -> None:
    """The last test here: it ends the daemon."""
    libvirtd.connection.defineXML(domain(tmp_path, "left", cpuid_firmware.image()))
    hvctl("apply", "minimal", "left", "--yes", "--host", here)

    def kill() -> None:
        time.sleep(1)  # the guest speaks while libvirt's answer to hvctl is still under way
        libvirtd.process.kill()

    later(lambda: bool(leaves_of(tmp_path / "left.out")), kill)
    said = hvctl("launch", "minimal", "--connect", URI, "--domain", "left", "--host", here, code=3).err
    assert "the connection to libvirt was lost" in said
    assert "left may go on without hvctl" in said
    assert "libvirt cannot be reached" in hvctl("apply", "minimal", "left", "--yes", "--host", here, code=3).err
