"""What `hvctl gen --for proxmox` writes: a CPU model of Proxmox VE's, or `args:`, and the command that sets it."""

import re
from collections.abc import Sequence
from shlex import join

from hvctl import api
from hvctl.catalog import proxmox
from hvctl.catalog.windows import system_of
from hvctl.cli.inputs.hosts import pool_of
from hvctl.cli.inputs.plans import with_uses
from hvctl.cli.options import check_stdin
from hvctl.cli.output import say_sentence
from hvctl.cli.platforms import Request, upstream
from hvctl.cli.platforms.delivery import Written, deliver, refuse
from hvctl.errors import UsageError
from hvctl.guest.proxmox.layer import Target, platform
from hvctl.guest.proxmox.writer import Written as Model
from hvctl.guest.proxmox.writer import custom_model, set_arguments, set_cpu
from hvctl.model.host import Host
from hvctl.model.plan import Plan
from hvctl.model.profile import Profile

# As PVE takes the name of a section (proxmox/pve-common:src/PVE/JSONSchema.pm, `pve-configid`).
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{1,63}")
_FILE = "/etc/pve/virtual-guest/cpu-models.conf"
# It would replace the model.
_REMOVE = "remove any -cpu from args: of the guest"


def write(request: Request) -> int:
    """Write a section, or a command; see `platforms.write`."""
    profile, wanted, own = request.profile, request.wanted, request.own
    _check(request)
    check_stdin(*(word for word in (profile, *wanted.hosts) if word))
    loaded = with_uses(profile, wanted.uses)
    target = _target(request, loaded)
    if own["bios"] is not None:
        loaded = loaded._replace(harmed=own["bios"] == "ovmf" and system_of(loaded.os).harmed_by_uefi)
    pool = pool_of(wanted.hosts, wanted.qemu_binary, libvirt=False)
    layer = platform(loaded, target) if own["how"] != "args" else None
    plan = api.resolve(loaded, pool, machine=upstream("proxmox", wanted.machine), platform=layer)
    if plan.refusals:
        return refuse(request, plan, ("section", "command"))
    if layer is None:
        return _deliver(request, plan, pool, set_arguments(plan, target, own["vmid"]))
    found = custom_model(plan, target, wanted.name or f"hvctl-{re.sub('[^A-Za-z0-9_-]+', '-', loaded.name)}"[:64])
    return _deliver(request, plan, pool, set_cpu(plan, target, found.cpu, own["vmid"]), found)


def _deliver(
    request: Request, plan: Plan, pool: Sequence[Host], words: Sequence[str], model: Model | None = None
) -> int:
    """Write what is put into the models' file, with the command as a comment; or the command."""
    command = join(words)
    if model and model.section:  # after an empty line: without one PVE takes it for a part of the section before
        text = f"# Append this to {_FILE}, {_REMOVE}, and run:\n# {command}\n\n{model.section}\n"
    else:
        before = "This replaces all that args: of the guest has" if "--args" in words else _REMOVE.capitalize()
        text = f"# {before}:\n{command}\n"
    tree = {"section": (model.section if model else "") or None, "command": list(words)}
    return deliver(request, Written(plan, pool, text, tree, model.unsaid if model else ()))


def _check(request: Request) -> None:
    """Raise UsageError for options that do nothing here, and for what cannot be the name of a model."""
    wanted = request.wanted
    if idle := [f"--{name}" for name in ("memory", "vcpus") if getattr(wanted, name) is not None]:
        raise UsageError(f"{' and '.join(idle)}: not with --for proxmox")
    if wanted.name is None:
        return
    if request.own["how"] == "args":
        raise UsageError("--name: not with --how args, which writes no CPU model")
    if not _NAME.fullmatch(wanted.name) or wanted.name.startswith("custom-"):
        hint = "name one with --name: a letter, then letters, digits, - and _, without custom- before it"
        raise UsageError(f"no CPU model can have the name {wanted.name!r}", hint)


def _target(request: Request, profile: Profile) -> Target:
    """The guest that is written for; what is assumed of it is reported."""
    ostype, usual = request.own["ostype"], proxmox.RELEASES[profile.os]
    if ostype is None and not proxmox.OS_TYPES[usual].windows:
        hint = "write --ostype win11, or that of its release, for a Windows"
        say_sentence(f"note: ostype {usual} is assumed: profile {profile.name} names no operating system; {hint}")
    elif ostype not in (None, usual) and profile.os != "other":
        title = system_of(profile.os).title
        say_sentence(f"note: profile {profile.name} is for {title}, whose ostype is {usual}, not {ostype}")
    machine = request.wanted.machine
    if machine is None and proxmox.parse_version(profile.machine):
        machine = profile.machine
    return Target(ostype or usual, request.own["bios"], machine)
