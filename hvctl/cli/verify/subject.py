"""The guests that `hvctl verify` can be asked about, each as QEMU's arguments and what they promise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import NamedTuple, Protocol

import click

from hvctl import api
from hvctl.catalog import BY_ID, kvm
from hvctl.cli.output import say, show_line
from hvctl.errors import HostError, UsageError
from hvctl.model.guest import Guest
from hvctl.model.host import CpuidLeaf, Host
from hvctl.model.plan import Plan
from hvctl.verify.probe_run import Ran
from hvctl.xml.document import Document

LABEL = "the given QEMU arguments"
_SEND = "HVCALL_SEND_IPI"


class Wanted(NamedTuple):
    """What verify is asked for: one of `profile`, `locked`, `domain` and QEMU's `words`, and what goes with it."""

    profile: str | None
    locked: str | None
    domain: str | None
    words: tuple[str, ...]
    also: tuple[str, ...]
    qemu: str | None
    vcpus: int | None
    accel: str | None


class Subject(NamedTuple):
    """A guest that is to be verified, from wherever it is configured.

    `argv` is QEMU's path and arguments, empty where libvirt writes them. `asked` are the ids that are on. `predict`
    gives the leaves that it must see; it is called while the guest runs. `start` starts the guest with such arguments.
    `uri` is the libvirt that does so.
    """

    label: str
    argv: tuple[str, ...]
    asked: tuple[str, ...]
    predict: Callable[[], tuple[CpuidLeaf, ...]]
    accelerator: str
    start: Callable[[Sequence[str]], Running]
    uri: str | None = None


class Running(Protocol):
    """A guest that was started; a context manager that ends it."""

    def __enter__(self) -> Running: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def finish(self, timeout: float, /) -> Ran:
        """Wait for its end, or for the time's."""


def planned(wanted: Wanted) -> Subject:
    """A profile, or a saved plan instead of one: resolved, checked and merged as launch does it."""
    from hvctl.verify.probe_subject import with_vcpus

    qemu, kvm = wanted.qemu, wanted.accel in (None, "kvm")
    plan, merged, host = planned_words(wanted, lambda: this_qemu(qemu) if kvm else _without_kvm(qemu))
    argv = (host.qemu[0].path, *with_vcpus(merged, wanted.vcpus))
    return subject(plan.profile, argv, plan, host, wanted.accel or "kvm")


def planned_words(wanted: Wanted, here: Callable[[], Host]) -> tuple[Plan, tuple[str, ...], Host]:
    """The plan, QEMU's arguments and the host to start on, which is asked for when all else is read.

    Raises:
        RefusedError: one of the hosts cannot give what is asked for.
    """
    from hvctl.cli.inputs.hosts import read_hosts
    from hvctl.cli.inputs.plans import resolver, say_plan, unlocker
    from hvctl.run.merge import merge, target
    from hvctl.verify.probe_subject import with_accelerator

    plan_for = unlocker(wanted.locked) if wanted.locked else resolver(wanted.profile or "")
    pool = read_hosts(wanted.also).representatives()
    host = here()
    # Without KVM there is nothing that this machine could lack of a saved plan.
    plan, generated = plan_for(pool if wanted.locked and wanted.accel == "tcg" else (*pool, host))
    say_plan(plan, explain=bool(click.get_current_context().meta.get("hvctl.verbose")))
    merged = merge(generated, essential_words(wanted.words), target(plan, host.qemu[0], supervised=True))
    return plan, with_accelerator(merged, "tcg") if wanted.accel == "tcg" else merged, host


def written(wanted: Wanted) -> Subject:
    """A command line as it is; a QEMU in front of it is the one to be started."""
    from hvctl.guest.plan import plan_of
    from hvctl.verify.probe_subject import with_vcpus

    program, kept, guest, kind = written_words(wanted.words, wanted.accel)
    refuse_userspace_apic(kept, guest, kind)
    named = wanted.qemu or program
    host, path = host_of(guest, kind, named)
    argv = (path or binary(named), *with_vcpus(kept, wanted.vcpus))
    return subject(LABEL, argv, plan_of(guest), host, kind)


