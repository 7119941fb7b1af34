"""A plan as a profile of Incus, which passes on to QEMU what its own keys cannot say."""

import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple

from hvctl.catalog import machines
from hvctl.catalog.incus import BIOS, KEY, MEMORY, OWN_CPU, VCPUS
from hvctl.catalog.windows import system_of
from hvctl.guest.command.writer import words
from hvctl.guest.plan import guest_of
from hvctl.model.plan import Plan


class IncusProfile(NamedTuple):
    """A profile as `incus profile show` has it, and sentences on what it drops."""

    tree: Mapping[str, Any]
    notes: tuple[str, ...]


def incus_profile(plan: Plan, *, memory_mib: int | None = None, vcpus: int | None = None) -> IncusProfile:
    """The profile for a usable plan, whose machine is of the type that Incus makes."""
    config = {KEY: raw_qemu(plan)}
    if needs_bios(plan):
        config |= BIOS
    if memory_mib:
        config[MEMORY] = f"{memory_mib}MiB"
    if vcpus:
        config[VCPUS] = str(vcpus)
    tree = {"config": config, "description": f"Hyper-V enlightenments of hvctl's {plan.profile}", "devices": {}}
    return IncusProfile(tree, tuple(_notes(plan)))


def raw_qemu(plan: Plan) -> str:
    """QEMU's options, one on each line. Where the plan does not settle the version of the machine, Incus does."""
    guest = guest_of(plan)
    if guest.machine in machines.FAMILIES:
        guest.machine = None
    found = words(guest)
    return "\n".join(shlex.join(found[at : at + 2]) for at in range(0, len(found), 2))


def needs_bios(plan: Plan) -> bool:
    """Whether the guest's Windows cannot bear by UEFI, which Incus boots by, what the plan turns on."""
    return bool(plan.enabled()) and system_of(plan.os).harmed_by_uefi


def _notes(plan: Plan) -> list[str]:
    notes = [f"QEMU takes the last -cpu, which is that of {KEY}, and nothing of Incus's own"]
    if needs_bios(plan):
        keys = " and ".join(f"{key}: {value}" for key, value in BIOS.items())
        notes.append(
            f"{keys} are written: {system_of(plan.os).title} hangs at a black screen with UEFI, several vCPUs and any "
            "enlightenment; an instance that was installed by UEFI cannot have this profile"
        )
    wanted = {name for name, on in plan.cpu.features if on}
    for own in OWN_CPU:
        if own.feature not in wanted:
            notes.append(f"Incus's `{own.words}` ({own.when}) has no effect: {own.instead}")
    return [*notes, f"an instance that has {KEY} itself, or from a later profile, gets that one instead of this"]


def to_yaml(tree: Mapping[str, Any]) -> str:
    """A profile as YAML, text of several lines as such; ends in a newline."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    def text_of(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)

    Dumper.add_representer(str, text_of)
    written: str = yaml.dump(dict(tree), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)
    return written
