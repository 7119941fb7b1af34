"""`hvctl gen PROFILE --domain FILE`: a plan put into a domain XML that is there."""

from __future__ import annotations

from typing import NamedTuple

from hvctl.catalog import BY_ID
from hvctl.cli.options import say_sentence
from hvctl.errors import RefusedError, UsageError
from hvctl.guest.domain.edit_options import Options
from hvctl.model.guest import Guest
from hvctl.model.host import Host
from hvctl.model.plan import Outcome, Plan
from hvctl.model.profile import Profile
from hvctl.xml.source import Document


class Target(NamedTuple):
    """A domain file and where the edited one goes."""

    path: str
    output: str | None
    in_place: bool
    diff: bool
    options: Options


class Edited(NamedTuple):
    """The domain before and after."""

    before: bytes
    after: bytes
    plan: Plan


def check_target(target: Target) -> None:
    """Raise UsageError for destinations that do not go together."""
    named = [
        word for word, on in (("-o", target.output), ("--in-place", target.in_place), ("--diff", target.diff)) if on
    ]
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named)} do not go together", "name one of them")
    if target.path == "-" and target.in_place:
        raise UsageError("--in-place needs a file: --domain - is stdin")


def open_domain(path: str, name: str, profile: Profile) -> Document:
    """Read a domain file; what is in its `<devices>` only where the profile may have something to add there."""
    from hvctl.model.profile import Ask
    from hvctl.xml.source import parse, read

    places = [BY_ID[wish.id].libvirt for wish in profile.wishes if wish.ask is not Ask.OFF]
    adds = any(place and place.path.startswith("panic:") for place in places)
    return parse(read(path), name, shallow=not adds)


def edit(profile: Profile, pool: tuple[Host, ...], document: Document, options: Options) -> Edited:
    """Put what a profile becomes on a pool into a domain.

    Raises:
        InputError: the file is no domain that can be edited.
        RefusedError: a host cannot give what the profile demands.
    """
    from hvctl.cli.talk import refuse
    from hvctl.guest.domain.edit import edit_domain
    from hvctl.guest.domain.profile import for_domain, keeps_model
    from hvctl.guest.domain.strict import guest_of_document
    from hvctl.plan.resolve import resolve

    guest = guest_of_document(document)
    plan = resolve(for_domain(profile, guest), pool, libvirt=True, commandline=options.commandline)
    try:
        refuse(plan)
    except RefusedError as error:
        if not options.commandline and any(one.id in BY_ID and not BY_ID[one.id].libvirt for one in plan.refusals):
            error.hint = "--qemu-commandline passes to QEMU what libvirt has no element for"
        raise
    options = options._replace(keep_model=keeps_model(profile, guest))
    _say(guest, document, plan, options)
    edited = Edited(document.data, edit_domain(document, plan, options), plan)
    _say_left(edited, document, options)
    return edited


def _say_left(edited: Edited, document: Document, options: Options) -> None:
    """Name what stays on by `-global` or `-cpu` in `<qemu:commandline>`: what stands there is not hvctl's to remove."""
    from hvctl.guest.domain.strict import find_domain, read_domain
    from hvctl.guest.domain.strict_commandline import NAMESPACE

    if all(child.namespace != NAMESPACE for child in find_domain(document).children):
        return
    on = read_domain(edited.after, document.path).enabled()
    left = [
        one.id
        for one in edited.plan.decisions
        if one.state is not Outcome.ON and one.id in on and (one.asked or not options.keep_others)
    ]
    if left:
        say_sentence(f"note: {', '.join(left)} stays on by <qemu:commandline>, of which hvctl takes nothing out")


def _say(guest: Guest, document: Document, plan: Plan, options: Options) -> None:
    from hvctl.catalog.cpu_models import PLAIN
    from hvctl.guest.domain.edit import decisions_without_element
    from hvctl.guest.domain.strict import find_domain

    for doubt in guest.doubts:
        say_sentence(f"note: {doubt}")
    if plan.cpu.model == PLAIN and not find_domain(document).named("cpu"):
        say_sentence(
            f"note: the domain names no CPU, so the guest has QEMU's {PLAIN}; `cpu: host` in a profile would change it"
        )
    through = [decision.id for decision in decisions_without_element(plan)] if options.commandline else []
    if through:
        say_sentence(
            f"note: {', '.join(through)} through <qemu:commandline>: libvirt marks the domain as tainted, "
            "and its check of the ABI before a migration does not look at it"
        )


def deliver(edited: Edited, target: Target, name: str) -> int:
    """Write the edited domain, or the difference; the exit code."""
    from hvctl.cli.files import write_result

    if target.diff:
        from hvctl.report.diff import unified

        write_result(unified(edited.before, edited.after, name), None)
        return int(edited.before != edited.after)
    if target.in_place:
        if edited.before != edited.after:
            write_result(edited.after, target.path)
        return 0
    write_result(edited.after, target.output)
    return 0
