"""Pools: classes, their members, and the few hosts that stand for all of them."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from hvctl.model.host import Host, HostClass, Member, Pool
from tests.made_hosts import made_amd_host, made_intel_host

FREQUENCIES = st.lists(st.none() | st.integers(2_000_000_000, 2_000_000_005), min_size=1, max_size=12)


def pool_of(*hosts: Host) -> Pool:
    """The pool that reading these hosts' files in this order makes."""
    classes: dict[Host, list[Member]] = {}
    for host in hosts:
        facts = host._replace(name=None, how=(), notes=(), hardware=host.hardware._replace(tsc_hz=None))
        classes.setdefault(facts, []).append(Member(host.label, host.hardware.tsc_hz))
    return Pool(tuple(HostClass(facts, tuple(members)) for facts, members in classes.items()))


def with_frequencies(frequencies: Iterable[int | None], prefix: str = "h") -> list[Host]:
    """Hosts that differ in nothing but name and TSC frequency (Hz)."""
    made = made_amd_host()
    return [
        made._replace(name=f"{prefix}{number}", hardware=made.hardware._replace(tsc_hz=hz))
        for number, hz in enumerate(frequencies)
    ]


def names(members: Iterable[Member]) -> list[str]:
    return [member.name for member in members]


def test_a_pool_gives_back_its_hosts_class_by_class() -> None:
    a, b = with_frequencies([2_000_000_000, None])
    intel = made_intel_host()
    pool = pool_of(a, intel, b)
    assert list(pool.hosts()) == [a, b, intel]
    assert list(pool.names()) == ["h0", "h1", "made-intel"]
    assert [len(group.members) for group in pool.classes] == [2, 1]


def test_the_frequencies_of_a_class_are_those_that_are_known() -> None:
    def of(*frequencies: int | None) -> tuple[int, int] | None:
        return pool_of(*with_frequencies(frequencies)).classes[0].frequencies

    assert of(None, 2_000_000_003, 2_000_000_001) == (2_000_000_001, 2_000_000_003)
    assert of(2_000_000_001) == (2_000_000_001, 2_000_000_001)
    assert of(None, None) is None


@given(FREQUENCIES)
def test_the_extremes_hold_the_first_both_ends_and_one_unknown(frequencies: list[int | None]) -> None:
    (group,) = pool_of(*with_frequencies(frequencies)).classes
    extremes = group.extremes()
    found = [member.tsc_hz for member in extremes]
    known = [hz for hz in frequencies if hz is not None]
    assert extremes[0] == group.members[0]
    assert len(found) == len(set(found))
    assert set(found) == {frequencies[0], *({min(known), max(known)} if known else ())} | (
        {None} if None in frequencies else set()
    )
    assert list(extremes) == [member for member in group.members if member in extremes]


@given(st.lists(FREQUENCIES, min_size=1, max_size=3))
def test_representatives_are_hosts_of_the_pool_and_few(classes: list[list[int | None]]) -> None:
    hosts = [
        host._replace(kvm=host.kvm._replace(release=f"6.{number}"))
        for number, frequencies in enumerate(classes)
        for host in with_frequencies(frequencies, f"c{number}h")
    ]
    pool = pool_of(*hosts)
    chosen = pool.representatives()
    assert {host._replace(alike=0) for host in chosen} <= set(hosts)
    assert sum(1 + host.alike for host in chosen) == len(hosts)
    assert len(chosen) <= 4 * len(classes)
    # Whether a guest moves at all is decided by whether there is a second host.
    assert (len(chosen) > 1) == (len(hosts) > 1)


def test_without_leaves_out_hosts_and_classes_without_any() -> None:
    pool = pool_of(*with_frequencies([2_000_000_000, 2_000_000_000]), made_intel_host())
    assert list(pool.without(frozenset({"h0"})).names()) == ["h1", "made-intel"]
    assert [names(group.members) for group in pool.without(frozenset({"made-intel"})).classes] == [["h0", "h1"]]
    assert pool.without(frozenset(pool.names())).classes == ()
    assert pool.without(frozenset()) == pool
