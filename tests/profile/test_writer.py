"""A profile written out as YAML decodes to the same profile."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvctl.model.profile import Ask, ClockChoice, CpuChoice, Migration, Profile, Wish
from hvctl.profile.reader import load_profile, profile_from_text, to_yaml
from hvctl.profile.source import shipped_names


def without_spans(profile: Profile) -> Profile:
    return profile._replace(spans=(), wishes=tuple(wish._replace(span=None, why="") for wish in profile.wishes))


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_profiles(name: str) -> None:
    profile = load_profile(name)
    again = profile_from_text(to_yaml(profile), "other.yaml")
    assert without_spans(again) == without_spans(profile)
    assert to_yaml(again) == to_yaml(profile)


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
VENDOR_IDS = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters=","), min_size=1, max_size=12),
    st.sampled_from(["on", "off", "auto", "prefer", "null", "0x1"]),
)


@given(
    st.builds(
        Profile,
        name=NAMES
        | st.sampled_from(["on", "null", "1e3", "0x10", "2026-01-01", "1_0", "~"]).filter(lambda name: name != "~"),
        description=st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), max_size=50),
        os=st.sampled_from(["windows-11", "other"]),
        uses=st.sampled_from([(), ("vbs",), ("gpu-passthrough", "wsl2")]),
        migration=st.sampled_from(Migration),
        machine=st.sampled_from(["q35", "pc", "pc-q35-9.1", "pc-i440fx-rhel7.6.0"]),
        cpu=st.builds(
            CpuChoice,
            model=NAMES,
            hidden=st.booleans(),
            features=st.sampled_from([(), (("aes", False), ("sse4.1", True), ("3dnow", True))]),
        ),
        tsc_frequency=st.sampled_from([None, "auto", 2_400_000_000]),
        pinned=st.booleans(),
        wishes=st.builds(
            lambda vendor, lock: (
                Wish("spinlocks", Ask.PREFER, lock),
                Wish("time", Ask.OFF),
                Wish("vendor-id", Ask.ON, vendor),
                Wish("no-nonarch-coresharing", Ask.PREFER, "auto"),
                Wish("version-id", Ask.ON, "10.0.14393.0-0-7"),
            ),
            VENDOR_IDS,
            st.integers(4095, 0x7FFFFFFF),
        ),
        clock=st.builds(
            ClockChoice,
            offset=st.sampled_from(["localtime", "utc"]),
            hpet=st.booleans(),
            rtc=st.sampled_from(["catchup", "delay"]),
            pit=st.sampled_from(["delay", "discard"]),
        ),
        harmed=st.none(),
        spans=st.just(()),
    )
)
def test_any_profile(profile: Profile) -> None:
    order = {wish.id: wish for wish in profile.wishes}
    again = without_spans(profile_from_text(to_yaml(profile), "other.yaml"))
    assert {wish.id: wish for wish in again.wishes} == order
    assert again._replace(wishes=()) == profile._replace(wishes=())
