"""Colours of tables."""

from __future__ import annotations

from collections.abc import Mapping

from hvctl.plan.support import State

BOLD, GREEN, RED, YELLOW = "1", "32", "31", "33"
_STATES: Mapping[State, str] = {State.YES: GREEN, State.NO: RED, State.UNKNOWN: YELLOW}


class Paint:
    """Text with or without terminal colours."""

    def __init__(self, color: bool) -> None:
        self._color = color

    def __call__(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._color else text

    def state(self, state: State, column: int, text: str = "") -> str:
        """A state, or a text that stands for it, in its colour, padded to the column: the codes take no room."""
        text = text or str(state)
        return self(text, _STATES[state]) + " " * (column - len(text))
