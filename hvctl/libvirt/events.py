"""The events of a libvirt connection: lifecycle, panics as QEMU reports them, and its own end."""

from __future__ import annotations

import contextlib
import functools
import json
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, NamedTuple

from hvctl.errors import HostError
from hvctl.libvirt.connection import Connection
from hvctl.libvirt.errors import load

PANIC = "GUEST_PANICKED"
# Seconds between questions whether the other side is there, and how many may stay without an answer: a broken line
# shows after 20 s, as with virsh (libvirt:tools/virsh.c).
_KEEPALIVE = (5, 3)
# Names of libvirt:include/libvirt/libvirt-domain.h, virConnectCloseReason.
_CLOSED = ("an input or output error", "libvirt closed it", "no sign of life from libvirt", "hvctl closed it")


class Lifecycle(NamedTuple):
    """A change of a domain: virDomainEventType and the detail that goes with it."""

    uuid: str
    event: int
    detail: int


class Panic(NamedTuple):
    """What QEMU reports of a guest that crashed, as the event of its monitor."""

    uuid: str
    event: dict[str, object]


class Closed(NamedTuple):
    """The connection is gone."""

    reason: str


Event = Lifecycle | Panic | Closed


class Events:
    """The events of all domains of a connection, in the order in which they arrive, until `close`."""

    def __init__(self, connection: Connection) -> None:
        self._queue: SimpleQueue[Event] = SimpleQueue()
        self._connection = connection
        self._undo: list[Callable[[], object]] = []
        connection.ask("events", lambda _: self._register(connection.handle))

    def next(self) -> Event:
        """Wait for the next event."""
        return self._queue.get()

    def close(self) -> None:
        """Want no more events: the connection cannot be closed before."""
        with contextlib.suppress(HostError):
            self._connection.ask("no more events", lambda _: [undo() for undo in reversed(self._undo)])

    def _register(self, handle: Any) -> None:
        libvirt, kind = load(), load().VIR_DOMAIN_EVENT_ID_LIFECYCLE
        number = handle.domainEventRegisterAny(None, kind, self._changed, None)
        self._undo.append(functools.partial(handle.domainEventDeregisterAny, number))
        # A driver without QEMU has no monitor, and one within this process (test, embed) no line that could break.
        with contextlib.suppress(libvirt.libvirtError):
            qemu = load("libvirt_qemu")
            number = qemu.qemuMonitorEventRegister(handle, None, PANIC, self._panicked, None)
            self._undo.append(functools.partial(qemu.qemuMonitorEventDeregister, handle, number))
        with contextlib.suppress(libvirt.libvirtError):
            handle.registerCloseCallback(self._closed, None)
            self._undo.append(handle.unregisterCloseCallback)
        with contextlib.suppress(libvirt.libvirtError):
            handle.setKeepAlive(*_KEEPALIVE)

    def _changed(self, _handle: Any, domain: Any, event: int, detail: int, _opaque: Any) -> None:
        self._queue.put(Lifecycle(domain.UUIDString(), event, detail))

    def _panicked(
        self, _handle: Any, domain: Any, _event: str, _seconds: int, _micros: int, details: str, _opaque: Any
    ) -> None:
        try:
            data = json.loads(details or "null")
        except ValueError:
            data = None
        self._queue.put(Panic(domain.UUIDString(), {"event": PANIC, "data": data}))

    def _closed(self, _handle: Any, reason: int, _opaque: Any) -> None:
        known = 0 <= reason < len(_CLOSED)
        self._queue.put(Closed(_CLOSED[reason] if known else f"reason {reason}"))


@functools.cache
def start_loop() -> None:
    """Run libvirt's event loop in the background; before the connection is opened, or it has no events."""
    libvirt = load()
    if libvirt.virEventRegisterDefaultImpl() < 0:
        raise HostError("libvirt's event loop cannot be started")

    def loop() -> None:
        while libvirt.virEventRunDefaultImpl() == 0:
            pass

    threading.Thread(target=loop, daemon=True).start()
