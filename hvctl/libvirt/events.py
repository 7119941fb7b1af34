"""The events of a libvirt connection: lifecycle, panics as QEMU reports them, its own end; a domain followed by them.

libvirt keeps the guest that is followed: whatever happens to hvctl, it goes on.
"""

import contextlib
import functools
import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, NamedTuple

from hvctl.errors import HostError
from hvctl.libvirt.connection import Connection
from hvctl.libvirt.errors import load
from hvctl.run.crash import Crash, read_event, report

PANIC = "GUEST_PANICKED"
# Seconds between questions whether the other side is there, and how many may stay without an answer: a broken line
# shows after 20 s, as with virsh (libvirt:tools/virsh.c).
_KEEPALIVE = (5, 3)
# libvirt:include/libvirt/libvirt-domain.h, virDomainEventType and the details of each.
STARTED, SUSPENDED, RESUMED, STOPPED, SHUTDOWN, PMSUSPENDED, CRASHED = range(2, 9)
_DETAILS: dict[int, tuple[str, tuple[str, ...]]] = {
    STARTED: ("started", ("", "by a migration", "from a saved state", "from a snapshot", "woken up")),
    SUSPENDED: (
        "paused",
        (
            "",
            "for a migration",
            "by an error of its disk",
            "by its watchdog",
            "restored so",
            "from a snapshot",
            "after an error of libvirt's",
            "for a post-copy migration",
            "since a post-copy migration failed",
        ),
    ),
    RESUMED: ("goes on", ("", "after a migration", "from a snapshot", "in a post-copy migration")),
    STOPPED: (
        "stopped",
        ("", "destroyed", "after a crash", "it has migrated", "its state is saved", "QEMU failed", "by a snapshot"),
    ),
    SHUTDOWN: ("shuts down", ("", "by the guest itself", "by a signal to QEMU")),
    PMSUSPENDED: ("sleeps", ("to memory", "to its disk")),
    CRASHED: ("crashed", ("",)),
}
_STOPPED_BADLY = (2, 5)
_DETACH = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
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


class _DetachError(Exception):
    """A signal that asks hvctl to go."""


def follow(events: Events, uuid: str, name: str, say: Callable[[str], None]) -> int:
    """Tell what happens to a running domain until it stops, or a signal asks hvctl to go.

    Args:
        events: those of its connection, registered before it was started.
        uuid: which domain.
        name: how to call it.
        say: shows a line to the user.

    Returns:
        hvctl's exit code: 1 where the guest crashed or QEMU failed, else 0.

    Raises:
        HostError: the connection broke.
    """
    watch = _Watch(uuid, name, say)
    try:
        with _signals():
            while not watch.take(events.next()):
                pass
    except _DetachError:
        say(f"hvctl: detached; {name} goes on without hvctl")
    return int(watch.crashed)


class _Watch:
    def __init__(self, uuid: str, name: str, say: Callable[[str], None]) -> None:
        self.uuid = uuid
        self.name = name
        self.say = say
        self.crashed = False

    def take(self, event: Event) -> bool:
        """Tell one event; True once the domain has stopped."""
        match event:
            case Closed(reason):
                raise HostError(f"the connection to libvirt was lost: {reason}", f"{self.name} may go on without hvctl")
            case Panic(uuid, details) if uuid == self.uuid:
                self._crash(read_event(details))
            case Lifecycle(uuid, kind, detail) if uuid == self.uuid and kind in _DETAILS:
                return self._changed(kind, detail)
        return False

    def _crash(self, crash: Crash) -> None:
        self.crashed = True
        for line in report(crash):
            self.say(f"hvctl: {line}")

    def _changed(self, kind: int, detail: int) -> bool:
        what, details = _DETAILS[kind]
        why = details[detail] if 0 <= detail < len(details) else f"reason {detail}"
        self.say(f"hvctl: {self.name} {what}" + (f": {why}" if why else ""))
        self.crashed = self.crashed or kind == CRASHED or (kind == STOPPED and detail in _STOPPED_BADLY)
        return kind == STOPPED


@contextmanager
def _signals() -> Iterator[None]:
    def detach(_number: int, _frame: object) -> None:
        raise _DetachError

    before = {number: signal.signal(number, detach) for number in _DETACH}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
