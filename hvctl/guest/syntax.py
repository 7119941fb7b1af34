"""The syntaxes that describe guests: how each is read and changed. A new platform is one more `Syntax`.

Each reader is imported when a file of its syntax is read: lint knows all of them, and mostly reads one kind.
"""

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from hvctl.errors import InputError, Span
from hvctl.guest.domain import NAMESPACE
from hvctl.model.guest import Changes, Guest
from hvctl.text.recognition import COMMANDS, FileKind
from hvctl.text.shell_words import Word, place
from hvctl.xml.document import Document, Element, named

Lines = tuple[tuple[int, int], tuple[int, int]]
"""The line and column where lines begin that belong together, and those after their end."""

# Much that is XML and no domain begins with the one, and is passed over. In UTF-16 it counts as broken.
_DOCTYPE, _DOMAIN = b"<!DOCTYPE", b"<domain"
# Proxmox VE keeps comments as a guest's notes, and writes them again with each `:` as `%3A`
# (proxmox/pve-common:src/PVE/Tools.pm, encode_text()).
_ESCAPED = "%3A"
_COMMENT = rf"(?m)(?:^|[ \t;])(#[ \t]*hvctl(?::|{_ESCAPED})[^\n]*)"


class Remark(NamedTuple):
    """What a text says to hvctl itself, and the lines that it is about."""

    text: str
    span: Span
    about: Lines


class Reading(NamedTuple):
    """What a text holds: guests, remarks, the encoding of its edits; a note where it has no guest."""

    guests: Sequence[Guest] = ()
    remarks: Sequence[Remark] = ()
    codec: str = "utf-8"
    errors: str = "surrogateescape"
    note: str = ""
    document: Document | None = None


Files = Iterable[tuple[bytes, str]]
"""Whole files, each with its name for spans."""


class Syntax(NamedTuple):
    """One syntax. `read_all(files, many=...)` reads files, with an InputError for each that is broken; `many` says that
    there are so many that costly imports pay. `change` makes a collection of changes to a guest of this syntax."""

    name: str
    read_all: Callable[..., Sequence[Reading | InputError]]
    change: Callable[[Guest], Changes] | None = None


def _read_domains(files: Files, *, many: bool = False) -> list[Reading | InputError]:
    from hvctl.xml.reader import MARK, MOST_ELEMENTS, parse_all

    files = list(files)
    documents = parse_all(files, many=many, shallow=True, most=MOST_ELEMENTS, mark=MARK)
    return [
        _broken(found, data) if isinstance(found, InputError) else _domains(found)
        for found, (data, _) in zip(documents, files, strict=True)
    ]


def _broken(error: InputError, data: bytes) -> Reading | InputError:
    if error.problems[0].span is not None and _DOCTYPE in data and _DOMAIN not in data:
        return Reading(note="it has a document type declaration, and no <domain>")
    return error


def _domains(document: Document) -> Reading:
    from hvctl.guest.domain.reader import domains_in, guest_of

    domains = domains_in(document)
    if not domains:
        return Reading(note=f"its root is {named(document.root.tag)}, not a domain")
    guests = [guest_of(one) for one in domains]
    return Reading(guests, _xml_remarks(document, domains), document.codec, "xmlcharrefreplace", document=document)


def _xml_remarks(document: Document, domains: Sequence[Element]) -> Sequence[Remark]:
    """Comments are about the element after them; libvirt drops them, and keeps what is in `<metadata>`."""
    found = [
        Remark(comment.text, _comment_span(document, comment.start), _lines(document, comment.element))
        for comment in document.comments
    ]
    for domain in domains:
        found += _metadata_remarks(domain)
    return found


def _comment_span(document: Document, start: int) -> Span:
    end = document.find(">", start)
    mark = "-->"
    while document.text(end - document.width("--"), end + document.width(">")) != mark:
        end = document.find(">", end + document.width(">"))
    return document.span(start, end + document.width(">"))


def _lines(document: Document, element: Element | None) -> Lines:
    if element is None:
        return (0, 0), (0, 0)
    span = document.span(element.start, element.end)
    return (span.line, span.column), (span.end_line, span.end_column)


def _metadata_remarks(domain: Element) -> Iterator[Remark]:
    from hvctl.xml.reader import MARK

    for metadata in domain.below:
        for guest in metadata.below if metadata.tag == "metadata" else ():
            # Namespaces take much longer to find out.
            if guest.local != "guest" or guest.namespace != NAMESPACE or metadata.namespace is not None:
                continue
            about = _lines(domain.document, domain)
            for element in guest.below:
                if element.local == "ignore":
                    rules, reason = element.get("rule") or "", element.get("reason") or ""
                    yield Remark(f"{MARK} ignore[{rules}] {reason}", element.span, about)


def _change_domain(guest: Guest) -> Changes:
    from hvctl.guest.domain.changes import DomainChanges
    from hvctl.guest.domain.domain import Domain

    assert isinstance(guest, Domain), "each syntax changes its own guests"
    return DomainChanges(guest)


