"""The probe guest as a transient domain of a libvirt on this machine: started, listened to, and destroyed.

What it prints comes through a named pipe. libvirt hands that to QEMU, as both ends are in the domain's XML: it sets
their owner (libvirt:src/security/security_dac.c, virSecurityDACSetChardevLabelHelper), and their label or rule where
the host confines QEMU (security_selinux.c, virSecuritySELinuxSetChardevLabel; virt-aa-helper.c, vah_add_file_chardev).
A stream of libvirt's from a pseudoterminal would need no file, but loses what is not read yet when QEMU ends, and the
guest ends with its report; a file is virtlogd's, and root's alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import select
import shutil
import signal
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from types import TracebackType

from hvctl.errors import HostError, RefusedError
from hvctl.host.libvirt_capabilities import qemu_user
from hvctl.libvirt.connection import Connection, Domain, State, is_local
from hvctl.libvirt.errors import load
from hvctl.model.verification import LARGEST
from hvctl.probe_guest import firmware
from hvctl.text.problems import quoted
from hvctl.verify.probe_report import is_complete
from hvctl.verify.probe_run import FINISHED, Ran

# Seconds that libvirt has for what is slow, if the connection gives it no more: before its first answer it asks every
# QEMU that there is, and a start takes memory and cgroups.
SLOW_SECONDS = 30.0
# Seconds that a guest which resets itself has until libvirt has ended it.
RESET_SECONDS = 2.0
# Seconds without a word of the guest's until libvirt is asked whether it can run on.
_PATIENCE = 2.0
_CHUNK = 1 << 16
PREFIX = "hvctl-verify-"
IMAGE, PIPE = "firmware", "console"


class DomainProbe:
    """A running domain; a context manager that ends it."""

    def __init__(self, connection: Connection, output: int) -> None:
        self._connection = connection
        self._output = output
        self._domain: Domain | None = None
        self._begin = time.monotonic()
        self._data = bytearray()
        self._stopped = ""

    def __enter__(self) -> DomainProbe:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        os.close(self._output)
        # Where libvirt does not answer, it ends the domain when the connection ends, at the latest with hvctl.
        with contextlib.suppress(HostError, RefusedError):
            if domain := self._domain:
                self._connection.ask("to end the probe guest", lambda _: domain.handle.destroy())

    def start(self, xml: str) -> None:
        """Start it; raises RefusedError where libvirt does not."""
        libvirt = load()
        flags = libvirt.VIR_DOMAIN_START_VALIDATE | libvirt.VIR_DOMAIN_START_AUTODESTROY
        self._domain = self._connection.ask(
            "to start the probe guest",
            lambda _: self._connection.own(self._connection.handle.createXML(xml, flags)),
            seconds=SLOW_SECONDS,
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
            return Ran(bytes(self._data), None, (), seconds, stopped=self._stopped)
        reset = ended or self._listen(min(deadline, time.monotonic() + RESET_SECONDS), whole=True)
        return Ran(bytes(self._data), 0 if reset else FINISHED, (), seconds)

    def _listen(self, deadline: float, *, whole: bool = False) -> bool:
        """Read until the report is whole (or on, where it is), the time over, or QEMU has ended; whether it has."""
        while len(self._data) <= LARGEST and (whole or not is_complete(bytes(self._data[-64:]))):
            left = max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([self._output], [], [], min(left, _PATIENCE))
            if not ready:
                self._stopped = self._why()
                if self._stopped or left <= _PATIENCE:
                    return False
                continue
            data = os.read(self._output, _CHUNK)
            if not data:
                return True
            self._data += data
        return False

    def _why(self) -> str:
        """Why the guest will never report; empty where it may."""
        assert self._domain is not None, "started"
        stuck = self._connection.state(self._domain) is State.STUCK
        return "libvirt keeps what QEMU said in its log of the domain" if stuck else ""


def start(connection: Connection, build: Callable[[str, str, str], str]) -> DomainProbe:
    """Start the probe guest as a domain.

    Args:
        connection: one that may write, to a libvirt with QEMU on this machine.
        build: makes the domain's XML of its name, the firmware's path and that of the pipes.

    Raises:
        HostError: libvirt does not answer.
        RefusedError: libvirt does not start it.
    """
    user = _qemu_user(connection)
    try:
        with _folder(user) as folder:
            image, pipe = os.path.join(folder, IMAGE), os.path.join(folder, PIPE)
            _write(image, firmware())
            probe = DomainProbe(connection, _pipes(pipe, user))
            try:
                probe.start(build(f"{PREFIX}{secrets.token_hex(4)}", image, pipe))
            except BaseException:
                probe.__exit__(None, None, None)
                raise
    except OSError as error:
        what = f"the probe guest's files cannot be made: {error.strerror}"
        raise HostError(what, "TMPDIR names another place for them") from error
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
        found = f"{connection.uri} has no QEMU, but libvirt's driver {quoted(kind)}"
        raise HostError(found, "verify needs one to start")


def _qemu_user(connection: Connection) -> int:
    """Whom libvirt runs QEMU as: where it does not say so it runs as the caller, and has no choice."""
    # Before its first answer, libvirt asks every QEMU that there is.
    text = connection.ask("capabilities", lambda _: str(connection.handle.getCapabilities()), seconds=SLOW_SECONDS)
    found = qemu_user(text)
    return os.geteuid() if found is None else found


@contextlib.contextmanager
def _folder(user: int) -> Iterator[str]:
    """A directory that the caller and QEMU's user alone may enter; gone after the block, and where a signal ends it.

    Only SIGKILL leaves it, for the next hvctl to remove: it is locked as long as hvctl lives.
    """
    place, folder, lock = _place(), "", -1
    _remove_left_over(place)
    with _before_signals(lambda: shutil.rmtree(folder, ignore_errors=True)):
        try:
            while lock < 0:
                folder = os.path.join(place, PREFIX + secrets.token_hex(16))
                os.mkdir(folder, 0o700)
                lock = _locked(folder)
            _let_in(folder, user, 1)
            # QEMU has opened all in it when libvirt says that it runs, and needs the names no more.
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            if lock >= 0:
                os.close(lock)


def _locked(folder: str) -> int:
    """A new directory's descriptor with a lock; -1 where another hvctl has taken it for left over before."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return -1
    with contextlib.suppress(OSError):  # without locks, nothing is taken for left over
        fcntl.flock(handle, fcntl.LOCK_EX)
    if os.fstat(handle).st_nlink:
        return handle
    os.close(handle)
    return -1