def written_words(words: tuple[str, ...], accel: str | None) -> tuple[str | None, tuple[str, ...], Guest, str]:
    """The program, where there is one, and the arguments that the probe guest needs; the guest and its accelerator."""
    from hvctl.guest.command.reader import read_command_line
    from hvctl.verify.probe_subject import with_accelerator

    program = words[0] if not words[0].startswith("-") else None
    rest = words[1:] if program else words
    guest = read_command_line("\0".join(rest) + "\0", LABEL)
    kind = accel or guest.accelerator or "kvm"
    kept = essential_words(rest)
    return program, with_accelerator(kept, kind) if accel or not guest.accelerator else kept, guest, kind


def described(path: str, wanted: Wanted) -> Subject:
    """The guest of a domain XML, with the arguments that convert gives.

    Raises:
        InputError: it is no domain, or libvirt would refuse it.
        UsageError: it can crash the host.
        HostError: there is no QEMU, or no KVM, or the domain's emulator is not to be trusted.
    """
    from hvctl.guest.plan import plan_of

    document, guest, words, kind = described_words(path, wanted.vcpus, wanted.accel)
    refuse_userspace_apic(words, guest, kind)
    named = wanted.qemu or emulator_of(document, "name the QEMU to start with --qemu")
    host, program = host_of(guest, kind, named)
    return subject(guest.label, (program or binary(named), *words), plan_of(guest), host, kind)


def emulator_of(document: Document, hint: str) -> str | None:
    """The path of the QEMU that a domain names, which is reported; raises HostError where it is not to be trusted."""
    from hvctl.host.probe import emulator_of_file
    from hvctl.verify.probe_subject import emulator

    named = emulator(document)
    if named is None:
        return None
    path = emulator_of_file(named, hint)
    show_line(f"starting the domain's emulator {path}")
    return path


def described_words(path: str, vcpus: int | None, accel: str | None) -> tuple[Document, Guest, tuple[str, ...], str]:
    """The domain of a file, its guest, QEMU's arguments and the accelerator.

    The arguments are those of machine, CPU and vCPUs, then what is in `<qemu:commandline>` beside the CPU: a CPU there,
    by -cpu or -global, is already the guest's.
    """
    from hvctl.guest.command.options import scan
    from hvctl.guest.command.writer import cpu, escape
    from hvctl.verify import probe_subject
    from hvctl.verify.probe_subject import with_accelerator, with_vcpus
    from hvctl.xml.reader import parse_file

    document = parse_file(path)
    guest = guest_of(document)
    if guest.cpu is None:
        say("note: libvirt chooses the CPU model when the guest starts; the probe guest has host")
    machine = [escape(guest.machine or "pc"), *([f"kernel_irqchip={guest.irqchip}"] if guest.irqchip else [])]
    own = essential_words(probe_subject.arguments(document))
    rest = [word for option in scan(own) if option.name not in ("cpu", "global", "smp") for word in option.words]
    words = ("-machine", ",".join(machine), "-cpu", cpu(guest), *rest)
    kind = accel or guest.accelerator or "kvm"
    counted = with_vcpus(words, vcpus or probe_subject.vcpus(document)[0])
    return document, guest, with_accelerator(counted, kind), kind


def guest_of(document: Document) -> Guest:
    """The guest of a domain; what of it could not be read is reported."""
    from hvctl.guest.domain.reader import find_domain
    from hvctl.guest.domain.reader import guest_of as read

    guest = read(find_domain(document)).check()
    for doubt in guest.doubts:
        say(f"note: {doubt}")
    return guest


def host_of(guest: Guest, accel: str, qemu: str | None) -> tuple[Host, str | None]:
    """The host that decides what a guest sees, and its QEMU, None where that had not to be asked."""

    if guest.takes_all and accel == "kvm":
        host = this_qemu(qemu)
        return host, host.qemu[0].path
    return _kvm_or_none(accel), None


