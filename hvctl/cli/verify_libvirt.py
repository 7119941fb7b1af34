"""The guests that `hvctl verify --connect` can be asked about: libvirt starts them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import click

from hvctl.cli.verify_subject import Subject, essential_words, host_of, refuse_userspace_apic, subject
from hvctl.libvirt.connection import Connection
from hvctl.model.host import Host
from hvctl.model.plan import Plan
from hvctl.xml.source import Document


class Wanted(NamedTuple):
    """One of `profile`, `locked` and `domain`, a file or the name of a defined domain; and what goes with it."""

    profile: str | None
    locked: str | None
    domain: str | None
    hosts: tuple[str, ...]
    vcpus: int | None


class _Source(NamedTuple):
    """A domain, the plan that it stands for, and the host that decides what that promises."""

    label: str
    document: Document
    plan: Plan
    host: Host
    accelerator: str = "kvm"


@contextmanager
def by_libvirt(uri: str, wanted: Wanted) -> Iterator[Subject]:
    """What is asked for, for as long as the connection is open."""
    from hvctl.libvirt.connection import connected
    from hvctl.verify.libvirt_run import check_driver, check_uri

    check_uri(uri)
    with connected(uri, write=True) as connection:
        check_driver(connection)
        if wanted.domain is not None:
            source, vcpus = _described(wanted.domain, connection), wanted.vcpus
        else:
            from hvctl.verify.probe_arguments import DEFAULT_VCPUS

            source, vcpus = _planned(wanted), wanted.vcpus or DEFAULT_VCPUS
        yield _subject(source, vcpus, connection)


def _described(domain: str, connection: Connection) -> _Source:
    from hvctl.cli.verify_domain import guest_of
    from hvctl.guest.plan import plan_of
    from hvctl.verify.probe_domain import emulator
    from hvctl.xml.source import parse, read

    if domain == "-" or os.path.isfile(domain):
        document = parse(read(domain), "<stdin>" if domain == "-" else domain)
    else:
        xml = connection.xml(connection.domain(domain), definition=True)
        document = parse(xml.encode(), f"{connection.uri}#{domain}")
    guest = guest_of(document)
    kind = guest.accelerator or "kvm"
    refuse_userspace_apic(_arguments(document), guest, kind)
    host, _ = host_of(guest, kind, emulator(document))
    return _Source(guest.label, document, plan_of(guest), host, kind)


def _planned(wanted: Wanted) -> _Source:
    """A profile or a locked plan as the domain that gen writes."""
    from hvctl.cli.hosts import read_hosts, this_host
    from hvctl.cli.talk import refuse, say_plan
    from hvctl.xml.source import parse

    if wanted.locked:
        from hvctl.cli.locked import locked_plan, open_lock

        _, lock = open_lock(wanted.locked, "libvirt")
        here = this_host()
        plan = locked_plan(lock, (*read_hosts(wanted.hosts).representatives(), here), libvirt=True)
        refuse(plan)
        xml = lock.xml or ""
    else:
        from hvctl.guest.domain.writer import domain
        from hvctl.plan.resolve import resolve
        from hvctl.profile.reader import load_profile

        loaded = load_profile(wanted.profile or "")
        here = this_host()
        plan = resolve(loaded, (*read_hosts(wanted.hosts).representatives(), here), libvirt=True)
        refuse(plan)
        xml = domain(plan)
    say_plan(plan, explain=bool(click.get_current_context().meta.get("hvctl.verbose")))
    return _Source(plan.profile, parse(xml.encode(), wanted.locked or plan.profile), plan, here)


def _subject(source: _Source, vcpus: int | None, connection: Connection) -> Subject:
    from hvctl.verify.libvirt_run import start
    from hvctl.verify.probe_domain import Boot, probe_domain

    arguments = _arguments(source.document)

    def build(name: str, image: str, pipe: str) -> str:
        return probe_domain(source.document, Boot(name, image, pipe, vcpus, arguments))

    found = subject(source.label, (), source.plan, source.host, source.accelerator)
    return found._replace(start=lambda _argv: start(connection, build), uri=connection.uri)


def _arguments(document: Document) -> tuple[str, ...]:
    """What of a domain's `<qemu:commandline>` is about machine, CPU and clock."""
    from hvctl.verify.probe_domain import arguments

    return essential_words(arguments(document))
