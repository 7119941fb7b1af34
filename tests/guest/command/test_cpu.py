"""Properties of QEMU's CPU and their values, as text. What the real QEMU reports of them: test_reader.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvctl.catalog import BY_ID, ROWS
from hvctl.catalog.types import Kind, Property, Row
from hvctl.errors import InputError
from hvctl.guest.command.cpu import Assignment, boolean, set_properties
from hvctl.guest.command.reader import read_command_line
from hvctl.model.guest import Guest, Setting
from hvctl.text.c_numbers import binary_number, metric_number, whole_number

PROPERTIES = [(row, known) for row in ROWS for known in row.properties]
of_every_property = pytest.mark.parametrize(("row", "known"), PROPERTIES, ids=[known.name for _, known in PROPERTIES])
RIGHT = {
    "bool": "yes",
    "uint32": "0x1fff",
    "uint16": "7",
    "uint8": "7",
    "int32": "-7",
    "string": "KVM",
    "OnOffAuto": "auto",
}
WRONG = {"bool": "1", "uint32": "4294967296", "uint16": "65536", "uint8": "256", "int32": "1k", "OnOffAuto": "yes"}


def read(*assigned: tuple[str, str], machine: str = "", signed: bool = False) -> Guest:
    guest = Guest("guest").replace(machine=machine)
    set_properties(guest, [Assignment(name, value, signed=signed) for name, value in assigned])
    return guest


def one(name: str, value: str, machine: str = "") -> Setting:
    guest = read((name, value), machine=machine)
    assert (guest.mistakes, guest.doubts) == ([], ())
    (setting,) = guest.settings.values()
    return setting


@of_every_property
def test_every_property_is_read(row: Row, known: Property) -> None:
    setting = one(known.name, RIGHT[known.type])
    assert (setting.id, setting.on) == (row.id, True)
    assert (setting.value is None) == (row.kind is Kind.FLAG)


@pytest.mark.parametrize(
    "known", [known for _, known in PROPERTIES if known.type in WRONG], ids=lambda known: known.name
)
def test_what_does_not_fit_is_a_mistake_by_the_name(known: Property) -> None:
    guest = read((known.name, WRONG[known.type]))
    assert guest.settings == {}
    (mistake,) = guest.mistakes
    assert mistake.message.startswith(f"{known.name}={WRONG[known.type]}: ")


@pytest.mark.parametrize("known", [known for _, known in PROPERTIES], ids=lambda known: known.name)
def test_signs_are_for_switches(known: Property) -> None:
    assert (not read((known.name, "on"), signed=True).mistakes) == (known.type == "bool")


@pytest.mark.parametrize("row", [row for row in ROWS if row.kind is Kind.FLAG], ids=lambda row: row.id)
def test_flags(row: Row) -> None:
    for name in (row.properties[0].name, *row.property_aliases):
        for word in ("on", "yes", "true", "y"):
            assert one(name, word)[:3] == (row, True, None)
        for word in ("off", "no", "false", "n"):
            assert one(name, word)[:3] == (row, False, None)


@pytest.mark.parametrize(
    ("name", "value", "on", "kept"),
    [
        ("hv-spinlocks", "8191", True, 8191),
        ("hv-spinlocks", "0", True, 0),
        ("hv-spinlocks", "-18446744073709551615", True, 1),  # strtoull(3) counts modulo 2**64
        ("hv-spinlocks", "0xffffffff", False, None),
        ("hv-vendor-id", "KVMKVMKVM", True, "KVMKVMKVM"),
        ("hv-vendor-id", "", True, ""),
        ("hv-vendor-id", "a longer text", True, "a longer tex"),
        ("hv-no-nonarch-coresharing", "off", False, None),
        ("hv-no-nonarch-coresharing", "auto", True, "auto"),
        ("x-hv-max-vps", "-1", False, None),
        ("x-hv-max-vps", "-2147483648", True, -(1 << 31)),
        ("hv-version-id-build", "7600", True, "10.0.7600"),
        ("hv-version-id-sbranch", "1", True, "10.0.14393.0-1-0"),
        ("hv-version-id-snumber", "0xffffffff", True, "10.0.14393.0-0-16777215"),
    ],
)
def test_values(name: str, value: str, on: bool, kept: object) -> None:
    setting = one(name, value)
    assert (setting.on, setting.value) == (on, kept)


def test_a_version_that_is_written_in_part_has_the_rest_from_the_machine_type() -> None:
    assert one("hv-version-id-spack", "1", "pc-q35-6.1").value == "6.1.7100.1-0-0"
    assert one("hv-version-id-spack", "1", "pc-q35-6.2").value == "10.0.14393.1-0-0"


@given(st.permutations([row for row in ROWS if row.kind is Kind.FLAG]))
def test_settings_are_in_the_order_of_the_text_or_the_catalogs(rows: list[Row]) -> None:
    guest = read(*((row.properties[0].name, "on") for row in rows))
    assert list(guest.settings) == [row.id for row in rows]
    assert [setting.id for setting in guest.in_order()] == [row.id for row in ROWS if row.kind is Kind.FLAG]


def test_the_last_of_two_names_wins() -> None:
    row = next(row for row in ROWS if row.property_aliases)
    names = (row.properties[0].name, row.property_aliases[0])
    for first, last in (names, names[::-1]):
        (setting,) = read((first, "on"), (last, "off")).settings.values()
        assert (setting.row, setting.on) == (row, False)


def test_what_is_no_enlightenment_is_left_alone_and_what_is_not_known_is_named() -> None:
    guest = read(("svm", "on"), ("hv-nosuch", "on"), ("x-hv-new", "1"))
    assert (guest.settings, guest.features) == ({}, (("svm", True),))
    assert [(mistake.kind, mistake.name) for mistake in guest.mistakes] == [
        ("unknown", "hv-nosuch"),
        ("unknown", "x-hv-new"),
    ]
    assert guest.check() is guest


@pytest.mark.parametrize("text", ["ON", "1", "", "on ", "On", "enabled"])
def test_no_switches(text: str) -> None:
    assert boolean(text) is None


@given(st.integers(-(1 << 70), 1 << 70))
def test_whole_numbers_in_every_base(number: int) -> None:
    sign, size = ("-" if number < 0 else ""), abs(number)
    for text in (f"{size}", f"0x{size:x}", f"0X{size:X}", f"0{size:o}", f" \t{size}"):
        assert (
            whole_number(text.replace(str(size), f"{sign}{size}") if text.strip() == str(size) else sign + text)
            == number
        )
    for text in (
        f"{size} ",
        f"0b{size:b}",
        f"0o{size:o}",
        f"{size}k",
        f"{size}.0",
        f"{size}_0",
        f"- {size}",
        f"--{size}",
    ):
        assert whole_number(text) is None


@given(st.integers(0, (1 << 64) - 1))
def test_binary_numbers(number: int) -> None:
    for text, value in ((f"0b{number:b}", number), (f" -0B{number:b}", -number)):
        assert binary_number(text) == value
        assert whole_number(text) is metric_number(text) is None
    for text in (f"{number}", f"0x{number:b}", f"0b{number:b} ", f"0b{number:b}2", "0b", f"0 b{number:b}"):
        assert binary_number(text) is None


@pytest.mark.parametrize("words", ["-cpu max,hv-spinlocks=0b1111", "-cpu max -global cpu.hv-spinlocks=0b1111"])
def test_a_binary_number_is_read_and_doubted(words: str) -> None:
    guest = read_command_line(words, "cmd")
    assert guest.check().settings["spinlocks"].value == 15
    (doubt,) = guest.doubts
    assert doubt.startswith("hv-spinlocks=0b1111 is a binary number")


def test_a_binary_number_beyond_the_type_is_refused() -> None:
    with pytest.raises(InputError, match="fits into uint32"):
        read_command_line("-cpu max,hv-version-id-spack=0b1" + 32 * "0", "cmd")


@pytest.mark.parametrize("text", ["", "0x", "08", "x1", "१२", "1" * 41, " ", "+", "1e3", "0x1g"])
def test_no_whole_numbers(text: str) -> None:
    assert whole_number(text) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2500000000", 2_500_000_000),
        ("2.5G", 2_500_000_000),
        ("2.5g", 2_500_000_000),
        ("1.0005k", 1000),
        ("0x10", 16),
        (" 7B", 7),
        ("5e", 5 * 10**18),
        *((text, None) for text in ("", "1.5", "1e9", "-5", "1.5B", "G", "1 G", "1GG", "1Hz")),
    ],
)
def test_metric_numbers(text: str, number: int | None) -> None:
    assert metric_number(text) == number


def test_every_row_is_covered() -> None:
    assert {row.id for row, _ in PROPERTIES} == set(BY_ID)
