"""A QEMU that is started for questions only: QMP over an inherited socket, and nothing left behind.

Nothing in an answer is believed unseen: record(), listed(), text() and number() take it or raise BadReplyError.
"""

import asyncio
import contextlib
import logging
import os
import resource
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hvctl.errors import NoQmpError
from hvctl.host import watcher
from hvctl.host.hostfs import clean
from hvctl.host.qemu_replies import ended

try:
    from qemu.qmp import ExecInterruptedError, Message, QMPClient, QMPError, StateError
    from qemu.qmp import ExecuteError as ExecuteError  # for those who ask, who would meet no NoQmpError
except ModuleNotFoundError as error:
    if error.name not in ("qemu", "qemu.qmp"):
        raise
    raise NoQmpError from error

# What QEMU wrote to stderr is quoted from its end; a pipe holds 64 KiB, so more than that is never read.
_MOST_STDERR = 64 * 1024
_FAREWELL = 1.0
# Until a QEMU that has closed the connection has ended: on a busy machine its watcher may be late.
_ENDING = 5.0
# The longest answer that is asked for has 50 KB (query-cpu-definitions), and a QEMU gets at most 600 questions.
MOST_BYTES = 1 << 20
MOST_MESSAGES = 10_000
MOST_ENTRIES = 5000
MOST_CHARACTERS = 200
# Each failure is logged, and Python prints logs on stderr where nothing else is set up.
logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL + 1)


class ProbeError(Exception):
    """A binary could not be asked; the message says why. `exited` is True where it ended by itself."""

    def __init__(self, message: str, *, exited: bool = False) -> None:
        super().__init__(message)
        self.exited = exited


class BadReplyError(ValueError):
    """A QMP answer has not the form that QEMU documents."""


class Monitor(QMPClient):
    """The QMP side of a running QEMU, or of what may be none: how much is taken and kept of it is bounded."""

    _limit = MOST_BYTES  # until 0.0.5 of the library

    def __init__(self) -> None:
        super().__init__("hvctl")
        self.readbuflen = MOST_BYTES
        self._messages_left = MOST_MESSAGES
        # The library would keep each event for ever.
        self.events.event_filter = lambda _event: False

    async def open(self, address: str | socket.socket) -> None:
        """Connect and negotiate; raises what is in FAULTS."""
        async with self._broken():
            await self.connect(address)

    async def ask(self, command: str, **arguments: object) -> Any:
        """The answer to a QMP command, of whatever type QEMU sends.

        Raises:
            ExecuteError: QEMU answers with an error.
            any of FAULTS: it does not answer as QEMU does.
        """
        async with self._broken():
            return await self.execute(command, arguments or None)

    @asynccontextmanager
    async def _broken(self) -> AsyncIterator[None]:
        try:
            yield
        except (ExecInterruptedError, StateError, AssertionError):
            # Of these the library raises one for whatever its reader has met, and only this raises that.
            await self.disconnect()
            raise

    async def _readline(self) -> Any:
        try:
            return await super()._readline()
        except ValueError as error:
            raise BadReplyError(f"a message has more than {MOST_BYTES} bytes") from error

    def _cb_inbound(self, msg: Message) -> Message:
        """Check a message; the library's own formats each one for its log."""
        self._messages_left -= 1
        if self._messages_left < 0:
            raise BadReplyError("it sends messages without end")
        if not all(isinstance(msg.get(key), str | None) for key in ("event", "id")):
            raise BadReplyError("a message has something else where a name is expected")
        return msg


FAULTS = (QMPError, OSError, EOFError, ValueError, RecursionError, AssertionError)


@asynccontextmanager
async def running(path: str, *accelerators: str) -> AsyncIterator[Monitor]:
    """A QEMU without a machine and with the first of the accelerators that it can use, for as long as the block runs.

    Raises:
        ProbeError: it cannot be started, is not QEMU, or ends during the block.
    """
    ours, theirs = socket.socketpair()
    try:
        process = _start(path, accelerators, theirs)
    except OSError as error:
        ours.close()
        raise ProbeError(f"it cannot be started: {error.strerror or error}") from error
    finally:
        theirs.close()
    monitor = Monitor()
    try:
        await monitor.open(ours)
        yield monitor
    except FAULTS as error:
        raise await _failure(process, error) from error
    finally:
        watcher.end(process)
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_FAREWELL):
                await monitor.disconnect()
        ours.close()
        assert process.stderr is not None
        process.stderr.close()


def _start(path: str, accelerators: tuple[str, ...], monitor: socket.socket) -> subprocess.Popen[bytes]:
    return watcher.start(
        (
            path,
            *(word for accelerator in accelerators for word in ("-accel", accelerator)),
            *("-machine", "none", "-nodefaults", "-no-user-config", "-display", "none", "-S"),
            *("-chardev", f"socket,fd={monitor.fileno()},id=hvctl", "-qmp", "chardev:hvctl"),
        ),
        setup=_no_core,
        pass_fds=(monitor.fileno(),),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd="/",
        start_new_session=True,
    )


def _no_core() -> None:
    """QEMU aborts with -accel kvm on some kernels without Hyper-V; no core file of that."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


async def _failure(process: subprocess.Popen[bytes], cause: BaseException) -> ProbeError:
    """Why a conversation broke: by preference QEMU's own last words."""
    # qemu.qmp wraps what happens while it connects.
    if not isinstance(cause.__cause__ or cause, OSError | EOFError | ExecInterruptedError):
        return ProbeError(f"it does not answer as QEMU does: {clean(str(cause))}")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_ENDING):
            while process.poll() is None:
                await asyncio.sleep(0.001)
    assert process.stderr is not None
    words = _last_line(process.stderr.fileno())
    code = process.returncode
    if code is None:
        return ProbeError(f"it breaks off the conversation: {clean(str(cause))}")
    return ProbeError(ended(code, words), exited=True)


def _last_line(errors: int) -> str:
    os.set_blocking(errors, False)
    try:
        text = os.read(errors, _MOST_STDERR).decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line for line in text.splitlines() if line.strip()]
    return clean(lines[-1]) if lines else ""


def record(value: Any) -> dict[str, Any]:
    """An object of reasonable size; raises BadReplyError."""
    if not isinstance(value, dict) or len(value) > MOST_ENTRIES:
        raise BadReplyError("an answer is not an object of reasonable size")
    return value


def listed(value: Any) -> list[Any]:
    """A list of reasonable length; raises BadReplyError."""
    if not isinstance(value, list) or len(value) > MOST_ENTRIES:
        raise BadReplyError("an answer is not a list of reasonable length")
    return value


def text(value: Any) -> str:
    """A short printable text; raises BadReplyError."""
    if not isinstance(value, str) or len(value) > MOST_CHARACTERS or not value.isprintable():
        raise BadReplyError("an answer has something else where a short text is expected")
    return value


def number(value: Any) -> int:
    """A number that is not negative and fits into 31 bits; raises BadReplyError."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 31:
        raise BadReplyError("an answer has something else where a number is expected")
    return value
