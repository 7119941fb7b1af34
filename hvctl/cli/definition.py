"""The definition of a libvirt domain: read, shown, replaced."""

from __future__ import annotations

import re

import click

from hvctl.cli.options import say_sentence
from hvctl.errors import RefusedError
from hvctl.libvirt.connection import Connection, Domain

# <graphics passwd='...'>: what libvirt gives only where secrets are asked for (libvirt:src/conf/domain_conf.c,
# virDomainGraphicsAuthDefFormatAttr). It writes every attribute in single quotes.
_PASSWORD = re.compile(r"(\bpasswd=)'[^']*'")


def definition(connection: Connection, domain: Domain, *, secrets: bool = True) -> bytes:
    """The definition of a domain, with its passwords unless they are not wanted.

    Raises:
        RefusedError: it has none of its own.
    """
    persistent = connection.ask(f"whether {domain.name} is defined", lambda _: bool(domain.handle.isPersistent()))
    if not persistent:
        raise RefusedError(f"{domain.name} is transient: it is gone when it stops, and has no definition to change")
    return connection.xml(domain, definition=True, secrets=secrets).encode()


def show(before: bytes, after: bytes, name: str) -> None:
    """Print the difference of two definitions, with passwords masked."""
    from hvctl.report.diff import unified

    click.echo(_PASSWORD.sub(r"\1'***'", unified(before, after, name)), nl=False)


def replace(connection: Connection, domain: Domain, before: bytes, after: bytes, *, validate: bool) -> None:
    """Define a domain anew, if its definition is still what it was when it was read.

    Raises:
        RefusedError: it is not, or libvirt refuses the new one; nothing was changed.
        HostError: libvirt did not answer, and may have changed it or not.
    """
    from hvctl.libvirt.errors import load

    if definition(connection, domain) != before:
        raise RefusedError(
            f"{domain.name} was changed by someone else meanwhile; nothing was overwritten",
            "run the command again, and look at the new difference",
        )
    flags = load().VIR_DOMAIN_DEFINE_VALIDATE if validate else 0
    connection.ask(
        f"to define {domain.name}",
        lambda _: connection.handle.defineXMLFlags(after.decode(), flags),
        refusal=f"libvirt refuses the new definition of {domain.name}",
    )


def say_when(connection: Connection, domain: Domain) -> None:
    """Say when the guest gets a new definition, where that is not at once."""
    if domain.running:
        say_sentence(
            f"{domain.name} is running: it has this when it is next started; a reboot inside of it is not enough"
        )
    if is_saved(connection, domain):
        say_sentence(
            f"{domain.name} has a saved state, which the next start restores as it was (see virsh managedsave-remove)"
        )


def is_saved(connection: Connection, domain: Domain) -> bool:
    """Whether the next start restores a guest with the definition that it was saved with."""
    return connection.ask(f"whether {domain.name} is saved", lambda _: bool(domain.handle.hasManagedSaveImage()))
