"""What QEMU binaries know, asked over QMP: properties, options, machine types, and CPU models where KVM works.

Nothing an answer holds is believed unseen: types are checked, texts and lists bounded.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from hvctl.catalog import machines
from hvctl.host import qemu_replies as replies
from hvctl.host.qemu_process import (
    BadReplyError,
    ExecuteError,
    Monitor,
    ProbeError,
    listed,
    number,
    record,
    running,
    text,
)
from hvctl.host.qemu_replies import ModelReplies, QemuReplies
from hvctl.model.host import Qemu

LIMIT = 10.0


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
        tuple(note for path, (_, notes) in zip(paths, answers, strict=True) for note in replies.notes_on(path, notes)),
    )


async def _probe(path: str, *, kvm: bool, limit: float) -> tuple[Qemu | None, list[str]]:
    if not path.isprintable():
        return None, [replies.UNPRINTABLE]
    notes: list[str] = []
    try:
        async with asyncio.timeout(limit):
            return await _ask_either(path, notes, kvm=kvm), notes
    except TimeoutError:
        return None, [*notes, replies.silent(limit)]
    except ProbeError as error:
        return None, [replies.unusable(str(error))]


async def _ask_either(path: str, notes: list[str], *, kvm: bool) -> Qemu:
    """One start if KVM works, with TCG to fall back to; a second one where QEMU dies of KVM."""
    if kvm:
        try:
            async with running(path, "kvm", "tcg") as monitor:
                return await _ask_all(monitor, path, notes)
        except ProbeError as error:
            if not error.exited:
                raise
            notes.append(f"{replies.WITHOUT_KVM}: {error}")
    async with running(path, "tcg") as monitor:
        return replies.decode_qemu(path, await _ask_general(monitor))


async def _ask_all(monitor: Monitor, path: str, notes: list[str]) -> Qemu:
    if (await _mapping(monitor, "query-kvm")).get("enabled") is not True:
        notes.append(replies.NO_KVM)
        return replies.decode_qemu(path, await _ask_general(monitor))
    # CPU models before machine types: once objects of all PC machines have been made, QEMU 7.2 and 10.0 say that
    # passthrough would enable nothing (observed).
    models = await _ask_models(monitor)
    return replies.decode_qemu(path, (await _ask_general(monitor))._replace(models=models))


async def _ask_general(monitor: Monitor) -> QemuReplies:
    version = record((await _mapping(monitor, "query-version")).get("qemu"))
    major, minor, micro = (number(version.get(part)) for part in ("major", "minor", "micro"))
    try:
        properties = await _mappings(monitor, "device-list-properties", typename=replies.CPU)
    except ExecuteError as error:
        raise BadReplyError(f"it has no {replies.CPU}") from error
    options = await _mappings(monitor, "query-command-line-options")
    found = await _mappings(monitor, "query-machines")
    names = tuple((text(entry.get("name")), text(entry["alias"]) if "alias" in entry else None) for entry in found)
    return QemuReplies(
        version=(major, minor, micro),
        properties=tuple((text(entry.get("name")), text(entry.get("type"))) for entry in properties),
        options=tuple((text(group.get("option")), _parameters(group)) for group in options),
        machines=names,
        hpet={name: await _has_hpet(monitor, name) for name, _ in names[: replies.MOST_MACHINES]},
    )


def _parameters(group: dict[str, Any]) -> tuple[str, ...]:
    return tuple(text(record(entry).get("name")) for entry in listed(group.get("parameters", [])))


async def _has_hpet(monitor: Monitor, machine: str) -> bool | None:
    # Only the PC families are asked: the question makes an object of the machine, and QEMU 7.2 aborts over
    # microvm's (acpi_setup_microvm: Assertion `x86ms->fw_cfg' failed).
    if not machine.startswith(tuple(machines.FAMILIES.values())):
        return None
    try:
        known = await _mappings(monitor, "qom-list-properties", typename=f"{machine}-machine")
    except ExecuteError:
        return None
    return replies.has_hpet([name for name in (entry.get("name") for entry in known) if isinstance(name, str)])


async def _ask_models(monitor: Monitor) -> ModelReplies:
    expansion = await _expansion(monitor, dict(replies.MIGRATABLE))
    passthrough = await _expansion(monitor, dict(replies.ALL_OF_THE_HOST))
    definitions = await _mappings(monitor, "query-cpu-definitions")
    usable = (text(entry.get("name")) for entry in definitions if entry.get("unavailable-features") == [])
    return ModelReplies(expansion, passthrough, tuple(usable))


async def _expansion(monitor: Monitor, properties: dict[str, bool]) -> dict[str, Any] | None:
    """The properties of CPU model `host` with these set; None where this QEMU cannot say."""
    try:
        reply = await _mapping(
            monitor, "query-cpu-model-expansion", type="full", model={"name": "host", "props": properties}
        )
    except ExecuteError:
        return None
    found = record(record(reply.get("model")).get("props"))
    return {
        name: text(value) if isinstance(value, str) else value
        for name, value in found.items()
        if isinstance(value, str) or (isinstance(value, bool | int) and -(1 << 63) <= value < 1 << 64)
    }


async def _mapping(monitor: Monitor, command: str, **arguments: object) -> dict[str, Any]:
    return record(await monitor.ask(command, **arguments))


async def _mappings(monitor: Monitor, command: str, **arguments: object) -> list[dict[str, Any]]:
    return [record(entry) for entry in listed(await monitor.ask(command, **arguments))]
