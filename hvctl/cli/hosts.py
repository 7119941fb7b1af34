"""The hosts that a command works for: named files, or this machine."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from hvctl.errors import HostError, InputError, UsageError
from hvctl.model.host import Host
from hvctl.model.pool import Pool
from hvctl.model.span import Problem

_SUFFIX = ".json"
_WORTH_A_BAR = 500


def check_stdin(*inputs: str) -> None:
    """Raise UsageError where more than one input is `-`."""
    if inputs.count("-") > 1:
        raise UsageError("stdin can be read once only: a single input may be -")


def read_hosts(paths: Sequence[str]) -> Pool:
    """The pool of host files, and of the *.json in folders, with a progress bar on a terminal.

    Raises:
        InputError: files that cannot be read or are no host files, and folders without any.
    """
    import sys

    from hvctl.host.pool_files import read_pool

    files = _files(paths)
    quiet = bool(click.get_current_context().meta.get("hvctl.quiet"))
    if len(files) < _WORTH_A_BAR or quiet or sys.stderr is None or not sys.stderr.isatty():
        return read_pool(files)
    with click.progressbar(files, label="reading host files", file=sys.stderr, show_pos=True) as bar:
        return read_pool(bar)


def _files(paths: Sequence[str]) -> list[str]:
    found: list[str] = []
    problems: list[Problem] = []
    for path in paths:
        if path == "-" or not os.path.isdir(path):
            found.append(path)
            continue
        try:
            inside = sorted(entry.path for entry in os.scandir(path) if entry.name.endswith(_SUFFIX))
        except OSError as error:
            problems.append(Problem(f"{path}: the folder cannot be read: {error.strerror}"))
            continue
        # A pipe in a folder that nobody writes to would hold hvctl up for ever; one that is named is meant.
        odd = [entry for entry in inside if os.path.exists(entry) and not os.path.isfile(entry)]
        problems += [Problem(f"{entry}: this is not a regular file") for entry in odd]
        if not inside:
            problems.append(Problem(f"{path}: the folder holds no host files (*{_SUFFIX})"))
        found += inside
    if problems:
        raise InputError(problems)
    return found


def this_host(qemu: Sequence[str] | None = None, *, libvirt: bool = True, option: str = "--qemu") -> Host:
    """This machine, probed, with the first QEMU only: the one that would be started.

    Args:
        qemu: binaries to ask instead of those that are found.
        libvirt: whether to look at the installed libvirt.
        option: the command's option that names a binary, for messages.

    Raises:
        HostError: no usable KVM, a KVM without Hyper-V emulation, or no QEMU.
    """
    from hvctl.host.binaries import find_binaries, named_binaries
    from hvctl.host.kvm import NO_HYPERV
    from hvctl.host.probe import probe_host
    from hvctl.host.qemu_cache import ask_first

    host = probe_host(with_qemu=False, with_libvirt=libvirt)
    if not host.kvm.hyperv:
        raise HostError(*NO_HYPERV)
    paths = named_binaries(qemu) if qemu else find_binaries()
    answer, notes = ask_first(paths, host)
    if answer is None:
        found = "; ".join(notes) or "none was found on PATH or in the usual places"
        raise HostError(f"no QEMU: {found}", f"install qemu-system-x86, or name a binary with {option}")
    return host._replace(qemu=(answer,), notes=(*host.notes, *notes))
