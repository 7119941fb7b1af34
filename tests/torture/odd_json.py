"""Documents of JSON with one value changed to what nobody expects there. Light: lying programs import it, too."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 1 << 70, 10**400, "", "a", "\x1b[31m\u202e\x9b", "a" * 5000, "\ud800"),
    *([], {}, [[]], [None], {"": None}, {"a": {"b": []}}, ["x"] * 2000),
)
_NUMBERS = (0, 1, 2, 3, 64, 4096, 8191, 1 << 31, 1 << 32, 2_500_000_000, (1 << 63) - 1)
_KEYS = ("", "x" * 2000, "\x1b\u202e", "0")


def change_gently(document: Any, random: Random) -> None:
    """Change one value in place to another that could be there: what a reader's first look does not refuse."""
    leaves = list(_leaves(document))
    if not leaves:
        return
    parent, key = random.choice(leaves)
    value = parent[key]
    alike = [other[name] for other, name in leaves if type(other[name]) is type(value)]
    if random.random() < 0.2:
        del parent[key]
    elif isinstance(value, bool):
        parent[key] = not value
    elif isinstance(value, int) and random.random() < 0.7:
        parent[key] = random.choice((value + 1, value - 1, value << 1, *_NUMBERS))
    elif isinstance(value, str) and random.random() < 0.3:
        parent[key] = value[:-1] + random.choice(("", "x", "0", value))
    else:
        parent[key] = random.choice(alike)


def _leaves(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every value that has no values, as what has it and its key."""
    if isinstance(value, dict | list):
        for key, below in list(value.items() if isinstance(value, dict) else enumerate(value)):
            if isinstance(below, dict | list):
                yield from _leaves(below)
            else:
                yield value, key


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
