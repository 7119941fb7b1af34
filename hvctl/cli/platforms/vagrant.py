"""What `hvctl gen --for vagrant` writes."""

from hvctl import api
from hvctl.cli.inputs.hosts import pool_of
from hvctl.cli.inputs.plans import with_uses
from hvctl.cli.options import check_stdin
from hvctl.cli.platforms import Request
from hvctl.cli.platforms.delivery import Written, check_plain, deliver, refuse
from hvctl.guest import vagrant


def write(request: Request) -> int:
    """Write the lines of a Vagrantfile's libvirt block; see `platforms.write`."""
    profile, wanted = request.profile, request.wanted
    check_plain("vagrant", request)
    check_stdin(*(word for word in (profile, *wanted.hosts) if word))
    loaded = with_uses(profile, wanted.uses)
    pool = pool_of(wanted.hosts, wanted.qemu_binary, libvirt=True)
    plan = api.resolve(loaded, pool, machine=wanted.machine, platform=vagrant.PLATFORM)
    if plan.refusals:
        return refuse(request, plan, ("vagrantfile",))
    found = vagrant.lines(plan)
    text = "".join(f"{line}\n" for line in found)
    return deliver(request, Written(plan, pool, text, {"vagrantfile": list(found)}, vagrant.lost(plan)))
