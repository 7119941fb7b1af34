"""wrap: long lines broken at spaces."""

from __future__ import annotations

from hvctl.report.console import wrapped


def test_lines_are_broken_at_spaces_and_indented() -> None:
    assert wrapped("a" * 30 + " " + "b" * 30, 40, 2, 4) == ["  " + "a" * 30, "    " + "b" * 30]


def test_a_long_word_stays_whole() -> None:
    assert wrapped("x" * 100, 40) == ["x" * 100]


def test_what_stands_between_backquotes_stays_whole() -> None:
    assert wrapped("w" * 35 + " `cpu: qemu64` in it", 40) == ["w" * 35, "    `cpu: qemu64` in it"]
    assert wrapped("one `open quote", 40) == ["one `open quote"]
