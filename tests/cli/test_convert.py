"""`hvctl convert`: every form to every other, and what is lost on the way is named."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvctl.catalog import ROWS
from hvctl.catalog.types import Kind, Row
from hvctl.guest.command.strict import read_command_line, read_cpu
from hvctl.guest.convert import Converted, to_libvirt, to_qemu
from hvctl.guest.domain.strict import read_domain
from hvctl.guest.plan import guest_of_profile, profile_of_guest
from hvctl.model.guest import Guest, Setting
from hvctl.profile.reader import load_profile, profile_from_text
from hvctl.profile.shipped import names
from hvctl.profile.writer import to_yaml
from tests.cli.run import hvctl

VALUES: dict[Kind, st.SearchStrategy[int | str | None]] = {
    Kind.FLAG: st.none(),
    Kind.NUMBER: st.integers(4095, 0x7FFFFFFF),
    Kind.STRING: st.text("abc XYZ&<'\"0", min_size=1, max_size=12),
    Kind.ON_OFF_AUTO: st.sampled_from(["on", "auto"]),
    Kind.VERSION: st.sampled_from(["10.0.14393", "6.1.7100", "1.2.3.4-5-6"]),
}
ORDINARY = [row for row in ROWS if not row.experimental]


@st.composite
def guests(draw: st.DrawFn) -> Guest:
    """A guest with any rows on and off, and any CPU."""
    settings = []
    for row in ORDINARY:
        state = draw(st.sampled_from(["on", "on", "off", ""]))
        if state == "on":
            settings.append(Setting(row.id, True, draw(VALUES[row.kind])))
        elif state == "off" and row.kind is Kind.FLAG:
            settings.append(Setting(row.id, False))
    return Guest(
        "guest",
        machine=draw(st.sampled_from(["pc-q35-7.2", "pc-i440fx-6.1"])),
        cpu=draw(st.sampled_from(["host", "EPYC", "Skylake-Server-noTSX-IBRS"])),
        hidden=draw(st.booleans()),
        features=tuple(
            draw(st.dictionaries(st.sampled_from(["svm", "vmx", "invtsc", "avx512f"]), st.booleans())).items()
        ),
        tsc_frequency=draw(st.sampled_from([None, 2_600_000_000])),
        settings=tuple(settings),
    )


def comparable(guest: Guest) -> tuple[object, ...]:
    settings = tuple(setting._replace(span=None) for setting in guest.settings)
    return guest.cpu, guest.hidden, dict(guest.features), guest.tsc_frequency, settings


@given(guests())
def test_to_qemu_and_back(guest: Guest) -> None:
    text, lost = to_qemu(guest)
    assert not lost
    assert comparable(read_cpu(text, "x")) == comparable(guest)
    assert comparable(read_command_line(shlex.join(("-cpu", text)), "x")) == comparable(guest)


@given(guests())
def test_to_libvirt_and_back(guest: Guest) -> None:
    converted = to_libvirt(guest)
    back = read_domain(converted.text.encode(), "x")
    kept = kept_by_libvirt(guest, converted)
    assert back.enabled() == kept
    assert comparable(back)[:4] == comparable(guest)[:4]
    assert back.machine == guest.machine
    assert comparable(read_domain(to_libvirt(back).text.encode(), "x")) == comparable(back)


def kept_by_libvirt(guest: Guest, converted: Converted) -> dict[str, int | str | None]:
    """What is on and not named as lost."""
    lost = {sentence.partition(":")[0] for sentence in converted.lost}
    return {row_id: value for row_id, value in guest.enabled().items() if row_id not in lost}


@given(guests())
def test_to_a_profile_and_back(guest: Guest) -> None:
    profile, lost = profile_of_guest(guest)
    assert not lost
    back, unknown = guest_of_profile(profile)
    assert not unknown
    assert comparable(back) == comparable(guest)


@given(guests())
def test_the_profile_can_be_written_and_read(guest: Guest) -> None:
    """Unless the guest itself says what cannot be: then the profile says so too, and nothing else is wrong with it."""
    profile, _ = profile_of_guest(guest)
    if any(row.requires and not set(row.requires) <= guest.enabled().keys() for row in ORDINARY if row.id in on(guest)):
        return
    if any(row.takes_all for row in ORDINARY if row.id in on(guest)):
        return
    assert profile_from_text(to_yaml(profile))._replace(spans=()).cpu == profile.cpu


def on(guest: Guest) -> set[str]:
    return set(guest.enabled())


@pytest.mark.parametrize("row", [row for row in ORDINARY if row.libvirt is None], ids=lambda row: row.id)
def test_what_libvirt_has_no_element_for_is_named(row: Row) -> None:
    value = {Kind.ON_OFF_AUTO: "on", Kind.VERSION: "10.0.1"}.get(row.kind)
    converted = to_libvirt(Guest("x", cpu="host", settings=(Setting(row.id, True, value),)))
    assert converted.lost == (f"{row.id}: libvirt has no element for it",)


@pytest.mark.parametrize("name", names())
def test_a_shipped_profile_through_every_form(name: str, tmp_path: Path) -> None:
    xml = tmp_path / "x.xml"
    hvctl("convert", name, "--to", "libvirt", "-o", str(xml))
    wanted = {wish.id for wish in load_profile(name).wishes if wish.ask != "off"}
    lost = {row.id for row in ROWS if row.libvirt is None}
    args = hvctl("convert", str(xml), "--to", "qemu").stdout
    assert set(read_command_line(args, "x").enabled()) == wanted - lost
    line = tmp_path / "x.args"
    line.write_text(f"qemu-system-x86_64 -M pc-q35-7.2 {args}")
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
    assert done.stdout == "-cpu qemu64,hv_relaxed=on\n"
    assert "note: the guest runs by tcg, not by KVM" in done.stderr


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


def test_a_value_that_libvirt_refuses_is_not_written() -> None:
    converted = to_libvirt(read_cpu("host,hv_relaxed,hv_spinlocks=100", "x"))
    assert converted.lost == ("spinlocks: libvirt refuses a value below 4095",)
    assert list(read_domain(converted.text.encode(), "x").enabled()) == ["relaxed"]


def test_a_process_is_the_same_by_its_number_and_by_its_file() -> None:
    for word in (str(os.getpid()), f"/proc/{os.getpid()}/cmdline"):
        assert f"process {os.getpid()} is python" in hvctl("convert", word, code=2).stderr
    gone = 4194305  # above the largest number that Linux gives
    assert hvctl("convert", f"/proc/{gone}/cmdline", code=3).stderr == f"error: there is no process {gone}\n"


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
    assert hvctl("convert", str(tmp_path / "domain.xml")).stdout == "-cpu EPYC,pclmulqdq=off,lahf-lm=on\n"


def test_of_a_features_names_the_last_one_counts() -> None:
    assert "lm=off,sse4.1=on" in hvctl("convert", "EPYC,i64=on,lm=off,+sse4_1", "--to", "qemu").stdout


def test_features_of_a_model_that_libvirt_chooses(tmp_path: Path) -> None:
    features = "<feature name='lahf_lm'/><feature policy='disable' name='vmx'/><feature name='hv_relaxed'/>"
    (tmp_path / "a.xml").write_text(f"<domain type='kvm'><cpu mode='host-model'>{features}</cpu></domain>")
    done = hvctl("convert", str(tmp_path / "a.xml"), "--to", "libvirt")
    assert done.stdout.count("<feature ") == 2
    assert '<feature policy="require" name="lahf_lm"/>' in done.stdout
    assert "libvirt knows no CPU feature 'hv_relaxed'" in done.stderr
