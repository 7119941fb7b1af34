"""How a QEMU ended: the verdict; its refusals, understood for every row as the real QEMU words them; its stderr."""

from __future__ import annotations

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvctl.catalog import ROWS
from hvctl.catalog.types import Row
from hvctl.run.crash import Crash
from hvctl.run.ending import MAX_KEPT, MAX_LINE, Ending, Relay, explain, harmless, verdict

NAMED = [row for row in ROWS if row.qemu_name]
QEMU = "qemu-system-x86_64: "


@pytest.mark.parametrize(
    ("ending", "code", "said"),
    [
        (Ending(0, True), 0, ()),
        (Ending(0, True, (Crash(None),)), 1, ()),
        (Ending(33, True), 1, ("QEMU ended with exit status 33",)),
        (Ending(1, False), 1, ("QEMU refused to start (exit status 1)",)),
        (Ending(-signal.SIGSEGV, True), 1, ("QEMU was killed by SIGSEGV: a fault of its own",)),
        (Ending(-signal.SIGKILL, True), 1, ("QEMU was killed by SIGKILL: a signal from outside",)),
        (Ending(-signal.SIGKILL, True, killed=True), 1, ("QEMU was killed by SIGKILL: hvctl, since it did not quit",)),
        (Ending(-99, True), 1, ("QEMU was killed by signal 99: a signal from outside",)),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_verdict(ending: Ending, code: int, said: tuple[str, ...]) -> None:
    assert (ending.exit_code, verdict(ending)) == (code, said)


def test_a_refusal_is_explained() -> None:
    line = "qemu-system-x86_64: kernel doesn't allow setting HyperV VP_INDEX"
    assert len(verdict(Ending(1, False, stderr=(line,)))) > 1
    assert len(verdict(Ending(1, True, stderr=(line,)))) == 1


def test_other_messages_are_about_nothing() -> None:
    assert explain([f"{QEMU}-device nosuch: 'nosuch' is not a valid device model name", "Hyper-V is fine"]) == ()


@pytest.mark.parametrize("row", NAMED, ids=lambda row: row.id)
def test_what_is_said_of_a_row(row: Row) -> None:
    cause, remedy, see = explain([f"{QEMU}Hyper-V {row.qemu_name} is not supported by kernel"] * 3)
    assert cause.startswith("cause: ")
    assert f"{row.id} ({row.title})" in cause
    assert remedy.startswith("remedy: ")
    assert see == f"see: hvctl explain {row.id}"


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
