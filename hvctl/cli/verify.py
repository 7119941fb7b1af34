"""`hvctl verify`: what a guest really sees and can use."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Mapping, Sequence

import click

from hvctl.cli.options import common, output_format, width
from hvctl.cli.verify_subject import Subject
from hvctl.model.cpuid import CpuidLeaf
from hvctl.verify.probe_run import Ran

MOST_SECONDS = 3600.0


class _Command(click.Command):
    """Keeps what stands after `--`, which click would take for more positional words."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click's; the words after the first `--` are QEMU's."""
        at = args.index("--") if "--" in args else len(args)
        ctx.meta["hvctl.qemu-args"] = tuple(args[at + 1 :])
        return super().parse_args(ctx, args[:at])


@click.command(cls=_Command, options_metavar="[OPTIONS]")
@click.argument("profile", required=False, metavar="[PROFILE] [-- QEMU-ARGS...]")
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="FILE",
    help="A host file, or a folder of them: machines that the guest may move to; may be repeated.",
)
@click.option("--locked", metavar="FILE", help="Verify a plan of 'hvctl gen --lock' instead of a PROFILE's.")
@click.option(
    "--domain",
    metavar="FILE|NAME",
    help="Verify the domain XML in FILE; with --connect also the name or UUID of a domain that is defined there.",
)
@click.option("--connect", "uri", metavar="URI", help="Let the libvirt at URI, on this machine, start the probe guest.")
@click.option("--qemu", metavar="BIN", help="The QEMU binary to start (default: the first one found).")
@click.option(
    "--vcpus", type=click.IntRange(1, 64), metavar="N", help="vCPUs of the probe guest (default: as written, or 2)."
)
@click.option("--accel", type=click.Choice(["kvm", "tcg"]), help="QEMU's accelerator (default: as written, or kvm).")
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, MOST_SECONDS),
    default=10.0,
    show_default=True,
    metavar="S",
    help="Seconds that the guest may take.",
)
@output_format("text", "json")
@common
def command(
    profile: str | None,
    hosts: tuple[str, ...],
    locked: str | None,
    domain: str | None,
    uri: str | None,
    qemu: str | None,
    vcpus: int | None,
    accel: str | None,
    timeout: float,
    output_format: str,
) -> int:
    """Boot a tiny guest as `hvctl launch` would, and compare what it sees with what was asked for.

    QEMU and libvirt report what was asked; where KVM or TCG ignores an enlightenment they still say on. The probe
    guest looks from inside: every CPUID leaf of every vCPU, bit for bit, every Hyper-V MSR, and whether what is
    announced works: hypercalls, clocks, timers, interrupts and TLB flushes. It has no disk, no network and no
    operating system, and takes a second.

    With PROFILE or --locked, QEMU-ARGS are merged as launch merges them. Alone, they are a guest's whole command line.
    --domain is a guest's domain XML. Only machine, accelerator, CPU, vCPUs and clock are used of what is written: no
    disk is opened, no device is made, and no guest that is there is touched.

    With --connect libvirt starts the probe guest, as a transient domain of its own that is gone when hvctl is.

    \b
    Exit codes: 0 all agrees; 1 something is missing, does not work or came
    unasked, or QEMU refuses to start; 2 usage; 3 no KVM, no QEMU, or the guest
    could not be run to its end.

    \b
    Examples:
      hvctl verify windows-11
      hvctl verify windows-11 --vcpus 8 -- -machine kernel-irqchip=split
      hvctl verify -- -accel kvm -cpu host,hv_relaxed=on,hv_time=on
      hvctl verify --locked win11.plan.json
      hvctl verify --domain win11.xml
      hvctl verify --connect qemu:///system --domain win11
      hvctl verify windows-11 --accel tcg
    """
    from hvctl.cli.hosts import check_stdin
    from hvctl.errors import UsageError

    words: tuple[str, ...] = click.get_current_context().meta["hvctl.qemu-args"]
    if math.isnan(timeout):
        raise UsageError("--timeout is a number of seconds")
    _check_source(profile, locked, domain, words)
    if hosts and not (profile or locked):
        raise UsageError("--host goes with a PROFILE or --locked only: the others are what they are")
    check_stdin(profile or locked or domain or "", *hosts)
    if uri is not None:
        _check_options(words, {"--qemu": qemu, "--accel": accel})
        from hvctl.cli.verify_libvirt import Wanted, by_libvirt

        with by_libvirt(uri, Wanted(profile, locked, domain, hosts, vcpus)) as subject:
            return _verify(subject, timeout, output_format)
    from hvctl.cli.verify_subject import planned, written

    if profile or locked:
        subject = planned(profile, locked, hosts, words, qemu, vcpus, accel or "kvm")
    elif domain:
        from hvctl.cli.verify_domain import described

        subject = described(domain, qemu, vcpus, accel)
    else:
        subject = written(words, qemu, vcpus, accel)
    return _verify(subject, timeout, output_format)


