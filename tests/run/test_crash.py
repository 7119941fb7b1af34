"""Crash reports: what is read of an event, what is said of it, and signatures that survive a reboot."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvctl.run.crash import BUG_CHECKS, Crash, read_event, report, signature

KERNEL = st.integers(0xFFFF8000_00000000, 0xFFFFFFFE_FFFFFFFF)


def event(*arguments: object, kind: str = "hyper-v") -> dict[str, Any]:
    info = {"type": kind} | {f"arg{position}": value for position, value in enumerate(arguments, 1)}
    return {"event": "GUEST_PANICKED", "data": {"action": "pause", "info": info}}


def test_the_five_parameters_are_read() -> None:
    assert read_event(event(0x9F, 3, 1 << 63, 0, 5)) == Crash((0x9F, 3, 1 << 63, 0, 5))


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"data": None},
        {"data": {"action": "pause"}},
        {"data": {"info": "text"}},
        event(1, 2, 3, 4),
        event(1, 2, 3, 4, "5"),
        event(1, 2, 3, 4, True),
        event(1, 2, 3, 4, 5, kind="s390"),
    ],
)
def test_any_other_shape_is_a_crash_without_parameters(message: dict[str, Any]) -> None:
    crash = read_event(message)
    assert crash == Crash(None)
    assert signature(crash) == ""
    assert report(crash) == ("the guest crashed, and gave no parameters",)


ADDRESS = 0xFFFFF8051E6D5750


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ((0x9F, 3, ADDRESS, ADDRESS, ADDRESS), "0000009F-3"),
        ((0x0A, 0x10, 2, 1, ADDRESS), "0000000A-x-2-1"),
        ((0x1A, 0x41790, ADDRESS, 0x1000, 0), "0000001A-41790"),
        ((0x7E, 0xFFFFFFFFC0000005, ADDRESS, ADDRESS, ADDRESS), "0000007E-C0000005"),
        ((0x1000007E, 0xC0000005, ADDRESS, 0, 0), "1000007E-C0000005"),
        ((0x8E, 0x80000003, 0x82A41D5C, 0x8078ACB4, 0), "0000008E-80000003"),
        ((0xE2, 0, 0, 0, 0), "000000E2"),
        ((0xABCDE, 1, ADDRESS, 0x82A41D5C, 7), "000ABCDE-1-x-x-7"),
        ((0, 0, 0, 0, 0), "00000000-0-0-0-0"),
        ((0, 0x8100_0006_0C1F_0000, ADDRESS, 0, ADDRESS), "LINUX-0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_signature(parameters: tuple[int, ...], expected: str) -> None:
    assert signature(Crash(parameters)) == expected


@given(code=st.integers(0, (1 << 32) - 1), kind=st.integers(0, 100), first=KERNEL, second=KERNEL)
def test_a_kernel_loaded_elsewhere_crashes_with_the_same_signature(
    code: int, kind: int, first: int, second: int
) -> None:
    assert signature(Crash((code, kind, first, 0, first))) == signature(Crash((code, kind, second, 0, second)))


@given(st.sampled_from([known for known in BUG_CHECKS if 1 in known.telling]), st.integers(0, 99), st.integers(0, 99))
def test_another_kind_of_failure_has_another_signature(known: Any, first: int, second: int) -> None:
    same = signature(Crash((known.code, first, 0, 0, 0))) == signature(Crash((known.code, second, 0, 0, 0)))
    assert same == (first == second)


def test_the_report_names_what_is_known() -> None:
    assert report(Crash((0x139, 3, ADDRESS, ADDRESS, 0))) == (
        "the guest crashed: bug check 0x00000139 KERNEL_SECURITY_CHECK_FAILURE",
        f"crash parameters: 0x0000000000000139 0x0000000000000003 {ADDRESS:#x} {ADDRESS:#x} 0x0000000000000000",
        "crash signature: 00000139-3",
    )
    assert report(Crash((0xABCDE, 1, 2, 3, 4)))[0] == "the guest crashed: bug check 0x000abcde"
    assert report(Crash((14, 0x8100 << 48, 2, 3, 4)))[0] == "the guest crashed: a Linux guest's panic"


def test_bug_checks_are_in_order_and_tell_of_parameters_that_exist() -> None:
    codes = [known.code for known in BUG_CHECKS]
    assert codes == sorted(set(codes))
    assert all(set(known.telling) <= {1, 2, 3, 4} for known in BUG_CHECKS)
