"""The table of known messages: every entry is recognized in what programs and people really say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from hvctl.catalog import BY_ID, ROWS
from hvctl.catalog.messages import LAYER_NAMES, MESSAGES
from hvctl.catalog.messages.types import Layer, Message
from hvctl.catalog.types import Row
from hvctl.lint.rule import all_rules
from hvctl.run.crash import BUG_CHECKS
from hvctl.text.diagnosis import diagnose

ALL = {message.id: message for message in MESSAGES}
FIXTURES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "messages.yaml").read_text())
SOURCES = ("by", "report", "strings", "made_up")
NAMED = [row for row in ROWS if row.qemu_name]
QEMU = "qemu-system-x86_64: "

each_message = pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.id)
each_fixture = pytest.mark.parametrize(
    "fixture", FIXTURES, ids=[f"{at}-{one['id']}" for at, one in enumerate(FIXTURES)]
)


def recognized(text: str) -> list[str]:
    return [found.message.id for found in diagnose(text, "a").found]


def rows(text: str) -> list[str]:
    return [row.id for found in diagnose(text, "a").found for row in found.rows]


@each_fixture
def test_each_fixture_is_recognized_as_its_entry(fixture: dict[str, Any]) -> None:
    found = recognized(fixture["text"])
    assert sorted(found) == sorted([fixture["id"], *fixture.get("also", ())])
    about = [one for one in diagnose(fixture["text"], "a").found if one.message.id == fixture["id"]]
    assert [row.id for row in about[0].rows] == fixture.get("rows", [])


@each_fixture
def test_each_fixture_says_where_it_comes_from(fixture: dict[str, Any]) -> None:
    assert fixture.keys() <= {"id", "text", "rows", "also", "with", *SOURCES}
    assert sum(name in fixture for name in SOURCES) == 1
    assert ("with" in fixture) == ("by" in fixture)


def test_most_fixtures_are_real() -> None:
    real = [fixture for fixture in FIXTURES if "by" in fixture or "report" in fixture]
    assert len(real) >= 60
    assert sum("by" in fixture for fixture in real) >= 50


@each_message
def test_each_entry_has_a_fixture(message: Message) -> None:
    assert any(fixture["id"] == message.id for fixture in FIXTURES)


def test_ids_are_words_that_occur_once() -> None:
    assert len(ALL) == len(MESSAGES)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", message.id) for message in MESSAGES)
    assert {message.layer for message in MESSAGES} == set(Layer) == set(LAYER_NAMES)


@each_message
def test_an_entry_is_complete(message: Message) -> None:
    assert bool(message.texts) != bool(message.words)
    assert (message.layer is Layer.SYMPTOM) == bool(message.words)
    assert message.source
    assert message.cause.endswith(".")
    assert message.remedy.endswith(".")
    assert not message.row or message.row in BY_ID
    assert set(message.rules) <= {rule.id for rule in all_rules()}


@each_message
def test_every_wording_fills_cause_and_remedy(message: Message) -> None:
    """A slot that only some wordings have must not be asked for; no brace is left."""
    for said in (example(text) for text in message.texts):
        about = [found for found in diagnose(said, "a").found if found.message.id == message.id]
        assert about, said
        explained = f"{about[0].cause}{about[0].remedy}".replace("{name: vmx, policy: require}", "")
        assert not set("{}") & set(explained)


EXAMPLES = {
    "row": "synic",
    "needed": "vpindex",
    "feature": "VP_INDEX MSR (hv-vpindex)",
    "other_feature": "VP_INDEX MSR (hv-vpindex)",
    "outer": "stimer",
    "enlightenment": "hv-time",
    "hyphened": "hv-time",
    "underscored": "hv_time",
    "hyperv_msr": "0x40000021",
    "vmx_msr": "0x48d",
    "cpu_feature": "CPUID.01H:ECX.vmx",
    "features": "vmx,svm",
    "more": "sse",
    "cpu": "host-x86_64-cpu",
    "number": "3",
    "hex": "0x3",
    "path": "spec.domain.features.",
    "words": "x86_64 qemu domain on x86_64",
    "plain_msr": "0x611",
    "other_msr": "0x611",
    "any_msr": "0x611",
}


def example(text: str) -> str:
    """A text with its slots filled."""
    return re.sub(r"\{(\w+)\}", lambda match: EXAMPLES.get(match[1], "thing"), text)


@pytest.mark.parametrize("row", NAMED, ids=lambda row: row.id)
def test_not_supported_by_the_kernel(row: Row) -> None:
    said = f"{QEMU}Hyper-V {row.qemu_name} is not supported by kernel"
    assert (recognized(said), rows(said)) == (["not-supported-by-kernel"], [row.id])


@pytest.mark.parametrize("row", [row for row in NAMED if row.requires], ids=lambda row: row.id)
def test_a_missing_requirement(row: Row) -> None:
    needed = BY_ID[row.requires[0]]
    said = f"{QEMU}Hyper-V {row.qemu_name} requires Hyper-V {needed.qemu_name}"
    assert (recognized(said), rows(said)) == (["requirement-missing"], [row.id, needed.id])
    assert all(one in diagnose(said, "a").found[0].remedy for one in row.requires)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_an_unknown_property(row: Row) -> None:
    for known in row.properties:
        name = f"host-x86_64-cpu.{known.name}"
        said = f"{QEMU}can't apply global {name}=on: Property '{name}' not found"
        assert (recognized(said), rows(said)) == (["unknown-property"], [row.id])


@pytest.mark.parametrize("row", [row for row in ROWS if row.migration_error], ids=lambda row: row.id)
def test_what_a_row_says_of_migration_is_known(row: Row) -> None:
    assert rows(f"{QEMU}{row.migration_error}") == [row.id]


@pytest.mark.parametrize("row", [row for row in ROWS if row.libvirt], ids=lambda row: row.id)
def test_an_element_that_libvirt_does_not_know(row: Row) -> None:
    assert row.libvirt
    outer, _, name = row.libvirt.path.rpartition("/")
    if not outer and row.libvirt.path.isidentifier():
        assert rows(f"unsupported HyperV Enlightenment feature: {name}") == [row.id]
    if outer:
        assert rows(f"unsupported Hyper-V {outer} feature: {name}") == [row.id]


def test_stop_codes_are_those_that_launch_names() -> None:
    """hvctl.run.crash has the names of many bug checks; where both have one they say the same."""
    names = {known.name: f"0x{known.code:08X}" for known in BUG_CHECKS}
    for message in MESSAGES:
        for text in message.texts:
            if text in names:
                assert f"stop: {names[text]}" in message.texts


def test_a_vague_message_gives_way() -> None:
    wrapper = "error: internal error: QEMU unexpectedly closed the monitor (vm='a'): "
    assert recognized(wrapper) == ["qemu-ended"]
    assert recognized(f"{wrapper}{QEMU}kernel doesn't allow setting HyperV VP_INDEX") == ["vpindex-not-settable"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "Hyper-V is fine",
        "qemu-system-x86_64: -device nosuch: 'nosuch' is not a valid device model name",
        "[    0.000000] Linux version 6.12.107 (debian-kernel@lists.debian.org)",
        "intel_idle: using ACPI CPU states, high resolution = 1",
        "The quick brown fox jumps over the lazy dog.",
        "EFL=0000000a EIP=0000005c stop 12",
        "GPU not detected in virtual machine",
        "no GPU detected in VM",
        "network adapter not detected in virtual machine",
        "guest is not slow with wsl2",
        "CPU is not idle, high disk",
    ],
)
def test_other_text_is_unknown(text: str) -> None:
    assert recognized(text) == []
