"""The guests that `hvctl verify` can be asked about, each as QEMU's arguments and what they promise."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import click

from hvctl.errors import HostError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hvctl.model.cpuid import CpuidLeaf
    from hvctl.model.guest import Guest
    from hvctl.model.host import Host
    from hvctl.model.plan import Plan


class Subject(NamedTuple):
    """A guest that is to be verified, from wherever it is configured.

    `argv` is QEMU's path and arguments. `asked` are the ids that are on. `predict` gives the leaves that it must see;
    it is called while the guest runs.
    """

    label: str
    argv: tuple[str, ...]
    asked: tuple[str, ...]
    predict: Callable[[], tuple[CpuidLeaf, ...]]
    accelerator: str


def planned(
    profile: str, hosts: tuple[str, ...], words: Sequence[str], qemu: str | None, vcpus: int | None, accel: str
) -> Subject:
    """A profile, resolved and merged as launch does it."""
    from hvctl.cli.hosts import read_hosts
    from hvctl.cli.talk import refuse, say_plan
    from hvctl.formats.profile import load_profile
    from hvctl.guest.merge import merge, target
    from hvctl.guest.probe_words import with_accelerator, with_vcpus
    from hvctl.plan.resolve import resolve
    from hvctl.render.qemu import arguments

    wanted = load_profile(profile)
    here = _this_host(qemu) if accel == "kvm" else _without_kvm(qemu)
    plan = resolve(wanted, (*read_hosts(hosts).representatives(), here))
    refuse(plan)
    say_plan(plan, explain=bool(click.get_current_context().meta.get("hvctl.verbose")))
    merged = merge(arguments(plan), _essential(words), target(plan, here.qemu[0], supervised=True))
    argv = (here.qemu[0].path, *with_vcpus(with_accelerator(merged, accel) if accel == "tcg" else merged, vcpus))
    return _subject(plan.profile, argv, plan, here, accel)


def written(words: tuple[str, ...], qemu: str | None, vcpus: int | None, accel: str | None) -> Subject:
    """A command line as it is; a QEMU in front of it is the one to be started."""
    from hvctl.formats.qemu_guest import read_command_line
    from hvctl.guest.probe_words import with_accelerator, with_vcpus
    from hvctl.plan.guest import plan_of, takes_all

    program = words[0] if not words[0].startswith("-") else None
    rest = words[1:] if program else words
    guest = read_command_line("\0".join(rest) + "\0", "QEMU-ARGS")
    kind = accel or guest.accelerator or "kvm"
    kept = _essential(rest)
    _refuse_userspace_apic(kept, guest)
    if accel or not guest.accelerator:
        kept = with_accelerator(kept, kind)
    named = qemu or program
    if takes_all(guest) and kind == "kvm":
        host = _this_host(named)
        path = host.qemu[0].path
    else:
        host, path = _kvm_or_none(kind), _binary(named)
    argv = (path, *with_vcpus(kept, vcpus))
    return _subject("the given QEMU arguments", argv, plan_of(guest), host, kind)


def _refuse_userspace_apic(words: Sequence[str], guest: Guest) -> None:
    """Before Linux 6.14 the first such hypercall makes the host's kernel follow a null pointer (a8de7f100bb5)."""
    from hvctl.catalog import BY_ID
    from hvctl.guest.probe_words import userspace_apic

    rows = [row_id for row_id in guest.enabled() if BY_ID[row_id].irqchip or BY_ID[row_id].takes_all]
    if rows and userspace_apic(words):
        raise UsageError(
            f"kernel-irqchip=off cannot go with {', '.join(rows)}, which need KVM's own APIC",
            "write kernel-irqchip=split or on: up to Linux 6.13 a guest that uses them so can crash the host's kernel",
        )


def _subject(label: str, argv: tuple[str, ...], plan: Plan, host: Host, accel: str) -> Subject:
    def predict() -> tuple[CpuidLeaf, ...]:
        from hvctl.plan.cpuid import predict

        leaves = predict(plan, host)
        # Where KVM's own leaf would be, the one that announces just one more, TCG has its own.
        return leaves if accel == "kvm" else tuple(leaf for leaf in leaves if leaf.eax != leaf.leaf + 1)

    return Subject(label, argv, tuple(decision.id for decision in plan.enabled()), predict, accel)


def _essential(words: Sequence[str]) -> tuple[str, ...]:
    from hvctl.cli.options import say
    from hvctl.guest.probe_words import essential

    kept, dropped = essential(words)
    if dropped:
        say(f"not used: {', '.join(dropped)} (the probe guest has no devices)", level=1)
    return kept


def _this_host(qemu: str | None) -> Host:
    from hvctl.cli.hosts import this_host

    return this_host([qemu] if qemu else None, libvirt=False)


def _kvm_or_none(accel: str) -> Host:
    """What KVM says, whether it has Hyper-V or not: where it has none, the guest will show it."""
    if accel == "kvm":
        from hvctl.probe.host import probe_host

        return probe_host(with_qemu=False, with_libvirt=False)
    from hvctl.plan.verify_host import host_without_kvm

    return host_without_kvm()


def _without_kvm(qemu: str | None) -> Host:
    from hvctl.plan.verify_host import host_without_kvm
    from hvctl.probe.qemu import probe_qemus

    answers = probe_qemus([_binary(qemu)], kvm=False)
    if not answers.qemu:
        raise HostError(f"no QEMU: {'; '.join(answers.notes)}", "name another binary with --qemu")
    return host_without_kvm(answers.qemu)


def _binary(qemu: str | None) -> str:
    from hvctl.probe.binaries import find_binaries, named_binaries

    paths = named_binaries([qemu]) if qemu else find_binaries()
    if not paths:
        raise HostError(
            "no QEMU was found on PATH or in the usual places", "install qemu-system-x86, or name one with --qemu"
        )
    return paths[0]
