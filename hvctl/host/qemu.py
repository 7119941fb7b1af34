"""What QEMU binaries know, asked over QMP: properties, options, machine types, and CPU models where KVM works.

Nothing an answer holds is believed unseen: types are checked, texts and lists bounded.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from qemu.qmp import ExecuteError

from hvctl.catalog import ROWS, machines, rank
from hvctl.catalog.roles import PREFIXES
from hvctl.host.hostfs import clean
from hvctl.host.qemu_process import BadReplyError, Monitor, ProbeError, listed, number, record, running, text
from hvctl.model.host import MachineType, Qemu, Scalar

LIMIT = 10.0
_CPU = "max-x86_64-cpu"
_SIGHTED_OPTION = "run-with"
_WITHOUT_KVM = "with KVM it cannot be asked, so its CPU models are not known"
_ABSTRACT_MODELS = ("host", "max", "base")
_MOST_MACHINES = 500
_PASSTHROUGH = next(row for row in ROWS if row.takes_all)
_ID_OF = {known.name: row.id for row in ROWS for known in row.properties if known.type == "bool"}


class QemuAnswers(NamedTuple):
    """The binaries that could be asked, and a note for each thing that could not."""

    qemu: tuple[Qemu, ...]
    notes: tuple[str, ...]


def probe_qemus(paths: Sequence[str], *, kvm: bool = True, limit: float = LIMIT) -> QemuAnswers:
    """Ask all binaries at the same time.

    Args:
        paths: absolute paths.
        kvm: whether to ask with KVM too.
        limit: seconds for each binary in all.
    """
    # Ctrl-C ends hvctl here as elsewhere, and its end is QEMU's (hvctl.host.watcher). A KeyboardInterrupt would have
    # asyncio cancel its tasks first, and two of them left tasks of qemu.qmp's behind, which complained (observed).
    return asyncio.run(_probe_all(paths, kvm=kvm, limit=limit))


async def _probe_all(paths: Sequence[str], *, kvm: bool, limit: float) -> QemuAnswers:
    answers = await asyncio.gather(*(_probe(path, kvm=kvm, limit=limit) for path in paths))
    return QemuAnswers(
        tuple(qemu for qemu, _ in answers if qemu),
        tuple(f"{clean(path)}: {note}" for path, (_, notes) in zip(paths, answers, strict=True) for note in notes),
    )


async def _probe(path: str, *, kvm: bool, limit: float) -> tuple[Qemu | None, list[str]]:
    if not path.isprintable():
        return None, ["a path that cannot be printed cannot be recorded"]
    notes: list[str] = []
    try:
        async with asyncio.timeout(limit):
            return await _ask_either(path, notes, kvm=kvm), notes
    except TimeoutError:
        return None, [*notes, f"it was asked like a QEMU and gave no answer within {limit:g} seconds"]
    except ProbeError as error:
        return None, [f"not a usable QEMU: {error}"]


async def _ask_either(path: str, notes: list[str], *, kvm: bool) -> Qemu:
    """One start if KVM works, with TCG to fall back to; a second one where QEMU dies of KVM."""
    if kvm:
        try:
            async with running(path, "kvm", "tcg") as monitor:
                return await _ask_all(monitor, path, notes)
        except ProbeError as error:
            if not error.exited:
                raise
            notes.append(f"{_WITHOUT_KVM}: {error}")
    async with running(path, "tcg") as monitor:
        return await _ask_general(monitor, path)


async def _ask_all(monitor: Monitor, path: str, notes: list[str]) -> Qemu:
    if (await _mapping(monitor, "query-kvm")).get("enabled") is not True:
        notes.append(f"{_WITHOUT_KVM}: it cannot use /dev/kvm")
        return await _ask_general(monitor, path)
    # CPU models before machine types: once objects of all PC machines have been made, QEMU 7.2 and 10.0 say that
    # passthrough would enable nothing (observed).
    models = await _ask_models(monitor)
    return (await _ask_general(monitor, path))._replace(**models)


async def _ask_general(monitor: Monitor, path: str) -> Qemu:
    version = record((await _mapping(monitor, "query-version")).get("qemu"))
    try:
        properties = await _mappings(monitor, "device-list-properties", typename=_CPU)
    except ExecuteError as error:
        raise BadReplyError(f"it has no {_CPU}") from error
    return Qemu(
        path=path,
        version=".".join(str(number(version.get(part))) for part in ("major", "minor", "micro")),
        properties=tuple(
            sorted(
                (
                    (text(entry.get("name")), text(entry.get("type")))
                    for entry in properties
                    if text(entry.get("name")).startswith(PREFIXES)
                ),
                key=lambda known: rank(known[0]),
            )
        ),
        options=_options(await _mappings(monitor, "query-command-line-options")),
        machines=await _machines(monitor),
    )


def _options(groups: list[dict[str, Any]]) -> tuple[str, ...]:
    """Names of option groups, and `run-with.PARAMETER`: that group has grown by parameters."""
    names = [text(group.get("option")) for group in groups]
    for group in groups:
        if group.get("option") == _SIGHTED_OPTION:
            parameters = listed(group.get("parameters"))
            names += [f"{_SIGHTED_OPTION}.{text(record(entry).get('name'))}" for entry in parameters]
    return tuple(sorted(set(names) - {""}))


async def _machines(monitor: Monitor) -> tuple[MachineType, ...]:
    found = []
    for entry in (await _mappings(monitor, "query-machines"))[:_MOST_MACHINES]:
        name = text(entry.get("name"))
        alias = text(entry["alias"]) if "alias" in entry else None
        found.append(MachineType(name, alias, await _has_hpet(monitor, name)))
    return tuple(sorted(found, key=_machine_order))


async def _has_hpet(monitor: Monitor, machine: str) -> bool | None:
    # Only the PC families are asked: the question makes an object of the machine, and QEMU 7.2 aborts over
    # microvm's (acpi_setup_microvm: Assertion `x86ms->fw_cfg' failed).
    if not machine.startswith(tuple(machines.FAMILIES.values())):
        return None
    try:
        listed = await _mappings(monitor, "qom-list-properties", typename=f"{machine}-machine")
    except ExecuteError:
        return None
    return any(known.get("name") == "hpet" for known in listed)


def _machine_order(machine: MachineType) -> tuple[object, ...]:
    """By name, numbers in it by their value."""
    words = "".join(character if character.isdigit() else f" {character} " for character in machine.name).split()
    return tuple((0, int(word), "") if word.isdecimal() else (1, 0, word) for word in words)


async def _ask_models(monitor: Monitor) -> dict[str, Any]:
    """The fields of a `Qemu` that only KVM can fill."""
    passthrough = {_PASSTHROUGH.properties[0].name: True, "migratable": False}
    return {
        "expansion": _plain(await _expansion(monitor, {"migratable": True})),
        "passthrough": _enabled(await _expansion(monitor, passthrough)),
        "models": await _models(monitor),
    }


async def _expansion(monitor: Monitor, properties: dict[str, bool]) -> dict[str, Any] | None:
    """The properties of CPU model `host` with these set; None where this QEMU cannot say."""
    try:
        reply = await _mapping(
            monitor, "query-cpu-model-expansion", type="full", model={"name": "host", "props": properties}
        )
    except ExecuteError:
        return None
    return record(record(reply.get("model")).get("props"))


def _plain(properties: dict[str, Any] | None) -> tuple[tuple[str, Scalar], ...] | None:
    """Flags, numbers and texts but Hyper-V's, sorted: what tells one host's CPU from another's."""
    if properties is None:
        return None
    return tuple(
        (text(name), text(value) if isinstance(value, str) else value)
        for name, value in sorted(properties.items())
        if isinstance(value, bool | int | str) and not name.startswith(PREFIXES) and _bounded(value)
    )


def _bounded(value: Scalar) -> bool:
    return not isinstance(value, int) or -(1 << 63) <= value < 1 << 64


def _enabled(properties: dict[str, Any] | None) -> tuple[str, ...] | None:
    """The ids whose properties are on, in the catalog's order, but the one that was asked for."""
    if properties is None:
        return None
    on = {_ID_OF.get(name) for name, value in properties.items() if value is True}
    return tuple(row.id for row in ROWS if row.id in on and row is not _PASSTHROUGH)


async def _models(monitor: Monitor) -> tuple[str, ...]:
    definitions = await _mappings(monitor, "query-cpu-definitions")
    usable = {text(entry.get("name")) for entry in definitions if entry.get("unavailable-features") == []}
    return tuple(sorted(usable.difference(_ABSTRACT_MODELS)))


async def _mapping(monitor: Monitor, command: str, **arguments: object) -> dict[str, Any]:
    return record(await monitor.ask(command, **arguments))


async def _mappings(monitor: Monitor, command: str, **arguments: object) -> list[dict[str, Any]]:
    return [record(entry) for entry in listed(await monitor.ask(command, **arguments))]
