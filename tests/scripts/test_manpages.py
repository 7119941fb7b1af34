"""Man pages: what hvctl-profile(5) says of a profile."""

from __future__ import annotations

from pathlib import Path

from hvctl.catalog import BY_ID
from hvctl.model.profile import Ask
from hvctl.profile.keys import ROOT, Table
from hvctl.profile.reader import load_profile
from hvctl.profile.wishes import VALUED
from scripts.manpages.profile import PROFILE_EXAMPLE, profile_page


def paths(table: Table, above: str = "") -> list[str]:
    found = []
    for name, key in table.keys.items():
        found.append(above + name)
        if isinstance(key, Table):
            found += paths(key, f"{above}{name}.")
    return found


def test_the_example_is_a_profile_and_stands_in_the_page_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(PROFILE_EXAMPLE)
    wishes = {wish.id: wish for wish in load_profile(str(path)).wishes}
    assert {wishes[name].ask for name in ("tlbflush", "ipi", "crash")} == set(Ask)
    assert (wishes["spinlocks"].ask, wishes["spinlocks"].value) == (Ask.ON, 8191)
    assert (wishes["vendor-id"].ask, wishes["vendor-id"].value) == (Ask.PREFER, "Example Inc")
    assert PROFILE_EXAMPLE in profile_page().replace("\\-", "-")


def test_every_key_has_its_help_and_values() -> None:
    page = profile_page().replace("\\-", "-")
    assert all(f"\n.B {path}\n" in page for path in paths(ROOT))
    assert "Value: on or off." in page
    assert "Value: a whole number from 1000000 to 100000000000 or auto." in page


def test_every_enlightenment_with_a_value_is_named() -> None:
    section = profile_page().replace("\\-", "-").partition("These take a value:")[2]
    valued = [row.id for row in BY_ID.values() if row.kind in VALUED and not row.experimental]
    assert valued
    assert all(f"\n.B {name}\n" in section for name in valued)