def _read_commands(files: Files, *, many: bool = False) -> list[Reading | InputError]:  # noqa: ARG001 - see Syntax
    found: list[Reading | InputError] = []
    for data, path in files:
        try:
            found.append(_commands(data.decode("utf-8", "surrogateescape"), path))
        except InputError as error:
            found.append(error)
    return found


def _read_processes(files: Files, *, many: bool = False) -> list[Reading | InputError]:  # noqa: ARG001 - see Syntax
    from hvctl.guest.command.reader import read_process

    return [Reading([read_process(data.decode("utf-8", "surrogateescape"), path)]) for data, path in files]


def _commands(text: str, path: str) -> Reading:
    from hvctl.guest.command.reader import read_command_lines

    guests = read_command_lines(text, path)
    if not guests:
        return Reading(note="it holds no QEMU command line")
    return Reading(guests, _remarks(text, path))


def _remarks(text: str, path: str) -> list[Remark]:
    """Comments after a `#`, about the whole text."""
    whole = ((1, 0), (text.count("\n") + 2, 0))
    remarks = []
    for match in re.finditer(_COMMENT, text):
        span = place(text, path, Word(match[1], range(match.start(1), match.end(1) + 1)))
        remarks.append(Remark(match[1].removeprefix("#").strip().replace(_ESCAPED, ":"), span, whole))
    return remarks


def _change_command(guest: Guest) -> Changes:
    from hvctl.guest.command.line import CommandChanges, CommandLine

    assert isinstance(guest, CommandLine), "each syntax changes its own guests"
    return CommandChanges(guest)


def _read_kubevirt(
    files: Files,
    *,
    many: bool = False,  # noqa: ARG001 - see Syntax
    elsewhere: Callable[[], Any] = dict,
) -> list[Reading | InputError]:
    found: list[Reading | InputError] = []
    for data, path in files:
        try:
            found.append(_machines(data.decode("utf-8", "surrogateescape"), path, elsewhere))
        except InputError as error:
            found.append(error)
    return found


def kubevirt_among(files: Callable[[], Files]) -> Syntax:
    """KubeVirt's objects where a preference may be in another file: the files are read when the first machine has a
    preference that its own file has not."""

    @functools.cache
    def preferences() -> object:
        from hvctl.guest.kubevirt.preferences import preferences_in

        return preferences_in(files())

    return KUBEVIRT._replace(read_all=functools.partial(_read_kubevirt, elsewhere=preferences))


def _read_proxmox(files: Files, *, many: bool = False) -> list[Reading | InputError]:  # noqa: ARG001 - see Syntax
    from hvctl.guest.proxmox.models import models_of
    from hvctl.guest.proxmox.reader import read_guests
    from hvctl.text.recognition import is_proxmox

    found: list[Reading | InputError] = []
    files = list(files)
    for data, path in files:
        text = data.decode("utf-8", "surrogateescape")
        if not is_proxmox(text):
            found.append(Reading(note="it is no configuration of a virtual machine of Proxmox VE"))
            continue
        try:
            found.append(Reading(read_guests(text, path, models_of(text, path, files)), _remarks(text, path)))
        except InputError as error:
            found.append(error)
    return found


def _machines(text: str, path: str, elsewhere: Callable[[], Any]) -> Reading:
    from hvctl.guest.kubevirt.reader import read_machines
    from hvctl.guest.kubevirt.remarks import remarks

    machines = read_machines(text, path, elsewhere)
    if not machines:
        return Reading(note="it has no VirtualMachine, and nothing else that describes a guest")
    return Reading(machines, [Remark(*one) for one in remarks(text, path)])


def _change_kubevirt(guest: Guest) -> Changes:
    from hvctl.guest.kubevirt.changes import MachineChanges
    from hvctl.guest.kubevirt.machine import Machine

    assert isinstance(guest, Machine), "each syntax changes its own guests"
    return MachineChanges(guest)


def _change_proxmox(guest: Guest) -> Changes:
    from hvctl.guest.proxmox.changes import ProxmoxChanges
    from hvctl.guest.proxmox.guest import ProxmoxGuest

    assert isinstance(guest, ProxmoxGuest), "each syntax changes its own guests"
    return ProxmoxChanges(guest)


DOMAIN = Syntax("domain", _read_domains, _change_domain)
COMMAND_LINE = Syntax("command line", _read_commands, _change_command)
PROCESS = Syntax("command line", _read_processes)
"""The arguments of a QEMU that runs: nothing changes them."""
PROXMOX = Syntax("Proxmox VE configuration", _read_proxmox, _change_proxmox)
KUBEVIRT = Syntax("KubeVirt object", _read_kubevirt, _change_kubevirt)
_SYNTAXES = {
    FileKind.DOMAIN: DOMAIN,
    **dict.fromkeys((*COMMANDS, FileKind.CPU), COMMAND_LINE),
    FileKind.PROXMOX: PROXMOX,
    FileKind.KUBEVIRT: KUBEVIRT,
}
KINDS = tuple(_SYNTAXES)
"""The kinds of files that describe guests."""


def syntax_of(kind: FileKind) -> Syntax:
    """The syntax of a kind of files that describe guests; what is none is read as a domain, which says what it is."""
    return _SYNTAXES.get(kind, DOMAIN)
