"""The plan that gen writes: of a profile, or of a lock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hvctl.cli.hosts import read_hosts, this_host
from hvctl.errors import UsageError
from hvctl.model.host import Host
from hvctl.model.plan import Plan

NO_PROFILE = ("a PROFILE is missing", "name one of `hvctl profile list`, a file, or a plan with --locked")
MEMORY_MIB = 4096


class Wanted(NamedTuple):
    """What is asked for beside the profile."""

    hosts: tuple[str, ...]
    qemu_binary: str | None
    machine: str | None
    name: str | None
    memory: int | None
    metadata: bool
    fragment: bool


class Given(NamedTuple):
    """A plan and what becomes of it; `argv` and `xml` are None for what is not the target, and in a refused plan."""

    plan: Plan
    target: str
    pool: tuple[Host, ...]
    argv: tuple[str, ...] | None = None
    xml: str | None = None


def resolved(profile: str | None, target: str, wanted: Wanted) -> Given:
    """What becomes of a profile for a target: qemu, libvirt or both."""
    from hvctl.plan.resolve import resolve
    from hvctl.profile.reader import load_profile

    if profile is None:
        raise UsageError(*NO_PROFILE)
    loaded = load_profile(profile)
    pool = pool_of(wanted.hosts, wanted.qemu_binary, libvirt=target != "qemu")
    plan = resolve(loaded, pool, libvirt=target != "qemu", machine=wanted.machine)
    argv = xml = None
    if not plan.refusals and target != "libvirt":
        from hvctl.guest.command.writer import arguments

        argv = arguments(plan)
    if not plan.refusals and target != "qemu":
        from hvctl.guest.domain.writer import domain

        xml = domain(
            plan,
            name=wanted.name,
            memory_mib=wanted.memory or MEMORY_MIB,
            fragment=wanted.fragment,
            metadata=wanted.metadata,
        )
    return Given(plan, target, pool, argv, xml)


def unlocked(path: str, named: str | None, hosts: Sequence[str], qemu_binary: str | None) -> Given:
    """A locked plan on each of the hosts, with what they lack of it."""
    from hvctl.cli.locked import locked_plan, open_lock

    target, lock = open_lock(path, named)
    pool = pool_of(hosts, qemu_binary, libvirt=target != "qemu")
    plan = locked_plan(lock, pool, libvirt=target != "qemu")
    argv, xml = (lock.argv if target != "libvirt" else None), (lock.xml if target != "qemu" else None)
    return Given(plan, target, pool, None if plan.refusals else argv, None if plan.refusals else xml)


def check_lock(lock: str | None, locked: str | None, output: str | None) -> None:
    """Raise UsageError where a plan and the result would be written into one another."""
    from os.path import realpath

    to_stdout = output in (None, "-")
    if lock == "-" and to_stdout:
        remedy = "name a file for one of them, as in -o FILE"
        raise UsageError("--lock - would mix the locked plan with the result", remedy)
    for option, path in (("lock", lock), ("locked", locked)):
        if path not in (None, "-") and not to_stdout and realpath(path or "") == realpath(output or ""):
            raise UsageError(f"--{option} and -o name the same file, {path}")


def write_lock(given: Given, path: str) -> None:
    """Write the plan as a lock."""
    from hvctl.cli.files import write_result
    from hvctl.plan_file.locking import lock
    from hvctl.plan_file.reader import dump_lock

    write_result(dump_lock(lock(given.plan, given.pool, argv=given.argv, xml=given.xml)), path)


def pool_of(hosts: Sequence[str], qemu_binary: str | None, *, libvirt: bool) -> tuple[Host, ...]:
    """Hosts that decide for all the named ones, or this machine."""
    if hosts:
        return read_hosts(hosts).representatives()
    return (this_host(None if qemu_binary is None else [qemu_binary], libvirt=libvirt, option="--qemu-binary"),)
