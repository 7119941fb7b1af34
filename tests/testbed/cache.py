"""This user's cache, which all clones share: what is built once, each thing at a place whose name says what it is."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hvctl-testbed"
"""What may be removed at any time when no test runs: `make clean-cache`. Found at the beginning: tests that run while
something is built change the variable for a while."""


def named(name: str, *made_of: str) -> Path:
    """The place of a thing; another one where it is made of something else."""
    digest = hashlib.sha256("\n".join(made_of).encode()).hexdigest()
    return CACHE / f"{name}-{digest[:12]}"


def built(place: Path, build: Callable[[Path], Path]) -> Path:
    """`place`, which is a file or a directory; unless it is there, `build` is given a directory to work in, and says
    what in it goes to the place. Who comes meanwhile waits; a rename makes it whole."""
    if not place.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with place.with_name(f"{place.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not place.exists():
                part = place.with_name(f"{place.name}.part")
                # What a build that was cut short has left.
                shutil.rmtree(part, ignore_errors=True)
                part.mkdir()
                build(part).rename(place)
                shutil.rmtree(part)
    return place
