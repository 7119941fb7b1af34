"""`hvctl convert`: every form to every other, and what is lost on the way is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hvctl.catalog import ROWS
from hvctl.guest.command.reader import read_command_line
from hvctl.guest.domain.reader import read_domain
from hvctl.model.profile import ClockChoice
from hvctl.profile.reader import load_profile, profile_from_text
from hvctl.profile.source import shipped_names
from tests.cli.run import hvctl


@pytest.mark.parametrize("name", shipped_names())
def test_a_shipped_profile_through_every_form(name: str, tmp_path: Path) -> None:
    xml = tmp_path / "x.xml"
    hvctl("convert", name, "--to", "libvirt", "-o", str(xml))
    wanted = {wish.id for wish in load_profile(name).wishes if wish.ask != "off"}
    lost = {row.id for row in ROWS if row.libvirt is None}
    args = hvctl("convert", str(xml), "--to", "qemu").stdout
    assert set(read_command_line(args, "x").enabled()) == wanted - lost
    line = tmp_path / "x.args"
    line.write_text(f"qemu-system-x86_64 {args}")
    back = tmp_path / "x.yaml"
    back.write_text(hvctl("convert", str(line), "--to", "profile").stdout)
    assert {wish.id for wish in load_profile(str(back)).wishes if wish.ask == "on"} == wanted - lost


def test_a_value_as_it_stands() -> None:
    done = hvctl("convert", "host,hv_relaxed,hv-time=on,-hv-ipi,hv_stimer=off,hv_stimer=on")
    guest = read_domain(done.stdout.encode(), "x")
    assert list(guest.enabled()) == ["relaxed", "time", "stimer"]
    assert '<ipi state="off"/>' in done.stdout


def test_the_command_line_of_a_running_process(tmp_path: Path) -> None:
    path = tmp_path / "cmdline"
    path.write_bytes(b"\0".join((b"/usr/bin/qemu-system-x86_64", b"-cpu", b"host,hv-vendor-id=a b", b"")))
    assert 'value="a b"' in hvctl("convert", str(path)).stdout


def test_a_process_that_is_no_qemu(tmp_path: Path) -> None:
    path = tmp_path / "cmdline"
    path.write_bytes(b"sleep\0999\0")
    said = " ".join(hvctl("convert", str(path), code=2).stderr.split())
    assert said == f"error: {path}: this is no QEMU command line: it has no option"


def test_the_words_are_quoted_for_a_shell(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_text(
        "<domain type='kvm'><os><type machine='q35'>hvm</type></os><vcpu>4</vcpu>"
        "<features><hyperv><vendor_id state='on' value='a &amp; b'/></hyperv><ioapic driver='qemu'/></features>"
        "<cpu mode='host-passthrough'><topology sockets='1' cores='4' threads='1'/></cpu>"
        "<clock offset='utc'><timer name='rtc' tickpolicy='catchup'/><timer name='pit' tickpolicy='discard'/>"
        "<timer name='hpet' present='no'/></clock></domain>"
    )
    assert hvctl("convert", str(path), "--strict").stdout == (
        "-machine q35,kernel-irqchip=split,hpet=off -accel kvm -cpu 'host,hv_vendor_id=a & b' "
        "-smp 4,sockets=1,cores=4,threads=1 -rtc base=utc,driftfix=slew -global kvm-pit.lost_tick_policy=discard\n"
    )


def test_the_clock_and_the_system_go_with_it(tmp_path: Path) -> None:
    path = tmp_path / "x.args"
    path.write_text(
        "qemu-system-x86_64 -accel kvm -machine pc-q35-9.2,hpet=off -cpu host,hv_relaxed,hv_time "
        "-rtc base=utc,driftfix=slew -global kvm-pit.lost_tick_policy=discard\n"
    )
    found = read_domain(hvctl("convert", str(path), "--strict").stdout.encode(), "x")
    assert (found.offset, found.timers["hpet"].present) == ("utc", False)
    assert (found.timers["rtc"].policy, found.timers["pit"].policy) == ("catchup", "discard")
    clock = profile_from_text(hvctl("convert", str(path), "--strict", "--to", "profile").stdout).clock
    assert clock == ClockChoice("utc", hpet=False, rtc="catchup", pit="discard")
    profile = tmp_path / "x.yaml"
    profile.write_text("version: 1\nguest: {os: windows-11}\nclock: {offset: utc}\n")
    done = hvctl("convert", str(profile), "--to", "libvirt", "--strict")
    assert read_domain(done.stdout.encode(), "x").system == "http://microsoft.com/win/11"
    assert (
        "not carried over: os http://microsoft.com/win/11" in hvctl("convert", str(profile), "--strict", code=1).stderr
    )


def test_strict_makes_a_loss_exit_code_1() -> None:
    words = ("convert", "host,hv_relaxed,hv_enforce_cpuid", "--to", "libvirt")
    assert "not carried over: enforce-cpuid: libvirt has no element for it" in hvctl(*words).stderr
    hvctl(*words, "--strict", code=1)
    hvctl("convert", "host,hv_relaxed", "--strict")


def test_another_domain_type_is_a_note() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hvctl", "convert", "-"],
        input="<domain type='qemu'><features><hyperv><relaxed state='on'/></hyperv></features></domain>",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "-accel tcg -cpu qemu64,hv_relaxed=on\n"
    assert "note: the guest uses tcg, not KVM" in done.stderr


def test_json_has_everything() -> None:
    found = json.loads(hvctl("convert", "host,hv_relaxed,hv_spinlocks=0x1fff,-hv-ipi,kvm=off", "--to", "json").stdout)
    assert found["format_version"] == 1
    assert found["cpu"]["hidden"] is True
    assert found["enlightenments"] == [
        {"id": "relaxed", "on": True, "value": None},
        {"id": "spinlocks", "on": True, "value": 8191},
        {"id": "ipi", "on": False, "value": None},
    ]


@pytest.mark.parametrize("word", ["host,hv_relaxed=maybe", "host,hv_spinlocks=many", "nosuch", "host,hv_spinlocks=-1"])
def test_wrong_input_is_exit_code_2(word: str) -> None:
    done = hvctl("convert", word, code=2)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_enforce_goes_with_it() -> None:
    words = ("convert", "host,enforce,hv_relaxed", "--strict", "--to")
    assert "enforce=on" in hvctl(*words, "qemu").stdout
    done = hvctl(*words, "libvirt")
    assert read_domain(done.stdout.encode(), "x").enforce
    assert "enforce=on: a profile has no key for it" in hvctl(*words, "profile", code=1).stderr


def test_a_property_with_a_value_is_carried_over_or_named() -> None:
    words = ("convert", "host,phys-bits=40,hv_relaxed", "--strict", "--to")
    assert "phys-bits=40" in hvctl(*words, "qemu").stdout
    assert json.loads(hvctl(*words, "json").stdout)["cpu"]["properties"] == {"phys-bits": "40"}
    assert "phys-bits=40: libvirt has <maxphysaddr> in <cpu> for it" in hvctl(*words, "libvirt", code=1).stderr
    assert "phys-bits=40: a profile has no key for it" in hvctl(*words, "profile", code=1).stderr


def test_a_process_is_the_same_by_its_number_and_by_its_file() -> None:
    for word in (str(os.getpid()), f"/proc/{os.getpid()}/cmdline"):
        assert f"process {os.getpid()} is python" in hvctl("convert", word, code=2).stderr
    gone = 4194305  # above the largest number that Linux gives
    assert hvctl("convert", f"/proc/{gone}/cmdline", code=3).stderr == f"error: no process {gone}\n"


@pytest.mark.parametrize("word", ["host,,hv_relaxed", "host,hv_relaxed,", "host,hv_relaxed,,"])
def test_a_comma_too_many_is_passed_over_as_by_qemu(word: str) -> None:
    assert list(read_domain(hvctl("convert", word).stdout.encode(), "x").enabled()) == ["relaxed"]


def test_an_empty_file_is_said_to_be_empty(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.write_text(" \n")
    said = " ".join(hvctl("convert", str(path), code=2).stderr.split())
    assert said.startswith(f"error: {path} is empty")
    assert "give a domain XML, a QEMU command line or a profile" in said


def test_features_have_the_names_of_the_form(tmp_path: Path) -> None:
    words = ["convert", "EPYC,+lahf-lm,pclmulqdq=off,pmu=off,phys-bits=40,kvm_steal_time=on", "--to", "libvirt"]
    done = hvctl(*words)
    assert '<feature policy="require" name="lahf_lm"/>' in done.stdout
    assert '<feature policy="disable" name="pclmuldq"/>' in done.stdout
    assert done.stdout.count("<feature ") == 2
    assert "not carried over: pmu=off: libvirt has <pmu> in <features> for it" in done.stderr
    assert "not carried over: phys-bits=40: libvirt has <maxphysaddr> in <cpu> for it" in done.stderr
    assert "not carried over: kvm-steal-time=on: libvirt has no such feature of a CPU" in done.stderr
    (tmp_path / "domain.xml").write_text(done.stdout)
    assert hvctl("convert", str(tmp_path / "domain.xml")).stdout == "-accel kvm -cpu EPYC,pclmulqdq=off,lahf-lm=on\n"


def test_of_a_features_names_the_last_one_counts() -> None:
    assert "lm=off,sse4.1=on" in hvctl("convert", "EPYC,i64=on,lm=off,+sse4_1", "--to", "qemu").stdout


def test_features_of_a_model_that_libvirt_chooses(tmp_path: Path) -> None:
    features = "<feature name='lahf_lm'/><feature policy='disable' name='vmx'/><feature name='hv_relaxed'/>"
    (tmp_path / "a.xml").write_text(f"<domain type='kvm'><cpu mode='host-model'>{features}</cpu></domain>")
    done = hvctl("convert", str(tmp_path / "a.xml"), "--to", "libvirt")
    assert done.stdout.count("<feature ") == 2
    assert '<feature policy="require" name="lahf_lm"/>' in done.stdout
    assert "libvirt knows no CPU feature 'hv_relaxed'" in done.stderr


def test_what_a_terminal_would_obey_is_escaped() -> None:
    said = hvctl("convert", "qemu-system-x86_64 -cpu host,hv_\x1b=on,hv_\u202e=on", "--to", "qemu").stderr
    assert "hv-\\x1b" in said
    assert "hv-\\u202e" in said
