"""Staying with a domain: on libvirt's test driver, and with the events that it does not have. QEMU's: tests/realkvm."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from hvctl.errors import HostError
from hvctl.libvirt.connection import Connection, Domain, State, connected
from hvctl.libvirt.events import (
    CRASHED,
    PMSUSPENDED,
    RESUMED,
    SHUTDOWN,
    STARTED,
    STOPPED,
    SUSPENDED,
    Closed,
    Event,
    Events,
    Lifecycle,
    Panic,
    follow,
    start_loop,
)
from hvctl.run.crash import Crash, read_event

UUID = "6695eb01-f6a4-8304-79aa-97f2502e193f"
POWER_STATE_FAILURE = (0x9F, 3, 0xFFFFC80F4A1E2060, 0xFFFFF8051E6D5750, 0xFFFFC80F52A3B010)
INFO = {"type": "hyper-v", **{f"arg{number}": value for number, value in enumerate(POWER_STATE_FAILURE, 1)}}
PANIC = Panic(UUID, read_event({"event": "GUEST_PANICKED", "data": {"action": "pause", "info": INFO}}))


WIN11 = Domain("win11", UUID, True, None)


class Script(Events):
    """Events that were written down, None for a time without any; after the last one the wait is for a signal."""

    def __init__(self, *events: Event | None) -> None:
        self._events = list(events)

    def next(self, seconds: float) -> Event | None:
        assert seconds > 0
        if not self._events:
            time.sleep(30)
        return self._events.pop(0)


def followed(*events: Event | None, state: State = State.RUNS) -> tuple[int, list[str]]:
    said: list[str] = []
    return follow(Script(*events), WIN11, lambda: state, said.append), said


@pytest.mark.parametrize(
    ("detail", "code", "line"),
    [
        (0, 0, "hvctl: win11 stopped"),
        (1, 0, "hvctl: win11 stopped: destroyed"),
        (2, 1, "hvctl: win11 stopped: after a crash"),
        (3, 0, "hvctl: win11 stopped: it has migrated"),
        (4, 0, "hvctl: win11 stopped: its state is saved"),
        (5, 1, "hvctl: win11 stopped: QEMU failed"),
        (99, 0, "hvctl: win11 stopped: reason 99"),
    ],
)
def test_how_it_stops(detail: int, code: int, line: str) -> None:
    assert followed(Lifecycle(UUID, STOPPED, detail)) == (code, [line])


def test_what_happens_to_it() -> None:
    code, said = followed(
        Lifecycle(UUID, STARTED, 0),
        Lifecycle("another", STOPPED, 0),
        Lifecycle(UUID, SUSPENDED, 2),
        Lifecycle(UUID, RESUMED, 0),
        Lifecycle(UUID, PMSUSPENDED, 1),
        Lifecycle(UUID, 0, 0),
        Lifecycle(UUID, SHUTDOWN, 1),
        Lifecycle(UUID, STOPPED, 0),
    )
    assert code == 0
    assert said == [
        "hvctl: win11 started",
        "hvctl: win11 paused: by an error of its disk",
        "hvctl: win11 goes on",
        "hvctl: win11 sleeps: to its disk",
        "hvctl: win11 shuts down: by the guest itself",
        "hvctl: win11 stopped",
    ]


def test_a_panic_is_told_with_its_parameters_and_counts_at_the_end() -> None:
    code, said = followed(Panic("another", Crash(None)), PANIC, Lifecycle(UUID, STOPPED, 0))
    assert code == 1
    assert said[0] == "hvctl: the guest crashed: bug check 0x0000009f DRIVER_POWER_STATE_FAILURE"
    assert said[2] == "hvctl: crash signature: 0000009F-3"


@pytest.mark.parametrize("event", [Panic(UUID, Crash(None)), Lifecycle(UUID, CRASHED, 0)])
def test_a_panic_without_parameters_is_one(event: Event) -> None:
    code, said = followed(event, Lifecycle(UUID, STOPPED, 0))
    assert code == 1
    assert "crashed" in said[0]


def test_a_connection_that_breaks() -> None:
    with pytest.raises(HostError, match="lost: libvirt closed it") as raised:
        followed(Closed("libvirt closed it"))
    assert "win11 may go on" in raised.value.hint


def test_without_events_libvirt_is_asked() -> None:
    assert followed(None, None, Lifecycle(UUID, STOPPED, 0)) == (0, ["hvctl: win11 stopped"])
    # It has stopped, and the last event is under way; or does not come.
    assert followed(None, Lifecycle(UUID, STOPPED, 1), state=State.ENDED) == (0, ["hvctl: win11 stopped: destroyed"])
    with pytest.raises(HostError, match="win11 does not run any more, and libvirt has not reported why"):
        followed(None, None, state=State.ENDED)


@pytest.mark.parametrize("events", [(Lifecycle(UUID, SUSPENDED, 0),), (None,)])
def test_a_guest_that_kvm_cannot_run(events: tuple[Event | None, ...]) -> None:
    code, said = followed(*events, state=State.STUCK)
    assert code == 3
    assert "hvctl: KVM could not run the guest any further; libvirt's log of win11 has QEMU's words" in said
    assert said[-1] == "hvctl: win11 stays as it is until it is destroyed"


def test_a_guest_that_is_paused_for_a_known_reason_is_not_asked_for() -> None:
    said = followed(Lifecycle(UUID, SUSPENDED, 2), Lifecycle(UUID, STOPPED, 0), state=State.STUCK)
    assert said == (0, ["hvctl: win11 paused: by an error of its disk", "hvctl: win11 stopped"])


def test_a_libvirt_that_does_not_answer_any_more() -> None:
    def state() -> State:
        raise HostError("no answer within 10 s", "give it more time")

    with pytest.raises(HostError, match="no answer within 10 s") as raised:
        follow(Script(None), WIN11, state, print)
    assert raised.value.hint == "win11 may go on without hvctl"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("crashed", [False, True])
def test_signals_detach(number: signal.Signals, crashed: bool) -> None:
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    threading.Timer(0.2, os.kill, (os.getpid(), number)).start()
    code, said = followed(*([PANIC] if crashed else []))
    assert said[-1] == "hvctl: detached; win11 goes on without hvctl"
    assert code == int(crashed)
    assert {one: signal.getsignal(one) for one in before} == before


@pytest.fixture(scope="module")
def loop() -> None:
    start_loop()


@pytest.fixture
def connection(loop: None) -> Iterator[Connection]:
    del loop
    with connected("test:///default", write=True) as found:
        yield found
    # The driver's domains are anew once nothing holds it, an event on its way neither.
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with connected("test:///default") as other:
            if other.domain("test").running:
                break
        gc.collect()
        time.sleep(0.05)


def later(*steps: Callable[[], object]) -> threading.Thread:
    def run() -> None:
        for step in steps:
            time.sleep(0.05)
            step()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_the_events_of_a_real_driver(connection: Connection) -> None:
    domain = connection.domain("test")
    said: list[str] = []
    with closing(Events(connection)) as events:
        thread = later(domain.handle.suspend, domain.handle.resume, domain.handle.destroy)
        assert follow(events, domain, lambda: connection.state(domain), said.append) == 0
        thread.join(10)
    assert said == ["hvctl: test paused", "hvctl: test goes on", "hvctl: test stopped: destroyed"]


def test_a_wait_for_a_real_driver_can_be_ended(connection: Connection) -> None:
    said: list[str] = []
    with closing(Events(connection)) as events:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        assert follow(events, connection.domain("test"), lambda: State.RUNS, said.append) == 0
    assert said == ["hvctl: detached; test goes on without hvctl"]
    assert connection.domain("test").running
