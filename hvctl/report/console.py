"""Text for a terminal: long lines broken at spaces, colours, and durations.

Not textwrap: its import alone is a twentieth of what `hvctl gen` may cost beside the imports that it cannot do without.
"""

BOLD, GREEN, RED, YELLOW = "1", "32", "31", "33"
_STATES = {"yes": GREEN, "no": RED, "unknown": YELLOW}


def painted(text: str, code: str, color: bool) -> str:
    """A text in a colour, if colours are wanted."""
    return f"\x1b[{code}m{text}\x1b[0m" if color else text


class Paint:
    """Text with or without terminal colours."""

    def __init__(self, color: bool) -> None:
        self._color = color

    def __call__(self, text: str, code: str) -> str:
        return painted(text, code, self._color)

    def state(self, state: str, column: int, text: str = "") -> str:
        """A `State`, or a text that stands for it, in its colour, padded to the column: the codes take no room."""
        text = text or state
        return self(text, _STATES[state]) + " " * (column - len(text))


def wrapped(text: str, width: int = 80, first: int = 0, following: int = 4) -> list[str]:
    """The lines of one paragraph, indented by `first` and `following` columns.

    A word longer than a line stays whole, and so does what stands between backquotes: it is there to be copied.
    """
    lines = [" " * first]
    for word in _words(text):
        if len(lines[-1]) + len(word) > max(width, 40) and lines[-1].strip():
            lines.append(" " * following)
        lines[-1] += f"{word} "
    return [line.rstrip() for line in lines]


def paragraph(text: str, width: int = 80, first: int = 0, following: int = 4) -> str:
    """The same as one text, without a newline at its end."""
    return "\n".join(wrapped(text, width, first, following))


def _words(text: str) -> list[str]:
    words = [""]
    for word in text.split(" "):
        if words[-1].count("`") % 2:
            words[-1] += f" {word}"
        else:
            words.append(word)
    return words[1:]


def time_text(cycles: float, tsc_hz: int | None) -> str:
    """A duration with three digits; cycles where the frequency is not known."""
    if not tsc_hz:
        return f"{cycles:.0f}"
    value = cycles * 1e9 / tsc_hz
    for unit in ("ns", "us", "ms"):
        if value < 999.5:
            return f"{value:.{0 if value >= 99.95 else 1}f} {unit}"
        value /= 1000
    return f"{value:.2f} s"
