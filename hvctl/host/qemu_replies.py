"""What QEMU's replies mean, whoever asked: this machine's own, and those in a raw record."""

import signal
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from hvctl.catalog import ROWS, rank
from hvctl.catalog.roles import PREFIXES
from hvctl.host.hostfs import clean
from hvctl.model.host import MachineType, Qemu, Scalar

CPU = "max-x86_64-cpu"
WITHOUT_KVM = "with KVM it cannot be asked, so its CPU models are not known"
NO_KVM = f"{WITHOUT_KVM}: it cannot use /dev/kvm"
UNPRINTABLE = "a path that cannot be printed cannot be recorded"
_PASSTHROUGH = next(row for row in ROWS if row.takes_all)
MIGRATABLE: Mapping[str, bool] = {"migratable": True}
ALL_OF_THE_HOST: Mapping[str, bool] = {_PASSTHROUGH.properties[0].name: True, "migratable": False}
"""With these properties CPU model `host` is expanded."""
MOST_MACHINES = 500
_SIGHTED_OPTION = "run-with"
_ABSTRACT_MODELS = ("host", "max", "base")
_ID_OF = {known.name: row.id for row in ROWS for known in row.properties if known.type == "bool"}

Properties = Mapping[str, Scalar]


class ModelReplies(NamedTuple):
    """What only QEMU with KVM tells: CPU model `host` in full, with the properties above (None where this QEMU cannot
    say), and the named models that lack nothing."""

    expansion: Properties | None
    passthrough: Properties | None
    usable: tuple[str, ...]


class QemuReplies(NamedTuple):
    """What a QEMU told. `options` are the parameters of each option group; `hpet` says of the PC machine types whether
    they have the property of that name. `models` is None where it did not run with KVM."""

    version: tuple[int, int, int]
    properties: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, tuple[str, ...]], ...]
    machines: tuple[tuple[str, str | None], ...]
    hpet: Mapping[str, bool | None]
    models: ModelReplies | None = None


def decode_qemu(path: str, replies: QemuReplies) -> Qemu:
    """The binary at a path, by its replies."""
    machines = [MachineType(name, alias, replies.hpet.get(name)) for name, alias in replies.machines[:MOST_MACHINES]]
    models = replies.models
    return Qemu(
        path=path,
        version=".".join(map(str, replies.version)),
        properties=tuple(
            sorted(
                (known for known in replies.properties if known[0].startswith(PREFIXES)),
                key=lambda known: rank(known[0]),
            )
        ),
        options=_options(replies.options),
        machines=tuple(sorted(machines, key=_machine_order)),
        expansion=_plain(models.expansion) if models else None,
        passthrough=_enabled(models.passthrough) if models else None,
        models=tuple(sorted(set(models.usable).difference(_ABSTRACT_MODELS))) if models else None,
    )


def ended(code: int, last_words: str) -> str:
    """How a QEMU ended by itself, and what it last said."""
    known = {number.value: number.name for number in signal.Signals}
    how = f"killed by {known.get(-code, f'signal {-code}')}" if code < 0 else f"exit code {code}"
    return f"it ended ({how}){': ' if last_words else ''}{clean(last_words)}"


def unusable(reason: str) -> str:
    """The note on a binary that could not be asked."""
    return f"not a usable QEMU: {reason}"


def silent(seconds: float) -> str:
    """The note on a binary that did not answer in time."""
    return f"it was asked like a QEMU and gave no answer within {seconds:g} seconds"


def notes_on(path: str, notes: Iterable[str]) -> tuple[str, ...]:
    """The notes on a binary, as a host has them."""
    return tuple(f"{clean(path)}: {note}" for note in notes)


def has_hpet(properties: Collection[str] | None) -> bool | None:
    """Whether a machine type with these properties has an HPET that can be switched."""
    return None if properties is None else "hpet" in properties


def _options(groups: tuple[tuple[str, tuple[str, ...]], ...]) -> tuple[str, ...]:
    """Names of option groups, and `run-with.PARAMETER`: that group has grown by parameters."""
    names = {name for name, _ in groups}
    for name, parameters in groups:
        if name == _SIGHTED_OPTION:
            names.update(f"{name}.{parameter}" for parameter in parameters)
    return tuple(sorted(names - {""}))


def _machine_order(machine: MachineType) -> tuple[object, ...]:
    """By name, numbers in it by their value."""
    words = "".join(character if character.isdigit() else f" {character} " for character in machine.name).split()
    return tuple((0, int(word), "") if word.isdecimal() else (1, 0, word) for word in words)


def _plain(properties: Properties | None) -> tuple[tuple[str, Scalar], ...] | None:
    """All but Hyper-V's, sorted: what tells one host's CPU from another's."""
    if properties is None:
        return None
    return tuple((name, value) for name, value in sorted(properties.items()) if not name.startswith(PREFIXES))


def _enabled(properties: Properties | None) -> tuple[str, ...] | None:
    """The ids whose properties are on, in the catalog's order, but the one that was asked for."""
    if properties is None:
        return None
    on = {_ID_OF.get(name) for name, value in properties.items() if value is True}
    return tuple(row.id for row in ROWS if row.id in on and row is not _PASSTHROUGH)
