"""QEMU's stderr on its way to the user: bounded, harmless, complete."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hvctl.run.relay import MAX_KEPT, MAX_LINE, Relay, harmless


def shown(*chunks: bytes) -> tuple[list[str], Relay]:
    lines: list[str] = []
    relay = Relay(lines.append)
    for chunk in chunks:
        relay.feed(chunk)
    relay.end()
    return lines, relay


def test_lines_come_whole() -> None:
    lines, relay = shown(b"one\ntw", b"o\r\nthree")
    assert lines == relay.kept == ["one", "two", "three"]


def test_a_character_may_be_split() -> None:
    assert shown(b"\xc3", b"\xa9\n")[0] == ["é"]


def test_control_characters_become_escapes() -> None:
    assert shown(b"\x1b]0;title\x07\x9b1m\tnul\0\n")[0] == [r"\x1b]0;title\x07" + "�1m\tnul" + r"\x00"]
    assert harmless("\u202egnp.exe") == r"\u202egnp.exe"


def test_an_endless_line_is_shown_in_parts() -> None:
    lines, _ = shown(*[b"x" * 1000] * 10)
    assert [len(line) for line in lines] == [MAX_LINE, MAX_LINE, 10_000 - 2 * MAX_LINE]


def test_only_the_first_lines_are_kept() -> None:
    lines, relay = shown(b"line\n" * (MAX_KEPT + 5))
    assert (len(lines), len(relay.kept)) == (MAX_KEPT + 5, MAX_KEPT)


@given(st.lists(st.binary(max_size=50)))
def test_whatever_comes_can_be_printed(chunks: list[bytes]) -> None:
    lines, _ = shown(*chunks)
    assert all(char.isprintable() or char == "\t" for line in lines for char in line)
