"""Where the text of a profile comes from: a shipped file, a user's file or stdin; bounded, and as UTF-8.

The shipped ones are in the package's data after installation, beside the package in a checkout.
"""

from functools import cache
from typing import NamedTuple

from hvctl.catalog.windows import SYSTEMS
from hvctl.text.files import LARGEST_TEXT, decode, name_of, read

_SUFFIX = ".yaml"
_SCHEMA = "profile.schema.json"


class Source(NamedTuple):
    """The text of one file. `folder` is where the paths in it begin; `identity` tells it from other files."""

    path: str
    text: str
    folder: str = "."
    identity: str = ""


def from_shipped(name: str) -> Source | None:
    """The shipped profile of this name; None if there is none."""
    path = shipped_path(name)
    if path is None:
        return None
    try:
        with open(path, "rb") as stream:
            return Source(path, decode(stream.read(), path), shipped_folder(), path)
    except FileNotFoundError:
        return None


def from_file(name: str, *, pipe: bool = True) -> Source:
    """Read a user's file, or stdin; raises UnreadableError where that cannot be done."""
    content = decode(read(name, LARGEST_TEXT, pipe=pipe), name_of(name))
    if name == "-":  # paths in it begin at the working directory
        return Source(name_of(name), content)
    from pathlib import Path

    path = Path(name)
    return Source(name, content, str(path.parent), str(path.resolve()))


def exists(name: str) -> bool:
    """Whether there is a file of this name, readable or not."""
    from pathlib import Path

    try:
        return Path(name).exists()
    except (OSError, ValueError):
        return False


def beside(child: Source, name: str) -> str:
    """The path of a file that another one names."""
    name = name.removeprefix("./")
    return name if name.startswith("/") or child.folder == "." else f"{child.folder}/{name}"


@cache
def shipped_folder() -> str:
    """Where the shipped profiles are.

    Found by the schema beside them, and without pathlib, which is imported only where they are listed:
    it would be a tenth of the time that loading a shipped profile takes.
    """
    package = __file__.rpartition("/profile/")[0]
    installed = f"{package}/data/profiles"
    try:
        with open(f"{installed}/{_SCHEMA}", "rb"):
            return installed
    except OSError:
        return f"{package.rpartition('/')[0]}/profiles"


def shipped_path(name: str) -> str | None:
    """Where the file of a shipped profile would be; None for what cannot be a name."""
    fit = len(name) <= 64 and name.isascii() and name.replace("-", "").replace(".", "").isalnum() and name[0] != "."
    return f"{shipped_folder()}/{name}{_SUFFIX}" if fit else None


def shipped_names() -> tuple[str, ...]:
    """The names of all shipped profiles: by Windows release, then the others by the alphabet."""
    from pathlib import Path

    order = {guest.id: position for position, guest in enumerate(SYSTEMS)}
    found = [path.stem for path in Path(shipped_folder()).glob(f"*{_SUFFIX}")]
    return tuple(sorted(found, key=lambda name: (order.get(name, len(order)), name)))
