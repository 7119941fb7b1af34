"""Raw records: what they become, and what hostile ones are refused for, with its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from hvctl.catalog.kvm import KVM_CAPS
from hvctl.errors import InputError
from hvctl.host.host_file import load_host, read_host, read_record
from hvctl.host.pool_files import read_pool
from hvctl.model.host import Host
from hvctl.report.problems import render_error
from hvctl.text.files import LARGEST_JSON
from tests.host.collector import RECORDED, TEXT, document, written
from tests.paths import HOSTS, schema

Change = Callable[[Any], object]
WITHOUT_KVM = "with KVM it cannot be asked, so its CPU models are not known"
HYPERV, END = '<define name="hyperv"><element name="hyperv">', "</element></define>"


def decoded(change: Change) -> Host:
    raw = document()
    change(raw)
    return load_host(written(raw), "n.json")


def problems(text: str) -> list[str]:
    """What is wrong with a record, as `line:column message`."""
    with pytest.raises(InputError) as raised:
        load_host(text, "n.json")
    render_error(raised.value, color=False)
    found = []
    for problem in raised.value.problems:
        assert problem.span is None or problem.span.path == "n.json"
        found.append(
            f"{problem.span.line}:{problem.span.column} {problem.message}" if problem.span else problem.message
        )
    return found


def comparable(host: Host) -> Host:
    """Less what differs between two recordings of a world."""
    release = ".".join((host.kvm.release or "").split(".")[:2])
    hardware = host.hardware._replace(tsc_hz=None, clocksource=None)
    return host._replace(kvm=host.kvm._replace(release=release), hardware=hardware)


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_recorded_world_is_the_host_that_hvctl_recorded(path: Path) -> None:
    assert comparable(read_host(str(path))) == comparable(read_host(str(HOSTS / path.name)))


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_record_is_as_its_schema_says(path: Path) -> None:
    raw = json.loads(path.read_text())
    jsonschema.validate(raw, schema("record"))
    assert written(raw) + "\n" == path.read_text()
    raw["qemu"][0]["starts"][0]["properties"]["a"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(raw, schema("record"))


def test_a_record_and_a_host_file_are_one_class(tmp_path: Path) -> None:
    paths = [str(HOSTS / "debian-13.json")]
    for name in ("a", "b", "c"):
        raw = document()
        raw["name"], raw["kvm"]["tsc_khz"] = name, 2_596_000 + ord(name)
        (tmp_path / f"{name}.json").write_text(written(raw))
        paths.append(str(tmp_path / f"{name}.json"))
    (only,) = read_pool(paths).classes
    assert [member.name for member in only.members] == ["debian-13", "a", "b", "c"]
    assert [member.tsc_hz for member in only.members][1:] == [(2_596_000 + ord(name)) * 1000 for name in "abc"]


def test_a_record_without_a_name_has_its_file_s(tmp_path: Path) -> None:
    (tmp_path / "n7.json").write_text(TEXT.replace('"name": "debian-13"', '"name": null', 1))
    assert read_host(str(tmp_path / "n7.json")).name == "n7"
    assert read_record(str(tmp_path / "n7.json")).name is None


@pytest.mark.parametrize(
    ("change", "place", "message"),
    [
        (lambda raw: raw["kvm"].update(asked=100), '"asked": 100', '"asked" must be at least 192, not 100'),
        (
            lambda raw: raw["kvm"].update(asked=True),
            '"asked": true',
            '"asked" must be a whole number, not true or false',
        ),
        (lambda raw: raw["kvm"].update(tsc_khz=1), '"tsc_khz": 1', "from 1000 to 100000000, not 1"),
        (lambda raw: raw["kvm"].update(cpuid=None), '"cpuid": null', '"cpuid" must be a list, not null'),
        (lambda raw: raw["kvm"].update(cpuid=[[1, 2]]), "[1, 2]", '"cpuid" holds lists of 7 whole numbers'),
        (lambda raw: raw["kvm"].update(cpuid=[[1 << 32] * 7]), "[4294967296", '"cpuid" holds lists of 7'),
        (lambda raw: raw["kvm"].update(cpuid=[[1] * 7, [1] * 7]), '"cpuid": [', '"cpuid" has a leaf twice'),
        (lambda raw: raw["kvm"].update(extensions={"44": -1}), "-1", '"44" must not be negative'),
        (lambda raw: raw["files"].update(osrelease=["6"]), '"osrelease": ["6"]', "must be null or a string"),
        (lambda raw: raw["files"].update(smt="x" * 70_000), '"smt": "x', "a string of at most 65536 characters"),
        (lambda raw: raw.update(name="a\nb"), '"name": "a', '"name" must be one printable line'),
        (lambda raw: raw["qemu"][0].update(starts={}), '"starts": {}', '"starts" must be a list, not an object'),
        (
            lambda raw: raw["qemu"][0]["starts"][0].update(version={"major": 1, "minor": 2}),
            '"version": {',
            '"micro" is missing',
        ),
        (lambda raw: raw["qemu"][0]["starts"][0]["machines"].append({}), " {}", '"name" is missing'),
        (
            lambda raw: raw["qemu"][0]["starts"][0]["properties"].update(a=1),
            '"a": 1',
            '"a" must be a string, not a whole',
        ),
        (lambda raw: raw["libvirt"].update(schema="x"), '"schema": "x"', '"schema" must be an object or null'),
    ],
)
def test_a_wrong_value_is_told_with_its_place(change: Change, place: str, message: str) -> None:
    raw = document()
    change(raw)
    text = written(raw)
    (said,) = problems(text)
    assert message in said
    line, column = map(int, said.partition(" ")[0].split(":"))
    value = place.partition(": ")[2] or place.strip()
    assert text.split("\n")[line - 1][column - 1 :].startswith(value)


def test_all_mistakes_are_told_at_once() -> None:
    raw = document()
    raw["kvm"]["asked"], raw["files"]["smt"], raw["libvirt"] = "512", 1, []
    assert len(problems(written(raw))) == 3


@pytest.mark.parametrize("part", [1, 100, 2000, 40_000, len(TEXT) - 2])
def test_a_record_that_was_cut_off(part: int) -> None:
    (said,) = problems(TEXT[:part])
    assert "the file ends in the middle of its JSON" in said


def test_a_record_that_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "n.json").write_text(TEXT + " " * LARGEST_JSON)
    with pytest.raises(InputError, match="larger than 1 MiB"):
        read_host(str(tmp_path / "n.json"))


def test_a_newer_format_is_refused_and_a_newer_key_is_not() -> None:
    assert "format_version 1, not 2" in problems(TEXT.replace('"format_version": 1', '"format_version": 2'))[0]
    assert decoded(lambda raw: raw["kvm"].update(news=[1])) == load_host(TEXT, "n.json")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            {"call": "open", "errno": "EACCES", "text": "Permission denied"},
            "run hvctl-collect as root, or in the group",
        ),
        ({"call": "open", "errno": "ENOENT", "text": "No such file"}, "this machine has no /dev/kvm: load kvm_intel"),
        ({"call": "KVM_CREATE_VM", "errno": "EBUSY", "text": "Device\x1b busy"}, "KVM_CREATE_VM: Device busy"),
        ({"call": 1}, '"call" must be null or a string'),
    ],
)
def test_a_record_of_a_machine_without_kvm(error: dict[str, Any], said: str) -> None:
    raw = document()
    raw["kvm"] = {"path": "/dev/kvm", "error": error, "asked": 512, "tsc_khz": None}
    found = problems(written(raw))
    assert said in found[0] + found[-1]


def test_what_an_old_collector_did_not_ask_is_unknown() -> None:
    host = decoded(lambda raw: raw["kvm"].update(asked=192))
    assert host.kvm.cap("KVM_CAP_HYPERV") == 1
    assert {name: number for name, number in KVM_CAPS.items() if host.kvm.cap(name) is None} == {
        name: number for name, number in KVM_CAPS.items() if number >= 192
    }


def start(**changed: Any) -> Any:
    return {**document()["qemu"][0]["starts"][0], **changed}


@pytest.mark.parametrize(
    ("starts", "notes", "asked"),
    [
        ([start(error={"timeout": 30})], ["it was asked like a QEMU and gave no answer within 30 seconds"], False),
        ([start(error={"start": "No\nfile"})], ["not a usable QEMU: it cannot be started: No file"], False),
        ([start(error={"odd": "\x1b[31mx"})], ["not a usable QEMU: it does not answer as QEMU does: [31mx"], False),
        ([start(error={"exit": -6, "stderr": "no"})], ["not a usable QEMU: it ended (killed by SIGABRT): no"], False),
        ([start(error={"exit": -600, "stderr": ""})], ["not a usable QEMU: it ended (killed by signal 600)"], False),
        ([start(kvm={"enabled": False})], [f"{WITHOUT_KVM}: it cannot use /dev/kvm"], True),
        (
            [start(error={"exit": 1, "stderr": "no"}), start(accelerators=["tcg"])],
            [f"{WITHOUT_KVM}: it ended (exit code 1): no"],
            True,
        ),
        ([], [], False),
    ],
)
def test_a_qemu_that_could_not_be_asked_is_a_note(starts: list[Any], notes: list[str], asked: bool) -> None:
    host = decoded(lambda raw: raw["qemu"][0].update(starts=starts))
    assert list(host.notes[1:]) == [f"/usr/bin/qemu-system-x86_64: {note}" for note in notes]
    assert [qemu.models for qemu in host.qemu] == ([None] if asked else [])


def test_no_qemu_and_no_libvirt_and_what_cannot_be_read() -> None:
    assert decoded(lambda raw: raw.update(qemu=[])).notes[-1].startswith("no QEMU was found")
    assert decoded(lambda raw: raw.update(qemu=None)).qemu == ()
    assert decoded(lambda raw: raw["libvirt"].update(schema=None)).libvirt is None
    odd = decoded(lambda raw: raw["libvirt"].update(schema={"error": "Permission denied"}))
    assert odd.notes[-1] == "/usr/share/libvirt/schemas/domaincommon.rng cannot be used: permission denied"
    assert decoded(lambda raw: raw["qemu"][0].update(path="/a\x1bb")).notes[-1].startswith("/ab: a path that cannot be")


@pytest.mark.parametrize(
    "defines",
    [
        [
            HYPERV,
            *['<ref name="a"/>'] * 400,
            END,
            '<define name="a"><group>',
            *['<ref name="a"/>'] * 400,
            "</group></define>",
        ],
        [HYPERV, *(f'<ref name="a{number}"/>' for number in range(20_000)), END],
        ['<define name="hyperv">' + "<a>" * 5000 + "</define>"],
        ["\ud800"],
    ],
    ids=["references to references", "many definitions", "deep", "half a character"],
)
def test_a_schema_that_was_made_to_cost_time(defines: list[str]) -> None:
    host = decoded(lambda raw: raw["libvirt"]["schema"].update(defines=defines))
    assert "domaincommon.rng cannot be used" in host.notes[-1]


def test_a_host_file_and_a_list_are_not_records(tmp_path: Path) -> None:
    for name, content, said in (
        ("host", (HOSTS / "debian-13.json").read_text(), "is a host file, not a raw record"),
        ("other", '{"format_version": 1, "kind": "other"}', '"kind" is one of raw record, not "other"'),
        ("none", json.dumps([TEXT]), "a raw record holds an object, not a list"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(InputError, match=said):
            read_record(str(tmp_path / name))
