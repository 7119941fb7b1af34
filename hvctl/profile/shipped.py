"""The profiles that come with hvctl: in the package's data after installation, beside the package in a checkout."""

from __future__ import annotations

from functools import cache

from hvctl.catalog.windows import GUESTS

SUFFIX = ".yaml"
_SCHEMA = "profile.schema.json"


@cache
def folder() -> str:
    """Where the shipped profiles lie.

    Found by the schema that lies beside them, and without pathlib, which is imported only where a folder is listed:
    it would be a tenth of the time that loading a shipped profile takes.
    """
    package = __file__.rpartition("/profile/")[0]
    installed = f"{package}/data/profiles"
    try:
        with open(f"{installed}/{_SCHEMA}", "rb"):
            return installed
    except OSError:
        return f"{package.rpartition('/')[0]}/profiles"


def path(name: str) -> str | None:
    """Where the file of a shipped profile would lie; None for what cannot be a name."""
    fit = len(name) <= 64 and name.isascii() and name.replace("-", "").isalnum()
    return f"{folder()}/{name}{SUFFIX}" if fit else None


def names() -> tuple[str, ...]:
    """The names of all shipped profiles: by Windows release, then the others by the alphabet."""
    from pathlib import Path

    order = {guest.id: position for position, guest in enumerate(GUESTS)}
    found = [path.stem for path in Path(folder()).glob(f"*{SUFFIX}")]
    return tuple(sorted(found, key=lambda name: (order.get(name, len(order)), name)))
