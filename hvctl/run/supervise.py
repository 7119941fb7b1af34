"""Watching one QEMU until its end.

Import this once QEMU is started: asyncio and the QMP library take 0.1 s, which the guest need not wait for. Signals ask
the guest to power down, then end it; whatever happens to hvctl, QEMU goes with it (`hvctl.run.spawn`).
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import NamedTuple

from qemu.qmp import EventListener, QMPClient, QMPError
from qemu.qmp.protocol import Runstate

from hvctl.run.crash import Crash, read_event, report
from hvctl.run.ending import Ending, Relay
from hvctl.run.spawn import Child

# The library logs what hvctl says in its own words, and Python prints such logs on stderr where nothing else is set up.
logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL + 1)


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
    return asyncio.run(_Watch(child, _quietly(say), patience or Patience()).until_the_end())


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
        self.control: Control | None = None
        self.failure: BaseException | None = None

    async def until_the_end(self) -> Ending:
        loop = asyncio.get_running_loop()
        something = asyncio.Event()
        loop.add_reader(self.child.inbox.fd, something.set)
        assert self.child.process.stderr is not None
        stderr = self.child.process.stderr.fileno()
        os.set_blocking(stderr, False)
        loop.add_reader(stderr, self._read, stderr, loop)
        self.control = Control(self.child.qmp, self._panicked, resumes=self.child.resumes)
        talk = asyncio.create_task(self.control.talk())
        loop.set_exception_handler(lambda _loop, context: self._failed(context.get("exception"), something))
        talk.add_done_callback(lambda done: self._failed(None if done.cancelled() else done.exception(), something))
        # What arrived before there was anything to wake is looked at first.
        while not self._look():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(something.wait(), self._remaining())
            something.clear()
            if self.failure is not None:
                raise self.failure
            if self.deadline is not None and time.monotonic() >= self.deadline:
                self._end_it()
        loop.remove_reader(self.child.inbox.fd)
        # QEMU's last words and events are in the socket and the pipe; a process that it left behind may hold them open.
        await asyncio.wait({talk}, timeout=self.patience.drain)
        if not talk.cancel() and self.failure is not None:
            raise self.failure
        self._read(stderr, loop)
        loop.remove_reader(stderr)
        self.relay.end()
        return self._ending()

    def _failed(self, error: BaseException | None, something: asyncio.Event) -> None:
        # asyncio only logs what a callback raises; here it ends the supervision, and with it QEMU.
        self.failure = self.failure or error
        something.set()

    def _ending(self) -> Ending:
        status = self.child.process.returncode
        assert status is not None
        killed = self.stage is Stage.KILLED
        started = self.control is not None and self.control.started
        return Ending(status, started, tuple(self.crashes), tuple(self.relay.kept), killed)

    def _remaining(self) -> float | None:
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def _look(self) -> bool:
        """Handle the signals that arrived; True once QEMU has ended."""
        for number in self.child.inbox.take():
            if number is not signal.SIGCHLD:
                self._signalled(number)
        pid, status = os.waitpid(self.child.pid, os.WNOHANG | os.WUNTRACED)
        if pid == 0:
            return False
        if os.WIFSTOPPED(status):
            self._stopped(os.WSTOPSIG(status))
            return False
        self.child.process.returncode = os.waitstatus_to_exitcode(status)
        return True

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
        if self.control and self.control.send("system_powerdown"):
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
            if not (self.control and self.control.send("quit")):
                os.kill(self.child.pid, signal.SIGTERM)
        else:
            self._enter(Stage.KILLED, None)
            self.say("hvctl: QEMU does not quit; killing it")
            os.kill(self.child.pid, signal.SIGKILL)

    def _enter(self, stage: Stage, seconds: float | None) -> None:
        self.stage = stage
        self.deadline = None if seconds is None else time.monotonic() + seconds

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

    def _read(self, fd: int, loop: asyncio.AbstractEventLoop) -> None:
        with contextlib.suppress(BlockingIOError):
            while data := os.read(fd, 1 << 16):
                self.relay.feed(data)
            loop.remove_reader(fd)

    def _panicked(self, event: Mapping[str, object]) -> None:
        crash = read_event(event)
        self.crashes.append(crash)
        for line in report(crash):
            self.say(f"hvctl: {line}")


class Control:
    """One connection, from QEMU's greeting until QEMU closes it.

    QEMU greets before it makes its devices: `started` is whether the machine was made. That is known from the event
    RESUME, or from an answer. Where the guest runs, nothing is asked without need: a command that meets QEMU 7.2 at its
    end can keep it from ending.
    """

    def __init__(
        self, connection: socket.socket, panicked: Callable[[Mapping[str, object]], None], *, resumes: bool
    ) -> None:
        self._resumes = resumes
        self.started = False
        self._socket = connection
        self._panicked = panicked
        self._client = QMPClient("hvctl")
        self._client.negotiate = False  # hvctl.run.spawn has done it.
        self._waiting: list[str] = []
        self._connected = False
        self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, command: str) -> bool:
        """Have a command executed, at once or as soon as QEMU has greeted; False if QEMU closed the connection."""
        if self._closed:
            return False
        if self._connected:
            self._start(command)
        else:
            self._waiting.append(command)
        return True

    async def talk(self) -> None:
        """Hold the connection, and hand over each GUEST_PANICKED as it comes."""
        panics = EventListener(("GUEST_PANICKED", "RESUME"))
        try:
            # Not `listen`, which at its end throws away the events that no one has fetched yet.
            self._client.register_listener(panics)
            await self._client.connect(self._socket)
            self._connected = True
            for command in (*([] if self._resumes else ["query-status"]), *self._waiting):
                self._start(command)
            await self._pass_on(panics)
        except (QMPError, EOFError, OSError, AssertionError):
            pass  # the library asserts that it is connected at the end of connect(), but a QEMU may be gone by then
        finally:
            self._closed = True
            for last in panics.clear():
                self._take(last)
            with contextlib.suppress(QMPError, EOFError, OSError):
                await self._client.disconnect()

    async def _pass_on(self, panics: EventListener) -> None:
        closed = asyncio.create_task(self._until_closed())
        while not closed.done():
            event = asyncio.create_task(panics.get())
            await asyncio.wait({event, closed}, return_when=asyncio.FIRST_COMPLETED)
            if event.done():
                self._take(event.result())
            else:
                event.cancel()

    def _take(self, event: Mapping[str, object]) -> None:
        self.started = True
        if event.get("event") == "GUEST_PANICKED":
            self._panicked(event)

    async def _until_closed(self) -> None:
        while self._client.runstate is Runstate.RUNNING:
            await self._client.runstate_changed()

    def _start(self, command: str) -> None:
        task = asyncio.create_task(self._execute(command))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _execute(self, command: str) -> None:
        with contextlib.suppress(QMPError, EOFError, OSError):
            await self._client.execute(command)
            self.started = True
