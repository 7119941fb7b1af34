"""The profiles that come with hvctl: in the package's data after installation, beside the package in a checkout."""

from __future__ import annotations

from hvctl.catalog.windows import GUESTS

SUFFIX = ".yaml"

# pathlib is imported only where a folder is listed: it would be a tenth of the time that a shipped profile takes.
_PACKAGE = __file__.rpartition("/formats/")[0]
_FOLDERS = (f"{_PACKAGE}/data/profiles", f"{_PACKAGE.rpartition('/')[0]}/profiles")


def paths(name: str) -> tuple[str, ...]:
    """Where the file of a shipped profile would lie, first choice first; empty for what cannot be a name."""
    if not (len(name) <= 64 and name.isascii() and name.replace("-", "").isalnum()):
        return ()
    return tuple(f"{folder}/{name}{SUFFIX}" for folder in _FOLDERS)


def names() -> tuple[str, ...]:
    """The names of all shipped profiles: by Windows release, then the others by the alphabet."""
    from pathlib import Path

    order = {guest.id: position for position, guest in enumerate(GUESTS)}
    found = {path.stem for folder in _FOLDERS for path in Path(folder).glob(f"*{SUFFIX}")}
    return tuple(sorted(found, key=lambda name: (order.get(name, len(order)), name)))
