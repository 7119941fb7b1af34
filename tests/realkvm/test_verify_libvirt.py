"""`hvctl verify --connect` with a real libvirtd and the real KVM: agrees, leaves nothing, touches no one's domain."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hvctl.verify import libvirt_run
from tests.cli.in_process import Hvctl
from tests.realkvm.libvirt_daemon import URI, Daemon, daemon
from tests.realkvm.real import hvctl as process
from tests.verify import firmware

# The first QEMU that a libvirt sees takes it up to 20 s here, and a guest may wait for its turn.
PATIENT = ("--timeout", "120")
DEFINED = """\
<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>mine</name>
  <memory unit='MiB'>256</memory>
  <vcpu current='2'>4</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>
  <features>
    <acpi/>
    <hyperv>
      <relaxed state='on'/><vpindex state='on'/><runtime state='on'/><synic state='on'/><stimer state='on'/>
      <reset state='on'/>
    </hyperv>
  </features>
  <cpu mode='host-passthrough'>
    <topology sockets='1' cores='4' threads='1'/>
    <numa><cell id='0' cpus='0-3' memory='256' unit='MiB'/></numa>
  </cpu>
  <clock offset='localtime'><timer name='hypervclock' present='yes'/></clock>
  <devices>
    <disk type='file'><source file='/nonexistent/disk'/><target dev='vda' bus='virtio'/></disk>
    <panic model='hyperv'/>
  </devices>
  <qemu:commandline>
    <qemu:arg value='-global'/><qemu:arg value='host-x86_64-cpu.hv-frequencies=on'/>
    <qemu:arg value='-drive'/><qemu:arg value='file=/nonexistent/drive'/>
  </qemu:commandline>
</domain>
"""


@pytest.fixture(scope="module")
def libvirtd() -> Iterator[Daemon]:
    with daemon() as running:
        yield running


@pytest.fixture
def hvctl(capsys: pytest.CaptureFixture[str]) -> Hvctl:
    return Hvctl(capsys)


def leftovers(libvirtd: Daemon) -> list[str]:
    """Domains and files of the probe guest."""
    domains = [one.name() for one in libvirtd.connection.listAllDomains()]
    files = [path.name for path in Path(tempfile.gettempdir()).iterdir()]
    return [name for name in (*domains, *files) if name.startswith("hvctl-verify-")]


def verdicts(text: str) -> dict[str, str]:
    return {entry["id"]: entry["verdict"] for entry in json.loads(text)["enlightenments"] if entry["asked"]}


def test_a_profile_agrees_through_libvirt(hvctl: Hvctl, libvirtd: Daemon) -> None:
    out = hvctl("verify", "windows-11", "--connect", URI, "--vcpus", "1", *PATIENT).out
    assert "enlightenments asked for are there, and work" in out
    assert f"libvirt at {URI} with KVM, 1 vCPU, " in out
    assert leftovers(libvirtd) == []


def test_a_defined_domain_agrees_and_is_left_alone(hvctl: Hvctl, libvirtd: Daemon) -> None:
    libvirtd.connection.defineXML(DEFINED)
    before = libvirtd.definition("mine")
    told = hvctl("verify", "--domain", "mine", "--connect", URI, "--format", "json", *PATIENT)
    found = verdicts(told.out)
    assert {"works", "there"} >= set(found.values())
    assert {found[name] for name in ("synic", "stimer", "reset", "frequencies", "crash")} == {"works"}
    assert json.loads(told.out)["vcpus"] == {"wanted": 2, "seen": 2}
    assert "not used: -drive" in hvctl("verify", "-v", "--domain", "mine", "--connect", URI, *PATIENT).err
    assert libvirtd.definition("mine") == before
    assert not libvirtd.running("mine")
    assert leftovers(libvirtd) == []


@pytest.mark.world("debian-13")
def test_a_locked_plan_and_a_file(hvctl: Hvctl, libvirtd: Daemon, tmp_path: Path) -> None:
    lock, xml = tmp_path / "plan.json", tmp_path / "mine.xml"
    hvctl("gen", "minimal", "--both", "--lock", str(lock), "-o", str(tmp_path / "both"))
    assert "work" in hvctl("verify", "--locked", str(lock), "--connect", URI, "--vcpus", "1", *PATIENT).out
    xml.write_text(DEFINED)
    # The file alone needs no libvirt: its QEMU is started directly.
    direct = verdicts(hvctl("verify", "--domain", str(xml), "--format", "json", *PATIENT).out)
    assert set(direct.values()) <= {"works", "there"}
    xml.write_text(DEFINED.replace("machine='pc'", "machine='nosuch'"))
    refused = hvctl("verify", "--domain", str(xml), "--connect", URI, code=1).err
    assert "libvirt cannot start the probe guest" in refused
    assert leftovers(libvirtd) == []


@pytest.mark.world("debian-13")
def test_a_guest_that_is_out_of_time_is_ended(hvctl: Hvctl, libvirtd: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    # A start of 64 vCPUs under TCG on a busy machine was seen to take more than 30 s.
    monkeypatch.setattr(libvirt_run, "SLOW_SECONDS", 120.0)
    told = hvctl("verify", "minimal", "--connect", URI, "--vcpus", "64", "--timeout", "0.1", code=3).err
    assert "the probe guest did not finish within 0.1 s" in told
    assert leftovers(libvirtd) == []


@pytest.mark.world("debian-13")
def test_a_guest_that_kvm_cannot_run_is_told(hvctl: Hvctl, libvirtd: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libvirt_run, "firmware", firmware.unemulated)
    told = hvctl("verify", "minimal", "--connect", URI, "--vcpus", "1", *PATIENT, code=3).err
    assert "KVM cannot run the probe guest any further" in told
    assert "dmesg" in told
    assert leftovers(libvirtd) == []


@pytest.mark.world("debian-13")
def test_ctrl_c_ends_the_guest(libvirtd: Daemon) -> None:
    command = [sys.executable, "-m", "hvctl", "verify", "minimal", "--connect", URI, "--vcpus", "64", *PATIENT]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        end = time.monotonic() + 60
        while not leftovers(libvirtd) and time.monotonic() < end:
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 130
        assert running.stderr is not None
        assert "Traceback" not in running.stderr.read()
    end = time.monotonic() + 60
    while leftovers(libvirtd) and time.monotonic() < end:
        time.sleep(0.1)
    assert leftovers(libvirtd) == []
    # Another one can be started right away.
    process("verify", "minimal", "--connect", URI, "--vcpus", "1", *PATIENT)
