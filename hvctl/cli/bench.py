"""`hvctl bench`: what enlightenments gain on this host."""

import sys
from collections.abc import Callable

import click

from hvctl import api
from hvctl.bench.file import Bench, read_bench
from hvctl.bench.measuring import Measured, Setup, cpus, measure, state, steal, ticks
from hvctl.cli.options import PageFormat, check_stdin, common, no_such, output_format
from hvctl.cli.output import is_quiet, use_color, width, write_result
from hvctl.errors import UsageError
from hvctl.host.hostfs import interruptible
from hvctl.model.host import Host
from hvctl.model.plan import Plan

PROFILE = "all"
RUNS, MOST_RUNS = 7, 100
MOST_VCPUS = 64


@click.command()
@click.argument("profile", default=PROFILE, metavar="[PROFILE]")
@click.option("--only", metavar="GROUP,...", help="Only these: clock, apic, tlbflush, ipi, timer, exit, nested.")
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
    groups = _groups(only)
    check_stdin(profile, *([old] if old else []))
    before = None
    if old:
        before = read_bench(old)
    _check_output(output)
    bench = _bench(profile, groups, vcpus, runs, qemu)
    text = _text(bench, before, output_format, color=output is None)
    write_result(text, output, people=output_format == "text")
    return 0


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


def _groups(only: str | None) -> tuple[str, ...]:
    from hvctl.bench.compare import GROUPS

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
    from hvctl.cli.inputs.plans import say_plan

    wanted = api.load_profile(profile)
    here = api.this_host([qemu] if qemu else None, libvirt=False)
    plan = api.check(api.resolve(wanted, (here,)))
    say_plan(plan, explain=False)
    setups = _setups(plan, here, groups, vcpus or min(cpus(), MOST_VCPUS), cpus())
    before, begin = state(here), ticks()
    with interruptible():
        measured = _measure(setups, runs)
    host = before._replace(steal=steal(begin, ticks()))
    return Bench(plan.profile, groups, runs, here.hardware.tsc_hz, host, measured.series, measured.missing)


def _setups(plan: Plan, here: Host, groups: tuple[str, ...], vcpus: int, cpus: int) -> list[Setup]:
    """Both kinds of guests with the vCPUs that are asked for, and for what vCPUs do to each other with more of them."""
    from hvctl.bench.compare import SINGLE, mask
    from hvctl.run.merge import merge, target
    from hvctl.verify.probe_subject import plain, with_vcpus

    words = merge(api.arguments(plan), (), target(plan, here.qemu[0], supervised=True))
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
