"""What platforms give, as data: it fits the catalog's rows, and each set is closed under what QEMU requires."""

from __future__ import annotations

import pytest

from hvctl.catalog import BY_ID
from hvctl.catalog.sets import NONE, SETS, SETS_BY_ID, PlatformSet
from hvctl.catalog.types import Kind
from hvctl.catalog.windows import BY_OS, SYSTEMS

each_set = pytest.mark.parametrize("platform", SETS, ids=[platform.id for platform in SETS])


def test_their_ids_are_unique() -> None:
    assert len(SETS_BY_ID) == len(SETS)
    assert not SETS_BY_ID[NONE].members


@each_set
def test_every_fact_has_a_source(platform: PlatformSet) -> None:
    assert bool(platform.sources) == bool(platform.members)
    assert platform.title
    assert set(platform.releases) <= set(BY_OS)


@each_set
def test_members_are_rows_with_values_that_they_take(platform: PlatformSet) -> None:
    assert len({member.id for member in platform.members}) == len(platform.members)
    for member in platform.members:
        row = BY_ID[member.id]
        assert (member.value is None) == (row.kind is Kind.FLAG)
        assert member.vendor in ("", *row.vendors)
        if isinstance(member.value, int):
            assert (row.minimum or 0) <= member.value <= (row.maximum or member.value)


@each_set
@pytest.mark.parametrize("build", sorted({system.build for system in SYSTEMS if system.build}))
def test_what_a_member_requires_every_guest_with_it_has(platform: PlatformSet, build: int) -> None:
    """A set that QEMU would refuse is reported as it is, and none that was read is one."""
    given = {member.id: member for member in platform.members if member.build <= build}
    for member in given.values():
        for needed in BY_ID[member.id].requires:
            other = given[needed]
            assert (other.vendor, other.apicv, other.scaling) == ("", False, False)
