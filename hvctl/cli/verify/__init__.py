"""`hvctl verify`: what a guest really sees and can use."""

import importlib
import math
import sys
from collections.abc import Mapping, Sequence

import click

from hvctl import api
from hvctl.cli.options import Format, also_host, check_stdin, common, host_files, output_format
from hvctl.cli.output import echo, spinner, use_color, width
from hvctl.cli.verify import subject as subjects
from hvctl.errors import HostError, RefusedError, UsageError
from hvctl.host.hostfs import interruptible
from hvctl.model.host import CpuidLeaf, Host
from hvctl.model.verification import Observation, VmxControls
from hvctl.plan.start import Start
from hvctl.text.diagnosis import diagnose
from hvctl.verify.probe_run import Ran, observe, refused

MOST_SECONDS = 3600.0


class _Command(click.Command):
    """Keeps what is after `--`, which click would take for more positional words."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click's; the words after the first `--` are QEMU's."""
        at = args.index("--") if "--" in args else len(args)
        ctx.meta["hvctl.qemu-args"] = tuple(args[at + 1 :])
        return super().parse_args(ctx, args[:at])


@click.command(cls=_Command, options_metavar="[OPTIONS]")
@click.argument("profile", required=False, metavar="[PROFILE] [-- QEMU-ARGS...]")
@click.option("--dry-run", is_flag=True, help="Predict whether QEMU starts the guest, and start nothing.")
@host_files("With --dry-run: the host file of the machine to start on (default: this machine).")
@also_host
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
@output_format(Format)
@common
def command(
    profile: str | None,
    dry_run: bool,
    hosts: tuple[str, ...],
    also: tuple[str, ...],
    locked: str | None,
    domain: str | None,
    uri: str | None,
    qemu: str | None,
    vcpus: int | None,
    accel: str | None,
    timeout: float,
    output_format: Format,
) -> int:
    """Boot a tiny guest as `hvctl launch` would, and compare what it sees with what was asked for.

    QEMU and libvirt report what was asked; where KVM or TCG ignores an enlightenment they still report it on. The probe
    guest looks from inside: every CPUID leaf of every vCPU, bit for bit, every Hyper-V MSR, and whether what is
    announced works: hypercalls, clocks, timers, interrupts and TLB flushes. It has no disk, no network and no
    operating system, and takes a second. With -v or --format json a guest with an enlightened VMCS is started again
    without any enlightenment, to list the VMX controls that it hides from a hypervisor in the guest.

    With PROFILE or --locked, QEMU-ARGS are merged as launch merges them. Alone, they are a guest's whole command line.
    --domain is a guest's domain XML. Only machine, accelerator, CPU, vCPUs and clock are used of what is written: no
    disk is opened, no device is made, and no guest that is there is touched.

    QEMU is the one of --qemu, or the program before QEMU-ARGS, or the first one found. The <emulator> of a domain is
    started only if its path is absolute and nobody but root and you can write to it or to a directory above it; it is
    printed on stderr before. Otherwise --qemu is needed.

    With --connect libvirt starts the probe guest, as a transient domain of its own that is gone when hvctl is. It may
    take 10 seconds for each answer, and 30 to name its QEMU's user and to start the guest; or --timeout's, if more.

    With --dry-run nothing is started: hvctl predicts whether QEMU would start the guest on the machine of a host file,
    QEMU's first error message if not, and the CPUID leaves that the guest would see. It judges machine type,
    accelerator, CPU, interrupt chip and TSC frequency, and takes everything else to be right.

    \b
    Exit codes: 0 all agrees; 1 something is missing, does not work or came
    unasked, or QEMU refuses to start; 2 usage; 3 no KVM, no QEMU, or the guest
    could not be run to its end. With --dry-run: 0 it starts; 1 it does not;
    3 that is not known.

    \b
    Examples:
      hvctl verify windows-11
      hvctl verify windows-11 --vcpus 8 -- -machine kernel-irqchip=split
      hvctl verify -- -accel kvm -cpu host,hv_relaxed=on,hv_time=on
      hvctl verify --locked win11.plan.json
      hvctl verify --domain win11.xml
      hvctl verify --connect qemu:///system --domain win11
      hvctl verify windows-11 --accel tcg
      hvctl verify --dry-run --host node1.json -- -cpu host,hv_synic=on
    """
    from hvctl.cli.inputs.hosts import also_hosts

    words: tuple[str, ...] = click.get_current_context().meta["hvctl.qemu-args"]
    if math.isnan(timeout):
        raise UsageError("--timeout is a number of seconds")
    wanted = subjects.Wanted(profile, locked, domain, words, also, qemu, vcpus, accel)
    _check_source(wanted)
    if not dry_run:
        also, hosts = also_hosts(also, hosts), ()
        wanted = wanted._replace(also=also)
    if also and not (profile or locked):
        raise UsageError("--also-host requires a PROFILE or --locked")
    check_stdin(profile or locked or domain or "", *hosts, *also)
    if dry_run:
        if uri is not None:
            raise UsageError("--dry-run and --connect do not go together")
        return _report(*_predict(wanted, hosts), output_format)
    if uri is not None:
        _check_options(words, {"--qemu": qemu, "--accel": accel})
        from hvctl.cli.verify.by_libvirt import by_libvirt

        with by_libvirt(uri, wanted, timeout) as subject:
            return _verify(subject, timeout, output_format)
    if profile or locked:
        subject = subjects.planned(wanted)
    else:
        subject = subjects.described(domain, wanted) if domain else subjects.written(wanted)
    return _verify(subject, timeout, output_format)


