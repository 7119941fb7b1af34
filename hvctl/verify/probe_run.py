"""A QEMU that boots the probe guest: started, listened to, ended in time, with nothing left behind; and what its run
comes to, an observation or an error that says why there is none.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import subprocess
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import NamedTuple, TypeVar

from hvctl.errors import HostError, RefusedError
from hvctl.host import watcher
from hvctl.model.verification import LARGEST, Observation
from hvctl.probe_guest import MAY_CRASH, firmware, with_parameter
from hvctl.run.ending import STOPPED, WHY_STOPPED, Ending, Relay, harmless, verdict
from hvctl.verify.probe_report import ReportError, is_complete, read_report

T = TypeVar("T")

CHARDEV = "hvctl-probe"
FINISHED = 33  # isa-debug-exit makes (value << 1) | 1 of the 0x10 that the guest writes
_CHUNK = 1 << 16  # bytes: what a pipe holds
SHOWN_LINES = 6
SHOWN_COLUMNS = 70
# As qemu_system_guest_panicked words it (qemu:softmmu/runstate.c).
_CRASH = re.compile(rb"HV crash parameters: \(((?:(?:0x)?[0-9a-f]{1,16} ?){5})\)")
_UNPROVED = "so nothing can be said of what this guest would see"


class Ran(NamedTuple):
    """What became of a probe guest.

    `output` is what it printed, `status` QEMU's exit status, negative for a signal, None where hvctl ended it: the time
    was over, more was printed than a report has, or QEMU said in `stopped` that KVM cannot run the guest any further.
    `stderr` are QEMU's first lines, fit to be shown. `log` is what it noted of the guest's end, None where the guest
    was not to crash.
    """

    output: bytes
    status: int | None
    stderr: tuple[str, ...]
    seconds: float
    log: bytes | None = None
    stopped: str = ""


class Probe:
    """A running QEMU; a context manager that ends it."""

    def __init__(self, process: subprocess.Popen[bytes], output: int, log: int | None, begin: float) -> None:
        self._process = process
        self._output = output
        self._log = log
        self._begin = begin
        self._relay = Relay(self._look)
        self._data = bytearray()
        self._stopped = ""

    def __enter__(self) -> Probe:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        watcher.end(self._process)
        for end in (self._output, self._log):
            if end is not None:
                os.close(end)
        if self._process.stderr is not None:
            self._process.stderr.close()

    def finish(self, timeout: float) -> Ran:
        """Wait until QEMU has ended by itself, at most `timeout` seconds after its start, or end it."""
        deadline = self._begin + timeout
        self._listen(deadline)
        status = None
        if len(self._data) <= LARGEST and not self._stopped:
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = self._process.wait(max(0.0, deadline - time.monotonic()))
        seconds = time.monotonic() - self._begin
        watcher.end(self._process)
        self._drain()
        log = None if self._log is None else os.pread(self._log, _CHUNK, 0)
        return Ran(bytes(self._data), status, tuple(self._relay.kept), seconds, log, self._stopped)

    def _listen(self, deadline: float) -> None:
        """Read both ends until the guest's is closed, which QEMU does at its end."""
        assert self._process.stderr is not None
        errors = self._process.stderr.fileno()
        os.set_blocking(errors, False)
        poll = select.poll()
        for end in (self._output, errors):
            poll.register(end, select.POLLIN)
        # Both are read by the piece: whoever writes without end must not make the time go by unseen.
        while len(self._data) <= LARGEST and not self._stopped and (left := deadline - time.monotonic()) > 0:
            for end, _ in poll.poll(1000 * left):
                data = _read(end)
                if end == errors:
                    self._relay.feed(data)
                else:
                    self._data += data
                if not data and end == self._output:
                    return
                if not data:
                    poll.unregister(end)

    def _look(self, line: str) -> None:
        # The probe guest has no user mode, in which QEMU would let it go on.
        if line.startswith(STOPPED) and not self._stopped:
            self._stopped = line

    def _drain(self) -> None:
        """What QEMU said last. A process that could not be ended may hold the pipe open, so nothing is waited for."""
        assert self._process.stderr is not None
        self._relay.feed(_read(self._process.stderr.fileno()))
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
        process = watcher.start(
            [*argv, *_words(file, theirs), *(() if log is None else _crash_words(log))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(file, theirs) if log is None else (file, theirs, log),
            start_new_session=True,
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


def refused(ran: Ran) -> bool:
    """Whether QEMU ended by itself before the guest printed anything: it says why on stderr."""
    return ran.status == 1 and not ran.output


def observe(ran: Ran, timeout: float) -> Observation:
    """The observation of a run of the probe guest that was given `timeout` seconds; raises as `finished`."""
    found = finished(ran, timeout, read_report)
    return found._replace(reset=ran.status == 0, crash=None if ran.log is None else _crash(ran.log))


def _crash(log: bytes) -> tuple[int, ...]:
    """The parameters of the crash that QEMU noted; empty where it did not."""
    match = _CRASH.search(log)
    return tuple(int(word, 16) for word in match[1].split()) if match else ()


def finished(ran: Ran, timeout: float, read: Callable[[bytes], T]) -> T:
    """What a guest reported in a run that was given `timeout` seconds; `read` makes it of what was printed.

    Raises:
        RefusedError: QEMU refuses the configuration.
        HostError: QEMU died, or the guest hung or printed something else than a report.
    """
    if ran.status is None:
        raise _unfinished(ran, timeout)
    if refused(ran):
        raise RefusedError("\n".join([*_said(ran), *_ending(ran)]))
    if ran.status < 0:
        raise HostError("\n".join([*_said(ran), *_ending(ran), _UNPROVED]))
    try:
        found = read(ran.output)
    except ReportError as error:
        told = f"the probe guest {error} (QEMU's exit status was {ran.status}), {_UNPROVED}"
        raise HostError("\n".join([*_said(ran), told])) from error
    if ran.status not in (0, FINISHED):
        raise HostError("\n".join([*_said(ran), *_ending(ran), _UNPROVED]))
    return found


def _unfinished(ran: Ran, timeout: float) -> HostError:
    if ran.stopped:
        told = f"KVM cannot run the probe guest any further, {_UNPROVED}: {ran.stopped}"
        return HostError(told, WHY_STOPPED)
    if len(ran.output) > LARGEST:
        return HostError(f"the probe guest printed more than {LARGEST} bytes and was ended, {_UNPROVED}")
    if is_complete(ran.output):
        told = f"QEMU did not end within {timeout:g} s, though the probe guest has finished"
    else:
        told = f"the probe guest did not finish within {timeout:g} s, {_UNPROVED}"
    return HostError("\n".join([*_said(ran), told, *_last_words(ran)]), "--timeout gives it more time")


def _last_words(ran: Ran) -> list[str]:
    if not ran.output:
        return ["it has printed nothing"]
    lines = ran.output.rstrip(b"\n").rpartition(b"\n")[2]
    return [f"the last that it printed was: {harmless(lines.decode('ascii', 'replace'), SHOWN_COLUMNS)}"]


def _said(ran: Ran) -> list[str]:
    """What QEMU wrote, each line once: its errors, or its warnings where it has no other words."""
    unique = list(dict.fromkeys(ran.stderr))
    lines = [line for line in unique if "warning:" not in line] or unique
    half = SHOWN_LINES // 2
    return [*lines[:half], "(and more)", *lines[-half:]] if len(lines) > SHOWN_LINES else lines


def _ending(ran: Ran) -> tuple[str, ...]:
    assert ran.status is not None
    return verdict(Ending(ran.status, bool(ran.output), stderr=ran.stderr))
