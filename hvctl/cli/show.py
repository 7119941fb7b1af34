"""`hvctl show`: which enlightenments the domains of a libvirt, or the guests of files, have."""

import os
import sys

import click

from hvctl import api
from hvctl.catalog.windows import BY_OS
from hvctl.cli.options import Format, common, connect, output_format
from hvctl.cli.output import echo, use_color, width
from hvctl.errors import InputError, UsageError
from hvctl.guest.domain.identity import read_identity
from hvctl.libvirt.connection import DEFAULT_URI, SECONDS, Connection, Domain, connected
from hvctl.report import show as report
from hvctl.report.show import Enabled, Entry, Seen, advised, standing

_ENDINGS = (".conf", ".xml", ".args", ".sh", ".bat", ".cmd")


@click.command()
@click.argument("domains", nargs=-1, metavar="[DOMAIN|FILE]...")
@connect("The libvirt to ask (default: LIBVIRT_DEFAULT_URI, or qemu:///system).", default=DEFAULT_URI)
@click.option(
    "--inactive", is_flag=True, help="Of running domains show the definition: what the next start gives them."
)
@output_format(Format)
@common
def command(domains: tuple[str, ...], uri: str, timeout: float | None, inactive: bool, output_format: Format) -> int:
    """Show which enlightenments libvirt's domains have: all of them, or the named ones.

    Each is compared with what `hvctl apply --metadata` or `hvctl gen --metadata` has put into it, or with the shipped
    profile for its Windows release, identified by libosinfo's id in the metadata (virt-install and virt-manager write
    it). No host is asked: it may not support all that is listed as missing.

    Of a FILE, such as 100.conf of Proxmox VE, win11.xml or win11.args, each thing is shown with its line, or with who
    added it. What has no slash in its name is a file if there is one that ends in .conf, .xml, .args, .sh, .bat or
    .cmd.

    \b
    Examples:
      hvctl show
      hvctl show win11 db1 --format json
      hvctl show --connect qemu+ssh://root@node2/system
      hvctl show /etc/pve/qemu-server/100.conf
    """
    if files := [word for word in domains if _is_file(word)]:
        if len(files) < len(domains):
            raise UsageError("files and domains do not go together", "ask for them one after the other")
        echo(_files_text(files, output_format))
        return 0
    with connected(uri, seconds=timeout or SECONDS, meanwhile=_prepare) as connection:
        found = [connection.domain(name) for name in domains] if domains else connection.domains()
        entries = _entries(connection, found, definition=inactive)
    echo(_text(uri, entries, output_format))
    return 0


def _is_file(word: str) -> bool:
    return ("/" in word or word.endswith(_ENDINGS)) and "://" not in word and os.path.isfile(word)


def _files_text(files: list[str], form: Format) -> str:
    from hvctl.report.guest import guests_json, guests_text
    from hvctl.text.recognition import FileKind, MisplacedError

    guests = []
    for path in files:
        guest = api.read_guest(path).guest
        if guest is None:
            raise MisplacedError(path, FileKind.PROFILE, FileKind.GUEST, "show")
        guests.append(guest)
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
        self._advice: dict[str, Enabled] = {}

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
            guest, identity = guest_of(domain).check(), read_identity(domain)
        except InputError as error:
            return None, str(error)
        profile = identity.release and (BY_OS[identity.release].profile or identity.release)
        if identity.applied:
            return Seen(guest, identity, profile, standing(guest, dict(identity.applied.enlightenments))), ""
        beside = standing(guest, self._advised(profile)) if profile else None
        return Seen(guest, identity, profile, beside), ""

    def _advised(self, release: str) -> Enabled:
        """What the shipped profile of a release turns on or prefers."""
        if release not in self._advice:
            self._advice[release] = advised(api.load_profile(release))
        return self._advice[release]


def _text(uri: str, entries: list[Entry], form: Format) -> str:
    match form:
        case "text":
            return report.show_text(entries, width=width(), color=use_color(sys.stdout))
        case "json":
            from hvctl.text.json_document import dump

            return dump(report.show_json(uri, entries))
