"""The probe guest as a transient domain of a libvirt on this machine: started, listened to, and destroyed.

What it prints comes through a named pipe. libvirt lets QEMU have that and the firmware, because both are in the
domain's XML: it sets their owner, and their labels where the host confines QEMU.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import select
import shutil
import tempfile
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from hvctl.errors import HostError, RefusedError
from hvctl.libvirt.connection import Connection, is_local
from hvctl.libvirt.errors import load
from hvctl.model.verification import LARGEST
from hvctl.probe_guest import firmware
from hvctl.text.writing import replace
from hvctl.verify.probe_report import is_complete
from hvctl.verify.probe_run import FINISHED, Ran

# libvirt may have to ask QEMU for all that it can before it starts the first domain.
START_SECONDS = 120.0
# Seconds that a guest which resets itself has until libvirt has ended it.
RESET_SECONDS = 2.0
_CHUNK = 1 << 16
IMAGE, PIPE = "firmware", "console"


class DomainProbe:
    """A running domain; a context manager that ends it, and leaves no file behind."""

    def __init__(self, connection: Connection, folder: str, output: int) -> None:
        self._connection = connection
        self._folder = folder
        self._output = output
        self._handle: Any = None
        self._begin = time.monotonic()
        self._data = bytearray()

    def __enter__(self) -> DomainProbe:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        os.close(self._output)
        # Where libvirt does not answer, it ends the domain when the connection ends, at the latest with hvctl.
        with contextlib.suppress(HostError, RefusedError):
            if self._handle is not None:
                self._connection.ask("to end the probe guest", lambda _: self._handle.destroy())
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self, xml: str) -> None:
        """Start it; raises RefusedError where libvirt does not."""
        libvirt = load()
        flags = libvirt.VIR_DOMAIN_START_VALIDATE | libvirt.VIR_DOMAIN_START_AUTODESTROY
        self._handle = self._connection.ask(
            "to start the probe guest",
            lambda _: self._connection.handle.createXML(xml, flags),
            seconds=START_SECONDS,
            refusal="libvirt cannot start the probe guest",
        )

    def finish(self, timeout: float) -> Ran:
        """Wait until the guest has reported, at most `timeout` seconds from now.

        A guest that can reset itself does so after its report; libvirt ends the domain then.

        Raises:
            HostError: the domain has ended before.
        """
        deadline = time.monotonic() + timeout
        ended = self._listen(deadline)
        seconds = time.monotonic() - self._begin
        whole = is_complete(bytes(self._data[-64:]))
        if ended and not whole:
            raise HostError(
                "the domain of the probe guest ended before the guest had reported, so nothing can be said of what "
                "this guest would see",
                "libvirt keeps what QEMU said in its log of the domain (/var/log/libvirt/qemu/hvctl-verify-*.log)",
            )
        if not whole or len(self._data) > LARGEST:
            return Ran(bytes(self._data), None, (), seconds)
        reset = ended or self._listen(min(deadline, time.monotonic() + RESET_SECONDS), whole=True)
        return Ran(bytes(self._data), 0 if reset else FINISHED, (), seconds)

    def _listen(self, deadline: float, *, whole: bool = False) -> bool:
        """Read until the report is whole (or on, where it is), the time over, or QEMU has ended; whether it has."""
        while len(self._data) <= LARGEST and (whole or not is_complete(bytes(self._data[-64:]))):
            ready, _, _ = select.select([self._output], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                return False
            data = os.read(self._output, _CHUNK)
            if not data:
                return True
            self._data += data
        return False


def start(connection: Connection, build: Callable[[str, str, str], str]) -> DomainProbe:
    """Start the probe guest as a domain.

    Args:
        connection: one that may write, to a libvirt with QEMU on this machine.
        build: makes the domain's XML of its name, the firmware's path and that of the pipes.

    Raises:
        HostError: libvirt does not answer.
        RefusedError: libvirt does not start it.
    """
    folder = tempfile.mkdtemp(prefix="hvctl-verify-", dir=_place())
    try:
        os.chmod(folder, 0o711)
        pipe = os.path.join(folder, PIPE)
        xml = build(f"hvctl-verify-{secrets.token_hex(4)}", _image(folder), pipe)
        probe = DomainProbe(connection, folder, _pipes(pipe))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    try:
        probe.start(xml)
    except BaseException:
        probe.__exit__(None, None, None)
        raise
    return probe


def check_uri(uri: str) -> None:
    """Raise HostError for a libvirt on another machine: neither the firmware nor the pipe can be there."""
    if not is_local(uri):
        raise HostError(
            f"{uri} is another machine: the probe guest's firmware is a file of this one, and what it prints comes "
            "through a pipe, which libvirt brings to no other machine",
            "run hvctl verify there, with --connect qemu:///system",
        )


def check_driver(connection: Connection) -> None:
    """Raise HostError for a libvirt without QEMU."""
    kind = connection.ask("its driver", lambda _: str(connection.handle.getType()))
    if kind != "QEMU":
        raise HostError(f"{connection.uri} has no QEMU, but libvirt's driver {kind}", "verify needs one to start")


def _image(folder: str) -> str:
    path = os.path.join(folder, IMAGE)
    replace(path, firmware())
    os.chmod(path, 0o444)
    return path


def _pipes(path: str) -> int:
    """Make the two pipes that QEMU's chardev opens, for anyone: who QEMU is, is libvirt's to know. Gives our end."""
    for name in (f"{path}.in", f"{path}.out"):
        os.mkfifo(name)
        os.chmod(name, 0o666)
    output = os.open(f"{path}.out", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    # QEMU must never wait for a reader: libvirt waits for QEMU.
    with contextlib.suppress(OSError):
        fcntl.fcntl(output, fcntl.F_SETPIPE_SZ, 2 * LARGEST)
    return output


def _place() -> str:
    """A folder for files that the user of libvirt's QEMU can reach: the usual one may be the caller's alone."""
    usual = tempfile.gettempdir()
    return next((path for path in (usual, "/tmp", "/var/tmp") if _open_to_all(path)), usual)


def _open_to_all(path: str) -> bool:
    while True:
        try:
            if not os.stat(path).st_mode & 0o001:
                return False
        except OSError:
            return False
        above = os.path.dirname(path)
        if above == path:
            return True
        path = above
