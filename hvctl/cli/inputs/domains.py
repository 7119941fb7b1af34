"""Domains that a plan is put into: an XML file, or the definition in a libvirt; and the host of that libvirt."""

import re
from collections.abc import Sequence

from hvctl import api
from hvctl.api import Edited
from hvctl.catalog import BY_ID, roles
from hvctl.catalog.placement import PanicDevice
from hvctl.catalog.windows import GPU
from hvctl.cli.inputs.hosts import read_hosts
from hvctl.cli.output import echo, say_sentence
from hvctl.errors import RefusedError
from hvctl.libvirt.connection import Connection, Domain, is_local
from hvctl.libvirt.errors import load
from hvctl.model.guest import Guest
from hvctl.model.host import Host
from hvctl.model.plan import UNNAMED, EditOptions, Outcome, Plan
from hvctl.model.profile import Ask, Profile
from hvctl.xml.document import Document

# <graphics passwd='...'>: what libvirt gives only where secrets are asked for (libvirt:src/conf/domain_conf.c,
# virDomainGraphicsAuthDefFormatAttr). It writes every attribute in single quotes.
_PASSWORD = re.compile(r"(\bpasswd=)'[^']*'")


def open_domain(path: str, profile: Profile) -> Document:
    """Read a domain file; what is in its `<devices>` only where the profile may have something to add there."""
    from hvctl.xml.reader import parse_file

    adds = any(wish.ask is not Ask.OFF and isinstance(BY_ID[wish.id].libvirt, PanicDevice) for wish in profile.wishes)
    return parse_file(path, shallow=not adds)


def edit(profile: Profile, pool: tuple[Host, ...], document: Document, options: EditOptions) -> Edited:
    """Put what a profile becomes on a pool into a domain.

    Raises:
        InputError: the file is no domain that can be edited.
        RefusedError: a host cannot give what the profile demands.
    """
    edited = api.edit_domain(document, profile, pool, options)
    _say(edited.guest, document, edited.plan, options)
    _say_removed(edited, document)
    _say_left(edited, document, options)
    return edited


def definition(connection: Connection, domain: Domain, *, secrets: bool = True) -> bytes:
    """The definition of a domain, with its passwords unless they are not wanted.

    Raises:
        RefusedError: it has none of its own.
    """
    persistent = connection.ask(f"whether {domain.name} is defined", lambda _: bool(domain.handle.isPersistent()))
    if not persistent:
        raise RefusedError(f"{domain.name} is transient: it is gone when it stops, and has no definition to change")
    return connection.xml(domain, definition=True, secrets=secrets).encode()


def show_difference(before: bytes, after: bytes, name: str) -> None:
    """Print the difference of two definitions, with passwords masked."""
    from hvctl.text.writing import unified

    echo(_PASSWORD.sub(r"\1'***'", unified(before, after, name)))


def replace(connection: Connection, domain: Domain, before: bytes, after: bytes, *, validate: bool) -> None:
    """Redefine a domain, if its definition is still what it was when it was read.

    Raises:
        RefusedError: it is not, or libvirt refuses the new one; nothing was changed.
        HostError: libvirt did not answer, and may have changed it or not.
    """
    if definition(connection, domain) != before:
        raise RefusedError(
            f"{domain.name} was changed by someone else meanwhile; nothing was overwritten",
            "run the command again, and look at the new difference",
        )
    flags = load().VIR_DOMAIN_DEFINE_VALIDATE if validate else 0
    connection.ask(
        f"to define {domain.name}",
        lambda _: bool(connection.handle.defineXMLFlags(after.decode(), flags)),
        refusal=f"libvirt refuses the new definition of {domain.name}",
    )


def say_when(connection: Connection, domain: Domain) -> None:
    """Say when the guest gets a new definition, where that is not at once."""
    if domain.running:
        say_sentence(
            f"{domain.name} is running: this takes effect at its next start; a reboot inside the guest is not enough "
            "(see `hvctl explain changes`)"
        )
    if is_saved(connection, domain):
        say_sentence(
            f"{domain.name} has a saved state, which the next start restores as it was (see virsh managedsave-remove)"
        )


def is_saved(connection: Connection, domain: Domain) -> bool:
    """Whether the next start restores a guest with the definition that it was saved with."""
    return connection.ask(f"whether {domain.name} is saved", lambda _: bool(domain.handle.hasManagedSaveImage()))


def libvirt_host(connection: Connection, name: str | None = None) -> Host:
    """The host of a libvirt, as far as that tells.

    Raises:
        HostError: it does not answer as libvirt does, or has no KVM for x86_64.
    """
    from hvctl.host.libvirt_capabilities import ARCH, Answers, read_answers
    from hvctl.text.json_fields import is_line

    called = name or connection.hostname()
    return read_answers(Answers(*connection.capabilities(ARCH)), called if is_line(called) else connection.uri)


def pool_beside(hosts: Sequence[str], connection: Connection) -> tuple[Host, ...]:
    """The hosts of files; without any this machine where the URI means it, else the libvirt's as far as that tells."""
    if hosts:
        return read_hosts(hosts).representatives()
    return (api.this_host(option="--host") if is_local(connection.uri) else libvirt_host(connection),)


def _say_removed(edited: Edited, document: Document) -> None:
    """Name what is on in the domain and will not be any more, with the reasons; not what is told as left out anyway."""
    from hvctl.guest.domain.reader import read_domain

    after = read_domain(edited.after, document.path).enabled()
    covers = any(BY_ID[row_id].takes_all for row_id in after)
    reasons: dict[str, list[str]] = {}
    for one in edited.plan.decisions:
        gone = one.id in edited.guest.on and one.id not in after
        if gone and one.asked != Ask.PREFER and not (covers and BY_ID[one.id].in_passthrough):
            reasons.setdefault(one.reason, []).append(one.id)
    for reason, ids in reasons.items():
        keep = "; --keep-others keeps what the profile does not name" if reason == UNNAMED else ""
        say_sentence(f"removed: {', '.join(ids)}: {reason}{keep}")


def _say_left(edited: Edited, document: Document, options: EditOptions) -> None:
    """Name what stays on by `-global` or `-cpu` in `<qemu:commandline>`: what stands there is not hvctl's to remove."""
    from hvctl.guest.domain.commandline import NAMESPACE
    from hvctl.guest.domain.reader import find_domain, read_domain

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


def _say(guest: Guest, document: Document, plan: Plan, options: EditOptions) -> None:
    from hvctl.catalog.cpu_models import PLAIN
    from hvctl.guest.domain.edit import decisions_without_element
    from hvctl.guest.domain.reader import find_domain

    for doubt in guest.doubts:
        say_sentence(f"note: {doubt}")
    if guest.may_have_gpu:
        _say_hiding(guest, plan)
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


def _say_hiding(guest: Guest, plan: Plan) -> None:
    """Name what hides the hypervisor from the driver of an assigned device, and whether it stays."""
    device = next(device.name for device in guest.devices if not device.network)
    values = {decision.id: decision.value for decision in plan.enabled()}
    found = {row.id: values.get(row.id) == guest.on[row.id].value for row in roles.NAMES if row.id in guest.on}
    if guest.hidden:
        found["kvm hidden"] = plan.cpu.hidden
    kept, gone = ([name for name, stays in found.items() if stays is wanted] for wanted in (True, False))
    about = f"assigned device {device or 'without an address'} may be a GPU (see `hvctl explain {GPU}`)"
    if kept:
        say_sentence(f"note: {about}; kept for its driver: {', '.join(kept)}")
    if gone:
        say_sentence(f"note: {about}; profile {plan.profile} changes or removes: {', '.join(gone)}")
