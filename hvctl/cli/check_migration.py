"""`hvctl check-migration`: may this guest move to these hosts?"""

from __future__ import annotations

import sys

import click

from hvctl.cli.guests import Named
from hvctl.cli.hosts import check_stdin, read_hosts, this_host
from hvctl.cli.options import common, output_format, width
from hvctl.errors import UsageError
from hvctl.model.guest import Guest
from hvctl.model.host import Host
from hvctl.model.migration import Move


@click.command()
@click.argument("guest")
@click.option("--from", "source", metavar="HOST", help="The host file of where the guest runs (default: this machine).")
@click.option(
    "--to",
    "targets",
    multiple=True,
    required=True,
    metavar="HOST",
    help="A host file to move to, or a folder of them; may be repeated.",
)
@click.option("--incoming", metavar="GUEST", help="What waits on the targets, if it is configured otherwise.")
@click.option("--all-names", is_flag=True, help="Name every target, not only the first 20 with the same verdict.")
@output_format("text", "json")
@common
def command(
    guest: str,
    source: str | None,
    targets: tuple[str, ...],
    incoming: str | None,
    all_names: bool,
    output_format: str,
) -> int:
    """Say whether a guest can move to other hosts, before the migration is tried.

    GUEST is a profile (as gen resolves it for the source), a locked plan, a libvirt domain's XML, a QEMU command line,
    `-` for one of these on stdin, the QMP socket or the process id of a running QEMU, or URI#DOMAIN of a libvirt.

    QEMU itself compares nothing: a migration can fail with the source going on, lose the guest, or succeed and change
    the CPUID that the running guest relies on. Each reason says which of these it leads to.

    \b
    Exit codes: 0 every target works; 1 one does not, or it cannot be told;
    2 a wrong GUEST or host file; 3 the guest cannot be asked.

    \b
    Examples:
      hvctl check-migration win11.plan.json --to hosts/
      hvctl check-migration win11.xml --from a.json --to b.json
      hvctl check-migration 4711 --to b.json
      hvctl check-migration qemu:///system#win11 --to b.json
    """
    from hvctl.cli.guests import find_guest
    from hvctl.migration.verdict import judge_pool
    from hvctl.model.migration import Answer, Journey

    check_stdin(guest, *(word for word in (source, incoming) if word), *targets)
    named = find_guest(guest)
    waiting = find_guest(incoming) if incoming else None
    pool = read_hosts(targets)
    here = _source(named, source)
    journey = Journey(_configured(named, here), here, _configured(waiting, here) if waiting else None)
    moves = judge_pool(journey, pool)
    _print(journey.guest, here, moves, output_format, all_names=all_names)
    return 0 if all(move.answer is Answer.YES for move in moves) else 1


def _source(named: Named, path: str | None) -> Host:
    """Where the guest runs: the named host; that of a locked plan; this machine."""
    if path is not None:
        hosts = tuple(read_hosts([path]).hosts())
        if len(hosts) > 1:
            raise UsageError(f"--from {path} holds {len(hosts)} hosts", "a guest runs on one")
        return hosts[0]
    if named.lock and named.lock.pool:
        from hvctl.plan_file.locking import LABEL

        return named.lock.pool[0]._replace(name=LABEL)
    return this_host(option="--from")


def _configured(named: Named, here: Host) -> Guest:
    """The guest; of a profile the one that gen makes of it on the source."""
    if named.guest:
        return named.guest
    from hvctl.cli.talk import refuse
    from hvctl.guest.plan import guest_of
    from hvctl.plan.resolve import resolve

    assert named.profile is not None
    plan = resolve(named.profile, (here,))
    refuse(plan)
    return guest_of(plan)


def _print(guest: Guest, here: Host, moves: tuple[Move, ...], form: str, *, all_names: bool) -> None:
    from hvctl.report import migration as report

    if form == "json":
        from hvctl.report.plan import dump

        click.echo(dump(report.moves_json(guest.label, here.label, moves)), nl=False)
        return
    from hvctl.cli import use_color

    color = use_color(sys.stdout)
    text = report.moves_text(guest.label, here.label, moves, width=width(), color=color, all_names=all_names)
    click.echo(text, nl=False, color=color or None)
