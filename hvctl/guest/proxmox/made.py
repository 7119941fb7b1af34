"""Words of a command line that Proxmox VE makes: each part with the place that it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hvctl.text.shell_words import Word

BY_PROXMOX = "added by Proxmox VE"


class Piece(NamedTuple):
    """A part of a word: its text, what in the configuration it comes from, and by whom it was added, if it is not
    written there itself."""

    text: str
    where: Word
    origin: str = BY_PROXMOX


class Made(Word):
    """A word put together of pieces; `origins` has by whom each character was added, as `offsets` has its place."""

    __slots__ = ("origins",)
    origins: Sequence[str]

    @property
    def origin(self) -> str:
        """By whom what it begins with was added; empty for what is written."""
        return self.origins[0] if self.origins else ""

    def part(self, start: int, end: int) -> Made:
        return _made(self[start:end], self.offsets[start : end + 1], self.origins[start:end])


def made(pieces: Iterable[Piece], separator: str = ",") -> Made:
    """A word of pieces, with a separator between them."""
    text, offsets, origins, end = "", list[int](), list[str](), 0
    for piece in pieces:
        if text:
            text += separator
            offsets.append(end)
            origins.append("")
        start, end = piece.where.offsets[0], piece.where.offsets[-1]
        written = piece.text == piece.where
        offsets += piece.where.offsets[: len(piece.text)] if written else [start] * len(piece.text)
        origins += [piece.origin] * len(piece.text)
        text += piece.text
    return _made(text, [*offsets, end], origins)


def _made(text: str, offsets: Sequence[int], origins: Sequence[str]) -> Made:
    word = Made(text, offsets)
    word.origins = origins
    return word


def origin(where: object) -> str:
    """By whom something was added; empty for what is written."""
    return where.origin if isinstance(where, Made) else ""
