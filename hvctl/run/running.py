"""A running QEMU, asked over its QMP socket what guest it has."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from hvctl.catalog import ROWS, machines
from hvctl.catalog.roles import PREFIXES
from hvctl.errors import HostError
from hvctl.guest.command.cpu import OFF, ON, SUFFIX, Assignment, set_properties
from hvctl.host.hostfs import clean
from hvctl.host.qemu_process import FAULTS, BadReplyError, ExecuteError, Monitor, listed, record, text
from hvctl.model.guest import HARMLESS, Guest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LIMIT = 10.0
# Properties of these types are other objects.
_NO_VALUES = ("link<", "child<")
# Properties that have a field of their own in a Guest, and those that say nothing of what the guest sees.
_OWN = ("type", "migratable", "enforce", "kvm", "tsc-frequency")
_NOTHING = ("check", "realized", "hotplugged", "hotpluggable")
_MACHINE_SUFFIX = "-machine"
_DEFAULTS = {known.name: known.default for row in ROWS for known in row.properties}


def read_running(path: str, *, limit: float = LIMIT) -> Guest:
    """The guest of a running QEMU.

    Args:
        path: the unix socket of a QMP monitor that no one else is connected to.
        limit: seconds for everything.

    Raises:
        HostError: it cannot be connected to, is no QMP, or does not answer in time.
    """
    try:
        return asyncio.run(_bounded(path, limit))
    except TimeoutError as error:
        hint = "a QMP socket serves one client at a time: give QEMU a second one with -qmp unix:PATH,server=on,wait=off"
        raise HostError(f"{path}: no answer within {limit:g} seconds", hint) from error
    except FAULTS as error:
        raise HostError(f"{path}: this is no QMP socket that answers as QEMU does: {clean(str(error))}") from error


async def _bounded(path: str, limit: float) -> Guest:
    monitor = Monitor()
    try:
        async with asyncio.timeout(limit):
            await monitor.open(path)
            return await _ask(monitor, path)
    finally:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(1):
                await monitor.disconnect()


async def _ask(monitor: Monitor, path: str) -> Guest:
    cpu = await _first_cpu(monitor)
    entries = [record(entry) for entry in listed(await monitor.ask("qom-list", path=cpu))]
    valued = [text(entry.get("name")) for entry in entries if not text(entry.get("type")).startswith(_NO_VALUES)]
    names = [name for name in valued if name.startswith(PREFIXES) or name in _OWN or _is_feature(name)]
    properties = {name: await _get(monitor, cpu, name) for name in names}
    machine = text(await monitor.ask("qom-get", path="/machine", property="type"))
    machine = machine.removesuffix(_MACHINE_SUFFIX)
    guest = Guest(path)
    guest.machine = machine
    guest.cpu = text(properties.get("type")).removesuffix(SUFFIX)
    set_properties(guest, _written(properties, machine))
    if any(mistake.kind not in HARMLESS for mistake in guest.mistakes):
        raise BadReplyError(f"a property has a value that QEMU does not take: {guest.mistakes[0].message}")
    guest.finish()
    guest.migratable = properties.get("migratable") is not False
    guest.enforce = properties.get("enforce") is True
    guest.hidden = properties.get("kvm") is False
    kvm = record(await monitor.ask("query-kvm")).get("enabled") is True
    # With KVM the property has the host's frequency where none was written (qemu:target/i386/kvm/kvm.c,
    # kvm_arch_init_vcpu()).
    guest.tsc_frequency = None if kvm else _frequency(properties.get("tsc-frequency"))
    guest.accelerator, guest.kvm = "kvm" if kvm else "tcg", kvm
    for name in _unknown(properties):
        guest.doubt(f"hvctl does not know the QEMU property {name}")
    guest.blockers = await _blockers(monitor)
    guest.seen = tuple(_seen(properties))
    return guest


def _is_feature(name: str) -> bool:
    """A name with `_` is another one of the same; QEMU's own switches, `x-`, follow the machine type."""
    return "_" not in name and not name.startswith(("x-", *PREFIXES)) and name not in (*_OWN, *_NOTHING)


def _seen(properties: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in properties.items():
        if _is_feature(name) and isinstance(value, bool | int | str):
            yield name, _as_written(value)


async def _first_cpu(monitor: Monitor) -> str:
    """The path of a vCPU; all have the same properties."""
    cpus = listed(await monitor.ask("query-cpus-fast"))
    if not cpus:
        raise BadReplyError("it has no CPU")
    return text(record(cpus[0]).get("qom-path"))


def _written(properties: Mapping[str, Any], machine: str) -> list[Assignment]:
    """The properties that are not as they are without being set."""
    defaults = _DEFAULTS | machines.compat(machine)
    return [
        Assignment(name, _as_written(value))
        for name, value in properties.items()
        if name in defaults and value is not None and _as_written(value) != _as_written(defaults[name])
    ]


def _as_written(value: Any) -> str:
    """A value as on a command line. In Python 0 equals False, and a number can be a property's value."""
    if isinstance(value, bool):
        return ON[0] if value else OFF[0]
    if isinstance(value, int):
        return str(value)
    return text(value)


def _unknown(properties: Mapping[str, Any]) -> Iterator[str]:
    """The names of enlightenments that hvctl does not know, and that are on."""
    known = {*_DEFAULTS, *(alias for row in ROWS for alias in row.property_aliases)}
    return (
        name for name, value in properties.items() if value is True and name.startswith(PREFIXES) and name not in known
    )


def _frequency(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None


async def _blockers(monitor: Monitor) -> tuple[str, ...]:
    """What QEMU says against a migration; it tells since 6.0."""
    reasons = record(await monitor.ask("query-migrate")).get("blocked-reasons", [])
    if not all(isinstance(reason, str) for reason in listed(reasons)):
        raise BadReplyError("an answer has something else where a text is expected")
    return tuple(clean(reason) for reason in reasons)


async def _get(monitor: Monitor, path: str, name: str) -> Any:
    """A property's value; None where this CPU has none of that name."""
    try:
        return await monitor.ask("qom-get", path=path, property=name)
    except ExecuteError:
        return None
