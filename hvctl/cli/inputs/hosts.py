"""The hosts that a command works for: named files, or this machine."""

from collections.abc import Sequence

import click

from hvctl.cli.output import say
from hvctl.errors import UsageError
from hvctl.model.host import Host, Pool

_WORTH_A_BAR = 500


def read_hosts(paths: Sequence[str]) -> Pool:
    """The pool of host files, and of the *.json in folders, with a progress bar on a terminal.

    Raises:
        InputError: files that cannot be read or are no host files, and folders without any.
    """
    import sys

    from hvctl.host.pool_files import host_files, read_pool

    files = host_files(paths)
    quiet = bool(click.get_current_context().meta.get("hvctl.quiet"))
    if len(files) < _WORTH_A_BAR or quiet or not sys.stderr.isatty():
        return read_pool(files)
    with click.progressbar(files, label="reading host files", file=sys.stderr, show_pos=True) as bar:
        return read_pool(bar)


def also_hosts(also: Sequence[str], hosts: Sequence[str]) -> tuple[str, ...]:
    """The files of --also-host, and those of --host, which was its name up to 0.1.0."""
    if hosts:
        say("note: write --also-host instead of --host, which will name the host that the guest starts on")
    return (*also, *hosts)


def one_host(paths: Sequence[str], qemu: str | None) -> Host:
    """The host that a guest is to start on: that of a host file, or this machine, whatever its KVM can.

    Args:
        paths: host files; exactly one, or none for this machine.
        qemu: the path of the QEMU to take, one of the host file's.

    Raises:
        InputError: the file cannot be read.
        UsageError: there are several hosts, or the host has no such QEMU.
        HostError: this machine has no KVM, or no QEMU.
    """
    if not paths:
        from hvctl import api

        return api.this_host([qemu] if qemu else None, libvirt=False, hyperv=False)
    hosts = list(read_hosts(paths).hosts())
    if len(hosts) > 1:
        raise UsageError(f"--dry-run is about one host, and --host names {len(hosts)}")
    if qemu is None:
        return hosts[0]
    named = tuple(known for known in hosts[0].qemu if known.path == qemu)
    if not named:
        known = ", ".join(known.path for known in hosts[0].qemu) or "none"
        raise UsageError(f"{hosts[0].label} has no QEMU {qemu}", f"its host file has {known}")
    return hosts[0]._replace(qemu=named)


def pool_of(hosts: Sequence[str], qemu_binary: str | None, *, libvirt: bool) -> tuple[Host, ...]:
    """Hosts that decide for all the named ones, or this machine."""
    if hosts:
        return read_hosts(hosts).representatives()
    from hvctl import api

    return (api.this_host(None if qemu_binary is None else [qemu_binary], libvirt=libvirt, option="--qemu-binary"),)
