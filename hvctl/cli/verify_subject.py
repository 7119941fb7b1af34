"""The guests that `hvctl verify` can be asked about, each as QEMU's arguments and what they promise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import NamedTuple, Protocol

import click

from hvctl.errors import HostError, UsageError
from hvctl.model.cpuid import CpuidLeaf
from hvctl.model.guest import Guest
from hvctl.model.host import Host
from hvctl.model.plan import Plan
from hvctl.verify.probe_run import Ran

_SEND = "HVCALL_SEND_IPI"


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


def planned(
    profile: str | None,
    locked: str | None,
    hosts: tuple[str, ...],
    words: Sequence[str],
    qemu: str | None,
    vcpus: int | None,
    accel: str,
) -> Subject:
    """A profile, or a locked plan in its place: resolved, checked and merged as launch does it."""
    from hvctl.cli.hosts import read_hosts
    from hvctl.cli.launch import resolver, unlocker
    from hvctl.cli.talk import say_plan
    from hvctl.run.merge import merge, target
    from hvctl.verify.probe_arguments import with_accelerator, with_vcpus

    plan_for = unlocker(locked) if locked else resolver(profile or "")
    pool = read_hosts(hosts).representatives()
    here = this_qemu(qemu) if accel == "kvm" else _without_kvm(qemu)
    # Without KVM there is nothing that this machine could lack of a locked plan.
    plan, generated = plan_for(pool if locked and accel != "kvm" else (*pool, here))
    say_plan(plan, explain=bool(click.get_current_context().meta.get("hvctl.verbose")))
    merged = merge(generated, essential_words(words), target(plan, here.qemu[0], supervised=True))
    argv = (here.qemu[0].path, *with_vcpus(with_accelerator(merged, accel) if accel == "tcg" else merged, vcpus))
    return subject(plan.profile, argv, plan, here, accel)


def written(words: tuple[str, ...], qemu: str | None, vcpus: int | None, accel: str | None) -> Subject:
    """A command line as it is; a QEMU in front of it is the one to be started."""
    from hvctl.guest.command.strict import read_command_line
    from hvctl.guest.plan import plan_of
    from hvctl.verify.probe_arguments import with_accelerator, with_vcpus

    program = words[0] if not words[0].startswith("-") else None
    rest = words[1:] if program else words
    guest = read_command_line("\0".join(rest) + "\0", "QEMU-ARGS")
    kind = accel or guest.accelerator or "kvm"
    kept = essential_words(rest)
    refuse_userspace_apic(kept, guest, kind)
    if accel or not guest.accelerator:
        kept = with_accelerator(kept, kind)
    named = qemu or program
    host, path = host_of(guest, kind, named)
    argv = (path or binary(named), *with_vcpus(kept, vcpus))
    return subject("the given QEMU arguments", argv, plan_of(guest), host, kind)


def host_of(guest: Guest, accel: str, qemu: str | None) -> tuple[Host, str | None]:
    """The host that decides what a guest sees, and its QEMU, None where that had not to be asked."""
    from hvctl.guest.plan import takes_all

    if takes_all(guest) and accel == "kvm":
        host = this_qemu(qemu)
        return host, host.qemu[0].path
    return _kvm_or_none(accel), None


def refuse_userspace_apic(words: Sequence[str], guest: Guest, accel: str) -> None:
    """Raise UsageError for a guest whose interrupts by hypercall can crash the host.

    KVM takes its own APIC for granted there, and follows a null pointer where the APIC is QEMU's: since Linux 4.20,
    which brought the hypercall, until a8de7f100bb5 in 6.14, which stable kernels have too.
    """
    from hvctl.catalog import BY_ID
    from hvctl.verify.probe_arguments import userspace_apic

    rows = [row_id for row_id in guest.enabled() if BY_ID[row_id].takes_all or _SEND in BY_ID[row_id].hypercalls]
    if accel == "kvm" and rows and userspace_apic(words):
        raise UsageError(
            f"kernel-irqchip=off cannot go with {', '.join(rows)}: interrupts by hypercall need KVM's own APIC",
            "write kernel-irqchip=split or on: the first such hypercall of any guest crashes a host whose kernel lacks "
            "a fix of Linux 6.14 (commit a8de7f100bb5, which later stable kernels have too)",
        )


def subject(label: str, argv: tuple[str, ...], plan: Plan, host: Host, accel: str) -> Subject:
    """A guest that QEMU starts: `plan` is what it is configured with, `host` what decides the rest."""
    from hvctl.catalog import BY_ID, kvm

    def predict() -> tuple[CpuidLeaf, ...]:
        from hvctl.plan.cpuid import predict

        leaves = predict(plan, host)
        # Where KVM's own leaf would be, the one that announces just one more, TCG has its own.
        return leaves if accel == "kvm" else tuple(leaf for leaf in leaves if leaf.eax != leaf.leaf + 1)

    asked = tuple(decision.id for decision in plan.enabled())
    msrs = [span for row_id in asked for span in BY_ID[row_id].msrs]
    crashes = any(first <= kvm.HV_X64_MSR_CRASH_CTL <= last for first, last in msrs)

    def start(argv: Sequence[str]) -> Running:
        from hvctl.verify.probe_run import start

        return start(argv, crash=crashes)

    return Subject(label, argv, asked, predict, accel, start)


def essential_words(words: Sequence[str]) -> tuple[str, ...]:
    """What of QEMU's arguments the probe guest needs; what it does not is said with -v."""
    from hvctl.cli.options import say
    from hvctl.verify.probe_arguments import essential

    kept, dropped = essential(words)
    if dropped:
        say(f"not used: {', '.join(dropped)} (the probe guest has no devices)", level=1)
    return kept


def this_qemu(qemu: str | None) -> Host:
    """This machine with a named QEMU, or the first one that is found; raises HostError as `hosts.this_host`."""
    from hvctl.cli.hosts import this_host

    return this_host([qemu] if qemu else None, libvirt=False)


def _kvm_or_none(accel: str) -> Host:
    """What KVM says, whether it has Hyper-V or not: where it has none, the guest will show it."""
    if accel == "kvm":
        from hvctl.host.probe import probe_host

        return probe_host(with_qemu=False, with_libvirt=False)
    from hvctl.verify.tcg_host import host_without_kvm

    return host_without_kvm()


def _without_kvm(qemu: str | None) -> Host:
    from hvctl.host.qemu import probe_qemus
    from hvctl.verify.tcg_host import host_without_kvm

    answers = probe_qemus([binary(qemu)], kvm=False)
    if not answers.qemu:
        raise HostError(f"no QEMU: {'; '.join(answers.notes)}", "name another binary with --qemu")
    return host_without_kvm(answers.qemu)


def binary(qemu: str | None) -> str:
    """The path of a named QEMU, or of the first one that is found; raises HostError where there is none."""
    from hvctl.host.binaries import find_binaries, named_binaries

    paths = named_binaries([qemu]) if qemu else find_binaries()
    if not paths:
        raise HostError(
            "no QEMU was found on PATH or in the usual places", "install qemu-system-x86, or name one with --qemu"
        )
    return paths[0]
