"""The catalog's own invariants."""

from __future__ import annotations

import pytest

from hvctl.catalog import BY_ID, ROWS, find, machines, names
from hvctl.catalog.types import Kind, Row

by_row = pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])


def test_it_has_29_rows_with_unique_ids_properties_and_feature_numbers() -> None:
    assert len(BY_ID) == len(ROWS) == 29
    properties = [known.name for row in ROWS for known in row.properties]
    assert len(set(properties)) == len(properties)
    features = [row.feature for row in ROWS if row.feature is not None]
    assert sorted(features) == list(range(21))


@by_row
def test_the_id_is_the_property_without_its_prefix(row: Row) -> None:
    assert all(known.name.removeprefix("hv-").startswith(row.id) for known in row.properties)


@by_row
def test_every_name_of_a_row_finds_it(row: Row) -> None:
    found = [row.id, row.id.replace("-", "_"), row.id.upper(), *row.aliases, *row.property_aliases]
    found += [known.name.replace("-", "_") for known in row.properties]
    if row.libvirt:
        found.append(row.libvirt.path)
    assert {find(name) for name in found} == {row}
    assert row.id in names()


@by_row
def test_relations_name_rows_and_have_no_cycle(row: Row) -> None:
    assert {*row.requires, *(other.id for other in row.recommends)} <= set(BY_ID)
    assert all(not bits.unless or bits.unless in BY_ID for bits in row.adds)

    def below(one: Row) -> set[str]:
        return {needed for direct in one.requires for needed in {direct, *below(BY_ID[direct])}}

    assert row.id not in below(row)


@by_row
def test_what_people_read_is_there(row: Row) -> None:
    assert row.title
    assert row.does.endswith(".")
    assert row.advice_text.endswith(".")
    assert row.sources
    assert all(":" in source for source in row.sources)


@by_row
def test_columns_agree_with_each_other(row: Row) -> None:
    assert (row.feature is None) == (not row.checks) == (not row.qemu_name)
    assert not row.qemu_name or any(known.name in row.qemu_name for known in row.properties)
    assert row.kind is not Kind.NUMBER or row.experimental or row.minimum is not None
    for bits in (*row.checks, *row.adds):
        assert len(bits.bits) == len(bits.names)
    assert not row.in_passthrough or row.checks


@pytest.mark.parametrize(
    ("machine", "version"),
    [("pc-q35-7.2", (7, 2)), ("pc-i440fx-2.10", (2, 10)), ("q35", None), ("pc-q35-rhel9.4.0", None), ("pc-q35-", None)],
)
def test_machine_versions(machine: str, version: tuple[int, int] | None) -> None:
    assert machines.version(machine) == version


def test_machine_compat_accumulates_towards_old_types() -> None:
    assert machines.compat("pc-q35-6.2") == {}
    assert machines.compat("pc-q35-6.1")["hv-version-id-build"] == 0x1BBC
    assert "x-hv-synic-kvm-only" not in machines.compat("pc-q35-3.1")
    assert machines.compat("pc-i440fx-2.10") == {
        "hv-version-id-build": 0x1BBC,
        "hv-version-id-major": 6,
        "hv-version-id-minor": 1,
        "x-hv-synic-kvm-only": True,
        "x-hv-max-vps": 0x40,
    }
