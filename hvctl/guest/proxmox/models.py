"""cpu-models.conf beside a VMID.conf: where Proxmox VE has it, and where copies of both lie in one directory."""

import re
from collections.abc import Iterable

from hvctl.errors import InputError
from hvctl.guest.proxmox.config import CUSTOM, NO_MODELS, Models, read_models
from hvctl.text.files import LARGEST_TEXT, UnreadableError, read

_NAME = "cpu-models.conf"
# Below /etc/pve: `qemu-server/` is a link to `nodes/NODE/qemu-server/`.
_PLACES = ("", "../virtual-guest/", "../../../virtual-guest/")
_NO_FILE = re.compile(r"<[^/]*>|process \d+")


def models_of(text: str, path: str, files: Iterable[tuple[bytes, str]] = ()) -> Models:
    """The custom models for a configuration, if it names any: of the file of that name among those that are read with
    it, else of the one beside it. Its problem says why none is known."""
    if CUSTOM not in text:
        return NO_MODELS
    for data, name in files:
        if name.rpartition("/")[2] == _NAME:
            return read_models(data.decode("utf-8", "surrogateescape"), name)
    if _NO_FILE.fullmatch(path):
        return NO_MODELS
    directory = path[: len(path) - len(path.rpartition("/")[2])]
    for place in _PLACES:
        found = f"{directory}{place}{_NAME}"
        try:
            return read_models(read(found, LARGEST_TEXT).decode("utf-8", "surrogateescape"), found)
        except UnreadableError as error:
            if not isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
                return NO_MODELS._replace(problem=f"{found} cannot be read: {error.reason}")
        except InputError as error:
            return NO_MODELS._replace(problem=str(error))
    return NO_MODELS._replace(problem=f"there is no {_NAME} beside {path}")
