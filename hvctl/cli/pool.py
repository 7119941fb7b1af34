"""The hosts that a command works for: named files, or this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvctl.errors import HostError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hvctl.model.host import Host, Pool


def check_stdin(profile: str, files: Sequence[str]) -> None:
    """Raise UsageError where more than one of a profile and its host files is `-`."""
    if (profile, *files).count("-") > 1:
        raise UsageError("stdin can be read once only: a single PROFILE or --host may be -")


def read_pool(files: Sequence[str]) -> Pool:
    """The hosts of host files; raises InputError for a bad one."""
    from hvctl.formats.hostfile import read_host

    return tuple(read_host(path) for path in files)


def this_host(qemu: Sequence[str] | None = None, *, libvirt: bool = True, option: str = "--qemu") -> Host:
    """This machine, probed, with the first QEMU only: the one that would be started.

    Args:
        qemu: binaries to ask instead of those that are found.
        libvirt: whether to look at the installed libvirt.
        option: the command's option that names a binary, for messages.

    Raises:
        HostError: no usable KVM, a KVM without Hyper-V emulation, or no QEMU.
    """
    from hvctl.cli.qemu_cache import ask_first
    from hvctl.probe.binaries import find_binaries, named_binaries
    from hvctl.probe.host import probe_host
    from hvctl.probe.kvm import NO_HYPERV

    host = probe_host(with_qemu=False, with_libvirt=libvirt)
    if not host.kvm.hyperv:
        raise HostError(*NO_HYPERV)
    paths = named_binaries(qemu) if qemu else find_binaries()
    answer, notes = ask_first(paths, host)
    if answer is None:
        found = "; ".join(notes) or "none was found on PATH or in the usual places"
        raise HostError(f"no QEMU: {found}", f"install qemu-system-x86, or name a binary with {option}")
    return host._replace(qemu=(answer,), notes=(*host.notes, *notes))
