"""Domains that nova made are read, linted and converted as any other."""

from __future__ import annotations

import pytest

from hvctl import api
from hvctl.catalog.nova import GIVEN, GIVEN_HIDDEN
from tests.guest.nova.domains import DOMAINS

BY_NAME = {one.name: one for one in DOMAINS}
FINDINGS = {
    "plain": ("unversioned-machine", "synic-without-stimer", "reset-pointless"),
    "windows-11": ("synic-without-stimer", "reset-pointless"),
    "hidden": (
        *("unversioned-machine", "synic-without-stimer", "reset-pointless", "vendor-id-pointless", "hpet-on"),
        "invtsc-without-frequency",
    ),
    "not-windows": (),
}


@pytest.mark.parametrize("name", BY_NAME)
def test_what_nova_makes_is_linted(name: str) -> None:
    found = {finding.rule for finding in api.lint(str(BY_NAME[name].path)).findings}
    assert found == set(FINDINGS[name]), found


def test_what_nova_makes_is_what_the_catalog_says() -> None:
    for name, rows in (("plain", GIVEN), ("hidden", (*GIVEN, *GIVEN_HIDDEN)), ("not-windows", ())):
        guest = api.read_guest(str(BY_NAME[name].path)).guest
        assert guest is not None
        assert guest.enabled() == {member.id: member.value for member in rows}


def test_a_profile_of_what_nova_makes_is_written_for_nova_again() -> None:
    text = api.convert(api.read_guest(str(BY_NAME["windows-11"].path)), "profile").text
    described = api.read_text(text)
    assert described.profile is not None
    assert {wish.id for wish in described.profile.wishes} == {member.id for member in GIVEN}
