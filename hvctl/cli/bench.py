"""`hvctl bench`: what enlightenments gain on this host."""

import sys
from collections.abc import Callable
from typing import NamedTuple

import click

from hvctl import api
from hvctl.bench.file import PLAN, Bench, SetGuest, read_bench
from hvctl.bench.measuring import Measured, Setup, cpus, measure, state, steal, ticks
from hvctl.catalog import BY_ID, ORDER
from hvctl.catalog.sets import PlatformSet
from hvctl.catalog.windows import System
from hvctl.cli.options import PageFormat, check_stdin, common, no_such, output_format
from hvctl.cli.output import is_quiet, say_sentence, use_color, width, write_result
from hvctl.errors import UsageError
from hvctl.host.hostfs import interruptible
from hvctl.model.host import Host
from hvctl.model.plan import Plan

PROFILE = "all"
RUNS, MOST_RUNS = 7, 100
# Of more runs of all sets the JSON would be larger than what is read again (hvctl/text/files.py, LARGEST_JSON).
MOST_RUNS_OF_SETS = 50
MOST_VCPUS = 64
ALL = "all"


class Asked(NamedTuple):
    """What is to be measured: groups, platforms to compare with, vCPUs (None: this host's CPUs), and how often."""

    groups: tuple[str, ...]
    platforms: tuple[PlatformSet, ...]
    vcpus: int | None
    runs: int


class Kind(NamedTuple):
    """A kind of guest: its words, and as in `Setup`."""

    words: tuple[str, ...]
    enlightened: bool
    set: str = ""


@click.command()
@click.argument("profile", default=PROFILE, metavar="[PROFILE]")
@click.option("--only", metavar="GROUP,...", help="Only these: clock, apic, tlbflush, ipi, timer, exit, nested.")
@click.option(
    "--set",
    "named",
    metavar="SET,...",
    help="Compare with what these give: proxmox, kubevirt, nova, ovirt, virt-install, qemu-docs, none; or all.",
)
@click.option("--vcpus", type=click.IntRange(1, MOST_VCPUS), metavar="N", help="vCPUs (default: this host's CPUs).")
@click.option(
    "--runs",
    type=click.IntRange(1, MOST_RUNS),
    default=RUNS,
    show_default=True,
    metavar="N",
    help="Boots of each kind of guest.",
)
@click.option("--qemu", metavar="BIN", help="The QEMU binary to start (default: the first one found).")
@click.option("--compare", "old", metavar="OLD.json", help="Compare with this earlier measurement.")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE instead of stdout.")
@output_format(PageFormat)
@common
def command(
    profile: str,
    only: str | None,
    named: str | None,
    vcpus: int | None,
    runs: int,
    qemu: str | None,
    old: str | None,
    output: str | None,
    output_format: PageFormat,
) -> int:
    """Measure on this host what a guest gains from its enlightenments.

    A tiny guest of hvctl's own takes the time of what enlightenments make cheaper: reading the clock, the end of an
    interrupt, arming a timer, interrupts and TLB flushes among busy vCPUs, also with two and four times as many vCPUs
    as this host has CPUs, and exits, interrupts and TLB flushes of a guest inside the guest. Guests with and without
    the enlightenments of PROFILE (default: all that this host gives) are booted in turn. A gain is named only where
    the runs leave no doubt, and never from fewer than five.

    With --set the guest also gets, in turn, the enlightenments that other platforms give the same Windows release by
    default. For each operation the report shows the way that each set leads a guest to and what that costs against the
    plan of PROFILE, and what each set leaves out. A set with which the guest does not run is reported with the reason.

    Needs a KVM with Hyper-V emulation; on a host that is a virtual machine itself only large ratios mean anything.

    \b
    Exit codes: 0 measured; 1 the profile is refused, or QEMU does not start
    with it; 2 usage; 3 no KVM, no Hyper-V, no QEMU, or a guest could not be
    run to its end.

    \b
    Examples:
      hvctl bench
      hvctl bench windows-11 --only clock,tlbflush --runs 9
      hvctl bench windows-11 --set proxmox,kubevirt,none
      hvctl bench --format json -o today.json --compare yesterday.json
      hvctl bench --format html -o bench.html
    """
    platforms = _platforms(named)
    groups = _groups(only, compared=bool(platforms))
    if platforms and runs > MOST_RUNS_OF_SETS:
        raise UsageError(
            f"--set takes at most {MOST_RUNS_OF_SETS} runs", f"use --runs {MOST_RUNS_OF_SETS} or less: five can tell"
        )
    check_stdin(profile, *([old] if old else []))
    before = None
    if old:
        before = read_bench(old)
    _check_output(output)
    bench = _bench(profile, Asked(groups, platforms, vcpus, runs), qemu)
    text = _text(bench, before, output_format, color=output is None)
    write_result(text, output, people=output_format == "text")
    return 0


