"""What hvctl says of KubeVirt's fields, against the CRDs of live clusters."""

from __future__ import annotations

import pytest

from hvctl.catalog import ROWS
from hvctl.catalog.kubevirt import FIELDS, PREFERRED, field_of, preferred
from hvctl.catalog.types import Row
from hvctl.errors import InputError
from hvctl.guest.kubevirt.crd import NEWEST, Api, platform, read_crds
from tests.kubevirt_crds import NEW, OLD, crds

BRANCHES = (*("features.hyperv", "features.kvm", "clock", "cpu.features", "devices.panicDevices", "machine"),)
LIVE, BEFORE = (read_crds(crds(version), "crds.json") for version in (NEW, OLD))


def within(fields: frozenset[str] | set[str]) -> set[str]:
    return {field for field in fields if field.startswith(BRANCHES)}


def test_the_shipped_fields_are_those_of_the_newest_api() -> None:
    assert within(set(LIVE.machines)) == within(set(FIELDS))
    assert set(FIELDS) <= set(LIVE.machines) | {"cpu.model"}


@pytest.mark.parametrize("row", [row for row in ROWS if row.kubevirt], ids=lambda row: row.id)
def test_every_field_of_the_column_exists(row: Row) -> None:
    field = field_of(row)
    assert LIVE.has(field)
    assert LIVE.has(field, preference=True) is (preferred(field) is not None)
    assert NEWEST.has(field, preference=True) is (preferred(field) is not None)


def test_no_field_of_an_enlightenment_is_left_out_of_the_column() -> None:
    column = [field_of(row) for row in ROWS if row.kubevirt]
    for field in LIVE.machines:
        if field.startswith("features.hyperv"):
            assert any(field.startswith(f"{known}.") for known in column), field


def test_the_names_that_preferences_have_exist() -> None:
    assert LIVE.preferences is not None
    for _, other in PREFERRED:
        assert any(one == other or one.startswith((f"{other}.", f"{other}[")) for one in LIVE.preferences), other


def test_an_old_api_lacks_what_came_later() -> None:
    assert set(platform(BEFORE, preference=False).lacking) - set(platform(LIVE, preference=False).lacking) == {
        "tlbflush-direct",
        "tlbflush-ext",
        "crash",
    }
    reason, remedy = platform(BEFORE, preference=False).lacking["tlbflush-direct"]
    assert reason == "the CRD has no features.hyperv.tlbflush.direct"
    assert remedy


def test_what_no_preference_can_say() -> None:
    more = set(platform(NEWEST, preference=True).lacking) - set(platform(NEWEST, preference=False).lacking)
    assert more == {"passthrough"}


def test_one_crd_is_enough() -> None:
    one = read_crds(crds(NEW, ("VirtualMachine",)), "vm.json")
    assert one == Api("the CRD", LIVE.machines, None)
    assert one.has("features.hyperv.tlbflush.direct", preference=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "this is not JSON"),
        ("[]", "not the CRD of KubeVirt's VirtualMachine"),
        ('{"kind": "Pod"}', "VirtualMachine, but 'Pod'"),
        ('{"spec": {"versions": [1, {"schema": 2}], "names": []}}', "not the CRD"),
        ("[" * 100000, "not JSON that can be read"),
    ],
)
def test_what_is_no_crd_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_crds(text, "x.json")
