"""The profiles that come with hvctl: in the package's data after installation, beside the package in a checkout."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from hvctl.catalog.windows import GUESTS

SUFFIX = ".yaml"


@cache
def folder() -> Path:
    """Where the shipped profiles lie."""
    package = Path(__file__).parent.parent
    installed = package / "data" / "profiles"
    return installed if installed.is_dir() else package.parent / "profiles"


def names() -> tuple[str, ...]:
    """The names of all shipped profiles: by Windows release, then the others by the alphabet."""
    order = {guest.id: position for position, guest in enumerate(GUESTS)}
    found = [path.stem for path in folder().glob(f"*{SUFFIX}")]
    return tuple(sorted(found, key=lambda name: (order.get(name, len(order)), name)))


def path(name: str) -> Path | None:
    """The file of a shipped profile; None where none has this name."""
    if not name or not name.replace("-", "").isalnum():
        return None
    found = folder() / (name + SUFFIX)
    return found if found.is_file() else None
