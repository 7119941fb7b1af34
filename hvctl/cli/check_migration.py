"""`hvctl check-migration`: may this guest move to these hosts?"""

import sys

import click

from hvctl import api
from hvctl.api import Described
from hvctl.cli.inputs.hosts import read_hosts
from hvctl.cli.options import Format, check_stdin, common, output_format
from hvctl.cli.output import echo, use_color, width
from hvctl.errors import UsageError
from hvctl.guest.plan import guest_of
from hvctl.migration.differences import Answer, Move
from hvctl.model.guest import Guest
from hvctl.model.host import Host


@click.command()
@click.argument("guest")
@click.option("--from", "source", metavar="HOST", help="The host file of where the guest runs (default: this machine).")
@click.option(
    "--to",
    "targets",
    multiple=True,
    required=True,
    metavar="HOST",
    help="A host file to move to, or a directory of them; may be repeated.",
)
@click.option("--incoming", metavar="GUEST", help="The guest that waits on the targets, if configured differently.")
@click.option("--all-names", is_flag=True, help="Name every target, not only the first 20 with the same verdict.")
@output_format(Format)
@common
def command(
    guest: str,
    source: str | None,
    targets: tuple[str, ...],
    incoming: str | None,
    all_names: bool,
    output_format: Format,
) -> int:
    """Check whether a guest can move to other hosts, before the migration is tried.

    GUEST is a profile (as gen resolves it for the source), a plan file, a libvirt domain's XML, a QEMU command line,
    `-` for one of these on stdin, the QMP socket or the process id of a running QEMU, or URI#DOMAIN of a libvirt.

    QEMU itself compares nothing: a migration can fail with the source going on, lose the guest, or succeed and change
    the CPUID that the running guest relies on. Each reason names its effect.

    \b
    Exit codes: 0 every target works; 1 one does not, or it is not known;
    2 a wrong GUEST or host file; 3 the guest cannot be asked.

    \b
    Examples:
      hvctl check-migration win11.plan.json --to hosts/
      hvctl check-migration win11.xml --from a.json --to b.json
      hvctl check-migration 4711 --to b.json
      hvctl check-migration qemu:///system#win11 --to b.json
    """
    from hvctl.cli.inputs.guests import find_guest

    check_stdin(guest, *(word for word in (source, incoming) if word), *targets)
    named = find_guest(guest)
    waiting = find_guest(incoming) if incoming else None
    pool = read_hosts(targets)
    here = _source(named, source)
    configured = _configured(named, here)
    moves = api.judge_migration(configured, here, pool, _configured(waiting, here) if waiting else None)
    color = use_color(sys.stdout)
    text = _text(configured, here, moves, output_format, color=color, all_names=all_names)
    echo(text)
    return 0 if all(move.answer is Answer.YES for move in moves) else 1


def _source(named: Described, path: str | None) -> Host:
    """Where the guest runs: the named host; that of a plan file; this machine."""
    if path is not None:
        hosts = tuple(read_hosts([path]).hosts())
        if len(hosts) > 1:
            raise UsageError(f"--from {path} holds {len(hosts)} hosts", "a guest runs on one")
        return hosts[0]
    if named.lock and named.lock.pool:
        from hvctl.plan_file.locking import LABEL

        return named.lock.pool[0]._replace(name=LABEL)
    return api.this_host(option="--from")


def _configured(named: Described, here: Host) -> Guest:
    """The guest; of a profile the one that gen makes of it on the source."""
    if named.guest:
        return named.guest
    assert named.profile is not None
    return guest_of(api.check(api.resolve(named.profile, (here,))))


def _text(guest: Guest, here: Host, moves: tuple[Move, ...], form: Format, *, color: bool, all_names: bool) -> str:
    from hvctl.report import migration as report

    match form:
        case "text":
            return report.moves_text(guest.label, here.label, moves, width=width(), color=color, all_names=all_names)
        case "json":
            from hvctl.text.json_document import dump

            return dump(report.moves_json(guest.label, here.label, moves))
