"""The QMP connection to a supervised QEMU: commands that end the guest, and the event of its crash."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Mapping

from qemu.qmp import EventListener, QMPClient, QMPError
from qemu.qmp.protocol import Runstate

from hvctl.run.relay import harmless

# The library logs what hvctl says in its own words, and Python prints such logs on stderr where nothing else is set up.
logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL + 1)


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
        self.trouble = ""
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
        # The library asserts that it is connected at the end of connect(), but a QEMU may be gone by then.
        except (QMPError, EOFError, OSError, AssertionError) as error:
            self.trouble = harmless(str(error), 200)
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
        try:
            await self._client.execute(command)
            self.started = True
        except (QMPError, EOFError, OSError) as error:
            self.trouble = harmless(str(error), 200)