def refuse_userspace_apic(words: Sequence[str], guest: Guest, accel: str) -> None:
    """Raise UsageError for a guest whose interrupts by hypercall can crash the host.

    KVM takes its own APIC for granted there, and follows a null pointer where the APIC is QEMU's: since Linux 4.20,
    which brought the hypercall, until a8de7f100bb5 in 6.14, which stable kernels have too.
    """
    from hvctl.guest.command.reader import read_command_line

    rows = [row_id for row_id in guest.enabled() if BY_ID[row_id].takes_all or _SEND in BY_ID[row_id].hypercalls]
    if not rows or accel != "kvm":
        return
    # A domain has no element for it, but arguments of QEMU's.
    if "off" in (guest.irqchip, read_command_line("\0".join(words) + "\0", LABEL).irqchip if words else None):
        raise UsageError(
            f"kernel-irqchip=off cannot go with {', '.join(rows)}: interrupts by hypercall need KVM's own APIC",
            "write kernel-irqchip=split or on: the first such hypercall of any guest crashes a host whose kernel lacks "
            "a fix of Linux 6.14 (commit a8de7f100bb5, which later stable kernels have too)",
        )


def subject(label: str, argv: tuple[str, ...], plan: Plan, host: Host, accel: str) -> Subject:
    """A guest that QEMU starts: `plan` is what it is configured with, `host` what decides the rest."""

    def predict() -> tuple[CpuidLeaf, ...]:
        from hvctl.plan.cpuid import is_kvm

        leaves = api.predict_leaves(plan, host)
        # Where KVM's own leaf would be, TCG has its own.
        return leaves if accel == "kvm" else tuple(leaf for leaf in leaves if not is_kvm(leaf))

    asked = tuple(decision.id for decision in plan.enabled())
    msrs = [span for row_id in asked for span in BY_ID[row_id].msrs]
    crashes = any(first <= kvm.HV_X64_MSR_CRASH_CTL <= last for first, last in msrs)

    def start(argv: Sequence[str]) -> Running:
        from hvctl.verify.probe_run import start

        return start(argv, crash=crashes)

    return Subject(label, argv, asked, predict, accel, start)


def essential_words(words: Sequence[str]) -> tuple[str, ...]:
    """What of QEMU's arguments the probe guest needs; what it does not is said with -v."""
    from hvctl.verify.probe_subject import essential

    kept, dropped = essential(words)
    if dropped:
        say(f"not used: {', '.join(dropped)} (the probe guest has no devices)", level=1)
    return kept


def this_qemu(qemu: str | None) -> Host:
    """This machine with a named QEMU, or the first one that is found; raises HostError as `api.this_host`."""
    return api.this_host([qemu] if qemu else None, libvirt=False)


def _kvm_or_none(accel: str) -> Host:
    """What KVM says, whether it has Hyper-V or not: where it has none, the guest will show it."""
    if accel == "kvm":
        from hvctl.host.probe import probe_host

        return probe_host(with_qemu=False, with_libvirt=False)
    from hvctl.verify.compare import host_without_kvm

    return host_without_kvm()


def _without_kvm(qemu: str | None) -> Host:
    from hvctl.host.qemu import probe_qemus
    from hvctl.verify.compare import host_without_kvm

    answers = probe_qemus([binary(qemu)], kvm=False)
    if not answers.qemu:
        raise HostError(f"no QEMU: {'; '.join(answers.notes)}", "name another binary with --qemu")
    return host_without_kvm(answers.qemu)


def binary(qemu: str | None) -> str:
    """The path of a named QEMU, or of the first one that is found; raises HostError where there is none."""
    from hvctl.host.probe import find_binaries, named_binaries

    paths = named_binaries([qemu]) if qemu else find_binaries()
    if not paths:
        raise HostError(
            "no QEMU was found on PATH or in the usual places", "install qemu-system-x86, or name one with --qemu"
        )
    return paths[0]
