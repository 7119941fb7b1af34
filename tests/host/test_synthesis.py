"""The synthesis for old kernels, row by row."""

import pytest

from hvctl.catalog import ROWS
from hvctl.catalog.types import Row
from hvctl.host.synthesis import UNSEEN, synthesise
from hvctl.model.cpuid import CpuidLeaf

LEGACY = [row for row in ROWS if row.legacy]


def has(leaves: tuple[CpuidLeaf, ...], row: Row) -> bool:
    by_leaf = {leaf.leaf: leaf for leaf in leaves}
    return all(by_leaf[bits.leaf].register(bits.register) & bits.mask == bits.mask for bits in row.checks)


def evidence(row: Row) -> tuple[dict[str, int], set[int]]:
    assert row.legacy
    return ({row.legacy.cap: 1} if row.legacy.cap else {}), ({row.legacy.msr} if row.legacy.msr else set())


@pytest.mark.parametrize("row", LEGACY, ids=lambda row: row.id)
def test_the_evidence_shows_the_row(row: Row) -> None:
    assert has(synthesise(*evidence(row)), row)


@pytest.mark.parametrize("row", LEGACY, ids=lambda row: row.id)
def test_each_half_of_the_evidence_is_needed(row: Row) -> None:
    caps, msrs = evidence(row)
    if caps:
        assert not has(synthesise({}, msrs), row)
    if msrs:
        assert not has(synthesise(caps, ()), row)


def test_a_row_is_either_shown_or_unseen() -> None:
    assert {row.id for row in ROWS if row.checks} == {row.id for row in LEGACY if row.checks} | set(UNSEEN)
