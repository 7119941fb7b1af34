"""A QEMU that boots the probe guest: started, listened to, and ended in time, with nothing left behind."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple

from hvctl.errors import HostError
from hvctl.host.pdeathsig import die_with_parent
from hvctl.model.observation import LARGEST
from hvctl.probe_guest import MAY_CRASH, firmware, with_parameter
from hvctl.run.relay import MAX_KEPT, Relay

CHARDEV = "hvctl-probe"
FINISHED = 33  # isa-debug-exit makes (value << 1) | 1 of the 0x10 that the guest writes
_CHUNK = 1 << 16
# Seconds between looks at whether QEMU has ended, once the guest's output has.
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.001, 0.02


class Ran(NamedTuple):
    """What became of a probe guest.

    `output` is what it printed, `status` QEMU's exit status, negative for a signal, None where hvctl ended it since the
    time was over or more was printed than a report has. `stderr` are QEMU's first lines, fit to be shown. `log` is what
    it noted of the guest's end, None where the guest was not to crash.
    """

    output: bytes
    status: int | None
    stderr: tuple[str, ...]
    seconds: float
    log: bytes | None = None


class Probe:
    """A running QEMU; a context manager that ends it."""

    def __init__(self, process: subprocess.Popen[bytes], output: int, log: int | None, begin: float) -> None:
        self._process = process
        self._output = output
        self._log = log
        self._begin = begin
        self._relay = Relay(lambda _line: None)
        self._data = bytearray()

    def __enter__(self) -> Probe:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        # All that a wrapper script has started goes with it. Nothing else can have the number before the wait().
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for end in (self._output, self._log):
            if end is not None:
                os.close(end)
        if self._process.stderr is not None:
            self._process.stderr.close()

    def finish(self, timeout: float) -> Ran:
        """Wait until QEMU has ended by itself, at most `timeout` seconds after its start, or end it."""
        deadline = self._begin + timeout
        self._listen(deadline)
        status = self._end(deadline) if len(self._data) <= LARGEST else None
        seconds = time.monotonic() - self._begin
        self._drain()
        log = None if self._log is None else os.pread(self._log, _CHUNK, 0)
        return Ran(bytes(self._data), status, tuple(self._relay.kept), seconds, log)

    def _end(self, deadline: float) -> int | None:
        """QEMU's exit status, None where it goes on; it is left to be waited for."""
        pause = _SHORTEST_PAUSE
        while True:
            found = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is not None:
                return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            time.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _listen(self, deadline: float) -> None:
        """Read both ends until the guest's is closed, which QEMU does at its end."""
        assert self._process.stderr is not None
        errors = self._process.stderr.fileno()
        os.set_blocking(errors, False)
        open_ends = [self._output, errors]
        while self._output in open_ends and len(self._data) <= LARGEST:
            ready, _, _ = select.select(open_ends, [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                return
            for end in ready:
                data = _read(end)
                if not data:
                    open_ends.remove(end)
                elif end == errors:
                    self._said(data)
                else:
                    self._data += data

    def _said(self, data: bytes) -> None:
        # What is not kept is not worth to be looked at.
        if len(self._relay.kept) < MAX_KEPT:
            self._relay.feed(data)

    def _drain(self) -> None:
        """What QEMU said last; a process that it left behind may hold the pipe open, so nothing is waited for."""
        assert self._process.stderr is not None
        with contextlib.suppress(OSError):
            while data := os.read(self._process.stderr.fileno(), _CHUNK):
                self._said(data)
        self._relay.end()


def start(argv: Sequence[str], image: bytes | None = None, *, crash: bool = False) -> Probe:
    """Start the probe guest.

    Args:
        argv: QEMU's path, and the arguments of machine, accelerator, CPU and vCPUs.
        image: other firmware than the probe guest.
        crash: whether the probe guest is to report a crash at its end, if it can.

    Raises:
        HostError: QEMU cannot be started.
    """
    # Files without names: nothing is left behind, however this ends. QEMU opens all by their descriptors.
    file = os.memfd_create(CHARDEV)
    log = os.memfd_create(f"{CHARDEV}-log") if crash else None
    ours, theirs = os.pipe()
    try:
        os.write(file, image or (with_parameter(firmware(), MAY_CRASH) if crash else firmware()))
        begin = time.monotonic()
        process = subprocess.Popen(
            [*argv, *_words(file, theirs), *(() if log is None else _crash_words(log))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(file, theirs) if log is None else (file, theirs, log),
            start_new_session=True,
            preexec_fn=die_with_parent(),
        )
    except OSError as error:
        os.close(ours)
        if log is not None:
            os.close(log)
        reason = error.strerror or str(error)
        raise HostError(f"{argv[0]} cannot be started: {reason}", "name another QEMU with --qemu") from error
    finally:
        os.close(theirs)
        os.close(file)
    return Probe(process, ours, log, begin)


def _words(file: int, output: int) -> tuple[str, ...]:
    """The probe guest instead of firmware, its console and its exit, and no other device."""
    return (
        *("-bios", f"/proc/self/fd/{file}", "-nodefaults", "-display", "none", "-no-reboot"),
        *("-chardev", f"file,id={CHARDEV},path=/proc/self/fd/{output}"),
        *("-device", f"isa-debugcon,iobase=0x402,chardev={CHARDEV}"),
        *("-device", "isa-debug-exit,iobase=0xf4,iosize=0x1"),
    )


def _crash_words(log: int) -> tuple[str, ...]:
    """A guest that has crashed goes on, and its crash is noted: qemu:softmmu/runstate.c, qemu_system_guest_panicked."""
    return ("-action", "panic=none", "-d", "guest_errors", "-D", f"/proc/self/fd/{log}")


def _read(end: int) -> bytes:
    try:
        return os.read(end, _CHUNK)
    except OSError:
        # A connection that QEMU's death has reset is at its end too.
        return b""
