"""The text of VMID.conf in its sections, and of cpu-models.conf in its models, as Proxmox VE takes them apart.

Source: proxmox/qemu-server:src/PVE/QemuServer.pm, parse_vm_config(); proxmox/pve-common:src/PVE/SectionConfig.pm.
"""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from hvctl.text.shell_words import Word

CUSTOM = "custom-"
_KEY = re.compile(r"([a-z][a-z_-]*\d*):\s*")
_HEADER = re.compile(r"\[([^\]]*)\]\s*")
_SNAPSHOT = re.compile(r"(?i)[a-z][a-z0-9_-]+")
_SPECIAL = "special:"
_PENDING = "pending"
# Of a models' file: a model, and one of its properties.
_MODEL = re.compile(r"cpu-model:\s*(\S+)\s*")
_SECTION = re.compile(r"\S+:\s*\S+\s*")
_PROPERTY = re.compile(r"\s+(\S+)(?:\s+(.*\S))?\s*")
_PART = re.compile(r"[^,]+")


class Kind(StrEnum):
    """The kinds of sections; what PVE does not read is `other`."""

    MAIN = "main"
    PENDING = "pending"
    SNAPSHOT = "snapshot"
    SPECIAL = "special"
    OTHER = "other"


class Section(NamedTuple):
    """A section: its values by their keys; those that a later one of the same key replaces; lines that PVE passes over;
    where it begins and ends."""

    kind: Kind
    name: str
    values: dict[str, Word]
    replaced: list[tuple[str, Word]]
    unread: list[Word]
    start: int
    end: int


def sections(text: str) -> list[Section]:
    """The sections of VMID.conf, the main one first."""
    found = [Section(Kind.MAIN, "", {}, [], [], 0, len(text))]
    at = 0
    for line in text.split("\n"):
        section = found[-1]
        if header := _HEADER.fullmatch(line):
            found[-1] = section._replace(end=at)
            found.append(Section(_kind(header[1]), header[1], {}, [], [], at, len(text)))
        elif entry := _KEY.match(line):
            value = line[entry.end() :].rstrip()
            start = at + (entry.end() if value else entry.end(1))
            if entry[1] in section.values:
                section.replaced.append((entry[1], section.values[entry[1]]))
            section.values[entry[1]] = Word(value, range(start, start + len(value) + 1))
        elif line.strip() and not line.startswith("#"):
            section.unread.append(Word(line, range(at, at + len(line) + 1)))
        at += len(line) + 1
    return found


def _kind(name: str) -> Kind:
    if name.lower() == _PENDING:
        return Kind.PENDING
    if name.startswith(_SPECIAL):
        return Kind.SPECIAL
    return Kind.SNAPSHOT if _SNAPSHOT.fullmatch(name) else Kind.OTHER


def with_pending(main: Section, pending: Section) -> Section:
    """The main section as the next start makes it of the pending changes."""
    values = dict(main.values)
    for name in re.split(r"[\s,;]+", pending.values.get("delete", "")):
        values.pop(name.lstrip("!"), None)
    values.update({key: value for key, value in pending.values.items() if key != "delete"})
    return pending._replace(values=values)


def properties(value: Word, default: str) -> dict[str, Word]:
    """The parts of a value such as `host,hidden=1`; one without a name is `default`."""
    found: dict[str, Word] = {}
    for match in _PART.finditer(value):
        name, equals, _ = match[0].partition("=")
        start = match.start() + (len(name) + 1 if equals else 0)
        found[name.strip() if equals else default] = value.part(start, match.end())
    return found


def boolean(text: str) -> bool | None:
    """A switch as PVE reads it (proxmox/pve-common:src/PVE/JSONSchema.pm, parse_boolean()); None for what is none."""
    if text.lower() in ("1", "on", "yes", "true"):
        return True
    return False if text.lower() in ("0", "off", "no", "false") else None


class Property(NamedTuple):
    """What a custom model says, and the number of its line."""

    value: str
    line: int


class Models(NamedTuple):
    """The custom models of a file by their names; `problem` says why nothing is known of them."""

    path: str
    models: Mapping[str, Mapping[str, Property]]
    problem: str = ""

    def origin(self, name: str, line: int) -> str:
        """Where a model says something, for messages."""
        return f"custom model {name}, {self.path}:{line}"


NO_MODELS = Models("cpu-models.conf", {}, "cpu-models.conf is not known")


def read_models(text: str, path: str) -> Models:
    """The models of cpu-models.conf."""
    return Models(path, dict(_models(text)))


def _models(text: str) -> Iterator[tuple[str, dict[str, Property]]]:
    """The models, as PVE's parser finds them: an empty line ends each, what is no property of it is passed over, and
    the first of two counts (SectionConfig.pm, parse_config())."""
    current: dict[str, Property] | None = None
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("#"):
            continue
        if not line:
            current = None
        elif current is None:
            if header := _MODEL.fullmatch(line):
                current = {}
                yield header[1], current
            elif _SECTION.fullmatch(line):
                current = {}
        elif found := _PROPERTY.fullmatch(line):
            current.setdefault(found[1], Property(found[2] or "", number))
