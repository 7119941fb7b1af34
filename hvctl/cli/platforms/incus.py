"""What `hvctl gen --for incus` writes."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from hvctl import api
from hvctl.catalog.incus import FAMILY
from hvctl.catalog.machines import FAMILIES
from hvctl.cli.inputs.hosts import pool_of
from hvctl.cli.inputs.plans import say_plan, with_uses
from hvctl.cli.options import check_stdin
from hvctl.cli.output import say_sentence, write_result
from hvctl.cli.platforms import Request
from hvctl.errors import UsageError
from hvctl.guest.incus import IncusProfile, incus_profile, to_yaml
from hvctl.model.host import Host
from hvctl.model.plan import Plan

_USE = (
    "A profile of Incus, for `incus profile create NAME < FILE` or `incus profile edit NAME < FILE`; "
    "then `incus profile add INSTANCE NAME`."
)


class Written(NamedTuple):
    """A plan, and its profile of Incus, None where the plan is refused; `lost` is what that cannot say."""

    plan: Plan
    pool: tuple[Host, ...]
    profile: IncusProfile | None
    lost: tuple[str, ...]

    def text(self) -> str:
        """The profile as YAML, with what there is to say about it as comments."""
        assert self.profile is not None, "checked"
        return "".join(f"# {line}\n" for line in self._comments()) + to_yaml(self.profile.tree)

    def _comments(self) -> Iterator[str]:
        from hvctl.report.console import wrapped
        from hvctl.text.problems import printable

        notes = self.profile.notes if self.profile else ()
        for sentence in (_USE, *notes, *(f"not written: {one}" for one in self.lost)):
            yield from wrapped(printable(sentence), 118, following=2)

    def json(self) -> dict[str, Any]:
        """The object that `--format json` prints."""
        from hvctl.report.plan import plan_json

        leaves = () if self.plan.refusals else api.predict_leaves(self.plan, self.pool[0])
        return {
            **plan_json(self.plan, argv=None, xml=None, leaves=leaves),
            "manifest": self.profile and self.profile.tree,
            "left_out": list(self.lost),
        }


def write(request: Request) -> int:
    """Write a profile of Incus; see `platforms.write`."""
    written = _generate(request)
    say_plan(written.plan, explain=request.explain)
    if written.profile is not None:
        for sentence in written.lost:
            say_sentence(f"not written: {sentence}")
        for sentence in written.profile.notes:
            say_sentence(f"note: {sentence}")
    if request.output_format == "json":
        from hvctl.text.json_document import dump

        write_result(dump(written.json()), request.output)
        return 1 if written.profile is None else 0
    api.check(written.plan)
    write_result(written.text(), request.output)
    return 0


def _generate(request: Request) -> Written:
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
    profile = None if plan.refusals else incus_profile(plan, memory_mib=wanted.memory, vcpus=wanted.vcpus)
    return Written(plan, pool, profile, lost)


def _is_theirs(machine: str) -> bool:
    return machine == FAMILY or machine.startswith(FAMILIES[FAMILY])