def _check_source(profile: str | None, locked: str | None, domain: str | None, words: Sequence[str]) -> None:
    """Raise UsageError where not exactly one guest is named."""
    from hvctl.errors import UsageError

    named = [
        *(["PROFILE"] if profile is not None else []),
        *(["--locked"] if locked is not None else []),
        *(["--domain"] if domain is not None else []),
    ]
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named)} do not go together: each names a guest")
    if domain is not None and words:
        raise UsageError("--domain and QEMU-ARGS do not go together: each is a whole guest")
    if not named and not words:
        raise UsageError(
            "a PROFILE is missing",
            "name one of `hvctl profile list`, a file, a guest by --locked or --domain, or QEMU's arguments after --",
        )


def _check_options(words: Sequence[str], own: Mapping[str, object]) -> None:
    """Raise UsageError for what is of no use where libvirt starts QEMU."""
    from hvctl.errors import UsageError

    idle = [*(name for name, value in own.items() if value is not None), *(["QEMU-ARGS"] if words else [])]
    if idle:
        raise UsageError(f"{' and '.join(idle)}: not with --connect, where libvirt starts QEMU")


def _verify(subject: Subject, timeout: float, form: str) -> int:
    from hvctl.cli.spinner import spinner

    quiet = bool(click.get_current_context().meta.get("hvctl.quiet"))
    with spinner("the probe guest is running", sys.stderr, quiet=quiet):
        ran, expected, refused = _run(subject, timeout)
    from hvctl.report.verify import Run, verify_json, verify_text
    from hvctl.verify.compare import verify
    from hvctl.verify.outcome import observe

    result = verify(expected, subject.asked, observe(ran, timeout), refused=refused)
    warnings = tuple(dict.fromkeys(ran.stderr))
    run = Run(subject.label, subject.argv, subject.accelerator, ran.seconds, warnings, subject.uri)
    if form == "json":
        click.echo(verify_json(result, run), nl=False)
    else:
        from hvctl.cli import use_color

        click.echo(verify_text(result, run, width=width(), color=use_color(sys.stdout)), nl=False)
    return 0 if result.agrees else 1


def _run(subject: Subject, timeout: float) -> tuple[Ran, tuple[CpuidLeaf, ...], tuple[str, ...]]:
    """Run the guest; while it runs, predict what it must see.

    TCG refuses what it would not ignore (hv-vpindex up to QEMU 7.2): then the guest runs without, and is told so.
    """
    refused: tuple[str, ...] = ()
    argv, expected, spent = subject.argv, None, 0.0
    while True:
        with subject.start(argv) as probe:
            if expected is None:
                expected = _meanwhile(subject)
            ran = probe.finish(timeout - spent)
        more = _refused_rows(subject, ran, refused)
        if not more:
            return ran, expected, refused
        from hvctl.verify.probe_arguments import without_rows

        refused, spent = (*refused, *more), spent + ran.seconds
        argv = (argv[0], *without_rows(argv[1:], more))


def _meanwhile(subject: Subject) -> tuple[CpuidLeaf, ...]:
    """What QEMU's start leaves time for: the prediction, and the imports of what comes after."""
    for name in ("hvctl.verify.outcome", "hvctl.verify.compare", "hvctl.report.verify"):
        importlib.import_module(name)
    return subject.predict()


def _refused_rows(subject: Subject, ran: Ran, known: Sequence[str]) -> tuple[str, ...]:
    from hvctl.run.refusal import about
    from hvctl.verify.outcome import refused

    if subject.accelerator == "kvm" or not refused(ran):
        return ()
    return tuple(row.id for row in about(ran.stderr) if row.id in subject.asked and row.id not in known)
