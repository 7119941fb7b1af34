"""A domain's XML as a guest that `hvctl verify` starts by QEMU itself."""

from __future__ import annotations

import os

from hvctl.cli.verify_subject import Subject, binary, essential_words, host_of, refuse_userspace_apic, subject
from hvctl.errors import HostError
from hvctl.model.guest import Guest
from hvctl.xml.source import Document


def described(path: str, qemu: str | None, vcpus: int | None, accel: str | None) -> Subject:
    """The guest of a domain XML, with the arguments that convert gives.

    Raises:
        InputError: it is no domain, or libvirt would refuse it.
        UsageError: it can crash the host.
        HostError: there is no QEMU, or no KVM.
    """
    from hvctl.guest.plan import plan_of
    from hvctl.verify.probe_arguments import with_accelerator
    from hvctl.xml.source import parse, read

    document = parse(read(path), "<stdin>" if path == "-" else path)
    guest = guest_of(document)
    kind = accel or guest.accelerator or "kvm"
    words = with_accelerator(_words(document, guest, vcpus), kind)
    refuse_userspace_apic(words, guest, kind)
    named = qemu or _emulator(document)
    host, program = host_of(guest, kind, named)
    return subject(guest.label, (program or binary(named), *words), plan_of(guest), host, kind)


def guest_of(document: Document) -> Guest:
    """The guest of a domain; what of it could not be read is said."""
    from hvctl.cli.options import say
    from hvctl.guest.domain.strict import guest_of_document

    guest = guest_of_document(document)
    for doubt in guest.doubts:
        say(f"note: {doubt}")
    return guest


def _words(document: Document, guest: Guest, vcpus: int | None) -> tuple[str, ...]:
    """QEMU's arguments of machine, CPU and vCPUs, then what stands in `<qemu:commandline>` beside the CPU.

    A CPU there, by -cpu or -global, is already the guest's.
    """
    from hvctl.cli.options import say
    from hvctl.guest.command.options import scan
    from hvctl.guest.convert import to_qemu
    from hvctl.verify import probe_domain
    from hvctl.verify.probe_arguments import with_vcpus

    cpu = to_qemu(guest)
    for sentence in cpu.lost:
        say(f"note: {sentence}")
    irqchip = probe_domain.irqchip(document)
    machine = [guest.machine or "pc", *([f"kernel_irqchip={irqchip}"] if irqchip else [])]
    own = essential_words(probe_domain.arguments(document))
    rest = [word for option in scan(own) if option.name not in ("cpu", "global", "smp") for word in option.words]
    words = ("-machine", ",".join(machine), "-cpu", cpu.text, *rest)
    return with_vcpus(words, vcpus or probe_domain.vcpus(document)[0])


def _emulator(document: Document) -> str | None:
    from hvctl.verify.probe_domain import emulator

    path = emulator(document)
    if path and not os.path.exists(path):
        raise HostError(f"the domain's emulator {path} is not on this machine", "name another QEMU with --qemu")
    return path
