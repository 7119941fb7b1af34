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
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from hvctl.errors import HostError
from hvctl.libvirt.connection import Connection, Domain, State
from hvctl.libvirt.errors import load
from hvctl.run.crash import Crash, read_event, report
from hvctl.run.ending import WHY_STOPPED

PANIC = "GUEST_PANICKED"
# Seconds without events until libvirt is asked whether the domain runs: so it shows that the line is broken, or that
# the last event does not come. That one has so many more if the domain does not run.
_PATIENCE, _LAST = 10.0, 2.0
# Events that nobody has taken yet, and characters of one: more are nothing that a guest does.
_MOST, _LONGEST = 1000, 10_000
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
    """What QEMU reports of a guest that crashed."""

    uuid: str
    crash: Crash


class Closed(NamedTuple):
    """The connection is gone."""

    reason: str


Event = Lifecycle | Panic | Closed


class Events:
    """The events of all domains of a connection, in the order in which they arrive, until `close`.

    Of very many some are lost: whoever waits for the last one asks libvirt now and then.
    """

    def __init__(self, connection: Connection) -> None:
        self._queue: SimpleQueue[Event] = SimpleQueue()
        self._connection = connection
        self._undo: list[Callable[[], object]] = []
        connection.ask("events", lambda _: self._register(connection.handle))

    def next(self, seconds: float) -> Event | None:
        """Wait for the next event; None where none comes in time."""
        try:
            return self._queue.get(timeout=seconds)
        except Empty:
            return None

    def close(self) -> None:
        """Want no more events: the connection cannot be closed before."""
        with contextlib.suppress(HostError):
            self._connection.ask("no more events", lambda _: [undo() for undo in reversed(self._undo)])

    def _register(self, handle: Any) -> None:
        libvirt, kind = load(), load().VIR_DOMAIN_EVENT_ID_LIFECYCLE
        number = handle.domainEventRegisterAny(None, kind, self._changed, None)
        self._undo.append(lambda: handle.domainEventDeregisterAny(number))
        # A driver without QEMU has no monitor, and one within this process (test, embed) no line that could break.
        with contextlib.suppress(libvirt.libvirtError):
            qemu = load("libvirt_qemu")
            panics = qemu.qemuMonitorEventRegister(handle, None, PANIC, self._panicked, None)
            self._undo.append(lambda: qemu.qemuMonitorEventDeregister(handle, panics))
        with contextlib.suppress(libvirt.libvirtError):
            # Not as a method, which would hand the connection itself to libvirt: with some drivers it is never let go.
            libvirt.virConnect.registerCloseCallback(handle, self._closed, None)
            self._undo.append(lambda: handle.unregisterCloseCallback())

    def _put(self, event: Event) -> None:
        if self._queue.qsize() < _MOST:
            self._queue.put(event)

    def _changed(self, _handle: Any, domain: Any, event: int, detail: int, _opaque: Any) -> None:
        self._put(Lifecycle(domain.UUIDString(), event, detail))

    def _panicked(
        self, _handle: Any, domain: Any, _event: str, _seconds: int, _micros: int, details: str, _opaque: Any
    ) -> None:
        try:
            data = json.loads((details or "")[:_LONGEST])
        except (ValueError, RecursionError):
            data = None
        self._put(Panic(domain.UUIDString(), read_event({"event": PANIC, "data": data})))

    def _closed(self, _handle: Any, reason: int, _opaque: Any) -> None:
        known = 0 <= reason < len(_CLOSED)
        self._put(Closed(_CLOSED[reason] if known else f"reason {reason}"))


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


def follow(events: Events, domain: Domain, state: Callable[[], State], say: Callable[[str], None]) -> int:
    """Tell what happens to a running domain until it stops, or can run no more, or a signal asks hvctl to go.

    Args:
        events: those of its connection, registered before it was started.
        domain: which domain.
        state: asks libvirt whether it runs.
        say: shows a line to the user.

    Returns:
        hvctl's exit code: 3 where KVM cannot run the guest, 1 where it crashed or QEMU failed, else 0.

    Raises:
        HostError: the connection broke, or libvirt does not answer, or did not report the end.
    """
    watch = _Watch(domain, state, say)
    event: Event | State | None = None
    try:
        with _signals():
            while (event := _next(events, state)) and not watch.take(event):
                pass
    except _DetachError:
        say(f"hvctl: detached; {domain.name} goes on without hvctl")
    except HostError as error:
        raise HostError(error.message, f"{domain.name} may go on without hvctl") from error
    else:
        if event is None:
            raise HostError(f"{domain.name} does not run any more, and libvirt has not reported why")
    return watch.code


def _next(events: Events, state: Callable[[], State]) -> Event | State | None:
    """Wait for the next event; STUCK or None where the domain can run no more, or has ended, without one."""
    while (event := events.next(_PATIENCE)) is None:
        match state():
            case State.ENDED:
                return events.next(_LAST)
            case State.STUCK:
                return State.STUCK
    return event


class _Watch:
    def __init__(self, domain: Domain, state: Callable[[], State], say: Callable[[str], None]) -> None:
        self.uuid = domain.uuid
        self.name = domain.name
        self.state = state
        self.say = say
        self.code = 0

    def take(self, event: Event | State) -> bool:
        """Tell one event; True once the domain has stopped, or can run no more."""
        match event:
            case State.STUCK:
                return self._stuck()
            case Closed(reason):
                raise HostError(f"the connection to libvirt was lost: {reason}")
            case Panic(uuid, crash) if uuid == self.uuid:
                self._crash(crash)
            case Lifecycle(uuid, kind, detail) if uuid == self.uuid and kind in _DETAILS:
                return self._changed(kind, detail)
        return False

    def _crash(self, crash: Crash) -> None:
        self.code = 1
        for line in report(crash):
            self.say(f"hvctl: {line}")

    def _changed(self, kind: int, detail: int) -> bool:
        what, details = _DETAILS[kind]
        why = details[detail] if 0 <= detail < len(details) else f"reason {detail}"
        self.say(f"hvctl: {self.name} {what}" + (f": {why}" if why else ""))
        if kind == CRASHED or (kind == STOPPED and detail in _STOPPED_BADLY):
            self.code = 1
        if kind == SUSPENDED and not why and self.state() is State.STUCK:
            return self._stuck()
        return kind == STOPPED

    def _stuck(self) -> bool:
        self.code = 3
        self.say(f"hvctl: KVM could not run the guest any further; libvirt's log of {self.name} has QEMU's words")
        self.say(f"hvctl: {WHY_STOPPED}")
        self.say(f"hvctl: {self.name} stays as it is until it is destroyed")
        return True


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
