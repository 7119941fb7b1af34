"""migration: what prevents a live migration of a plan."""

from __future__ import annotations

import pytest

from hvctl.catalog.types import blocked
from hvctl.model.profile import CpuChoice, Migration, Profile
from hvctl.plan.resolve import resolve
from hvctl.report.plan import obstacles
from tests.made_hosts import made_amd_host
from tests.plan.test_resolve import wish


@pytest.mark.parametrize(
    ("row_id", "value", "frequency", "expected"),
    [
        ("relaxed", None, None, ()),
        ("passthrough", None, None, (f"passthrough: {blocked('it')}",)),
        ("syndbg", None, None, ("syndbg: a migration loses its state",)),
        (
            "reenlightenment",
            None,
            None,
            ("reenlightenment: without tsc-frequency a migration or a saved state can lose the guest",),
        ),
        ("reenlightenment", None, 2_500_000_000, ()),
    ],
)
def test_obstacles_of_a_row(row_id: str, value: str | None, frequency: int | None, expected: tuple[str, ...]) -> None:
    profile = Profile("test", wishes=(wish(row_id, value=value),), migration=Migration.NONE, tsc_frequency=frequency)
    assert obstacles(resolve(profile, (made_amd_host(),))) == expected


@pytest.mark.parametrize(("frequency", "count"), [(None, 1), (2_500_000_000, 0)])
def test_an_invariant_tsc_needs_a_frequency(frequency: int | None, count: int) -> None:
    cpu = CpuChoice(features=(("invtsc", True),))
    profile = Profile("test", cpu=cpu, migration=Migration.NONE, tsc_frequency=frequency)
    assert len(obstacles(resolve(profile, (made_amd_host(),)))) == count