def guests(
    plan: Plan, here: Host, platforms: tuple[PlatformSet, ...], release: System
) -> tuple[list[Kind], list[SetGuest]]:
    """The guests to boot, each once; and the sets, in which the plan is the first where there are others.

    Args:
        plan: what the profile becomes here.
        here: this host.
        platforms: what to compare with; empty is nothing.
        release: the Windows release that they are to give something.
    """
    from hvctl.catalog.sets import NONE
    from hvctl.plan.sets import with_set
    from hvctl.run.merge import merge, target
    from hvctl.verify.probe_subject import plain

    to = target(plan, here.qemu[0], supervised=True)
    words = merge(api.arguments(plan), (), to)
    kinds = [Kind(plain(words), False), Kind(words, True)]
    sets = [SetGuest(PLAN, _rows(plan, here))] if platforms else []
    for platform in platforms:
        theirs = with_set(plan, platform, release, here)
        rows = _rows(theirs, here)
        same = NONE if not rows else next((one.id for one in sets if one.rows == rows and not one.same_as), "")
        sets.append(SetGuest(platform.id, rows, same if platform.id != NONE else ""))
        if not same:
            kinds.append(Kind(merge(api.arguments(theirs), (), to), True, platform.id))
    if NONE in {one.same_as for one in sets} - {one.id for one in sets}:
        sets.append(SetGuest(NONE, ()))
    return kinds, sets


def _check_output(path: str | None) -> None:
    """Raise UsageError for a file that could not be written after minutes of measuring."""
    import os

    if path in (None, "-") or os.path.exists(path or ""):
        return
    directory = os.path.dirname(os.path.realpath(path or ""))
    if not os.path.isdir(directory):
        raise UsageError(f"{path} cannot be written: there is no directory {directory}")
    if not os.access(directory, os.W_OK):
        raise UsageError(f"{path} cannot be written: no write permission in {directory}")


def _groups(only: str | None, *, compared: bool) -> tuple[str, ...]:
    from hvctl.bench.compare import GROUPS
    from hvctl.bench.sets import COMPARED

    groups = tuple(group for group in GROUPS if group in COMPARED) if compared else tuple(GROUPS)
    if only is None:
        return groups
    found = _among("--only", "group of measurements", only, tuple(GROUPS))
    if alike := [group for group in found if group not in groups]:
        raise UsageError(f"{' and '.join(alike)} is the same with every set", f"--set compares {', '.join(groups)}")
    return found


def _platforms(named: str | None) -> tuple[PlatformSet, ...]:
    if named is None:
        return ()
    from hvctl.catalog.sets import SETS, SETS_BY_ID

    found = _among("--set", "set", named, (*SETS_BY_ID, ALL))
    return SETS if ALL in found else tuple(SETS_BY_ID[name] for name in found)


