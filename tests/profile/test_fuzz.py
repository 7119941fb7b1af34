"""Whatever the bytes are, a reader of profiles says what is wrong, and never falls over."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hvctl.errors import InputError
from hvctl.profile.reader import profile_from_text
from hvctl.report.problems import render_error
from hvctl.text.files import decode

PIECES = [
    *"{}[]:,-?&*!|>'\"%@`#\n\t \r\\\0\x1b\x85\u2028\ufeff😀é1",
    "version: 1\n",
    "enlightenments:\n",
    "  stimer: on\n",
    "  time: off\n",
    "  hv_spinlocks: 8191\n",
    "guest: {os: windows-11, uses: [vbs]}\n",
    "cpu: {features: {vmx: off}}\n",
    "extends: windows-11\n",
    "extends: ./gone.yaml\n",
    "---\n",
    "...\n",
    "<<: ",
    "&a ",
    "*a",
    "!!int ",
    "%YAML 1.1\n",
    "%TAG ! x\n",
    "1e3",
    "0x",
    ": ",
    "? ",
]


def problems(text: str) -> InputError | None:
    try:
        profile_from_text(text, "p.yaml")
    except InputError as error:
        return error
    return None


def accepts_or_explains(text: str) -> None:
    error = problems(text)
    if error is None:
        return
    assert error.problems
    lines = len(text.splitlines()) + 1
    for problem in error.problems:
        assert problem.span is None or (1 <= problem.span.line <= lines and problem.span.column >= 1)
    assert all(render_error(error, color).endswith("\n") for color in (False, True))


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
@example("[" * 100_000)
@example("{a: " * 100_000)
@example("- " * 100_000)
@example("? " * 10_000)
@example("a" * 1_000_000)
@example("version: " + "9" * 100_000)
@example("enlightenments: {version-id: '" + "9" * 100_000 + ".0.0'}")
@example("a: " * 3)
@example("'\ud800'")
def test_pieces_of_yaml(text: str) -> None:
    accepts_or_explains(text)


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    accepts_or_explains(text)


@given(st.binary(max_size=200))
@example(b"\xff\xfe")
@example(b"\xef\xbb\xbf")
def test_any_bytes(content: bytes) -> None:
    try:
        profile_from_text(decode(content, "<text>"))
    except InputError as error:
        render_error(error, False)


@pytest.mark.parametrize("marks", ["&a [", "*a ", "!x "])
def test_many_marks_are_bounded(marks: str) -> None:
    accepts_or_explains("version: 1\n" + "".join(f"k{number}: {marks}\n" for number in range(2000)))
