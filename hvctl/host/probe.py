"""All facts of this machine, each group with where it comes from."""

from __future__ import annotations

import os
from collections.abc import Sequence

from hvctl.errors import HostError
from hvctl.host.hostfs import HostFiles, read_host_files
from hvctl.host.kvm import probe_kvm
from hvctl.model.host import Host, Kvm, Libvirt, Qemu

_KVM_HOW = {
    "system-ioctl": "KVM_GET_SUPPORTED_HV_CPUID on /dev/kvm",
    "vcpu-ioctl": "KVM_GET_SUPPORTED_HV_CPUID on a vCPU with an in-kernel irqchip",
    "synthesis": "KVM_CHECK_EXTENSION and KVM_GET_MSR_INDEX_LIST, as QEMU does before Linux 5.0",
    "capabilities": "KVM_CHECK_EXTENSION: there is nothing more to ask",
}


def probe_host(
    root: str | None = None,
    qemu: Sequence[str] | None = None,
    *,
    with_qemu: bool = True,
    with_libvirt: bool = True,
    name: str | None = None,
) -> Host:
    """Probe this machine.

    Args:
        root: a folder to take /dev/kvm, /proc, /sys and libvirt's schema from instead of `/`; QEMU is then not asked
            with KVM, since it would use the machine's own.
        qemu: binaries to ask instead of those that are found.
        with_qemu: whether to start QEMU at all.
        with_libvirt: whether to read libvirt's schema.
        name: how messages shall call this host.

    Raises:
        HostError: `root` does not exist, or there is no usable KVM. A KVM without Hyper-V is no error here.
    """
    folder = "/" if root is None else root
    if not os.path.isdir(folder):
        raise HostError(f"there is no folder {folder}", "give --root a folder that holds dev, proc and sys")
    answers = probe_kvm(os.path.join(folder, "dev/kvm"))
    files = read_host_files(folder)
    hardware = files.hardware._replace(tsc_hz=answers.tsc_hz, tsc_scaling=answers.tsc_scaling)
    notes = list(_notes(files))
    binaries: tuple[Qemu, ...] = ()
    if with_qemu:
        binaries = _qemu(qemu, notes, kvm=root is None)
    return Host(
        name=name,
        kvm=answers.kvm._replace(release=files.release),
        hardware=hardware,
        qemu=binaries,
        libvirt=_libvirt(folder, notes) if with_libvirt else None,
        how=_how(answers.kvm, files, binaries, with_libvirt=with_libvirt),
        notes=tuple(notes),
    )


def _qemu(named: Sequence[str] | None, notes: list[str], *, kvm: bool) -> tuple[Qemu, ...]:
    from hvctl.host.binaries import find_binaries, named_binaries

    paths = named_binaries(named) if named else find_binaries()
    if not paths:
        notes.append("no QEMU was found on PATH or in the usual places; name one with --qemu")
        return ()
    # asyncio and qemu.qmp cost more than all the rest of a check without QEMU.
    from hvctl.host.qemu import probe_qemus

    answers = probe_qemus(paths, kvm=kvm)
    notes += answers.notes
    return answers.qemu


def _libvirt(folder: str, notes: list[str]) -> Libvirt | None:
    from hvctl.host.libvirt_schema import SCHEMA, SchemaError, read_libvirt

    try:
        return read_libvirt(folder)
    except SchemaError as error:
        notes.append(f"/{SCHEMA} cannot be used: {error}")
        return None


def _notes(files: HostFiles) -> list[str]:
    if files.virtual:
        return ["this host is itself a virtual machine: its guests are nested and slower than on the hardware"]
    return []


def _how(kvm: Kvm, files: HostFiles, binaries: tuple[Qemu, ...], *, with_libvirt: bool) -> tuple[tuple[str, str], ...]:
    module = f" ({files.module})" if files.module else ""
    how = [
        ("kvm", _KVM_HOW[kvm.how] + module),
        ("hardware", "/proc/cpuinfo, /sys/module, /sys/devices/system; the TSC from KVM_GET_TSC_KHZ on a vCPU"),
    ]
    if binaries:
        accelerator = "kvm" if any(qemu.models is not None for qemu in binaries) else "tcg"
        how.append(("qemu", f"QMP: -machine none with -accel {accelerator}"))
    if with_libvirt:
        how.append(("libvirt", "the installed domaincommon.rng and the name of the library"))
    return tuple(how)
