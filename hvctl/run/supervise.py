"""Watching one QEMU until its end.

Signals ask the guest to power down, then end it; whatever happens to hvctl, QEMU goes with it (`hvctl.host.watcher`).
Nothing that QEMU sends makes hvctl wait or grow: each source is read by the piece, in turn with the signals.
"""

import contextlib
import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import NamedTuple

from hvctl.host.watcher import end
from hvctl.run.crash import Crash, read_event, report
from hvctl.run.ending import MAX_KEPT, STOPPED, WHY_STOPPED, Ending, Relay
from hvctl.run.spawn import NEGOTIATE_ID, POWERDOWN, QUIT, STATUS, Child

_CHUNK = 1 << 14
# QEMU's messages to hvctl have hundreds of bytes.
MOST_BYTES = 1 << 20


class Patience(NamedTuple):
    """Seconds: for the guest to power down, for QEMU to quit, and for what QEMU said at its end to arrive."""

    powerdown: float = 60.0
    quit: float = 10.0
    drain: float = 2.0


class Stage(IntEnum):
    """How far hvctl has gone to end the guest."""

    RUNNING = 0
    ASKED = 1
    QUITTING = 2
    KILLED = 3


def watch(child: Child, say: Callable[[str], None], patience: Patience | None = None) -> Ending:
    """Stay with a QEMU until it has ended.

    Args:
        child: the QEMU, as `hvctl.run.spawn.started` gives it.
        say: shows a line to the user; QEMU's own lines too.
        patience: how long to wait; by default a minute for the guest.
    """
    return _Watch(child, _quietly(say), patience or Patience()).until_the_end()


def _quietly(say: Callable[[str], None]) -> Callable[[str], None]:
    """A terminal that was closed, or a reader that left, is no reason to end the guest."""

    def safe(line: str) -> None:
        with contextlib.suppress(OSError):
            say(line)

    return safe


