"""`hvctl verify` with a real QEMU: under TCG everywhere, and on this machine's KVM where that has no Hyper-V."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hvctl.errors import HostError
from hvctl.host.probe import probe_host
from hvctl.profile.shipped import names
from tests.cli.run import hvctl
from tests.paths import HOSTS
from tests.run.running import QEMU

TCG = ("-accel", "tcg", "-machine", "pc")


def kvm_without_hyperv() -> bool:
    try:
        return not probe_host(with_qemu=False, with_libvirt=False).kvm.hyperv
    except HostError:
        return False


def folded(text: str) -> str:
    return " ".join(text.split())


def verdicts(text: str) -> dict[str, str]:
    return {entry["id"]: entry["verdict"] for entry in json.loads(text)["enlightenments"]}


@pytest.mark.parametrize("profile", names())
def test_tcg_ignores_every_profile(profile: str) -> None:
    done = hvctl("verify", profile, "--accel", "tcg", "-q", "--format", "json", code=1)
    found = json.loads(done.stdout)
    assert found["hyperv"] is False
    asked = {entry["verdict"] for entry in found["enlightenments"] if entry["asked"]}
    # QEMU up to 7.2 refuses one of them: that is not silent.
    assert asked in ({"missing"}, {"missing", "refused"})


def test_text_is_readable_and_exit_code_1() -> None:
    done = hvctl("verify", "windows-11", "--accel", "tcg", "--vcpus", "3", code=1)
    assert "windows-11: " in done.stdout.splitlines()[0]
    assert "with TCG, 3 vCPUs" in done.stdout
    assert "the guest sees no Hyper-V interface" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_command_line_without_enlightenments_agrees() -> None:
    done = hvctl("verify", "--", *TCG, "-cpu", "qemu64", "-smp", "2")
    assert done.stdout.startswith("the given QEMU arguments: no enlightenment was asked for, and none is there\n")
    assert "2 vCPUs" in done.stdout


def test_a_command_line_with_its_qemu_and_devices() -> None:
    """As it stands in a unit file: the disk, which does not exist, is not opened."""
    words = (QEMU, *TCG, "-cpu", "max,hv-relaxed,hv_time=on", "-m", "64G", "-drive", "file=/nonexistent,if=virtio")
    done = hvctl("verify", "--format", "json", "-v", "--", *words, code=1)
    assert json.loads(done.stdout)["argv"] == [QEMU, *TCG, "-cpu", "max,hv-relaxed,hv_time=on", "-smp", "2"]
    assert {"relaxed": "missing", "time": "missing"}.items() <= verdicts(done.stdout).items()
    assert "not used: -m, -drive" in done.stderr


def test_the_accelerator_can_be_another() -> None:
    done = hvctl(
        "verify", "--accel", "tcg", "--vcpus", "1", "--", "-M", "q35,accel=kvm", "-cpu", "host,hv-relaxed", code=1
    )
    assert "with TCG, 1 vCPU," in done.stdout


@pytest.mark.skipif(not kvm_without_hyperv(), reason="needs a KVM without Hyper-V emulation")
def test_a_kvm_without_hyperv_drops_without_a_word() -> None:
    done = hvctl("verify", "--format", "json", "--", "-cpu", "qemu64,hv_relaxed=on,hv_stimer=on,hv_ipi=on", code=1)
    assert json.loads(done.stdout)["accelerator"] == "kvm"
    assert {"relaxed": "missing", "stimer": "missing", "ipi": "missing"}.items() <= verdicts(done.stdout).items()


@pytest.mark.skipif(not kvm_without_hyperv(), reason="needs a KVM without Hyper-V emulation")
def test_a_profile_needs_a_kvm_with_hyperv() -> None:
    assert "no Hyper-V emulation" in hvctl("verify", "windows-11", code=3).stderr


@pytest.mark.skipif(not kvm_without_hyperv(), reason="needs a KVM without Hyper-V emulation")
def test_a_qemu_that_dies_is_a_clear_error() -> None:
    done = hvctl("verify", "--", "-accel", "kvm", "-cpu", "qemu64,hv_time=on", code=3)
    assert "QEMU was killed by SIGABRT" in done.stderr
    assert done.stdout == ""


def test_a_refusal_is_shown_and_exit_code_1() -> None:
    done = hvctl("verify", "--", *TCG, "-cpu", "nosuch", code=1)
    assert "unable to find CPU model 'nosuch'" in done.stderr
    assert done.stdout == ""


def test_a_guest_that_takes_too_long(tmp_path: Path) -> None:
    path = tmp_path / "qemu"
    path.write_text("#!/bin/sh\nexec sleep 100\n")
    path.chmod(0o755)
    done = hvctl("verify", "--timeout", "0.5", "--", str(path), *TCG, code=3)
    assert "the probe guest did not finish within 0.5 s" in done.stderr
    assert "it has printed nothing" in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "a PROFILE is missing"),
        (("nosuch",), "nosuch"),
        (("windows-11", "windows-10"), "unexpected extra argument"),
        (("windows-11", "--accel", "hvf"), "'hvf' is not one of 'kvm', 'tcg'"),
        (("windows-11", "--vcpus", "0"), "not in the range"),
        (("windows-11", "--vcpus", "65"), "not in the range"),
        (("windows-11", "--timeout", "0"), "not in the range"),
        (("windows-11", "--timeout", "nan"), "--timeout"),
        (("--host", str(HOSTS / "debian-12.json"), "--", "-cpu", "max"), "--host goes with a PROFILE or --locked only"),
        (("windows-11", "--accel", "tcg", "--", "-cpu", "max"), "-cpu is what hvctl writes"),
        (("-", "--host", "-"), "stdin can be read once"),
        (("--", "-accel", "tcg", "-cpu", "max,hv-spinlocks=many"), "hv-spinlocks"),
        (("minimal", "--locked", "x.json"), "PROFILE and --locked do not go together"),
        (("--locked", "x.json", "--domain", "x.xml"), "--locked and --domain do not go together"),
        (("--domain", "x.xml", "--", "-cpu", "max"), "--domain and QEMU-ARGS do not go together"),
        (("--domain", "x.xml", "--host", str(HOSTS / "debian-12.json")), "--host goes with a PROFILE or --locked only"),
        (("--locked", "-", "--host", "-"), "stdin can be read once"),
        (("--locked", "/nonexistent.json", "--accel", "tcg"), "/nonexistent.json: the locked plan cannot be read"),
        (("--locked", str(HOSTS / "debian-12.json"), "--accel", "tcg"), "debian-12.json"),
        (("--domain", "/nonexistent.xml"), "/nonexistent.xml cannot be read"),
        (("--domain", str(HOSTS / "debian-12.json")), "debian-12.json:1:1"),
        (("--connect", "test:///default", "minimal", "--", "-cpu", "max"), "QEMU-ARGS: not with --connect"),
        (("--connect", "test:///default", "minimal", "--qemu", QEMU, "--accel", "tcg"), "--qemu and --accel: not with"),
        (("--", "-M", "pc,kernel_irqchip=off", "-cpu", "max,hv-ipi"), "kernel-irqchip=off cannot go with ipi"),
        (("--", "-accel", "kvm,kernel-irqchip=off", "-cpu", "max,hv-passthrough"), "cannot go with passthrough"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_command_line_is_exit_code_2(words: tuple[str, ...], told: str) -> None:
    done = hvctl("verify", *words, code=2)
    assert told in done.stderr
    assert done.stdout == ""


def test_there_is_no_qemu_of_that_name() -> None:
    for words in (("minimal", "--accel", "tcg"), ("--", *TCG)):
        done = hvctl("verify", "--qemu", "/nonexistent/qemu", *words, code=3)
        assert "/nonexistent/qemu" in done.stderr
        assert "Traceback" not in done.stderr


DOMAIN = """\
<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>mine</name>
  <memory unit='GiB'>8</memory>
  <vcpu current='3'>4</vcpu>
  <os firmware='efi'><type arch='x86_64' machine='q35'>hvm</type></os>
  <features><hyperv><relaxed state='on'/><spinlocks state='on' retries='8191'/></hyperv></features>
  <cpu mode='maximum'/>
  <devices><disk type='file'><source file='/nonexistent'/><target dev='vda'/></disk><panic model='hyperv'/></devices>
  <qemu:commandline><qemu:arg value='-global'/><qemu:arg value='cpu.hv-time=on'/></qemu:commandline>
