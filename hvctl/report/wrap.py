"""Long lines broken at spaces.

Not textwrap: its import alone is a twentieth of what `hvctl gen` may cost beside the imports that it cannot do without.
"""

from __future__ import annotations


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
