"""hvctl in this process, as a user meets it: the test driver of libvirt lives as long as the process that opened it."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from hvctl.cli import run


class Done(NamedTuple):
    """What one command line printed; `err` in one line, however it was folded."""

    out: str
    err: str


class Hvctl:
    """Runs hvctl and demands its exit code."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str, code: int = 0) -> Done:
        self._capsys.readouterr()
        found = run(list(words))
        captured = self._capsys.readouterr()
        assert found == code, f"{words} gave {found}\n{captured.out}\n{captured.err}"
        return Done(captured.out, " ".join(captured.err.split()))