def _predict(wanted: subjects.Wanted, hosts: tuple[str, ...]) -> tuple[str, Host, Start]:
    """How the guest is named, the host, and the prediction."""
    from hvctl.cli.inputs.hosts import one_host

    qemu, accel = wanted.qemu, wanted.accel
    if named := wanted.profile or wanted.locked:
        here = one_host(hosts, qemu)
        try:
            plan, argv, host = subjects.planned_words(wanted, lambda: here)
        except RefusedError as error:
            return named, here, Start(False, None, " ".join(error.message.split()))
        return plan.profile, host, api.predict_start(argv, host, plan.profile)
    if wanted.domain:
        _, read, argv, _ = subjects.described_words(wanted.domain, None, accel)
        host = one_host(hosts, qemu)
        return read.label, host, api.predict_start(argv, host, read.label, read.doubts)
    program, argv, _, _ = subjects.written_words(wanted.words, accel)
    host = one_host(hosts, qemu or (None if hosts else program))
    return subjects.LABEL, host, api.predict_start(argv, host, subjects.LABEL)


def _report(label: str, host: Host, start: Start, form: str) -> int:
    from hvctl.report.verify import prediction_json, prediction_text

    echo(prediction_json(start) if form == "json" else prediction_text(start, label, host.label))
    return 3 if start.starts is None else int(not start.starts)


def _check_source(wanted: subjects.Wanted) -> None:
    """Raise UsageError where not exactly one guest is named."""
    named = [
        name for name, value in zip(("PROFILE", "--locked", "--domain"), wanted[:3], strict=True) if value is not None
    ]
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named)} do not go together: each names a guest")
    if wanted.domain is not None and wanted.words:
        raise UsageError("--domain and QEMU-ARGS do not go together: each is a whole guest")
    if not named and not wanted.words:
        raise UsageError(
            "a PROFILE is missing",
            "name one of `hvctl profile list`, a file, a guest by --locked or --domain, or QEMU's arguments after --",
        )


def _check_options(words: Sequence[str], own: Mapping[str, object]) -> None:
    """Raise UsageError for what is of no use where libvirt starts QEMU."""
    idle = [*(name for name, value in own.items() if value is not None), *(["QEMU-ARGS"] if words else [])]
    if idle:
        raise UsageError(f"{' and '.join(idle)}: not with --connect, where libvirt starts QEMU")


def _verify(subject: subjects.Subject, timeout: float, form: Format) -> int:
    with interruptible(), spinner("the probe guest is running", sys.stderr):
        ran, expected, refused = _run(subject, timeout)
        seen = observe(ran, timeout)
        shown = form == "json" or click.get_current_context().meta.get("hvctl.verbose")
        vmx, missed = _vmx_controls(subject, seen, timeout) if shown else (None, ())
    from hvctl.report.verify import Run, verify_json, verify_text
    from hvctl.verify.compare import verify

    result = verify(expected, subject.asked, seen, refused=refused)._replace(vmx=vmx)
    warnings = (*dict.fromkeys(ran.stderr), *missed)
    run = Run(subject.label, subject.argv, subject.accelerator, ran.seconds, warnings, subject.uri)
    if form == "json":
        echo(verify_json(result, run))
    else:
        echo(verify_text(result, run, width=width(), color=use_color(sys.stdout)))
    return 0 if result.agrees else 1


def _run(subject: subjects.Subject, timeout: float) -> tuple[Ran, tuple[CpuidLeaf, ...], tuple[str, ...]]:
    """Run the guest; while it runs, predict what it must see.

    TCG refuses what it would not ignore (hv-vpindex up to QEMU 7.2): then the guest runs without it, which the
    report shows.
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
        from hvctl.verify.probe_subject import without_rows

        refused, spent = (*refused, *more), spent + ran.seconds
        argv = (argv[0], *without_rows(argv[1:], more))


def _vmx_controls(
    subject: subjects.Subject, seen: Observation, timeout: float
) -> tuple[VmxControls | None, tuple[str, ...]]:
    """What a second run shows, of the same guest without enlightenments; None where there is nothing to be compared.

    If that fails, a sentence says so: what the first run showed stands.
    """
    from hvctl.verify.probe_subject import plain
    from hvctl.verify.vmx import is_limited, limits

    if not subject.argv or not is_limited(seen):
        return None, ()
    try:
        with subject.start((subject.argv[0], *plain(subject.argv[1:]))) as probe:
            return limits(seen, observe(probe.finish(timeout), timeout)), ()
    except (RefusedError, HostError) as error:
        why = error.message.partition("\n")[0]
        return None, (f"hidden VMX controls are not listed: the same guest without enlightenments did not run: {why}",)


def _meanwhile(subject: subjects.Subject) -> tuple[CpuidLeaf, ...]:
    """What QEMU's start leaves time for: the prediction, and the imports of what comes after."""
    for name in ("hvctl.verify.probe_run", "hvctl.verify.compare", "hvctl.report.verify"):
        importlib.import_module(name)
    return subject.predict()


def _refused_rows(subject: subjects.Subject, ran: Ran, known: Sequence[str]) -> tuple[str, ...]:
    if subject.accelerator == "kvm" or not refused(ran):
        return ()
    return tuple(
        row.id
        for found in diagnose("\n".join(ran.stderr), "").found
        for row in found.rows
        if row.id in subject.asked and row.id not in known
    )
