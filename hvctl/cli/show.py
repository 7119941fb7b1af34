"""`hvctl show`: which enlightenments the domains of a libvirt, or the guests of files, have."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from hvctl import api
from hvctl.catalog.windows import BY_OS
from hvctl.cli.options import Format, common, connect, output_format
from hvctl.cli.output import echo, say_sentence, use_color, width
from hvctl.errors import HostError, InputError, UsageError
from hvctl.guest.domain.identity import Identity, read_identity
from hvctl.libvirt.connection import DEFAULT_URI, SECONDS, Connection, Domain, connected
from hvctl.model.guest import Guest
from hvctl.report import show as report
from hvctl.report.show import Enabled, Entry, Seen, advised, standing

if TYPE_CHECKING:
    from hvctl.cli.inputs.processes import Running

_OF_LIBVIRT = ("uri", "timeout", "inactive")


@click.command()
@click.argument("domains", nargs=-1, metavar="[DOMAIN|FILE]...")
@connect("The libvirt to ask (default: LIBVIRT_DEFAULT_URI, or qemu:///system).", default=DEFAULT_URI)
@click.option(
    "--inactive", is_flag=True, help="Of running domains show the definition: what the next start gives them."
)
@click.option("--running", is_flag=True, help="Show every QEMU process of this machine; no libvirt is asked.")
@output_format(Format)
@common
@click.pass_context
def command(
    context: click.Context,
    domains: tuple[str, ...],
    uri: str,
    timeout: float | None,
    inactive: bool,
    running: bool,
    output_format: Format,
) -> int:
    """Show which enlightenments libvirt's domains have: all of them, or the named ones; or the guests of files.

    Each is compared with what `hvctl apply --metadata` or `hvctl gen --metadata` has put into it, or with the shipped
    profile for its Windows release, identified by libosinfo's id in the metadata (virt-install and virt-manager write
    it). No host is asked: it may not support all that is listed as missing.

    Of a FILE that describes a guest (domain XML, QEMU command line, VMID.conf of Proxmox VE, KubeVirt object) each
    thing is shown with its line, or with who added it; no libvirt is asked then. A word with a slash is a file, one
    with an ending where there is such a file.

    With --running, the guests are the QEMU processes of this machine, read from /proc: those of Proxmox VE by VMID,
    others by the name that -name gives them, else by process id.

    \b
    Examples:
      hvctl show
      hvctl show --running
      hvctl show win11 db1 --format json
      hvctl show vm.yaml
      hvctl show --connect qemu+ssh://root@node2/system
      hvctl show /etc/pve/qemu-server/100.conf
    """
    if running:
        return _show_running(context, domains, output_format)
    if files := [word for word in domains if _is_file(word)]:
        if len(files) < len(domains):
            raise UsageError("files and domains of a libvirt do not go together", "show one kind at a time")
        echo(_files_text(files, output_format))
        return 0
    try:
        with connected(uri, seconds=timeout or SECONDS, meanwhile=_prepare) as connection:
            found = [connection.domain(name) for name in domains] if domains else connection.domains()
            entries = _entries(connection, found, definition=inactive)
    except HostError as error:
        if not (domains or _chosen(context, "uri")):
            error.hint = f"{error.hint} `hvctl show --running` needs no libvirt".lstrip()
        raise
    echo(_text(uri, entries, output_format))
    return 0


def _chosen(context: click.Context, name: str) -> bool:
    """Whether the user has written an option, or set its variable."""
    return context.get_parameter_source(name) is not ParameterSource.DEFAULT


def _show_running(context: click.Context, domains: tuple[str, ...], form: Format) -> int:
    from hvctl.cli.inputs.processes import running_guests

    if domains or any(context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in _OF_LIBVIRT):
        raise UsageError("--running goes with no other argument than --format", "it shows all QEMU processes")
    found = running_guests()
    entries = sorted((*_processes(found), *_unread(found)), key=lambda entry: entry.pid or 0)
    match form:
        case "text":
            echo(report.show_text(entries, processes=True, width=width(), color=use_color(sys.stdout)))
        case "json":
            from hvctl.text.json_document import dump

            echo(dump(report.processes_json(entries, found.doubts)))
    for sentence in found.doubts if entries else (*found.doubts, "no QEMU process was found"):
        say_sentence(f"note: {sentence}")
    return 0


def _processes(found: Running) -> Iterator[Entry]:
    from hvctl.guest.command.reader import read_process

    advice = _Advice()
    for name, process in found.guests:
        seen, problem = None, ""
        try:
            seen = advice.seen(read_process(process.text, name).check())
        except InputError as error:
            problem = str(error)
        yield Entry(name, "", True, seen, problem, process.pid)


def _unread(found: Running) -> Iterator[Entry]:
    for one in found.unread:
        yield Entry(str(one.pid), "", True, None, one.reason, one.pid)


def _is_file(word: str) -> bool:
    """Whether a word is a file's path; a name without / and an ending is a domain's, even where a file has it."""
    return "/" in word or (bool(os.path.splitext(word)[1]) and os.path.isfile(word))


def _files_text(files: list[str], form: Format) -> str:
    from hvctl.report.guest import guests_json, guests_text
    from hvctl.text.recognition import FileKind, MisplacedError

    advice = _Advice()
    guests = []
    for path in files:
        guest = api.read_guest(path).guest
        if guest is None:
            raise MisplacedError(path, FileKind.PROFILE, FileKind.GUEST, "show")
        guests.append(advice.seen(guest.check()))
    match form:
        case "text":
            return guests_text(guests, width=width(), color=use_color(sys.stdout))
        case "json":
            from hvctl.text.json_document import dump

            return dump(guests_json(guests))


def _prepare() -> None:
    """Import what will be needed."""
    from hvctl.guest.domain import brief as domain_brief
    from hvctl.guest.domain import reader as domain
    from hvctl.profile import reader as profile

    del domain, domain_brief, profile


def _entries(connection: Connection, domains: list[Domain], *, definition: bool) -> list[Entry]:
    reader = _Reader()
    texts = connection.xmls(domains, definition=definition)
    return [
        Entry(domain.name, domain.uuid, domain.running, *reader.seen(text))
        for domain, text in zip(domains, texts, strict=True)
        if text is not None
    ]


class _Reader:
    """Reads domains; what two have in common byte for byte is read once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Seen | None, str]] = {}
        self._advice = _Advice()

    def seen(self, xml: str) -> tuple[Seen | None, str]:
        """What a domain's XML says, or why it cannot be understood."""
        from hvctl.guest.domain.brief import brief

        text = brief(xml) or xml
        if text not in self._known:
            self._known[text] = self._read(text)
        return self._known[text]

    def _read(self, text: str) -> tuple[Seen | None, str]:
        from hvctl.guest.domain.reader import find_domain, guest_of
        from hvctl.xml.reader import parse

        try:
            domain = find_domain(parse(text.encode(), ""))
            guest = guest_of(domain).check()
        except InputError as error:
            return None, str(error)
        return self._advice.seen(guest), ""


class _Advice:
    """What guests are compared with, each profile read once."""

    def __init__(self) -> None:
        self._known: dict[str, Enabled] = {}

    def seen(self, guest: Guest) -> Seen:
        """A guest beside what was put into it, else beside the shipped profile of its Windows."""
        from hvctl.guest.domain.domain import Domain as DomainXml

        release = guest.release.id if guest.release else None
        identity = read_identity(guest.root) if isinstance(guest, DomainXml) else Identity(guest.system, release)
        profile = identity.release and (BY_OS[identity.release].profile or identity.release)
        if identity.applied:
            return Seen(guest, identity, profile, standing(guest, dict(identity.applied.enlightenments)))
        return Seen(guest, identity, profile, standing(guest, self._advised(profile)) if profile else None)

    def _advised(self, profile: str) -> Enabled:
        """What a shipped profile turns on or prefers."""
        if profile not in self._known:
            self._known[profile] = advised(api.load_profile(profile))
        return self._known[profile]


def _text(uri: str, entries: list[Entry], form: Format) -> str:
    match form:
        case "text":
            return report.show_text(entries, width=width(), color=use_color(sys.stdout))
        case "json":
            from hvctl.text.json_document import dump

            return dump(report.show_json(uri, entries))
