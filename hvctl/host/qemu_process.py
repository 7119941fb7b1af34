"""A QEMU that is started for questions only: QMP over an inherited socket, and nothing left behind.

Nothing in an answer is believed unseen: record(), listed(), text() and number() take it or raise BadReplyError.
"""

import asyncio
import contextlib
import logging
import os
import resource
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from qemu.qmp import ExecInterruptedError, QMPClient, QMPError

from hvctl.host.hostfs import clean, die_with_parent

# What QEMU wrote to stderr is quoted from its end; a pipe holds 64 KiB, so more than that is never read.
_MOST_STDERR = 64 * 1024
_FAREWELL = 1.0
# qemu.qmp logs each failure; without a handler Python would print that on stderr.
logging.getLogger("qemu.qmp").addHandler(logging.NullHandler())
MOST_ENTRIES = 5000
MOST_CHARACTERS = 200


class ProbeError(Exception):
    """A binary could not be asked; the message says why. `exited` is True where it ended by itself."""

    def __init__(self, message: str, *, exited: bool = False) -> None:
        super().__init__(message)
        self.exited = exited


class Monitor:
    """The QMP side of a running QEMU."""

    def __init__(self, client: QMPClient) -> None:
        self._client = client

    async def ask(self, command: str, **arguments: object) -> Any:
        """The answer to a QMP command, of whatever type QEMU sends.

        Raises:
            QMPError: QEMU answers with an error (ExecuteError), or not at all.
        """
        return await self._client.execute(command, arguments or None)


@asynccontextmanager
async def running(path: str, *accelerators: str) -> AsyncIterator[Monitor]:
    """A QEMU without a machine and with the first of the accelerators that it can use, for as long as the block runs.

    Raises:
        ProbeError: it cannot be started, is not QEMU, or ends during the block.
    """
    ours, theirs = socket.socketpair()
    errors_read, errors_write = os.pipe()
    try:
        process = await _start(path, accelerators, theirs, errors_write)
    except OSError as error:
        ours.close()
        os.close(errors_read)
        raise ProbeError(f"it cannot be started: {error.strerror or error}") from error
    finally:
        theirs.close()
        os.close(errors_write)
    client = QMPClient()
    try:
        await client.connect(ours)
        yield Monitor(client)
    except (QMPError, OSError, EOFError, ValueError, RecursionError, AssertionError) as error:
        raise await _failure(process, errors_read, error) from error
    finally:
        await _end(process, client)
        ours.close()
        os.close(errors_read)


async def _start(
    path: str, accelerators: tuple[str, ...], monitor: socket.socket, errors: int
) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        path,
        *(word for accelerator in accelerators for word in ("-accel", accelerator)),
        *("-machine", "none", "-nodefaults", "-no-user-config", "-display", "none", "-S"),
        *("-chardev", f"socket,fd={monitor.fileno()},id=hvctl", "-qmp", "chardev:hvctl"),
        pass_fds=(monitor.fileno(),),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=errors,
        cwd="/",
        # A group of its own, so that what a wrapper script started goes with it.
        start_new_session=True,
        preexec_fn=die_with_parent(),
    )
    # QEMU aborts with -accel kvm on some kernels without Hyper-V; no core file of that.
    with contextlib.suppress(OSError):
        resource.prlimit(process.pid, resource.RLIMIT_CORE, (0, 0))
    return process


async def _end(process: asyncio.subprocess.Process, client: QMPClient) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_FAREWELL):
            await client.disconnect()


async def _failure(process: asyncio.subprocess.Process, errors: int, cause: BaseException) -> ProbeError:
    """Why a conversation broke: by preference QEMU's own last words."""
    # qemu.qmp wraps what happens while it connects.
    if not isinstance(cause.__cause__ or cause, OSError | EOFError | ExecInterruptedError):
        return ProbeError(f"it does not answer as QEMU does: {clean(str(cause))}")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_FAREWELL):
            await process.wait()
    words = _last_line(errors)
    code = process.returncode
    if code is None:
        return ProbeError(f"it breaks off the conversation: {clean(str(cause))}")
    how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return ProbeError(f"it ended ({how}){': ' if words else ''}{words}", exited=True)


def _last_line(errors: int) -> str:
    os.set_blocking(errors, False)
    try:
        text = os.read(errors, _MOST_STDERR).decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line for line in text.splitlines() if line.strip()]
    return clean(lines[-1]) if lines else ""


class BadReplyError(ValueError):
    """A QMP answer has not the form that QEMU documents."""


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
