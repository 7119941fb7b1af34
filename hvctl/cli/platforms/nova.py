"""What `hvctl gen --for nova` writes."""

from hvctl import api
from hvctl.cli.inputs.hosts import pool_of
from hvctl.cli.inputs.plans import with_uses
from hvctl.cli.options import check_stdin
from hvctl.cli.platforms import Request
from hvctl.cli.platforms.delivery import Written, check_plain, deliver, refuse
from hvctl.guest import nova


def write(request: Request) -> int:
    """Write the commands that set an image's properties and a flavor's extra specs; see `platforms.write`."""
    profile, wanted = request.profile, request.wanted
    check_plain("nova", request)
    check_stdin(*(word for word in (profile, *wanted.hosts) if word))
    loaded = with_uses(profile, wanted.uses)
    pool = pool_of(wanted.hosts, wanted.qemu_binary, libvirt=True)
    layer = nova.platform(loaded)
    plan = api.resolve(nova.as_given(loaded), pool, machine=wanted.machine, platform=layer)
    plan = nova.judged(plan, loaded)
    if plan.refusals:
        return refuse(request, plan, ("image", "flavor", "nova_conf"))
    found = nova.specs(plan, loaded, traits=request.own["select"] == "traits")
    more = nova.given_only(plan, loaded)
    notes = (f"nova turns on {', '.join(more)}, too, which the profile does not name",) if more else ()
    tree = {"image": dict(found.image), "flavor": dict(found.flavor), "nova_conf": {"libvirt": dict(found.libvirt)}}
    return deliver(request, Written(plan, pool, nova.to_shell(found), tree, found.lost, notes))
