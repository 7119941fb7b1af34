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
    metavar="HOST",
    help="A host file to move to, or a directory of them; may be repeated.",
)
@click.option(
    "--save", is_flag=True, help="Judge virsh save, managed save and snapshots with memory instead; --to is optional."
)
@click.option("--incoming", metavar="GUEST", help="The guest that waits on the targets, if configured differently.")
@click.option("--all-names", is_flag=True, help="Name every target, not only the first 20 with the same verdict.")
@output_format(Format)
@common
def command(
    guest: str,
    source: str | None,
    targets: tuple[str, ...],
    save: bool,
    incoming: str | None,
    all_names: bool,
    output_format: Format,
) -> int:
    """Check whether a guest can move to other hosts, before the migration is tried.

    GUEST is a profile (as gen resolves it for the source), a plan file, a libvirt domain's XML, a QEMU command line, a
    VMID.conf of Proxmox VE, `-` for one of these on stdin, the QMP socket or the process id of a running QEMU, or
    URI#DOMAIN of a libvirt.

    QEMU itself compares nothing: a migration can fail with the source going on, lose the guest, or succeed and change
    the CPUID that the running guest relies on. Each reason names its effect.

    What blocks a migration also blocks saving: with --save the guest is saved and loaded again, on its host, which need
    not be known, or on those of --to.

    \b
    Exit codes: 0 every target works; 1 one does not, or it is not known;
    2 a wrong GUEST or host file; 3 the guest cannot be asked.

    \b
    Examples:
      hvctl check-migration win11.plan.json --to hosts/
      hvctl check-migration win11.xml --from a.json --to b.json
      hvctl check-migration win11.xml --save
      hvctl check-migration 4711 --to b.json
      hvctl check-migration qemu:///system#win11 --to b.json
    """
    from hvctl.cli.inputs.guests import find_guest

    if not (save or targets):
        raise UsageError("--to is missing", "name the host files to move to, or judge saving with --save")
    check_stdin(guest, *(word for word in (source, incoming) if word), *targets)
    named = find_guest(guest)
    waiting = find_guest(incoming) if incoming else None
    pool = read_hosts(targets) if targets else None
    # To save a guest says nothing of a host; but a profile becomes one only on a host.
    unknown = pool is None and source is None and named.guest is not None and not (waiting and waiting.profile)
    here = None if unknown else _source(named, source)
    configured, arriving = _configured(named, here), _configured(waiting, here) if waiting else None
    if pool is None or here is None:
        moves: tuple[Move, ...] = (api.judge_save(configured, here, arriving),)
    else:
        moves = api.judge_migration(configured, here, pool, arriving)
    echo(_text(configured, here, moves, output_format, saved=save, all_names=all_names))
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


def _configured(named: Described, here: Host | None) -> Guest:
    """The guest; of a profile the one that gen makes of it on the source."""
    if named.guest:
        return named.guest.on_hosts((here,)) if here else named.guest
    assert named.profile is not None
    assert here is not None
    return guest_of(api.check(api.resolve(named.profile, (here,))))


def _text(
    guest: Guest, here: Host | None, moves: tuple[Move, ...], form: Format, *, saved: bool, all_names: bool
) -> str:
    from hvctl.report import migration as report

    source = here.label if here else moves[0].targets[0]
    match form:
        case "text":
            color = use_color(sys.stdout)
            return report.moves_text(
                guest.label, source, moves, saved=saved, width=width(), color=color, all_names=all_names
            )
        case "json":
            from hvctl.text.json_document import dump

            return dump(report.moves_json(guest.label, source, moves, saved=saved))
