"""`hvctl launch PROFILE --connect URI --domain FILE|NAME`: start a domain by libvirt, and stay with it."""

import os
import re
import shlex
from collections.abc import Callable
from contextlib import closing
from typing import NamedTuple

import click

from hvctl import api
from hvctl.api import Edited
from hvctl.cli.inputs.domains import definition, edit, is_saved, pool_beside
from hvctl.cli.inputs.plans import say_plan
from hvctl.cli.options import check_stdin
from hvctl.cli.output import show_line, write_result
from hvctl.errors import InputError, Problem, RefusedError
from hvctl.libvirt.connection import SECONDS, START_SECONDS, Connection, Domain, connected
from hvctl.libvirt.errors import load
from hvctl.model.plan import EditOptions
from hvctl.model.profile import Profile
from hvctl.xml.document import Document

_DECLARATION = re.compile(r"\ufeff?<\?xml[^>]*\?>")


class Wanted(NamedTuple):
    """What is to be started where. `domain` is the name of a defined domain, or a file with its XML."""

    uri: str
    domain: str
    hosts: tuple[str, ...]
    options: EditOptions
    timeout: float | None
    dry_run: bool


def launch(profile: str, wanted: Wanted) -> int:
    """Start it and stay until it stops; the exit code."""
    from hvctl.libvirt.events import start_loop

    check_stdin(profile, wanted.domain, *wanted.hosts)
    loaded = api.load_profile(profile)
    if not wanted.dry_run:
        start_loop()
    with connected(wanted.uri, write=True, seconds=wanted.timeout or SECONDS) as connection:
        # libvirt takes no name with a slash in it: that is a file, be it there or not.
        if wanted.domain == "-" or "/" in wanted.domain or os.path.isfile(wanted.domain):
            return _file(connection, loaded, wanted)
        return _defined(connection, loaded, wanted)


def _check_type(document: Document) -> None:
    """Raise InputError for a domain that is no KVM guest, which launch has no option to start all the same."""
    from hvctl.guest.domain.reader import find_domain

    domain = find_domain(document)
    kind = domain.get("type")
    if kind != "kvm":
        what = f"the domain is of {f'type {kind}' if kind else 'no type'}, not kvm: enlightenments do nothing there"
        raise InputError([Problem(what, domain.attribute_span("type"), "write type='kvm'")])


def _edited(connection: Connection, profile: Profile, wanted: Wanted, document: Document) -> Edited:
    _check_type(document)
    edited = edit(profile, pool_beside(wanted.hosts, connection), document, wanted.options)
    say_plan(edited.plan, explain=bool(click.get_current_context().meta.get("hvctl.verbose")))
    return edited


def _file(connection: Connection, profile: Profile, wanted: Wanted) -> int:
    """A domain that lives as long as its guest, of a file with the plan put in."""
    from hvctl.xml.reader import parse_file

    name = "<stdin>" if wanted.domain == "-" else wanted.domain
    document = parse_file(wanted.domain)
    edited = _edited(connection, profile, wanted, document)
    if wanted.dry_run:
        write_result(edited.after, None)
        return 0
    # libvirt gets it in UTF-8, whatever the file says of itself.
    xml = _DECLARATION.sub("", edited.after.decode(document.codec), count=1)
    flags = load().VIR_DOMAIN_START_VALIDATE
    return _start(connection, name, wanted, lambda: connection.own(connection.handle.createXML(xml, flags)))


def _defined(connection: Connection, profile: Profile, wanted: Wanted) -> int:
    """A domain that libvirt knows, which must already match the profile."""
    from hvctl.xml.reader import parse

    domain = connection.domain(wanted.domain)
    document = parse(definition(connection, domain, secrets=False), f"{wanted.uri}#{domain.name}")
    edited = _edited(connection, profile, wanted, document)
    if wanted.dry_run:
        write_result(edited.after, None)
        return 0
    if edited.before != edited.after:
        what = f"{domain.name} does not match profile {profile.name}"
        words = ("hvctl", "apply", profile.name, domain.name, "--connect", wanted.uri)
        raise RefusedError(what, f"apply it with the same options: {shlex.join(words)}")
    if domain.running:
        raise RefusedError(f"{domain.name} is running already")
    if is_saved(connection, domain):
        raise RefusedError(
            f"{domain.name} has a saved state, which a start would restore as it was",
            "start it by virsh start, or drop that state by virsh managedsave-remove",
        )
    return _start(connection, domain.name, wanted, lambda: domain.handle.create() or domain)


def _start(connection: Connection, name: str, wanted: Wanted, start: Callable[[], Domain]) -> int:
    """Start a domain, after its events can be heard, and follow it."""
    from hvctl.libvirt.events import Events, follow

    with closing(Events(connection)) as events:
        try:
            domain = connection.ask(
                f"to start {name}",
                lambda _: start(),
                seconds=wanted.timeout or START_SECONDS,
                refusal=f"libvirt cannot start {name}",
            )
        except RefusedError as error:
            error.hint = error.hint or _known(error.message)
            raise
        return follow(events, domain, lambda: connection.state(domain), show_line)


def _known(message: str) -> str:
    """What hvctl knows of a refusal, as a hint."""
    from hvctl.text.diagnosis import diagnose

    return " ".join(f"{found.cause} {found.remedy}" for found in diagnose(message, "").found if not found.message.vague)
