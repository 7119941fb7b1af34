"""Errors as people see them, letter by letter."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvctl.errors import InputError, Problem, Span, UsageError
from hvctl.profile.reader import profile_from_text
from hvctl.report.problems import WIDTH, render_error, render_problem


def rendered(text: str, path: str = "p.yaml") -> str:
    with pytest.raises(InputError) as caught:
        profile_from_text(text, path)
    return render_error(caught.value, False)


def test_one_problem() -> None:
    assert (
        rendered("version: 1\nenlightenments:\n  stimer: yes # no\n")
        == """\
error: stimer cannot be 'yes'
 --> p.yaml:3:11
  |
3 |   stimer: yes # no
  |           ^^^
  = hint: write on or off: here, on
"""
    )


def test_two_places() -> None:
    text = "version: 1\n" + "\n" * 6 + "enlightenments:\n  stimer: on\n  time: off\n"
    assert (
        rendered(text)
        == """\
error: stimer is on and requires time, which is off
  --> p.yaml:9:3
   |
 9 |   stimer: on
   |   ^^^^^^^^^^
  ::: p.yaml:10:3
   |
10 |   time: off
   |   --------- time is off here
   = hint: write `time: on`, or `stimer: prefer` to do without both
"""
    )


def test_many_problems_are_counted() -> None:
    text = rendered("version: 1\nfoo: 1\nbar: 2\n")
    assert text.endswith("\n\n2 problems\n")
    assert text.count("error: no key") == 2


def test_no_place() -> None:
    error = UsageError("no profile 'x'", "see `hvctl profile list`")
    assert render_error(error, False) == "error: no profile 'x'\nhint: see `hvctl profile list`\n"


@pytest.mark.parametrize(
    ("line", "under"),
    [
        ("\tfoo: 1", "    ^^^"),
        ("日本: foo: 1", "      ^^^"),
        ("e\u0301: foo", "   ^^^"),
        ("\x1b[31mfoo", "\\x1b[31m^^^"),
        ("\u202efoo", "\\u202e^^^"),
    ],
)
def test_the_caret_stands_under_what_is_meant(line: str, under: str) -> None:
    start = line.index("foo") + 1
    problem = Problem("m", Span("p", 1, start, 1, start + 3, line))
    shown = render_problem(problem, False).splitlines()
    assert shown[-1] == "  | " + re.sub(r"[^^]", " ", under)
    assert all(char.isprintable() for char in shown[-2])


def test_a_wide_character_gets_a_wide_caret() -> None:
    assert rendered("version: 1\ncpu: {features: {日本: on}}\n").splitlines()[3:5] == [
        "2 | cpu: {features: {日本: on}}",
        "  |                  ^^^^",
    ]


def test_a_caret_may_stand_behind_the_end_of_the_line() -> None:
    assert "\n  |         ^\n" in rendered("version: 1\ncpu: [1,")


def test_a_span_over_lines_is_marked_to_the_end_of_its_first() -> None:
    assert "\n2 | name: 'a  b\n  |       ^^^^^\n" in rendered("version: 1\nname: 'a  b\n  c'\n")


@pytest.mark.parametrize("before", [0, 30, 70, 200, 5000])
@pytest.mark.parametrize("after", [0, 30, 70, 200, 5000])
@pytest.mark.parametrize("filling", ["x", "日"])
def test_a_long_line_is_cut_around_the_caret(before: int, after: int, filling: str) -> None:
    line = filling * before + "HERE" + filling * after
    problem = Problem("m", Span("p", 1, before + 1, 1, before + 5, line))
    _, _, _, text, carets = render_problem(problem, False).splitlines()
    width = sum(2 if char == "日" else 1 for char in text)
    assert width <= WIDTH
    at = sum(2 if char == "日" else 1 for char in text[: text.index("HERE")])
    assert carets == "  |" + " " * (at - 3) + "^^^^"
    whole = before + after == 0 or (before + after) * (2 if filling == "日" else 1) + 4 <= WIDTH - 4
    assert ("…" in text) is not whole


def test_a_long_span_keeps_its_start() -> None:
    problem = Problem("m", Span("p", 1, 101, 1, 1000, "x" * 100 + "y" * 900))
    _, _, _, text, carets = render_problem(problem, False).splitlines()
    assert len(text) <= WIDTH
    assert len(carets) <= WIDTH
    assert carets.index("^") == text.index("y")


def test_nothing_reaches_the_terminal_that_it_would_obey() -> None:
    problem = Problem("a\x1b[2Jb", Span("\x1b]0;p\x07", 1, 1, 1, 2, "\x9b1m\u200b"), "\x08")
    text = render_problem(problem, False)
    assert all(char.isprintable() for char in text.replace("\n", ""))


def test_colour_changes_nothing_but_colour() -> None:
    with pytest.raises(InputError) as caught:
        profile_from_text("version: 1\nenlightenments: {stimer: on, time: off}\nfoo: 1\n", "p.yaml")
    colored = render_error(caught.value, True)
    assert "\x1b[1;31m" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == render_error(caught.value, False)


@given(st.text(max_size=300), st.integers(1, 400), st.integers(0, 300), st.integers(0, 1), st.integers(1, 10**6))
def test_any_span_of_any_line(excerpt: str, column: int, length: int, more: int, line: int) -> None:
    problem = Problem("m", Span("p", line, column, line + more, column + length, excerpt))
    text = render_problem(problem, False)
    assert all(char.isprintable() for char in text.replace("\n", ""))
    assert len(text.splitlines()) == 5
