"""`hvctl apply`: put a profile into a domain of a running libvirt, and take it back."""

import sys
from typing import NamedTuple

import click

from hvctl import api
from hvctl.api import Edited
from hvctl.cli.inputs.domains import definition, edit, pool_beside, replace, say_when, show_difference
from hvctl.cli.options import check_stdin, common, connect, host_files
from hvctl.cli.output import say, say_sentence
from hvctl.errors import HostError, RefusedError, UsageError
from hvctl.libvirt import applied as apply_state
from hvctl.libvirt.applied import Kept
from hvctl.libvirt.connection import DEFAULT_URI, SECONDS, Connection, Domain, connected
from hvctl.model.plan import EditOptions
from hvctl.model.profile import Profile
from hvctl.text.problems import printable


class How(NamedTuple):
    """How a definition is replaced. `yes`: nobody is asked; `dry_run`: it is only shown."""

    yes: bool
    dry_run: bool


@click.command()
@click.argument("words", nargs=-1, metavar="[PROFILE] DOMAIN")
@connect("The libvirt that has the domain (default: LIBVIRT_DEFAULT_URI, or qemu:///system).", default=DEFAULT_URI)
@host_files("A host file, or a directory of them, that the guest must run on; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Print what would change; exit code 1 if anything would.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--undo", is_flag=True, help="Put back the definition that the last apply replaced.")
@click.option("--keep-others", is_flag=True, help="Leave enlightenments that the profile does not mention.")
@click.option("--qemu-commandline", is_flag=True, help="Pass to QEMU what libvirt has no element for.")
@click.option("--metadata", is_flag=True, help="Put the plan's name, digest and list into the domain's <metadata>.")
@click.option("--force", is_flag=True, help="Change a domain that is not of type kvm, or hides its hypervisor, too.")
@common
def command(
    words: tuple[str, ...],
    uri: str,
    timeout: float | None,
    hosts: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    undo: bool,
    keep_others: bool,
    qemu_commandline: bool,
    metadata: bool,
    force: bool,
) -> int:
    """Put PROFILE into the definition of DOMAIN.

    Without --host, the profile is resolved for this machine where URI means it, else for what that libvirt reports of
    its host, which is incomplete: record a remote host on itself, and pass the file.

    The difference is shown before anything is asked or changed; passwords in it are masked. libvirt checks the new
    definition. A running domain has it when it is next started. The old definition is kept under XDG_STATE_HOME
    (~/.local/state/hvctl), and `hvctl apply --undo DOMAIN` puts it back.

    \b
    Exit codes: 0 done, or nothing to do; 1 refused, declined, changed by
    someone else meanwhile, or --dry-run would change it; 3 no such domain,
    or libvirt cannot be asked.

    \b
    Examples:
      hvctl apply windows-11 win11 --dry-run
      hvctl apply windows-11 win11
      hvctl apply --undo win11
      hvctl apply windows-11 win11 --connect qemu+ssh://n2/system --host n2.json
    """
    options = EditOptions(keep_others, qemu_commandline, metadata, force)
    how = How(yes, dry_run)
    profile, name = _words(words, undo=undo)
    if undo and (hosts or options != EditOptions()):
        raise UsageError("--undo puts a definition back as it was: it goes with --connect, --yes and --dry-run only")
    if not (undo or yes or dry_run or (sys.stdin and sys.stdin.isatty())):
        raise UsageError("cannot ask for confirmation: stdin is not a terminal", "add --yes, or --dry-run to only look")
    check_stdin(*(() if undo else (profile, *hosts)))
    loaded = None if undo else api.load_profile(profile)
    with connected(uri, write=True, seconds=timeout or SECONDS) as connection:
        if loaded is None:
            return _undo(connection, name, how)
        return _apply(connection, name, loaded, hosts, options, how)


def _words(words: tuple[str, ...], *, undo: bool) -> tuple[str, str]:
    """PROFILE and DOMAIN; with --undo the domain alone."""
    if len(words) == (1 if undo else 2):
        return words[0], words[-1]
    form = "hvctl apply --undo DOMAIN" if undo else "hvctl apply PROFILE DOMAIN"
    raise UsageError(f"write {form}", "list the domains: hvctl show; and the profiles: hvctl profile list")


def _apply(
    connection: Connection, name: str, profile: Profile, hosts: tuple[str, ...], options: EditOptions, how: How
) -> int:
    from hvctl.cli.inputs.plans import say_plan
    from hvctl.xml.reader import parse

    domain = connection.domain(name)
    before = definition(connection, domain)
    pool = pool_beside(hosts, connection)
    edited = edit(profile, pool, parse(before, f"{connection.uri}#{name}"), options)
    say_plan(edited.plan, explain=bool(click.get_current_context().meta.get("hvctl.verbose")))
    if edited.before == edited.after:
        say(f"{name} already matches profile {profile.name}")
        return 0
    show_difference(before, edited.after, name)
    if how.dry_run:
        return 1
    if not how.yes and not click.confirm(f"Apply this change to {printable(name)}?", err=True):
        say("nothing was changed")
        return 1
    return _define(connection, domain, edited)


def _define(connection: Connection, domain: Domain, edited: Edited) -> int:
    import shlex

    kept = apply_state.keep(connection.uri, domain.uuid, edited.before)
    try:
        replace(connection, domain, edited.before, edited.after, validate=True)
    except RefusedError:
        kept.drop()
        raise
    except HostError as error:
        raise HostError(error.message, f"{kept.before} has the definition of {domain.name} as it was") from error
    _remember(connection, domain, kept)
    place = () if connection.uri == DEFAULT_URI else ("--connect", connection.uri)
    say_sentence(f"redefined {domain.name}; the previous definition is in {kept.before}")
    say(f"to go back: {shlex.join(('hvctl', 'apply', '--undo', domain.name, *place))}")
    say_when(connection, domain)
    return 0


def _remember(connection: Connection, domain: Domain, kept: Kept) -> None:
    """Keep what libvirt has made of the new definition; without it --undo asks for --yes."""
    try:
        apply_state.write(kept.after, definition(connection, connection.domain(domain.name)))
    except HostError as error:
        say_sentence(f"note: what libvirt has made of it is not kept, so that --undo will need --yes: {error.message}")


def _undo(connection: Connection, name: str, how: How) -> int:
    domain = connection.domain(name)
    kept = apply_state.newest(connection.uri, domain.uuid, say_sentence)
    if kept is None:
        raise RefusedError(f"there is nothing to undo: hvctl keeps no older definition of {name}")
    before, now = kept.definition, definition(connection, domain)
    if now == before:
        say(f"{name} is as it was before: nothing to do")
        if not how.dry_run:
            kept.drop()
        return 0
    ours = now == kept.made
    if not ours and not (how.yes or how.dry_run):
        raise RefusedError(
            f"{name} was changed by someone else since hvctl did, and that would be lost",
            "see the difference with --dry-run; --yes puts the old definition back all the same",
        )
    show_difference(now, before, name)
    if how.dry_run:
        return 1
    if not ours:
        say_sentence(f"{kept.overwritten(now)} has the definition that is overwritten")
    # Not validated against the schema: libvirt has taken it before.
    replace(connection, domain, now, before, validate=False)
    kept.drop()
    say(f"{name} is defined as it was before")
    say_when(connection, domain)
    return 0