def _among(option: str, what: str, words: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """The names of a list with commas, in the order of what there is."""
    named = [word.strip() for word in words.split(",") if word.strip()]
    unknown = [word for word in named if word not in known]
    if unknown:
        error = no_such(what, unknown, known)
        error.hint = error.hint or f"they are {', '.join(known)}"
        raise error
    if not named:
        raise UsageError(f"{option} names nothing", f"write some of {', '.join(known)}")
    return tuple(name for name in known if name in named)


def _bench(profile: str, asked: Asked, qemu: str | None) -> Bench:
    from hvctl.cli.inputs.plans import say_plan

    wanted = api.load_profile(profile)
    platforms, release = _for_release(asked, wanted.os)
    here = api.this_host([qemu] if qemu else None, libvirt=False)
    plan = api.check(api.resolve(wanted, (here,)))
    say_plan(plan, explain=False)
    kinds, sets = guests(plan, here, platforms, release)
    setups = _setups(kinds, here, asked.groups, asked.vcpus or min(cpus(), MOST_VCPUS), cpus())
    before, begin = state(here), ticks()
    with interruptible():
        measured = _measure(setups, asked.runs)
    host = before._replace(steal=steal(begin, ticks()))
    bench = Bench(plan.profile, asked.groups, asked.runs, here.hardware.tsc_hz, host, measured.series, measured.missing)
    if not sets:
        return bench
    from hvctl.bench.sets import needed

    told = tuple(one._replace(refused=measured.refused.get(one.same_as or one.id, "")) for one in sets)
    bench = bench._replace(release=release.id, sets=told)
    return bench._replace(series=needed(bench))


def _for_release(asked: Asked, os: str) -> tuple[tuple[PlatformSet, ...], System]:
    """The platforms that have a default for the profile's Windows release, and that release.

    Raises:
        UsageError: one that is named has none.
    """
    from hvctl.catalog.sets import SETS
    from hvctl.plan.sets import has_default, release_of

    release = release_of(os)
    without = [platform.id for platform in asked.platforms if not has_default(platform, release)]
    if without and asked.platforms != SETS:
        raise UsageError(
            f"{' and '.join(without)} has no default for {release.title}", "leave it out, or name another profile"
        )
    if asked.platforms and release.id != os:
        say_sentence(f"the profile names no Windows release: the sets are those for {release.title}")
    for name in without:
        say_sentence(f"{name} is left out: it has no default for {release.title}")
    return tuple(platform for platform in asked.platforms if platform.id not in without), release


def _rows(plan: Plan, here: Host) -> tuple[tuple[str, str | None], ...]:
    """What a guest has: of a plan that turns on all that KVM has, that too."""
    from hvctl.plan.cpuid import passed_through

    values = {one.id: None if one.value is None else str(one.value) for one in plan.enabled()}
    if any(BY_ID[row_id].takes_all for row_id in values):
        values = {**dict.fromkeys(passed_through(here)), **values}
    return tuple((row_id, values[row_id]) for row_id in ORDER if row_id in values)


def _setups(kinds: list[Kind], here: Host, groups: tuple[str, ...], vcpus: int, cpus: int) -> list[Setup]:
    """All kinds of guests with the vCPUs that are asked for, and for what vCPUs do to each other with more of them."""
    from hvctl.bench.compare import SINGLE, mask
    from hvctl.verify.probe_subject import with_vcpus

    many = tuple(group for group in groups if group not in SINGLE)
    numbers = {vcpus: groups}
    for factor in (2, 4) if many else ():
        numbers.setdefault(min(factor * cpus, MOST_VCPUS), many)
    return [
        Setup((here.qemu[0].path, *with_vcpus(kind.words, number)), kind.enlightened, number, mask(asked), kind.set)
        for number, asked in numbers.items()
        for kind in kinds
    ]


def _measure(setups: list[Setup], runs: int) -> Measured:
    if is_quiet() or not sys.stderr.isatty():
        return measure(setups, runs, lambda: None)
    with click.progressbar(length=runs * len(setups), label="measuring", file=sys.stderr) as bar:
        step: Callable[[], None] = lambda: bar.update(1)  # noqa: E731 - a bound argument
        return measure(setups, runs, step)


def _text(bench: Bench, before: Bench | None, form: PageFormat, *, color: bool) -> str:
    match form:
        case "text":
            from hvctl.report.bench import bench_text

            return bench_text(bench, before, width=width(), color=color and use_color(sys.stdout))
        case "json":
            from hvctl.report.bench import bench_json

            return bench_json(bench, before)
        case "html":
            from hvctl.report.bench import bench_html

            return bench_html(bench, before)
