"""A host made of its decoded answers, with where each group of facts comes from: this machine's, or a raw record's."""

from collections.abc import Iterable
from typing import NamedTuple

from hvctl.host.hostfs import HostFiles
from hvctl.host.kvm import KvmAnswers
from hvctl.model.host import Host, Kvm, Libvirt, Qemu

NO_QEMU = "no QEMU was found on PATH or in the usual places; name one with --qemu"
_KVM_HOW = {
    "system-ioctl": "KVM_GET_SUPPORTED_HV_CPUID on /dev/kvm",
    "vcpu-ioctl": "KVM_GET_SUPPORTED_HV_CPUID on a vCPU with an in-kernel irqchip",
    "synthesis": "KVM_CHECK_EXTENSION and KVM_GET_MSR_INDEX_LIST, as QEMU does before Linux 5.0",
    "capabilities": "KVM_CHECK_EXTENSION: there is nothing more to ask",
}
_VIRTUAL = "this host is itself a virtual machine: its guests are nested and slower than on the hardware"


class Parts(NamedTuple):
    """What was decoded of one machine. `notes` are those on its QEMUs and its libvirt; `schema` is whether that was
    looked for."""

    kvm: KvmAnswers
    files: HostFiles
    qemu: tuple[Qemu, ...]
    libvirt: Libvirt | None
    notes: Iterable[str]
    schema: bool = True


def compose(name: str | None, parts: Parts) -> Host:
    """The host that these are of."""
    answers, files = parts.kvm, parts.files
    notes = [_VIRTUAL] if files.virtual else []
    return Host(
        name=name,
        kvm=answers.kvm._replace(release=files.release),
        hardware=files.hardware._replace(tsc_hz=answers.tsc_hz, tsc_scaling=answers.tsc_scaling),
        qemu=parts.qemu,
        libvirt=parts.libvirt,
        how=_how(answers.kvm, parts),
        notes=(*notes, *parts.notes),
    )


def _how(kvm: Kvm, parts: Parts) -> tuple[tuple[str, str], ...]:
    module = f" ({parts.files.module})" if parts.files.module else ""
    how = [
        ("kvm", _KVM_HOW[kvm.how] + module),
        ("hardware", "/proc/cpuinfo, /sys/module, /sys/devices/system; the TSC from KVM_GET_TSC_KHZ on a vCPU"),
    ]
    if parts.qemu:
        accelerator = "kvm" if any(qemu.models is not None for qemu in parts.qemu) else "tcg"
        how.append(("qemu", f"QMP: -machine none with -accel {accelerator}"))
    if parts.schema:
        how.append(("libvirt", "the installed domaincommon.rng and the name of the library"))
    return tuple(how)
