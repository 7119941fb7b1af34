"""Words for people: nothing in them that a terminal would obey, and one way to guess and to count."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvctl.text.problems import counted, did_you_mean, printable, quoted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ä 日", "plain ä 日"),
        ("\x1b[2J\x9b\x7f", r"\x1b[2J\x9b\x7f"),
        ("a\u202eb\u2066\ufeff", r"a\u202eb\u2066\ufeff"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\udcff", r"\udcff"),
    ],
)
def test_what_a_terminal_would_obey_is_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert quoted(text) == f"'{shown}'"


@given(st.text())
def test_any_text_is_printable(text: str) -> None:
    assert printable(text).isprintable()
    assert all(line.isprintable() for line in printable(text, keep="\n").split("\n"))
    assert len(quoted(text[:1] * 100)) <= 60 * len(r"\U00000000") + 2


def test_a_long_text_is_cut() -> None:
    assert quoted("x" * 61) == f"'{'x' * 59}…'"


def test_guesses() -> None:
    assert did_you_mean("Tme", ("time", "reset")) == "did you mean 'time'?"
    assert did_you_mean("zzz", ("time", "reset")) == did_you_mean("time" * 100, ("time",)) == ""


def test_counts() -> None:
    assert [counted(number, "host") for number in (0, 1, 2)] == ["0 hosts", "1 host", "2 hosts"]
    assert counted(2, "leaf", "leaves") == "2 leaves"