class _Watch:
    def __init__(self, child: Child, say: Callable[[str], None], patience: Patience) -> None:
        self.child = child
        self.say = say
        self.patience = patience
        self.relay = Relay(say)
        self.crashes: list[Crash] = []
        self.stage = Stage.RUNNING
        self.asked_by: signal.Signals | None = None
        self.deadline: float | None = None
        self.control = Control(child.qmp, self._panicked, self._failed)
        self.left = False

    def until_the_end(self) -> Ending:
        assert self.child.process.stderr is not None
        stderr = self.child.process.stderr.fileno()
        sources = {stderr: self._read, self.child.qmp.fileno(): self._listen, self.child.stops: self._stops}
        poll = select.poll()
        poll.register(self.child.inbox.fd, select.POLLIN)
        for source in sources:
            os.set_blocking(source, False)
            poll.register(source, select.POLLIN)
        # What arrived before there was anything to wake is looked at first.
        while not self._look():
            for source, _ in poll.poll(self._remaining()):
                if source in sources and not sources[source]():
                    poll.unregister(source)
            if self.deadline is not None and time.monotonic() >= self.deadline:
                self._end_it()
        # QEMU's last words and events are in the pipe and the socket. Whoever could write more has ended, except what
        # the watcher cannot end.
        last = time.monotonic() + self.patience.drain
        while self._read() | self._listen() and time.monotonic() < last:
            poll.poll(10)
        self.left |= signal.SIGKILL in self._numbers()
        self.relay.end()
        return self._ending()

    def _ending(self) -> Ending:
        status = self.child.process.returncode
        assert status is not None
        return Ending(
            status,
            self.control.started,
            tuple(self.crashes),
            tuple(self.relay.kept),
            killed=self.stage is Stage.KILLED,
            failed=self.control.failed,
            left=self.left and not self.control.shut_down,
        )

    def _remaining(self) -> float | None:
        """In milliseconds."""
        return None if self.deadline is None else 1000 * max(0.0, self.deadline - time.monotonic())

    def _look(self) -> bool:
        """Handle the signals that arrived; True once QEMU has ended."""
        for number in self.child.inbox.take():
            if number is not signal.SIGCHLD:
                self._signalled(number)
        return self.child.process.poll() is not None

    def _signalled(self, number: signal.Signals) -> None:
        if number is signal.SIGINT and self.child.terminal.lent:
            return  # Ctrl-C is the guest's.
        if self.stage is Stage.RUNNING:
            self.asked_by = number
            self._ask(number)
        elif self.stage is Stage.ASKED and signal.SIGHUP in (number, self.asked_by):
            # A session that ends sends SIGTERM and SIGHUP together (systemd.kill(5), SendSIGHUP=): that is one wish.
            self.asked_by = number
        else:
            self._end_it()

    def _ask(self, number: signal.Signals) -> None:
        self._enter(Stage.ASKED, self.patience.powerdown)
        again = "press Ctrl-C again" if number is signal.SIGINT else "send SIGTERM again"
        if self.control.send(POWERDOWN):
            seconds = f"{self.patience.powerdown:.0f} s"
            self.say(f"hvctl: asked the guest to power down; {again} to end it now (it is ended in {seconds})")
        else:
            self.say("hvctl: QEMU's control connection is gone, so the guest cannot be asked to power down")
            self._end_it()

    def _end_it(self) -> None:
        """One step further: QMP's quit, then SIGKILL."""
        if self.stage < Stage.QUITTING:
            self._enter(Stage.QUITTING, self.patience.quit)
            self.say("hvctl: ending QEMU")
            if not self.control.send(QUIT):
                # The watcher in this group does not mind.
                os.killpg(self.child.pid, signal.SIGTERM)
        else:
            self._enter(Stage.KILLED, None)
            self.say("hvctl: QEMU does not quit; killing it")
            end(self.child.process)

    def _enter(self, stage: Stage, seconds: float | None) -> None:
        self.stage = stage
        self.deadline = None if seconds is None else time.monotonic() + seconds

    def _numbers(self) -> bytes:
        try:
            return os.read(self.child.stops, _CHUNK)
        except BlockingIOError:
            return b""

    def _stops(self) -> bool:
        numbers = self._numbers()
        self.left |= signal.SIGKILL in numbers
        for number in numbers:
            self._stopped(number)
        return bool(numbers)

    def _stopped(self, number: int) -> None:
        """QEMU was stopped: by Ctrl-Z, for using a terminal that it does not have, or by someone's SIGSTOP."""
        if number not in (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
            return
        if number != signal.SIGTSTP and self.child.terminal.lendable():
            # It does use the terminal, though its arguments did not tell.
            self.child.terminal.lend(self.child.pid)
        else:
            self.child.terminal.take()
            # A session without a shell has no one to continue a stopped job.
            if os.getsid(0) != os.getpid():
                os.kill(os.getpid(), signal.SIGSTOP)
            self.child.terminal.lend(self.child.pid)
        os.killpg(self.child.pid, signal.SIGCONT)

    def _read(self) -> bool:
        """Show some of what QEMU wrote; False at its end."""
        assert self.child.process.stderr is not None
        try:
            data = os.read(self.child.process.stderr.fileno(), _CHUNK)
        except BlockingIOError:
            return True
        self.relay.feed(data)
        return bool(data)

    def _listen(self) -> bool:
        """Handle some of what QEMU sent; False at its end."""
        try:
            return self.control.read()
        except (ValueError, RecursionError):
            self.control.close()
            self.say("hvctl: QEMU's control connection is closed: it sent something else than QEMU sends")
            return False

    def _panicked(self, event: Mapping[str, object]) -> None:
        crash = read_event(event)
        if len(self.crashes) < MAX_KEPT:
            self.crashes.append(crash)
        for line in report(crash):
            self.say(f"hvctl: {line}")

    def _failed(self) -> None:
        """Nothing makes such a guest run again: whoever waits for it is told, and has it ended."""
        self._read()  # QEMU writes the cause before it stops the guest
        cause = next((line for line in reversed(self.relay.kept) if line.startswith(STOPPED)), "an internal error")
        self.say(f"hvctl: KVM could not run the guest any further: {cause}")
        self.say(f"hvctl: {WHY_STOPPED}")
        if self.stage < Stage.QUITTING:
            self._end_it()


class Control:
    """One connection, until QEMU closes it; no call waits.

    QEMU greets before it makes its devices: `started` is whether the machine was made. That is known from an event, or
    from an answer. Where the guest runs, nothing is asked without need: a command that meets QEMU 7.2 at its end can
    keep it from ending. `shut_down` is whether QEMU ends of its own accord, or as it was asked to; `failed` whether it
    has stopped the guest for an internal error, as where KVM cannot run it any further (qemu:accel/kvm/kvm-all.c,
    kvm_cpu_exec).
    """

    def __init__(
        self, connection: socket.socket, panicked: Callable[[Mapping[str, object]], None], stopped: Callable[[], None]
    ) -> None:
        self.started = self.shut_down = self.failed = False
        self._socket = connection
        self._panicked = panicked
        self._stopped = stopped
        self._begun = b""
        self._crashed = self._closed = False

    def send(self, command: bytes) -> bool:
        """Have a command executed, at once or as soon as QEMU has greeted; False if the connection is closed."""
        with contextlib.suppress(OSError):
            if not self._closed:
                self._socket.sendall(command)
                return True
        return False

    def close(self) -> None:
        """Neither send nor take anything any more."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def read(self) -> bool:
        """Take some of what has arrived; False once the connection is closed.

        Raises:
            ValueError, RecursionError: QEMU does not send that.
        """
        if self._closed:
            return False
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        *lines, self._begun = (self._begun + data).split(b"\n")
        if len(self._begun) > MOST_BYTES:
            raise ValueError("a message without end")
        for line in filter(bytes.strip, lines):
            self._take(json.loads(line))
        self._closed = not data
        return bool(data)

    def _take(self, message: object) -> None:
        if not isinstance(message, dict):
            raise ValueError("a message that is no object")
        answer = message.get("return")
        match message.get("event"):
            case "RESUME":
                self.started, self._crashed, self.failed = True, False, False
            case "GUEST_PANICKED":
                self.started = self._crashed = True
                self._panicked(message)
            case "SHUTDOWN":
                self.shut_down = True
            case "STOP" if not self._crashed and not self.shut_down:
                self.send(STATUS)
            case None if answer is not None and message.get("id") != NEGOTIATE_ID:
                self.started = True
                if isinstance(answer, dict) and answer.get("status") == "internal-error":
                    self.failed = True
                    self._stopped()
