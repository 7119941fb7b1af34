"""Host files: the facts of one machine as JSON. The same facts give the same bytes."""

from __future__ import annotations

from typing import Any

from hvctl.host.decode import FORM, decode_host
from hvctl.model.cpuid import CpuidLeaf
from hvctl.model.host import Host, Qemu
from hvctl.text.json_document import decode, load, read_bytes, write


def dump_host(host: Host) -> str:
    """The host file's text: keys in a fixed order, ends in a newline."""
    return write(host_json(host)) + "\n"


def host_json(host: Host) -> dict[str, Any]:
    """The host as the object that a host file holds."""
    from hvctl import __version__

    return {
        "format_version": FORM.version,
        "hvctl": __version__,
        "name": host.name,
        "kvm": {
            **host.kvm._asdict(),
            "caps": dict(host.kvm.caps),
            "leaves": {_hexadecimal(leaf.leaf): _registers(leaf) for leaf in sorted(host.kvm.leaves)},
        },
        "hardware": host.hardware._asdict(),
        "qemu": [_qemu_json(qemu) for qemu in host.qemu],
        "libvirt": _marked(host.libvirt._asdict()) if host.libvirt else None,
        "how": dict(host.how),
        "notes": host.notes,
    }


def read_host(path: str) -> Host:
    """Read a host file; `-` is stdin. A host without a name gets its file's: messages must tell hosts apart.

    Raises:
        InputError: it cannot be read, or is not a host file.
    """
    host = load_host(decode(read_bytes(path, FORM), path, FORM), path)
    return host if host.name else host._replace(name=stem(path))


def stem(path: str) -> str | None:
    """A file's name without its suffix; None where it could not be printed."""
    if path == "-":
        return "stdin"
    name = path.rpartition("/")[2]
    stem = name.rpartition(".")[0] or name
    return stem if stem.isprintable() else None


def load_host(text: str, path: str) -> Host:
    """The host that a host file's text describes; `path` is for messages. Raises InputError as `json_document.load`."""
    return load(text, path, FORM, decode_host)


def _hexadecimal(value: int) -> str:
    return f"{value:#010x}"


def _registers(leaf: CpuidLeaf) -> dict[str, str]:
    return {name: _hexadecimal(value) for name, value in leaf._asdict().items() if name != "leaf"}


def _marked(record: dict[str, Any]) -> dict[str, Any]:
    """The key `partial` only where it says something: it came later than the format."""
    return {name: value for name, value in record.items() if name != "partial" or value}


def _qemu_json(qemu: Qemu) -> dict[str, Any]:
    return {
        **_marked(qemu._asdict()),
        "properties": dict(qemu.properties),
        "machines": [machine._asdict() for machine in qemu.machines],
        "expansion": None if qemu.expansion is None else dict(qemu.expansion),
    }
