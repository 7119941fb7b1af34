"""QEMU's messages are understood for every row, as the real QEMU words them."""

from __future__ import annotations

import pytest

from hvctl.catalog import BY_ID, ROWS
from hvctl.catalog.types import Row
from hvctl.run.refusal import about, explain

NAMED = [row for row in ROWS if row.qemu_name]
QEMU = "qemu-system-x86_64: "


@pytest.mark.parametrize("row", NAMED, ids=lambda row: row.id)
def test_not_supported_by_the_kernel(row: Row) -> None:
    assert about([f"{QEMU}Hyper-V {row.qemu_name} is not supported by kernel"]) == (row,)


@pytest.mark.parametrize("row", [row for row in NAMED if row.requires], ids=lambda row: row.id)
def test_a_missing_requirement(row: Row) -> None:
    needed = BY_ID[row.requires[0]]
    assert about([f"{QEMU}Hyper-V {row.qemu_name} requires Hyper-V {needed.qemu_name}"]) == (row, needed)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_an_unknown_property(row: Row) -> None:
    for known in row.properties:
        name = f"host-x86_64-cpu.{known.name}"
        assert about([f"{QEMU}can't apply global {name}=on: Property '{name}' not found"]) == (row,)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("failed to turn on HyperV SynIC in KVM: Invalid argument", "synic"),
        ("kernel doesn't allow setting HyperV VP_INDEX", "vpindex"),
    ],
)
def test_messages_that_name_no_property(line: str, name: str) -> None:
    assert about([QEMU + line]) == (BY_ID[name],)


def test_other_messages_are_about_nothing() -> None:
    assert explain([f"{QEMU}-device nosuch: 'nosuch' is not a valid device model name", "Hyper-V is fine"]) == ()


@pytest.mark.parametrize("row", NAMED, ids=lambda row: row.id)
def test_what_is_said_of_a_row(row: Row) -> None:
    said = "\n".join(explain([f"{QEMU}Hyper-V {row.qemu_name} is not supported by kernel"] * 3))
    assert said.startswith(f"{row.id} ({row.title}): ")
    assert all(needed in said for needed in row.requires)
    assert said.count(f"hvctl explain {row.id};") == 1
