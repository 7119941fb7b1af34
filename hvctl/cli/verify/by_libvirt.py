"""The guests that `hvctl verify --connect` can be asked about: libvirt starts them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import click

from hvctl import api
from hvctl.cli.verify.subject import (
    Subject,
    Wanted,
    emulator_of,
    essential_words,
    guest_of,
    host_of,
    refuse_userspace_apic,
    subject,
)
from hvctl.libvirt.connection import SECONDS, Connection, connected
from hvctl.model.host import Host
from hvctl.model.plan import Plan
from hvctl.xml.document import Document


class _Source(NamedTuple):
    """A domain, the plan that it stands for, the host that decides what that promises, and its emulator."""

    label: str
    document: Document
    plan: Plan
    host: Host
    accelerator: str = "kvm"
    emulator: str | None = None


@contextmanager
def by_libvirt(uri: str, wanted: Wanted, timeout: float) -> Iterator[Subject]:
    """What is asked for, for as long as the connection is open; more of `timeout` gives libvirt more time, too."""
    from hvctl.verify.libvirt_run import check_driver, check_uri

    check_uri(uri)
    with connected(uri, write=True, seconds=max(SECONDS, timeout)) as connection:
        check_driver(connection)
        if wanted.domain is not None:
            source, vcpus = _described(wanted.domain, connection), wanted.vcpus
        else:
            from hvctl.verify.probe_subject import DEFAULT_VCPUS

            source, vcpus = _planned(wanted), wanted.vcpus or DEFAULT_VCPUS
        yield _subject(source, vcpus, connection)


def _described(domain: str, connection: Connection) -> _Source:
    from hvctl.guest.plan import plan_of
    from hvctl.xml.reader import parse, parse_file

    if domain == "-" or os.path.isfile(domain):
        document = parse_file(domain)
    else:
        xml = connection.xml(connection.domain(domain), definition=True)
        document = parse(xml.encode(), f"{connection.uri}#{domain}")
    guest = guest_of(document)
    kind = guest.accelerator or "kvm"
    refuse_userspace_apic(_arguments(document), guest, kind)
    path = emulator_of(document, "verify it without --connect, and name the QEMU to start with --qemu")
    host, _ = host_of(guest, kind, path)
    return _Source(guest.label, document, plan_of(guest), host, kind, path)


def _planned(wanted: Wanted) -> _Source:
    """A profile or a saved plan as the domain that gen writes."""
    from hvctl.cli.inputs.hosts import read_hosts
    from hvctl.cli.inputs.plans import say_plan
    from hvctl.xml.reader import parse

    if wanted.locked:
        from hvctl.cli.inputs.plans import locked_plan, open_lock

        _, lock = open_lock(wanted.locked, "libvirt")
        pool = (*read_hosts(wanted.also).representatives(), api.this_host())
        plan = api.check(locked_plan(lock, pool, libvirt=True))
        xml = lock.xml or ""
    else:
        loaded = api.load_profile(wanted.profile or "")
        pool = (*read_hosts(wanted.also).representatives(), api.this_host())
        plan = api.check(api.resolve(loaded, pool, libvirt=True))
        xml = api.domain(plan)
    say_plan(plan, explain=bool(click.get_current_context().meta.get("hvctl.verbose")))
    return _Source(plan.profile, parse(xml.encode(), wanted.locked or plan.profile), plan, pool[-1])


def _subject(source: _Source, vcpus: int | None, connection: Connection) -> Subject:
    from hvctl.verify.libvirt_run import start
    from hvctl.verify.probe_subject import Boot, probe_domain

    arguments = _arguments(source.document)

    def build(name: str, image: str, pipe: str) -> str:
        return probe_domain(source.document, Boot(name, image, pipe, vcpus, arguments, source.emulator))

    found = subject(source.label, (), source.plan, source.host, source.accelerator)
    return found._replace(start=lambda _argv: start(connection, build), uri=connection.uri)


def _arguments(document: Document) -> tuple[str, ...]:
    """What of a domain's `<qemu:commandline>` is about machine, CPU and clock."""
    from hvctl.verify.probe_subject import arguments

    return essential_words(arguments(document))
