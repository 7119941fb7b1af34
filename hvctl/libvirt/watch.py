"""Staying with a domain that libvirt runs, until it stops or the user has seen enough.

libvirt keeps the guest: whatever happens to hvctl, it goes on.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hvctl.errors import HostError
from hvctl.libvirt.events import Closed, Event, Events, Lifecycle, Panic
from hvctl.run.crash import Crash, read_event, report

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
