"""QEMU's refusal to start, in the catalog's words: the enlightenment that it is about, and what hvctl knows of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hvctl.catalog import ROWS
from hvctl.catalog.types import Row

# "failed to turn on HyperV SynIC in KVM", "kernel doesn't allow setting HyperV VP_INDEX" (qemu:target/i386/kvm/kvm.c):
# messages from outside QEMU's table of enlightenments name them in this way only.
_LOOSE = re.compile(r"Hyper-?V (\w+)", re.IGNORECASE)
_PROPERTY = re.compile(r"\b(?:x-)?hv[-_][\w-]+")


def about(lines: Sequence[str]) -> tuple[Row, ...]:
    """The rows that QEMU's messages name, in the order in which they are first named."""
    found: list[Row] = []
    for line in lines:
        named = [row for name in _PROPERTY.findall(line) if (row := _by_property(name))]
        found += named or [row for word in _LOOSE.findall(line) if (row := _by_word(word))]
    return tuple({row.id: row for row in found}.values())


def explain(lines: Sequence[str]) -> tuple[str, ...]:
    """What hvctl knows of each enlightenment that QEMU refused over; a line for each statement."""
    said: list[str] = []
    for row in about(lines):
        said.append(f"{row.id} ({row.title}): {row.advice_text}")
        if row.requires:
            said.append(f"  it requires {', '.join(row.requires)}")
        if row.caps:
            said.append(f"  the host's kernel shows it as {', '.join(row.caps)}")
        if row.avoid:
            said.append(f"  {row.avoid}")
        said.append(f"  see: hvctl explain {row.id}; hvctl check-host says what this host can")
    return tuple(said)


def _by_property(name: str) -> Row | None:
    wanted = name.replace("_", "-")
    return next(
        (
            row
            for row in ROWS
            if wanted in (*(known.name for known in row.properties), *(f"hv-{alias}" for alias in row.property_aliases))
            or wanted in row.property_aliases
        ),
        None,
    )


def _by_word(word: str) -> Row | None:
    wanted = re.sub(r"[\W_]", "", word).lower()
    return next((row for row in ROWS if row.id.replace("-", "") == wanted), None)
