"""The plan of a command: resolved of a profile, or saved by `gen --lock`; and what is printed of it on stderr."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from hvctl import api
from hvctl.catalog.windows import USE_WORDS, USES, plain
from hvctl.cli.inputs.hosts import pool_of
from hvctl.cli.options import no_such
from hvctl.cli.output import echo, say, write_result
from hvctl.errors import InputError, UsageError
from hvctl.model.host import Host
from hvctl.model.plan import Plan, SavedPlan
from hvctl.model.profile import Profile

NO_PROFILE = ("a PROFILE is missing", "name one of `hvctl profile list`, a file, or a plan with --locked")
PlanFor = Callable[[tuple[Host, ...]], tuple[Plan, tuple[str, ...]]]
"""What gives the plan that holds on some hosts, and QEMU's arguments for it; raises RefusedError."""


class Wanted(NamedTuple):
    """What is asked for beside the profile."""

    hosts: tuple[str, ...]
    qemu_binary: str | None
    machine: str | None
    name: str | None
    memory: int | None
    vcpus: int | None
    metadata: bool
    fragment: bool
    uses: tuple[str, ...] = ()


class Given(NamedTuple):
    """A plan and what becomes of it; `argv` and `xml` are None for what is not the target, and in a refused plan."""

    plan: Plan
    target: str
    pool: tuple[Host, ...]
    argv: tuple[str, ...] | None = None
    xml: str | None = None


def resolved(profile: str | None, target: str, wanted: Wanted) -> Given:
    """What becomes of a profile for a target: qemu, libvirt or both."""
    loaded = with_uses(profile, wanted.uses)
    pool = pool_of(wanted.hosts, wanted.qemu_binary, libvirt=target != "qemu")
    plan = api.resolve(loaded, pool, libvirt=target != "qemu", machine=wanted.machine)
    argv = xml = None
    if not plan.refusals and target != "libvirt":
        argv = api.arguments(plan)
    if not plan.refusals and target != "qemu":
        xml = api.domain(
            plan,
            name=wanted.name,
            memory_mib=wanted.memory or api.MEMORY_MIB,
            vcpus=wanted.vcpus,
            fragment=wanted.fragment,
            metadata=wanted.metadata,
        )
    return Given(plan, target, pool, argv, xml)


def with_uses(name: str | None, uses: Sequence[str]) -> Profile:
    """A profile, with more uses than it says itself, which are separated by commas.

    Raises:
        UsageError: there is no such profile or use, or none is named.
        InputError: the profile is wrong, or turns off what a use needs.
    """
    if name is None:
        raise UsageError(*NO_PROFILE)
    profile = api.load_profile(name)
    words = [plain(word.strip()) for said in uses for word in said.split(",")]
    if unknown := [word for word in words if word not in USE_WORDS]:
        error = no_such("use", unknown, tuple(USE_WORDS))
        error.hint = f"{error.hint} the uses are {', '.join(use.id for use in USES)}".lstrip()
        raise error
    if not words:
        return profile
    from hvctl.profile.conflicts import conflicts

    profile = profile._replace(uses=tuple(dict.fromkeys((*profile.uses, *(USE_WORDS[word] for word in words)))))
    if found := conflicts(profile):
        raise InputError(found)
    return profile


def unlocked(path: str, named: str | None, hosts: Sequence[str], qemu_binary: str | None) -> Given:
    """A saved plan on each of the hosts, with what they lack of it."""
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
        raise UsageError("--lock - would mix the plan file with the result", remedy)
    for option, path in (("lock", lock), ("locked", locked)):
        if path not in (None, "-") and not to_stdout and realpath(path or "") == realpath(output or ""):
            raise UsageError(f"--{option} and -o name the same file, {path}")


def write_lock(given: Given, path: str) -> None:
    """Write the plan as a lock."""
    from hvctl.plan_file.locking import lock
    from hvctl.plan_file.reader import dump_lock

    write_result(dump_lock(lock(given.plan, given.pool, argv=given.argv, xml=given.xml)), path)


def resolver(profile: str) -> PlanFor:
    """Resolves a profile, which is read before the machine is asked: mistakes in it are told first."""
    loaded = api.load_profile(profile)

    def plan_for(pool: tuple[Host, ...]) -> tuple[Plan, tuple[str, ...]]:
        plan = api.check(api.resolve(loaded, pool))
        return plan, api.arguments(plan)

    return plan_for


def unlocker(path: str) -> PlanFor:
    """Takes the plan and the arguments of a lock."""
    _, lock = open_lock(path, "qemu")

    def plan_for(pool: tuple[Host, ...]) -> tuple[Plan, tuple[str, ...]]:
        return api.check(locked_plan(lock, pool, libvirt=False)), lock.argv or ()

    return plan_for


def open_lock(path: str, named: str | None) -> tuple[str, SavedPlan]:
    """A saved plan, and what is to be written of it: what is named, else all that it has.

    Raises:
        InputError: the file is not a plan file.
        UsageError: the plan was not locked for what is named.
    """
    from hvctl.plan_file.reader import read_lock

    lock = read_lock(path)
    has = [target for target, form in (("qemu", lock.argv), ("libvirt", lock.xml)) if form is not None]
    wanted = {"qemu": ["qemu"], "libvirt": ["libvirt"], "both": ["qemu", "libvirt"]}.get(named or "", has)
    missing = [target for target in wanted if target not in has]
    if missing or not has:
        raise UsageError(
            f"{path} was not locked for {' and '.join(missing or ['qemu'])}",
            "what QEMU and libvirt can give differs: lock a plan for both by `hvctl gen PROFILE --both --lock FILE`",
        )
    return named or ("both" if len(has) > 1 else has[0]), lock


def locked_plan(lock: SavedPlan, pool: Sequence[Host], *, libvirt: bool) -> Plan:
    """The plan of a lock, with what hosts lack of it as its refusals."""
    from hvctl.plan_file.locking import lacking

    refusals = dict.fromkeys(one for host in pool for one in lacking(lock, host, libvirt=libvirt))
    return lock.plan._replace(refusals=tuple(refusals))


def say_plan(plan: Plan, *, explain: bool) -> None:
    """Every decision with its reason, or only what was preferred and left out, and the notes."""
    from hvctl.report import plan as report

    if explain:
        echo(report.explanation(plan), err=True)
        return
    if plan.refusals:
        return  # what was merely preferred is no news then
    for decision in report.left_out(plan):
        say(report.decision_line(decision, word="left out"))
    for note in plan.notes:
        say(report.note_line(note))
