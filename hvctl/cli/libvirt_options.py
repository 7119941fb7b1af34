"""Options and hosts of the commands that talk to libvirt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from hvctl.errors import UsageError
from hvctl.libvirt.connection import Connection
from hvctl.model.host import Host

F = TypeVar("F", bound="Callable[..., Any]")
MOST_SECONDS = 3600


def connect(help_text: str, *, default: str | None = None) -> Callable[[F], F]:
    """Add --connect and --timeout; the default is that of virsh, where there is one."""

    def add(function: F) -> F:
        function = click.option(
            "--timeout",
            type=click.FloatRange(0, MOST_SECONDS, min_open=True),
            metavar="SECONDS",
            help="How long libvirt may take for each answer (default: 10).",
        )(function)
        return click.option(
            "--connect",
            "uri",
            metavar="URI",
            default=default,
            envvar="LIBVIRT_DEFAULT_URI" if default else None,
            callback=_not_empty,
            help=help_text,
        )(function)

    return add


def _not_empty(_context: click.Context, _option: click.Parameter, uri: str | None) -> str | None:
    if uri is not None and not uri.strip():
        raise UsageError("--connect is empty", "write a URI as virsh takes it, as qemu:///system")
    return uri


def only_with_connect(**options: object) -> None:
    """Raise UsageError for options that do nothing without --connect."""
    idle = [f"--{name.replace('_', '-')}" for name, value in options.items() if value not in (None, False)]
    if idle:
        raise UsageError(f"{' and '.join(idle)}: only with --connect")


def libvirt_host(connection: Connection, name: str | None = None) -> Host:
    """The host of a libvirt, as far as that tells.

    Raises:
        HostError: it does not answer as libvirt does, or has no KVM for x86_64.
    """
    from hvctl.host.libvirt_capabilities import ARCH, Answers, read_answers

    called = name or connection.hostname()
    return read_answers(Answers(*connection.capabilities(ARCH)), called if called.isprintable() else connection.uri)


def pool_of(hosts: Sequence[str], connection: Connection) -> tuple[Host, ...]:
    """The hosts of files; without any this machine where the URI means it, else the libvirt's as far as that tells."""
    from hvctl.cli.hosts import read_hosts, this_host
    from hvctl.libvirt.connection import is_local

    if hosts:
        return read_hosts(hosts).representatives()
    return (this_host(option="--host") if is_local(connection.uri) else libvirt_host(connection),)
