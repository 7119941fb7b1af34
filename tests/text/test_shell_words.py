"""Words of a command line: split as a shell splits, and each character knows where it stood."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvctl.errors import InputError
from hvctl.report.problems import render_error
from hvctl.text.shell_words import Word, place, split

# Quotations and words, in which shlex and a shell agree: shlex knows no escape but \" and \\ in double quotes, keeps
# the end of a line that goes on, and takes a # inside a word for a comment.
PLAIN = st.text("ab-=,.ä\U0001f600", min_size=1, max_size=5)
IN_DOUBLE = st.lists(st.one_of(st.text("a 'ä\n\t#", max_size=4), st.sampled_from(['\\"', "\\\\"])), max_size=4)
PIECES = st.one_of(
    PLAIN,
    st.text('a "ä\n\\#', max_size=5).map(lambda text: f"'{text}'"),
    IN_DOUBLE.map(lambda parts: f'"{"".join(parts)}"'),
    st.sampled_from(["\\ ", "\\'", '\\"', "\\\\", "\\a", "\\#"]),
)
WORDS = st.lists(PIECES, min_size=1, max_size=4).map("".join)
BLANKS = st.text(" \t\r\n", min_size=1, max_size=3)
COMMENTS = st.text("ab '\"\\", max_size=6).map(lambda text: f" #{text}\n")
LINES = st.lists(st.one_of(WORDS, BLANKS, COMMENTS), max_size=8).map(" ".join)
ANY = st.text("ab'\"\\ \t\r\n#$`\0ä", max_size=30)


@given(LINES)
def test_words_are_those_of_shlex(text: str) -> None:
    assert split(text, "p") == shlex.split(text, comments=True)


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8), max_size=6))
def test_what_shlex_has_quoted_comes_back(words: list[str]) -> None:
    found = split(shlex.join(words), "p")
    assert found == words
    assert not any(word.expands for word in found)


@given(ANY)
def test_any_text_is_split_or_has_a_quotation_without_an_end(text: str) -> None:
    try:
        words = split(text, "p")
    except InputError as error:
        (problem,) = error.problems
        assert problem.message == "the quotation has no end"
        assert problem.span
        assert problem.span.excerpt[problem.span.column - 1] in "'\""
        assert "\0" not in text
        render_error(error, False)
        return
    ends = [-1]
    for word in words:
        assert len(word.offsets) == len(word) + 1
        assert [text[at] for at in word.offsets[:-1]] == list(word)
        assert list(word.offsets) == sorted(word.offsets)
        assert ends[-1] <= word.offsets[0]
        assert word.offsets[-1] <= len(text)
        assert place(text, "p", word).column >= 1
        ends.append(word.offsets[-1])


SHELL = [
    "a#b c",
    "''#b",
    "a \\\nb",
    "a\\\nb",
    '"a\\\nb"',
    '"\\$a\\`b\\c\\"\\\\"',
    "'a\\'b",
    "a''b \"\" ''",
    "a\\ b\\\tc",
    "-cpu 'host,hv_vendor_id=a $b' # x",
    "\"it's\" 'a\"b'",
]


@pytest.mark.parametrize("text", SHELL)
def test_words_are_those_of_a_shell(text: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f"printf '%s\\0' {text}\n"], capture_output=True, text=True, check=True, timeout=10
    )
    assert split(text, "p") == done.stdout.split("\0")[:-1]


def test_a_file_of_another_system() -> None:
    assert split("\ufeffa \\\r\n  -cpu host\r\n"[1:], "p") == ["a", "-cpu", "host"]


def test_a_backslash_at_the_end_continues_into_nothing() -> None:
    assert split("a \\", "p") == split("a \\\n", "p") == ["a"]
    assert split("a\\", "p") == ["a"]


def test_nuls_separate_and_nothing_is_quoted() -> None:
    text = "q\0-cpu\0host,hv_vendor_id='a \\ $b\0\0-S\0"
    words = split(text, "p")
    assert words == ["q", "-cpu", "host,hv_vendor_id='a \\ $b", "", "-S"]
    assert [text[word.offsets[0] : word.offsets[-1]] for word in words] == words
    assert not any(word.expands for word in words)
    assert split("\0", "p") == [""]


@pytest.mark.parametrize(
    ("text", "expands"),
    [
        ("$a", True),
        ("a`b`", True),
        ('"$a"', True),
        ("'$a'", False),
        ("\\$a", False),
        ('"\\$a"', False),
        ("a '$b' $c", True),
    ],
)
def test_what_a_shell_would_expand_is_known(text: str, expands: bool) -> None:
    assert split(text, "p")[-1].expands is expands


def test_places() -> None:
    text = "a\n  'b c',\"d\"  ''"
    _, word, empty = split(text, "p")
    assert (place(text, "p", word).line, place(text, "p", word).column, place(text, "p", word).end_column) == (2, 4, 12)
    first, second = word.split_at(",")
    assert (first, second) == ("b c", "d")
    assert (place(text, "p", second).column, place(text, "p", second).end_column) == (10, 12)
    assert place(text, "p", empty).column == 14
    assert place(text, "p", empty).excerpt == "  'b c',\"d\"  ''"


@given(st.text(",a", max_size=8))
def test_parts_are_those_of_str_split(text: str) -> None:
    parts = list(Word(text, range(7, 8 + len(text))).split_at(","))
    assert parts == text.split(",")
    assert all(text[part.offsets[0] - 7 : part.offsets[-1] - 7] == part for part in parts)


@pytest.mark.parametrize(
    ("text", "line", "column"), [("a 'b", 1, 3), ('a\n b"\n\n', 2, 3), ("'a' 'b'\"", 1, 8), ('"a\\"', 1, 1)]
)
def test_a_quotation_without_an_end_is_pointed_at(text: str, line: int, column: int) -> None:
    with pytest.raises(InputError) as caught:
        split(text, "cmd")
    (problem,) = caught.value.problems
    assert problem.span
    assert (problem.span.path, problem.span.line, problem.span.column) == ("cmd", line, column)


HERE = "cat {}\nit's\n{}\nkvm -m 4\n"


@pytest.mark.parametrize(
    ("begin", "end", "found"),
    [
        ("<<EOF", "EOF", True),
        ("> f <<'EOF'", "EOF", True),
        ("<<-E\\OF", "\t\tEOF", True),
        ("<< EOF | sort", "EOF", True),
        ("<<A; cat <<B", "A\nit's 'that\nB", True),
        ("<<EOF", "EOF\r", True),
        ("<<EOF", " EOF", False),
        ("<<<EOF", "EOF", False),
        ("$((1<<2))", "2))", False),
        ("'<<EOF'", "EOF", False),
        ("<<", "", False),
    ],
)
def test_a_here_document_with_an_apostrophe(begin: str, end: str, found: bool) -> None:
    text = HERE.format(begin, end)
    if not found:
        with pytest.raises(InputError, match="the quotation has no end"):
            split(text, "x")
        return
    words = split(text, "x")
    assert words[-3:] == ["kvm", "-m", "4"]
    assert [text[word.offsets[0]] for word in words[-3:]] == ["k", "-", "4"]
    assert not any("it" in word for word in words)


def test_a_command_in_a_here_document_is_found() -> None:
    assert split("cat > run.sh <<EOF\nkvm -m 4\nEOF\n", "x")[-4:] == ["kvm", "-m", "4", "EOF"]


def test_a_long_text_takes_no_longer_than_its_length() -> None:
    assert len(split("a " * 50_000, "p")) == 50_000
