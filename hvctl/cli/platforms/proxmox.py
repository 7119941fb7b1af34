"""What `hvctl gen --for proxmox` writes: a CPU model of Proxmox VE's, or `args:`, and the command that sets it."""

import re
from shlex import join
from typing import Any, NamedTuple

from hvctl import api
from hvctl.catalog import proxmox
from hvctl.catalog.windows import system_of
from hvctl.cli.inputs.hosts import pool_of
from hvctl.cli.inputs.plans import say_plan, with_uses
from hvctl.cli.options import check_stdin
from hvctl.cli.output import say_sentence, write_result
from hvctl.cli.platforms import Request, upstream
from hvctl.errors import UsageError
from hvctl.guest.proxmox.layer import Target, platform
from hvctl.guest.proxmox.writer import custom_model, set_arguments, set_cpu
from hvctl.model.host import Host
from hvctl.model.plan import Plan
from hvctl.model.profile import Profile

# As PVE takes the name of a section (proxmox/pve-common:src/PVE/JSONSchema.pm, `pve-configid`).
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{1,63}")
_FILE = "/etc/pve/virtual-guest/cpu-models.conf"
# It would replace the model.
_REMOVE = "remove any -cpu from args: of the guest"


class Written(NamedTuple):
    """A plan with what Proxmox VE is told: a section of its models' file, empty where none is needed, the words of a
    command, and sentences about what neither says. Without words the plan is refused."""

    plan: Plan
    pool: tuple[Host, ...]
    section: str = ""
    command: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = ()

    def text(self) -> str:
        """What is put into the models' file, with the command as a comment; or the command."""
        command = join(self.command)
        if self.section:  # after an empty line: without one PVE takes it for a part of the section before
            return f"# Append this to {_FILE}, {_REMOVE}, and run:\n# {command}\n\n{self.section}\n"
        before = "This replaces all that args: of the guest has" if "--args" in self.command else _REMOVE.capitalize()
        return f"# {before}:\n{command}\n"

    def json(self) -> dict[str, Any]:
        """The object that `--format json` prints."""
        from hvctl.report.plan import plan_json

        leaves = () if self.plan.refusals else api.predict_leaves(self.plan, self.pool[0])
        return {
            **plan_json(self.plan, argv=None, xml=None, leaves=leaves),
            "section": self.section or None,
            "command": list(self.command) or None,
            "left_out": list(self.unsaid),
        }


def write(request: Request) -> int:
    """Write a section, or a command; see `platforms.write`."""
    written = _generate(request)
    say_plan(written.plan, explain=request.explain)
    for sentence in written.unsaid:
        say_sentence(f"not written: {sentence}")
    if request.output_format == "json":
        from hvctl.text.json_document import dump

        write_result(dump(written.json()), request.output)
        return int(bool(written.plan.refusals))
    api.check(written.plan)
    write_result(written.text(), request.output)
    return 0


def _generate(request: Request) -> Written:
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
        return Written(plan, pool)
    if layer is None:
        return Written(plan, pool, command=set_arguments(plan, target, own["vmid"]))
    found = custom_model(plan, target, wanted.name or f"hvctl-{re.sub('[^A-Za-z0-9_-]+', '-', loaded.name)}"[:64])
    return Written(plan, pool, found.section, set_cpu(plan, target, found.cpu, own["vmid"]), found.unsaid)


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
