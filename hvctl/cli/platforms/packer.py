"""What `hvctl gen --for packer` writes: the qemuargs of its QEMU builder."""

from collections.abc import Sequence

from hvctl import api
from hvctl.cli.inputs.hosts import pool_of
from hvctl.cli.inputs.plans import with_uses
from hvctl.cli.options import check_stdin
from hvctl.cli.platforms import Request
from hvctl.cli.platforms.delivery import Written, check_plain, deliver, refuse
from hvctl.errors import UsageError

# What packer renders as a template (packer-plugin-qemu builder/qemu/step_run.go, processArgs()): in a JSON template
# twice, as observed with packer 1.6.6.
_TEMPLATE = "{{"
_NOTE = "-machine here replaces the template's machine_type and accelerator"


def write(request: Request) -> int:
    """Write an object with the arguments in pairs; see `platforms.write`."""
    profile, wanted = request.profile, request.wanted
    check_plain("packer", request)
    check_stdin(*(word for word in (profile, *wanted.hosts) if word))
    loaded = with_uses(profile, wanted.uses)
    pool = pool_of(wanted.hosts, wanted.qemu_binary, libvirt=False)
    plan = api.resolve(loaded, pool, machine=wanted.machine)
    if plan.refusals:
        return refuse(request, plan, ("qemuargs",))
    found = pairs(api.arguments(plan))
    return deliver(request, Written(plan, pool, _text(found), {"qemuargs": found}, notes=(_NOTE,)))


def pairs(words: Sequence[str]) -> list[list[str]]:
    """Options, each with its value. One in qemuargs replaces packer's own, which names the accelerator in -machine
    (packer-plugin-qemu builder/qemu/step_run.go, getDefaultArgs() and applyUserOverrides())."""
    found = []
    for option, value in zip(words[::2], words[1::2], strict=True):
        if option == "-machine":
            value = f"{value},accel=kvm"
        if _TEMPLATE in value:
            raise UsageError(f"packer takes {_TEMPLATE} in {option} {value} for a template", "choose another value")
        found.append([option, value])
    return found


def _text(found: Sequence[Sequence[str]]) -> str:
    """An object without anything else, as packer refuses what it does not know; a line for each pair."""
    import json

    lines = ",\n".join(f"    {json.dumps(pair)}" for pair in found)
    return f'{{\n  "qemuargs": [\n{lines}\n  ]\n}}\n'
