"""What `hvctl gen --for incus` writes."""

from collections.abc import Iterator, Sequence

from hvctl import api
from hvctl.catalog.incus import FAMILY
from hvctl.catalog.machines import FAMILIES
from hvctl.cli.inputs.hosts import pool_of
from hvctl.cli.inputs.plans import with_uses
from hvctl.cli.options import check_stdin
from hvctl.cli.platforms import Request
from hvctl.cli.platforms.delivery import Written, deliver, refuse
from hvctl.errors import UsageError
from hvctl.guest.incus import incus_profile, to_yaml

_USE = (
    "A profile of Incus, for `incus profile create NAME < FILE` or `incus profile edit NAME < FILE`; "
    "then `incus profile add INSTANCE NAME`."
)


def write(request: Request) -> int:
    """Write a profile of Incus; see `platforms.write`."""
    wanted = request.wanted
    if wanted.name is not None:
        raise UsageError("--name: not with --for incus", "name the profile in `incus profile create NAME < FILE`")
    if wanted.machine is not None and not _is_theirs(wanted.machine):
        raise UsageError(f"--machine {wanted.machine}: Incus makes guests of type {FAMILY} only")
    check_stdin(*(word for word in (request.profile, *wanted.hosts) if word))
    loaded = with_uses(request.profile, wanted.uses)
    machine, lost = wanted.machine or loaded.machine, tuple[str, ...]()
    if not _is_theirs(machine):
        lost = (f"machine {machine}: Incus makes guests of type {FAMILY} only, with their devices on PCIe",)
        machine = FAMILY
    # Incus's profile gives such a guest BIOS firmware.
    loaded = loaded._replace(harmed=False)
    pool = pool_of(wanted.hosts, wanted.qemu_binary, libvirt=False)
    plan = api.resolve(loaded, pool, machine=machine)
    if plan.refusals:
        return refuse(request, plan, ("manifest",))
    found = incus_profile(plan, memory_mib=wanted.memory, vcpus=wanted.vcpus)
    text = "".join(f"# {line}\n" for line in _comments(found.notes, lost)) + to_yaml(found.tree)
    return deliver(request, Written(plan, pool, text, {"manifest": found.tree}, lost, found.notes))


def _comments(notes: Sequence[str], lost: Sequence[str]) -> Iterator[str]:
    from hvctl.report.console import wrapped
    from hvctl.text.problems import printable

    for sentence in (_USE, *notes, *(f"not written: {one}" for one in lost)):
        yield from wrapped(printable(sentence), 118, following=2)


def _is_theirs(machine: str) -> bool:
    return machine == FAMILY or machine.startswith(FAMILIES[FAMILY])