</domain>
"""


def test_a_domain_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.xml"
    path.write_text(DOMAIN)
    found = hvctl("verify", "--domain", str(path), "--format", "json", code=1).stdout
    document = json.loads(found)
    assert (document["guest"], document["accelerator"]) == ("mine", "tcg")
    assert document["vcpus"] == {"wanted": 3, "seen": 3}
    assert "-cpu max,hv_relaxed=on,hv_spinlocks=0x1fff,hv_crash=on,hv_time=on" in " ".join(document["argv"])
    asked = {entry["id"]: entry["verdict"] for entry in document["enlightenments"] if entry["asked"]}
    assert asked == {"relaxed": "missing", "spinlocks": "missing", "time": "missing", "crash": "missing"}
    one = hvctl("verify", "--domain", str(path), "--format", "json", "--vcpus", "1", code=1).stdout
    assert json.loads(one)["vcpus"] == {"wanted": 1, "seen": 1}


def test_a_domain_names_its_qemu(tmp_path: Path) -> None:
    path = tmp_path / "mine.xml"
    path.write_text(DOMAIN.replace("<devices>", f"<devices><emulator>{tmp_path}/qemu</emulator>"))
    assert "is not on this machine" in folded(hvctl("verify", "--domain", str(path), code=3).stderr)
    (tmp_path / "qemu").symlink_to(QEMU)
    told = hvctl("verify", "--domain", str(path), "--format", "json", code=1)
    assert json.loads(told.stdout)["argv"][0] == f"{tmp_path}/qemu"


def test_a_locked_plan(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    hvctl("gen", "minimal", "--host", str(HOSTS / "debian-12.json"), "--lock", str(path))
    done = hvctl("verify", "--locked", str(path), "--accel", "tcg", "--format", "json", code=1)
    document = json.loads(done.stdout)
    assert document["guest"] == "minimal"
    assert {entry["verdict"] for entry in document["enlightenments"] if entry["asked"]} <= {"missing", "refused"}
    hvctl("gen", "minimal", "--host", str(HOSTS / "debian-12.json"), "--libvirt", "--lock", str(path))
    refused = hvctl("verify", "--locked", str(path), "--accel", "tcg", code=2).stderr
    assert "was not locked for qemu" in folded(refused)


def test_a_libvirt_elsewhere_or_without_qemu() -> None:
    far = hvctl("verify", "minimal", "--connect", "qemu+ssh://nowhere/system", code=3).stderr
    assert "qemu+ssh://nowhere/system is another machine" in folded(far)
    assert "run hvctl verify there" in far
    pytest.importorskip("libvirt")
    assert "has no QEMU" in hvctl("verify", "minimal", "--connect", "test:///default", code=3).stderr
