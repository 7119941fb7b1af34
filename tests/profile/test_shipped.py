"""The shipped profiles: what they promise, and that each entry says why and from where."""

from __future__ import annotations

import re

import pytest
import yaml

from hvctl.catalog import BY_ID, ROWS
from hvctl.catalog.windows import BY_OS, SYSTEMS
from hvctl.model.profile import Ask, Migration
from hvctl.profile.reader import load_profile
from hvctl.profile.source import shipped_names
from tests.paths import PROFILES

EVERYWHERE = {"relaxed", "vapic", "vpindex", "time", "runtime"}
IDLE_OR_RISKY = {"reset", "crash", "reenlightenment", "syndbg"}
WITH_VBS = {"windows-11", "windows-server-2022", "windows-server-2025", "nested-hyperv"}
FOR_VBS = {"emsr-bitmap", "tlbflush-direct"}
# What every Windows since 10 uses where the hosts have it.
SINCE_10 = {"avic", "tlbflush-ext", "xmm-input"}
RELEASES = [system.id for system in SYSTEMS if system.build and not system.profile]
UNAWARE = {"windows-xp", "windows-server-2003"}

each = pytest.mark.parametrize("name", shipped_names())


def asked(name: str) -> dict[str, Ask]:
    return {wish.id: wish.ask for wish in load_profile(name).wishes}


def test_these_are_shipped() -> None:
    assert set(shipped_names()) == {*RELEASES, "nested-hyperv", "all", "passthrough", "minimal"}


@each
def test_a_profile_is_called_like_its_file(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert 20 <= len(profile.description) <= 100
    assert profile.os == (name if name in RELEASES else "windows-server-2022" if name == "nested-hyperv" else "other")
    assert profile.clock.offset == "localtime"


@each
def test_only_what_every_host_can_is_on(name: str) -> None:
    on = {row_id for row_id, ask in asked(name).items() if ask is Ask.ON}
    expected = {"all": set(), "passthrough": {"passthrough"}, "minimal": EVERYWHERE | {"synic", "stimer"}}
    expected |= {name: set() for name in UNAWARE}
    assert on == expected.get(name, EVERYWHERE)
    assert Ask.OFF not in asked(name).values()


@pytest.mark.parametrize("name", sorted({*RELEASES, "nested-hyperv"} - UNAWARE))
def test_profiles_of_windows(name: str) -> None:
    wanted = asked(name)
    assert not set(wanted) & IDLE_OR_RISKY
    assert set(wanted) >= FOR_VBS if name in WITH_VBS else not set(wanted) & FOR_VBS
    since_10 = (BY_OS[load_profile(name).os].build or 0) >= 10240
    assert ("stimer-direct" in wanted) is ("stimer" in wanted)
    assert set(wanted) >= SINCE_10 if since_10 else not set(wanted) & SINCE_10
    assert {wish.value for wish in load_profile(name).wishes if wish.id == "spinlocks"} == {8191}
    assert load_profile(name).migration is Migration.REQUIRED


def test_a_release_without_a_profile_of_its_own_has_another_ones() -> None:
    assert {system.profile for system in SYSTEMS if system.profile} <= set(RELEASES)


@pytest.mark.parametrize("name", [name for name in RELEASES if name not in UNAWARE])
def test_a_profile_wishes_nothing_that_its_release_does_not_use(name: str) -> None:
    build = BY_OS[name].build
    assert build is not None
    assert [row_id for row_id in asked(name) if BY_ID[row_id].windows_build > build] == []


@pytest.mark.parametrize("name", sorted(WITH_VBS - {"nested-hyperv"}))
def test_vbs_is_hinted_at(name: str) -> None:
    assert "# uses: [vbs]" in (PROFILES / f"{name}.yaml").read_text()


def test_all_is_everything_but_what_harms() -> None:
    left_out = {"passthrough", "syndbg", "enforce-cpuid", "crash"}
    assert set(asked("all")) == {row.id for row in ROWS if not row.experimental} - left_out
    assert set(asked("all").values()) == {Ask.PREFER}


def test_nested_hyperv_uses_it() -> None:
    assert load_profile("nested-hyperv").uses == ("nested-hyperv",)


def test_passthrough_does_not_migrate() -> None:
    assert load_profile("passthrough").migration is Migration.NONE


@each
def test_each_file_names_its_schema_first(name: str) -> None:
    text = (PROFILES / f"{name}.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=profile.schema.json\n#\n# ")
    assert max(len(line) for line in text.splitlines()) <= 120
    assert (PROFILES / "profile.schema.json").is_file()


@each
def test_each_entry_has_a_comment_with_a_source(name: str) -> None:
    """A reason, and where to look it up: lines of a document or of source code, or a product that does the same."""
    text = (PROFILES / f"{name}.yaml").read_text()
    source = re.compile(r"\[\d+|\.(rst|c|h):\d+|RHEL|KubeVirt|Proxmox|issue \d+")
    lines = text.splitlines()
    for row_id in yaml.safe_load(text).get("enlightenments", {}):
        at = next(number for number, line in enumerate(lines) if line.startswith(f"  {row_id}:"))
        comment: list[str] = []
        while lines[at - len(comment) - 1].startswith("  #"):
            comment.append(lines[at - len(comment) - 1])
        assert source.search(" ".join(comment)), f"{row_id} in {name} has no source"
