"""Watching one QEMU from its start to its end.

QEMU is started before asyncio and the QMP library are imported, since the guest need not wait for them. Signals ask the
guest to power down, then end it; whatever happens to hvctl, QEMU goes with it (`hvctl.run.spawn`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

from hvctl.run.control import Control
from hvctl.run.crash import Crash, read_event, report
from hvctl.run.ending import Ending
from hvctl.run.relay import Relay
from hvctl.run.spawn import Child, start
from hvctl.run.terminal import Inbox, Terminal


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


def run(
    argv: Sequence[str],
    say: Callable[[str], None],
    *,
    stdio: bool,
    exit_with_parent: bool = False,
    patience: Patience | None = None,
) -> Ending:
    """Start QEMU and stay until it has ended.

    Args:
        argv: the program's path and its arguments.
        say: shows a line to the user; QEMU's own lines too.
        stdio: whether the caller's arguments use standard input: QEMU then gets the terminal, and with it Ctrl-C.
        exit_with_parent: whether this QEMU knows `-run-with exit-with-parent=on`.
        patience: how long to wait; by default a minute for the guest.

    Raises:
        HostError: QEMU cannot be started at all.
    """
    with Inbox(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD) as inbox, Terminal() as terminal:
        terminal.lent = stdio and terminal.lendable()
        child = start(argv, terminal, lend=terminal.lent, exit_with_parent=exit_with_parent)
        try:
            import asyncio

            watch = _Watch(child, inbox, terminal, _quietly(say), patience or Patience())
            return asyncio.run(watch.until_the_end())
        finally:
            _leave_nothing(child)


def _quietly(say: Callable[[str], None]) -> Callable[[str], None]:
    """A terminal that was closed, or a reader that left, is no reason to end the guest."""

    def safe(line: str) -> None:
        with contextlib.suppress(OSError):
            say(line)

    return safe


def _leave_nothing(child: Child) -> None:
    process = child.process
    if process.returncode is None:
        process.kill()
        process.wait()
    child.qmp.close()
    if process.stderr is not None:
        process.stderr.close()


class _Watch:
    def __init__(
        self, child: Child, inbox: Inbox, terminal: Terminal, say: Callable[[str], None], patience: Patience
    ) -> None:
        self.child = child
        self.inbox = inbox
        self.terminal = terminal
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
        import asyncio

        from hvctl.run.control import Control

        loop = asyncio.get_running_loop()
        something = asyncio.Event()
        loop.add_reader(self.inbox.fd, something.set)
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
        loop.remove_reader(self.inbox.fd)
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
        for number in self.inbox.take():
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
        if number is signal.SIGINT and self.terminal.lent:
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
        if number != signal.SIGTSTP and self.terminal.lendable():
            # It does use the terminal, though its arguments did not tell.
            self.terminal.lend(self.child.pid)
        else:
            self.terminal.take()
            # A session without a shell has no one to continue a stopped job.
            if os.getsid(0) != os.getpid():
                os.kill(os.getpid(), signal.SIGSTOP)
            self.terminal.lend(self.child.pid)
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
