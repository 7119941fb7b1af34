"""Host files: the facts of one machine as JSON, made to be read and compared by people too.

The same facts give the same bytes. What a reader is given is not trusted: size, depth, types and repeated keys are
checked, and every mistake is told with its line and column.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from hvctl.errors import InputError
from hvctl.formats.host_decoder import FORMAT_VERSION, Decoder
from hvctl.model.span import Problem

if TYPE_CHECKING:
    from hvctl.model.cpuid import CpuidLeaf
    from hvctl.model.host import Host, Qemu

MOST_BYTES = 4 * 1024 * 1024
_MOST_PROBLEMS = 20
_WIDTH = 100
_HINT = "host files are written by 'hvctl check-host --record FILE'"


class _FormError(ValueError):
    """Valid for Python's json, not for us."""


def dump_host(host: Host) -> str:
    """The host file's text: keys in a fixed order, ends in a newline."""
    return _write(host_json(host)) + "\n"


def host_json(host: Host) -> dict[str, Any]:
    """The host as the object that a host file holds."""
    from hvctl import __version__

    return {
        "format_version": FORMAT_VERSION,
        "hvctl": __version__,
        "name": host.name,
        "kvm": {
            **host.kvm._asdict(),
            "caps": dict(host.kvm.caps),
            "leaves": {_hexadecimal(leaf.leaf): _registers(leaf) for leaf in sorted(host.kvm.leaves)},
        },
        "hardware": host.hardware._asdict(),
        "qemu": [_qemu_json(qemu) for qemu in host.qemu],
        "libvirt": host.libvirt._asdict() if host.libvirt else None,
        "how": dict(host.how),
        "notes": host.notes,
    }


def read_host(path: str) -> Host:
    """Read a host file; `-` is stdin. A host without a name gets its file's: messages must tell hosts apart.

    Raises:
        InputError: it cannot be read, or is not a host file.
    """
    try:
        if path == "-":
            if sys.stdin is None:
                raise ValueError("stdin is closed")
            data = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with open(path, "rb") as stream:
                data = stream.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError([Problem(f"{path}: the host file cannot be read: {reason}")], _HINT) from error
    if len(data) > MOST_BYTES:
        raise InputError([Problem(f"{path}: a host file has at most {MOST_BYTES} bytes")], _HINT)
    try:
        host = load_host(data.decode("utf-8-sig"), path)
    except UnicodeDecodeError as error:
        raise InputError([Problem(f"{path}: a host file is UTF-8; byte {error.start + 1} is not")], _HINT) from error
    return host if host.name else host._replace(name=_stem(path))


def _stem(path: str) -> str | None:
    """A file's name without its suffix; None where it could not be printed."""
    if path == "-":
        return "stdin"
    name = path.rpartition("/")[2]
    stem = name.rpartition(".")[0] or name
    return stem if stem.isprintable() else None


def load_host(text: str, path: str) -> Host:
    """The host that a host file describes.

    Args:
        text: the file's whole text.
        path: its path, for messages.

    Raises:
        InputError: it is not a host file that this hvctl reads; with every mistake and its place.
    """
    try:
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise _broken(text, path, error) from error
    except _FormError as error:
        raise _bad_form(text, path, str(error)) from error
    except (RecursionError, ValueError) as error:
        # ValueError: a whole number of more than 4300 digits.
        what = "it is nested too deeply" if isinstance(error, RecursionError) else "it has a number that is too long"
        raise InputError([Problem(f"{path}: this is not a host file: {what}")], _HINT) from error
    decoder = Decoder()
    host = decoder.host(document)
    if host is None or decoder.mistakes:
        raise _mistaken(text, path, decoder)
    return host


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise _FormError("repeated")
    return values


def _no_constant(name: str) -> Any:
    raise _FormError(name)


def _broken(text: str, path: str, error: json.JSONDecodeError) -> InputError:
    from hvctl.formats.json_places import span_at

    at = min(error.pos, len(text))
    ended = not text[at:].strip() or error.msg.startswith("Unterminated string")
    message = "the file ends in the middle of its JSON" if ended else f"this is not JSON: {error.msg}"
    return InputError([Problem(message, span_at(text, path, at, at + 1))], _HINT)


def _bad_form(text: str, path: str, what: str) -> InputError:
    from hvctl.formats.json_places import find_places, span_at

    places = find_places(text)
    if what == "repeated":
        problems = [
            Problem(f'"{where[-1]}" is there twice', span_at(text, path, *place)) for where, place in places.repeated
        ]
        return InputError(problems[:_MOST_PROBLEMS] or [Problem(f"{path}: a key is there twice")], _HINT)
    message = f"{what[:40]} is not a value that a host file can hold"
    found = [place for place in places.values.values() if text[slice(*place)] == what]
    if not found:
        return InputError([Problem(f"{path}: {message}")], _HINT)
    return InputError([Problem(message, span_at(text, path, *found[0]))], _HINT)


def _mistaken(text: str, path: str, decoder: Decoder) -> InputError:
    from hvctl.formats.json_places import find_places, span_at

    values = find_places(text).values
    problems = []
    for mistake in decoder.mistakes[:_MOST_PROBLEMS]:
        start, end = values.get(mistake.path, (0, 1))
        # A container is pointed at, not underlined to its end.
        end = start + 1 if "\n" in text[start:end] else end
        problems.append(Problem(mistake.message, span_at(text, path, start, end)))
    return InputError(sorted(problems, key=_position), _HINT)


def _position(problem: Problem) -> tuple[int, int]:
    return (problem.span.line, problem.span.column) if problem.span else (0, 0)


def _hexadecimal(value: int) -> str:
    return f"{value:#010x}"


def _registers(leaf: CpuidLeaf) -> dict[str, str]:
    return {name: _hexadecimal(value) for name, value in leaf._asdict().items() if name != "leaf"}


def _qemu_json(qemu: Qemu) -> dict[str, Any]:
    return {
        **qemu._asdict(),
        "properties": dict(qemu.properties),
        "machines": [machine._asdict() for machine in qemu.machines],
        "expansion": None if qemu.expansion is None else dict(qemu.expansion),
    }


def _write(value: Any, indent: int = 0) -> str:
    """JSON with one line for each entry; an object or list of scalars that fits on a line stays on it."""
    flat = json.dumps(value)
    entries = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(entries, list | tuple) or not entries:
        return flat
    if len(flat) + indent <= _WIDTH and not any(isinstance(entry, dict | list | tuple) for entry in entries):
        return flat
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        lines = [f"{inner}{json.dumps(key)}: {_write(value[key], indent + 2)}" for key in value]
        opening, closing = "{", "}"
    else:
        lines = [inner + _write(entry, indent + 2) for entry in value]
        opening, closing = "[", "]"
    return opening + "\n" + ",\n".join(lines) + "\n" + " " * indent + closing
