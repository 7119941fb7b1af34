"""The machine type that every host of a pool has."""

from collections.abc import Sequence
from typing import NamedTuple

from hvctl.catalog import machines
from hvctl.model.host import Host, MachineType, Qemu
from hvctl.model.plan import Machine


class NoMachine(NamedTuple):
    """Why there is no common machine type; `host` is the one that lacks it, None where it is the pool."""

    reason: str
    host: str | None
    remedy: str


def choose(wanted: str, pool: Sequence[Host]) -> Machine | NoMachine:
    """The versioned type for `wanted`, a family (`q35`, `pc`) or a type.

    A family becomes the newest upstream version that the first QEMU of every host has; a vendor's own type is taken
    only where it is the alias's target on every host.
    """
    known = [{kind.name: kind for kind in host.qemu[0].machines} for host in pool]
    if wanted not in machines.FAMILIES:
        return _exact(wanted, pool, known)
    common = set(known[0]).intersection(*known[1:])
    versions = {
        version: name
        for name in common
        if name.startswith(machines.FAMILIES[wanted]) and (version := machines.version(name)) is not None
    }
    if versions:
        return _machine(versions[max(versions)], known)
    targets = {frozenset(kind.name for kind in types.values() if kind.alias == wanted) for types in known}
    if len(targets) == 1 and len(target := targets.pop()) == 1:
        return _machine(next(iter(target)), known)
    return NoMachine(
        f"the hosts' QEMUs share no versioned {machines.FAMILIES[wanted]}* machine type",
        None,
        "name a machine type in the profile that every host has, or make the QEMU versions overlap",
    )


def _exact(wanted: str, pool: Sequence[Host], known: list[dict[str, MachineType]]) -> Machine | NoMachine:
    for host, types in zip(pool, known, strict=True):
        if wanted not in types:
            return NoMachine(
                f"QEMU {host.qemu[0].path} has no machine type {wanted}",
                host.label,
                f"its newest types are {', '.join(list(types)[-4:])}",
            )
    return _machine(wanted, known)


def _machine(name: str, known: list[dict[str, MachineType]]) -> Machine:
    answers = {types[name].hpet for types in known}
    return Machine(name, answers.pop() if len(answers) == 1 else None)


def canonical(name: str, qemu: Qemu) -> str | None:
    """The machine type that a QEMU makes of a type or an alias; None where it has neither."""
    for kind in qemu.machines:
        if name in (kind.name, kind.alias):
            return kind.name
    return None
