"""`hvctl verify` with a real QEMU: under TCG everywhere, and on this machine's KVM where that has no Hyper-V."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from hvctl.errors import HostError
from hvctl.host.probe import probe_host
from hvctl.profile.reader import load_profile
from hvctl.profile.source import shipped_names
from tests.cli.run import hvctl
from tests.paths import HOSTS, schema
from tests.run.running import QEMU

DEBIAN_12 = str(HOSTS / "debian-12.json")
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


@pytest.mark.parametrize("profile", [name for name in shipped_names() if load_profile(name).wishes])
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
        (("--also-host", DEBIAN_12, "--", "-cpu", "max"), "--also-host requires a PROFILE or --locked"),
        (("windows-11", "--accel", "tcg", "--", "-cpu", "max"), "-cpu is what hvctl writes"),
        (("-", "--also-host", "-"), "stdin can be read once"),
        (("--", "-accel", "tcg", "-cpu", "max,hv-spinlocks=many"), "hv-spinlocks"),
        (("minimal", "--locked", "x.json"), "PROFILE and --locked do not go together"),
        (("--locked", "x.json", "--domain", "x.xml"), "--locked and --domain do not go together"),
        (("--domain", "x.xml", "--", "-cpu", "max"), "--domain and QEMU-ARGS do not go together"),
        (("--domain", "x.xml", "--also-host", DEBIAN_12), "--also-host requires a PROFILE or --locked"),
        (("--dry-run", "--connect", "test:///default", "minimal"), "--dry-run and --connect do not go together"),
        (
            ("--dry-run", "--host", str(HOSTS), "minimal"),
            f"--dry-run is about one host, and --host names {len([*HOSTS.glob('*.json')])}",
        ),
        (("--dry-run", "--host", DEBIAN_12, "--qemu", "/nosuch", "minimal"), "debian-12 has no QEMU /nosuch"),
        (("--dry-run", "--host", "-", "-"), "stdin can be read once"),
        (("--dry-run", "--host", DEBIAN_12, "--", "-cpu", "max,hv-spinlocks=many"), "hv-spinlocks"),
        (("--locked", "-", "--host", "-"), "stdin can be read once"),
        (("--locked", "/nonexistent.json", "--accel", "tcg"), "plan file /nonexistent.json cannot be read"),
        (("--locked", str(HOSTS / "debian-12.json"), "--accel", "tcg"), "debian-12.json"),
        (("--domain", "/nonexistent.xml"), "/nonexistent.xml cannot be read"),
        (("--domain", str(HOSTS / "debian-12.json")), "debian-12.json is a host file, not a domain"),
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
    assert json.loads(told.stdout)["argv"][0] == QEMU
    assert f"starting the domain's emulator {QEMU}\n" in told.stderr


@pytest.mark.parametrize(("mode", "run"), [(0o755, True), (0o757, False)])
def test_a_strangers_program_is_not_run(tmp_path: Path, mode: int, run: bool) -> None:
    program, domain, mark = tmp_path / "qemu", tmp_path / "mine.xml", tmp_path / "was run"
    program.write_text(f"#!/bin/sh\n: >'{mark}'\nexit 1\n")
    program.chmod(mode)
    domain.write_text(DOMAIN.replace("<devices>", f"<devices><emulator>{program}</emulator>"))
    done = hvctl("verify", "-q", "--domain", str(domain), code=1 if run else 3)
    assert mark.exists() == run
    assert (f"starting the domain's emulator {program}\n" in done.stderr) == run
    assert ("name the QEMU to start with --qemu" in done.stderr) != run


def test_the_machine_of_a_domain_brings_no_other_options(tmp_path: Path) -> None:
    domain = tmp_path / "mine.xml"
    domain.write_text(DOMAIN.replace("machine='q35'", "machine='pc,kernel=/nonexistent'"))
    assert "-machine pc,,kernel=/nonexistent: Invalid" in hvctl("verify", "--domain", str(domain), code=1).stderr


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


def predicted(*words: str, code: int = 0, host: str = DEBIAN_12) -> dict[str, Any]:
    done = hvctl("verify", "--dry-run", "--host", host, "--format", "json", *words, code=code)
    document: dict[str, Any] = json.loads(done.stdout)
    jsonschema.validate(document, schema("verify-dry-run"))
    return document


def test_a_dry_run_predicts_the_start_and_the_leaves() -> None:
    found = predicted("windows-11", "--", "-machine", "vmport=off")
    assert list(found) == ["format_version", "starts", "error", "why", "leaves"]
    assert (found["starts"], found["error"], found["why"]) == (True, None, None)
    gen = json.loads(hvctl("gen", "windows-11", "--host", DEBIAN_12, "--format", "json").stdout)
    *leaves, kvm_features = found["leaves"]
    assert leaves == [leaf for leaf in gen["leaves"] if any(int(leaf[name], 16) for name in leaf if name != "leaf")]
    assert (kvm_features["leaf"], kvm_features["eax"]) == ("0x40000101", "0x01007afb")


@pytest.mark.parametrize(
    ("words", "code", "found"),
    [
        (("-cpu", "host,hv-passthrough,hv-evmcs=on"), 1, (False, "Hyper-V enlightened VMCS (hv-evmcs) is not", None)),
        (("-machine", "pc-q35-99.0"), 1, (False, None, "has no machine type pc-q35-99.0")),
        (("-accel", "tcg"), 3, (None, None, "the accelerator is tcg")),
        (("/usr/bin/qemu", "-accel", "kvm", "-cpu", "host,hv-relaxed", "-m", "9T"), 0, (True, None, None)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) and isinstance(value[0], str) else "",
)
def test_a_dry_run_of_a_command_line(words: tuple[str, ...], code: int, found: tuple[object, ...]) -> None:
    document = predicted("--", *words, code=code)
    for key, expected in zip(("starts", "error", "why"), found, strict=True):
        said = document[key]
        assert expected in said if isinstance(expected, str) else said is expected
    assert bool(document["leaves"]) is (code == 0)


def test_a_dry_run_of_a_domain_and_of_a_saved_plan(tmp_path: Path) -> None:
    lock, xml = str(tmp_path / "plan.json"), tmp_path / "guest.xml"
    hvctl("gen", "windows-11", "--both", "--host", DEBIAN_12, "--lock", lock)
    xml.write_text(hvctl("gen", "windows-11", "--libvirt", "--host", DEBIAN_12).stdout)
    assert predicted("--locked", lock)["leaves"] == predicted("--domain", str(xml))["leaves"] != []
    xml.write_text(xml.read_text().replace('<vpindex state="on"/>', ""))
    assert "requires Hyper-V VP_INDEX" in predicted("--domain", str(xml), code=1)["error"]


def test_a_dry_run_of_a_profile_that_the_host_cannot_give() -> None:
    found = predicted("windows-11", code=1, host=str(HOSTS / "no-hyperv.json"))
    assert (found["starts"], found["error"]) == (False, None)
    assert "its KVM has no Hyper-V emulation" in found["why"]


def test_a_dry_run_for_people() -> None:
    done = hvctl("verify", "--dry-run", "--host", DEBIAN_12, "--", "-cpu", "host,kvm=off,hv-relaxed")
    assert done.stdout.splitlines()[0] == "the given QEMU arguments: starts on debian-12"
    assert "0x40000004  00000020  ffffffff  00000000  00000000" in done.stdout.splitlines()
    done = hvctl("verify", "--dry-run", "--host", DEBIAN_12, "--", "-cpu", "host,hv-evmcs", code=1)
    assert folded(done.stdout).endswith(
        "does not start on debian-12: Hyper-V enlightened VMCS (hv-evmcs) is not supported by kernel"
    )
    done = hvctl("verify", "--dry-run", "--host", DEBIAN_12, "--", "-accel", "tcg", code=3)
    assert "cannot tell whether it starts on debian-12: the accelerator is tcg" in done.stdout


@pytest.mark.skipif(not kvm_without_hyperv(), reason="needs a KVM without Hyper-V emulation")
@pytest.mark.parametrize("flags", ["hv-time", "hv-vapic,hv-synic", "hv-vpindex", "hv-relaxed,hv-passthrough,hv-evmcs"])
def test_a_dry_run_on_this_machine_is_what_qemu_does(flags: str) -> None:
    words = ("-accel", "kvm", "-machine", "pc", "-cpu", f"qemu64,{flags}")
    real = subprocess.run(
        [QEMU, *words, "-nodefaults", "-display", "none", "-S", "-qmp", "stdio"],
        input='{"execute":"qmp_capabilities"}{"execute":"quit"}',
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    errors = [line.partition(": ")[2] for line in real.stderr.splitlines() if "warning: " not in line]
    done = hvctl("verify", "--dry-run", "--format", "json", "--", *words, code=int(real.returncode != 0))
    found = json.loads(done.stdout)
    assert (found["starts"], found["error"]) == (real.returncode == 0, errors[0] if errors else None)


def test_the_old_word_for_also_host_is_taken_with_a_note() -> None:
    done = hvctl("verify", "windows-11", "--accel", "tcg", "--host", DEBIAN_12, code=1)
    assert "note: write --also-host instead of --host" in done.stderr
    assert "note:" not in hvctl("verify", "windows-11", "--accel", "tcg", "--also-host", DEBIAN_12, code=1).stderr
