"""Documents of JSON with one value changed to what nobody expects there. Light: lying programs import it, too."""

from __future__ import annotations

from random import Random
from typing import Any

_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 1 << 70, 10**400, "", "a", "\x1b[31m\u202e\x9b", "a" * 5000, "\ud800"),
    *([], {}, [[]], [None], {"": None}, {"a": {"b": []}}, ["x"] * 2000),
)
_KEYS = ("", "x" * 2000, "\x1b\u202e", "0")


def change(document: Any, random: Random) -> None:
    """Change one value at a random depth, in place: delete, swap, repeat, rename, nest or replace it."""
    parent = document
    while True:
        keys = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
        if not keys:
            return
        key = random.choice(keys)
        value = parent[key]
        if not isinstance(value, dict | list) or not value or random.random() < 0.15:
            break
        parent = value
    match random.randrange(5):
        case 0:
            del parent[key]
        case 1:
            other = random.choice(keys)
            parent[key], parent[other] = parent[other], parent[key]
        case 2 if isinstance(parent, list):
            parent[key:key] = [value] * random.choice((1, 2, 2000))
        case 2:
            parent[random.choice(_KEYS)] = value
        case 3:
            parent[key] = [value] if random.random() < 0.5 else {"a": value}
        case _:
            parent[key] = random.choice(_VALUES)