def _remove_left_over(place: str) -> None:
    """Remove the caller's own directories that a hvctl left which was killed."""
    with contextlib.suppress(OSError):
        for name in os.listdir(place):
            if name.startswith(PREFIX):
                with contextlib.suppress(OSError):
                    folder = os.path.join(place, name)
                    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
                    try:
                        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        if os.fstat(handle).st_uid == os.geteuid():
                            shutil.rmtree(folder, ignore_errors=True)
                    finally:
                        os.close(handle)


@contextlib.contextmanager
def _before_signals(work: Callable[[], object]) -> Iterator[None]:
    """Do something before a signal does in the block what it did before, which is to end hvctl."""

    def handle(number: int, _frame: object) -> None:
        work()
        signal.signal(number, held[number])
        signal.raise_signal(number)

    ending: tuple[int, ...] = (signal.SIGTERM, signal.SIGHUP)  # Ctrl-C is an exception already
    held = {number: old for number in ending if (old := signal.getsignal(number)) not in (None, signal.SIG_IGN)}
    try:
        for number in held:
            signal.signal(number, handle)
        yield
    finally:
        for number, old in held.items():
            signal.signal(number, old)


def _let_in(path: str, user: int, rights: int) -> None:
    """Give another user rights (4 to read, 2 to write, 1 to enter) to what is the caller's alone."""
    own = os.stat(path).st_mode >> 6 & 7
    if user == os.geteuid():
        return
    # linux:include/uapi/linux/posix_acl_xattr.h: version; tag, rights and id for owner, user, group, mask and others.
    none = 0xFFFFFFFF
    entries = ((0x01, own, none), (0x02, rights, user), (0x04, 0, none), (0x10, rights, none), (0x20, 0, none))
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(path, "system.posix_acl_access", acl)
    except OSError:
        # A file system without ACLs. libvirt makes the pipe QEMU's own; the directory can be entered, not listed.
        if rights == 1:
            os.chmod(path, 0o711)


def _write(path: str, image: bytes) -> None:
    """The firmware, which is no secret: of its own libvirt sets no owner."""
    with open(path, "xb") as stream:
        stream.write(image)
        os.fchmod(stream.fileno(), 0o444)


def _pipes(path: str, user: int) -> int:
    """Make the two pipes that QEMU's chardev opens. Gives our end."""
    for name in (f"{path}.in", f"{path}.out"):
        os.mkfifo(name, 0o600)
        # Where libvirt is not to change owners (dynamic_ownership = 0 in its qemu.conf), they stay the caller's.
        _let_in(name, user, 6)
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
