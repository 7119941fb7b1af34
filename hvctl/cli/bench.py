"""`hvctl bench`: what enlightenments gain on this host."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from hvctl.bench.boots import Measured, Setup
from hvctl.cli.options import common, output_format, width
from hvctl.model.bench import Bench
from hvctl.model.host import Host
from hvctl.model.plan import Plan

PROFILE = "all"
RUNS, MOST_RUNS = 7, 100
MOST_VCPUS = 64


@click.command()
@click.argument("profile", default=PROFILE, metavar="[PROFILE]")
@click.option("--only", metavar="GROUP,...", help="Only these: clock, apic, tlbflush, ipi, timer, exit.")
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
@click.option("--compare", "old", metavar="OLD.json", help="Say what has changed since this measurement.")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE instead of stdout.")
@output_format("text", "json", "html")
@common
def command(
    profile: str,
    only: str | None,
    vcpus: int | None,
    runs: int,
    qemu: str | None,
    old: str | None,
    output: str | None,
    output_format: str,
) -> int:
    """Measure on this host what a guest gains from its enlightenments.

    A tiny guest of hvctl's own takes the time of what enlightenments make cheaper: reading the clock, the end of an
    interrupt, arming a timer, interrupts and TLB flushes among busy vCPUs, also with two and four times as many vCPUs
    as this host has CPUs. Guests with and without the enlightenments of PROFILE (default: all that this host gives)
    are booted in turn. A gain is named only where the runs leave no doubt, and never from fewer than five.

    Needs a KVM with Hyper-V emulation; on a host that is a virtual machine itself only large ratios mean anything.

    \b
    Exit codes: 0 measured; 1 the profile is refused, or QEMU does not start
    with it; 2 usage; 3 no KVM, no Hyper-V, no QEMU, or a guest could not be
    run to its end.

    \b
    Examples:
      hvctl bench
      hvctl bench windows-11 --only clock,tlbflush --runs 9
      hvctl bench --format json -o today.json --compare yesterday.json
      hvctl bench --format html -o bench.html
    """
    from hvctl.cli.files import write_result
    from hvctl.cli.hosts import check_stdin

    groups = _groups(only)
    check_stdin(profile, *([old] if old else []))
    before = None
    if old:
        from hvctl.bench.file import read_bench

        before = read_bench(old)
    _check_output(output)
    bench = _bench(profile, groups, vcpus, runs, qemu)
    write_result(_text(bench, before, output_format, color=output is None), output)
    return 0


def _check_output(path: str | None) -> None:
    """Raise UsageError for a file that could not be written after minutes of measuring."""
    import os

    from hvctl.errors import UsageError

    if path in (None, "-") or os.path.exists(path or ""):
        return
    folder = os.path.dirname(os.path.realpath(path or ""))
    if not os.path.isdir(folder):
        raise UsageError(f"{path} cannot be written: there is no folder {folder}")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"{path} cannot be written: nothing may be written in {folder}")


def _groups(only: str | None) -> tuple[str, ...]:
    from hvctl.bench.tables import GROUPS
    from hvctl.cli.options import no_such
    from hvctl.errors import UsageError

    if only is None:
        return tuple(GROUPS)
    named = [word.strip() for word in only.split(",") if word.strip()]
    unknown = [word for word in named if word not in GROUPS]
    if unknown:
        error = no_such("group of measurements", unknown, tuple(GROUPS))
        error.hint = error.hint or f"they are {', '.join(GROUPS)}"
        raise error
    if not named:
        raise UsageError("--only names nothing", f"write some of {', '.join(GROUPS)}")
    return tuple(group for group in GROUPS if group in named)


def _bench(profile: str, groups: tuple[str, ...], vcpus: int | None, runs: int, qemu: str | None) -> Bench:
    from hvctl.bench.host_state import cpus, state, steal, ticks
    from hvctl.cli.hosts import this_host
    from hvctl.cli.talk import refuse, say_plan
    from hvctl.model.bench import Bench
    from hvctl.plan.resolve import resolve
    from hvctl.profile.reader import load_profile

    wanted = load_profile(profile)
    here = this_host([qemu] if qemu else None, libvirt=False)
    plan = resolve(wanted, (here,))
    refuse(plan)
    say_plan(plan, explain=False)
    setups = _setups(plan, here, groups, vcpus or min(cpus(), MOST_VCPUS), cpus())
    before, begin = state(here), ticks()
    measured = _measure(setups, runs)
    host = before._replace(steal=steal(begin, ticks()))
    return Bench(plan.profile, groups, runs, here.hardware.tsc_hz, host, measured.series, measured.missing)


def _setups(plan: Plan, here: Host, groups: tuple[str, ...], vcpus: int, cpus: int) -> list[Setup]:
    """Both kinds of guests with the vCPUs that are asked for, and for what vCPUs do to each other with more of them."""
    from hvctl.bench.boots import Setup
    from hvctl.bench.tables import SINGLE, mask
    from hvctl.guest.command.writer import arguments
    from hvctl.run.merge import merge, target
    from hvctl.verify.probe_arguments import plain, with_vcpus

    words = merge(arguments(plan), (), target(plan, here.qemu[0], supervised=True))
    many = tuple(group for group in groups if group not in SINGLE)
    numbers = {vcpus: groups}
    for factor in (2, 4) if many else ():
        numbers.setdefault(min(factor * cpus, MOST_VCPUS), many)
    return [
        Setup((here.qemu[0].path, *with_vcpus(kind, number)), enlightened, number, mask(asked))
        for number, asked in numbers.items()
        for enlightened, kind in ((False, plain(words)), (True, words))
    ]


def _measure(setups: list[Setup], runs: int) -> Measured:
    from hvctl.bench.boots import measure

    quiet = bool(click.get_current_context().meta.get("hvctl.quiet"))
    if quiet or not sys.stderr.isatty():
        return measure(setups, runs, lambda: None)
    with click.progressbar(length=runs * len(setups), label="measuring", file=sys.stderr) as bar:
        step: Callable[[], None] = lambda: bar.update(1)  # noqa: E731 - a bound argument
        return measure(setups, runs, step)


def _text(bench: Bench, before: Bench | None, form: str, *, color: bool) -> str:
    if form == "json":
        from hvctl.report.bench_json import bench_json

        return bench_json(bench, before)
    if form == "html":
        from hvctl.report.bench_html import bench_html

        return bench_html(bench, before)
    from hvctl.cli import use_color
    from hvctl.report.bench import bench_text

    return bench_text(bench, before, width=width(), color=color and use_color(sys.stdout))
