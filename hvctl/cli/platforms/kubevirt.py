"""What `hvctl gen --for kubevirt` writes."""

import re

from hvctl import api
from hvctl.cli.editing import Target, check_target
from hvctl.cli.editing import deliver as deliver_edited
from hvctl.cli.inputs.hosts import pool_of
from hvctl.cli.inputs.plans import Wanted, say_plan, with_uses
from hvctl.cli.options import check_stdin
from hvctl.cli.output import say_sentence
from hvctl.cli.platforms import Request
from hvctl.cli.platforms.delivery import Written, deliver, refuse
from hvctl.errors import UsageError
from hvctl.guest.kubevirt.crd import NEWEST, Api, platform, read_crds
from hvctl.guest.kubevirt.manifest import Kind, Options, Select, manifest, to_yaml

# Of an object (RFC 1123), and of the tz database.
_NAME = r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"
_ZONE = r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}"


def write(request: Request) -> int:
    """Write an object, or edit one; see `platforms.write`."""
    own, wanted = request.own, request.wanted
    if request.target is None:
        return _generate(request, own["kind"] or "patch", own["select"] or "none")
    given = {**own, "into": None, "crd": None, "timezone": None}
    given |= {"name": wanted.name, "memory": wanted.memory, "vcpus": wanted.vcpus}
    if idle := [f"--{name}" for name, value in given.items() if value is not None]:
        raise UsageError(f"{' and '.join(idle)}: not with --into")
    if request.output_format != "text":
        raise UsageError(f"--format {request.output_format}: not with --into")
    target = request.target
    check_target(target, "--into")
    before, after = _edit(request, target)
    when = "this takes effect after `kubectl apply` and a restart of the guest (`virtctl restart`)"
    return deliver_edited(before, after, target, "<stdin>" if target.path == "-" else target.path, when)


def _generate(request: Request, kind: Kind, select: Select) -> int:
    profile, wanted = request.profile, request.wanted
    crd, timezone = request.own["crd"], request.own["timezone"]
    _check(wanted, kind, timezone, select)
    check_stdin(*(word for word in (profile, crd, *wanted.hosts) if word))
    loaded = with_uses(profile, wanted.uses)
    name = wanted.name or loaded.name
    if not re.fullmatch(_NAME, name) and (wanted.name or kind != "patch"):
        raise UsageError(
            f"no object can have the name {name!r}", "name one with --name: small letters, digits, - and ."
        )
    fields = _read_api(crd)
    machine = wanted.machine or loaded.machine
    options = Options(
        kind, name if wanted.name else None, timezone, select, machine, wanted.memory or api.MEMORY_MIB, wanted.vcpus
    )
    pool = pool_of(wanted.hosts, wanted.qemu_binary, libvirt=True)
    plan = api.resolve(loaded, pool, machine=wanted.machine, platform=platform(fields, preference=options.preference))
    if plan.refusals:
        return refuse(request, plan, ("manifest",))
    found = manifest(plan, options)
    return deliver(request, Written(plan, pool, to_yaml(found.tree), {"manifest": found.tree}, found.lost))


def _edit(request: Request, target: Target) -> tuple[bytes, bytes]:
    """The object of a file before and after a profile is put into it; what goes and what is left out is reported."""
    from hvctl.guest.kubevirt.edit import edit_machine, find_machine
    from hvctl.text.files import LARGEST_JSON, name_of, read

    profile, wanted, path = request.profile, request.wanted, target.path
    crd, timezone = request.own["crd"], request.own["timezone"]
    _check(wanted, "patch", timezone, "none")
    check_stdin(*(word for word in (profile, crd, path, *wanted.hosts) if word))
    loaded = with_uses(profile, wanted.uses)
    before = read(path, LARGEST_JSON)
    machine = find_machine(before.decode("utf-8", "surrogateescape"), name_of(path))
    pool = pool_of(wanted.hosts, wanted.qemu_binary, libvirt=True)
    layer = platform(_read_api(crd), preference=machine.homes[0].is_preference)
    plan = api.check(api.resolve(loaded, pool, machine=wanted.machine, platform=layer))
    options = Options(timezone=timezone, machine=wanted.machine or loaded.machine)
    edited = edit_machine(machine, plan, options, keep_others=target.options.keep_others)
    say_plan(plan, explain=request.explain)
    for doubt in machine.doubts:
        say_sentence(f"note: {doubt}")
    reasons: dict[str, list[str]] = {}
    for row_id, reason in edited.removed:
        reasons.setdefault(reason, []).append(row_id)
    for reason, ids in reasons.items():
        say_sentence(f"removed: {', '.join(ids)}: {reason}")
    for sentence in edited.lost:
        say_sentence(f"not written: {sentence}")
    return before, edited.text.encode("utf-8", "surrogateescape")


def _read_api(path: str | None) -> Api:
    """The fields of the cluster's KubeVirt, or of the newest that is known."""
    if path is None:
        return NEWEST
    from hvctl.text.files import LARGEST_XML, decode, name_of, read

    return read_crds(decode(read(path, LARGEST_XML), name_of(path)), name_of(path))


def _check(wanted: Wanted, kind: Kind, timezone: str | None, select: Select) -> None:
    sizes = [f"--{name}" for name, value in (("memory", wanted.memory), ("vcpus", wanted.vcpus)) if value]
    if sizes and kind != "vm":
        raise UsageError(f"{' and '.join(sizes)}: only with --kind vm")
    if select != "none" and kind in ("preference", "cluster-preference"):
        raise UsageError("--select: a preference selects no nodes", "write the selector into the VirtualMachine")
    if timezone is not None and not re.fullmatch(_ZONE, timezone):
        raise UsageError(f"--timezone cannot be {timezone!r}", "write a zone of the tz database, such as Europe/Berlin")
