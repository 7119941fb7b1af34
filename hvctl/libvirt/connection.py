"""A connection to a libvirt, of which no call waits for ever.

libvirt's calls wait in C for as long as the other side pleases. Each runs in a thread of its own, which is given up
when nothing is heard in time: it stays behind in C, without Python's lock, and ends with the process.

So does whoever drops the last reference to a connection, which each of its domains has: that says good-bye to the other
side, and waits for an answer. A `Connection` owns all of libvirt-python's objects, and drops them in such a thread.
"""

import contextlib
import itertools
import json
import re
import threading
from collections.abc import Callable, Iterator
from enum import Enum, auto
from functools import partial
from shlex import quote
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import urlsplit
from weakref import proxy

from hvctl.errors import HostError, RefusedError, UsageError
from hvctl.libvirt.errors import UNREADABLE, failed, late, load, lost, not_opened, text, unreadable
from hvctl.text.problems import quoted

T = TypeVar("T")
DEFAULT_URI = "qemu:///system"
SECONDS = 10.0
# QEMU may have to be asked first, guest memory to be allocated, a firmware to be copied.
START_SECONDS = 120.0
_GOOD_BYE = 0.5
_LONGEST_NAME = 1000  # characters: libvirt's QEMU driver takes what a file's name can hold
_MOST_XML = 64 << 20  # characters of all domains together: those of 4,000 large ones
_STATUS, _LONGEST_STATUS = '{"execute": "query-status"}', 10_000
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Domain(NamedTuple):
    """A domain as it was listed or looked up. `handle` is for libvirt-python's object, which the connection owns."""

    name: str
    uuid: str
    running: bool
    handle: Any


class State(Enum):
    """Whether a domain has a guest that runs: STUCK is one that KVM cannot run any further."""

    RUNS = auto()
    STUCK = auto()
    ENDED = auto()


def is_local(uri: str) -> bool:
    """Whether a URI means this machine: it names no host."""
    return not urlsplit(uri).hostname


class Call(Generic[T]):
    """A call in a thread, which begins at once. The function gets another one, to call after each of many steps."""

    def __init__(self, work: Callable[[Callable[[], None]], T]) -> None:
        self._work = work
        self._done = threading.Event()
        self._steps = 0
        self._result: list[T] = []
        self._error: BaseException | None = None
        threading.Thread(target=self._run, daemon=True).start()

    @property
    def done(self) -> bool:
        """Whether the thread has ended."""
        return self._done.is_set()

    def wait(self, seconds: float) -> T:
        """The result; raises what the function raised, and TimeoutError where nothing was heard for so long."""
        seen = 0
        while not self._done.wait(seconds):
            if self._steps == seen:
                raise TimeoutError
            seen = self._steps
        if self._error is not None:
            raise self._error
        return self._result[0]

    def _run(self) -> None:
        try:
            self._result.append(self._work(self._step))
        except BaseException as error:  # it is raised again in the thread that waits
            self._error = error
            trace = error.__traceback__
            while trace:  # whoever gets the error is not to own what its frames refer to
                with contextlib.suppress(RuntimeError):  # this frame still runs
                    trace.tb_frame.clear()
                trace = trace.tb_next
        finally:
            self._done.set()

    def _step(self) -> None:
        self._steps += 1


class Connection:
    """An open connection. Every method raises HostError where libvirt is gone, refuses or does not answer in time."""

    def __init__(self, uri: str, handle: Any, seconds: float) -> None:
        self.uri = uri
        self.handle = proxy(handle)
        self.seconds = seconds
        self._owned = [handle]

    def ask(self, what: str, work: Callable[[Callable[[], None]], T], *, seconds: float = 0, refusal: str = "") -> T:
        """Have something done, in time.

        Args:
            what: what is asked for, as `the XML of win11`.
            work: does it; see `Call`. What it returns is no object of libvirt-python's; see `own`.
            seconds: the time, if it is more than the connection's.
            refusal: the beginning of the RefusedError that a no of libvirt's is; without it that is a HostError.
        """
        limit = max(self.seconds, seconds)
        try:
            return Call(work).wait(limit)
        except TimeoutError as error:
            raise late(self.uri, what, limit) from error
        except UNREADABLE as error:
            raise unreadable(self.uri, what) from error
        except load().libvirtError as error:
            if error.get_error_domain() == load().VIR_FROM_RPC or not self._alive():
                raise lost(self.uri, f"{what}: {text(error)}") from error
            raise failed(self.uri, what, error, refusal) from error

    def _alive(self) -> bool:
        try:
            return bool(Call(lambda _: self.handle.isAlive()).wait(self.seconds))
        except (TimeoutError, *UNREADABLE, load().libvirtError):
            return False

    def close(self) -> None:
        """Close it. Nobody waits long for a good-bye. While a call hangs none is said: it has references of its own."""
        with contextlib.suppress(TimeoutError):
            Call(lambda _: self._owned.clear()).wait(min(self.seconds, _GOOD_BYE))

    def own(self, handle: Any) -> Domain:
        """The domain that a call gave, within that call."""
        self._owned.append(handle)
        name = handle.name()
        if not 0 < len(name) <= _LONGEST_NAME:
            raise HostError(f"{self.uri} has a domain whose name has {len(name)} characters")
        # The ID came with the handle: to ask whether the domain is active would be another call.
        return Domain(name, handle.UUIDString(), handle.ID() != -1, proxy(handle))

    def hostname(self) -> str:
        """What the other side calls itself."""
        return self.ask("the host's name", lambda _: str(self.handle.getHostname()))

    def capabilities(self, arch: str) -> tuple[str, str, str | None, str | None]:
        """Capabilities and domain capabilities for KVM guests of `arch`, the versions of QEMU and of libvirt."""
        domain = self.ask("domain capabilities", lambda _: self.handle.getDomainCapabilities(None, arch, None, "kvm"))
        return (
            self.ask("capabilities", lambda _: str(self.handle.getCapabilities())),
            str(domain),
            _version(self.ask("QEMU's version", lambda _: self.handle.getVersion())),
            _version(self.ask("libvirt's version", lambda _: self.handle.getLibVersion())),
        )

    def domain(self, name: str) -> Domain:
        """The domain of a name, or of a UUID.

        Raises:
            HostError: there is none.
        """

        def look(_step: Callable[[], None]) -> Domain | None:
            named = _found(lambda: self.own(self.handle.lookupByName(name)))
            if named or not _UUID.fullmatch(name):
                return named
            return _found(lambda: self.own(self.handle.lookupByUUIDString(name)))

        # Bytes of the command line that are not UTF-8 are surrogates, which libvirt-python cannot pass on.
        found = self.ask(f"the domain {name}", look) if name.encode(errors="ignore").decode() == name else None
        if found is None:
            raise HostError(f"{self.uri} has no domain {name}", f"list them: hvctl show --connect {quote(self.uri)}")
        if name not in (found.name, found.uuid) and name.lower() != found.uuid:
            raise HostError(f"{self.uri} was asked for the domain {name}, and answers with {found.name}")
        return found

    def domains(self) -> list[Domain]:
        """All domains, by name."""
        found = self.ask("the list of domains", lambda _: [self.own(one) for one in self.handle.listAllDomains()])
        found.sort(key=lambda domain: domain.name)
        for one, other in itertools.pairwise(found):
            if one.name == other.name:
                raise HostError(f"{self.uri} lists the domain {one.name} twice")
        return found

    def xml(self, domain: Domain, *, definition: bool = False, secrets: bool = False) -> str:
        """The XML of a domain.

        Args:
            domain: which.
            definition: as it will be started, and not as it runs.
            secrets: with the passwords in it, for which the connection must be one that may write.
        """
        flags = _flags(definition=definition, secrets=secrets)
        return self.ask(f"the XML of {domain.name}", lambda _: str(domain.handle.XMLDesc(flags)))

    def xmls(self, domains: list[Domain], *, definition: bool = False) -> list[str | None]:
        """The XML of many domains, without passwords; None for those that have gone meanwhile."""
        flags = _flags(definition=definition, secrets=False)

        def fetch(step: Callable[[], None]) -> list[str | None]:
            found: list[str | None] = []
            size = 0
            for domain in domains:
                found.append(_found(partial(domain.handle.XMLDesc, flags)))
                size += len(found[-1] or "")
                if size > _MOST_XML:
                    raise HostError(f"{self.uri}: the XML of its domains has more than {_MOST_XML >> 20} MiB")
                step()
            return found

        return self.ask("the XML of the domains", fetch)

    def state(self, domain: Domain) -> State:
        """Whether a domain is active, and still there, and whether its guest can run on.

        Of a guest that KVM cannot run libvirt knows that it is paused, and not why: its QEMU is asked then, which marks
        the domain as tainted.
        """
        libvirt = load()
        found = self.ask(f"whether {domain.name} runs", lambda _: _found(domain.handle.state))
        if not found or found[0] == libvirt.VIR_DOMAIN_SHUTOFF:
            return State.ENDED
        if list(found[:2]) != [libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_UNKNOWN]:
            return State.RUNS
        monitor = load("libvirt_qemu").qemuMonitorCommand
        with contextlib.suppress(RefusedError):  # as where it has ended meanwhile
            why, refusal = f"why {domain.name} is paused", f"the QEMU of {domain.name} cannot be asked"
            if _is_stuck(self.ask(why, lambda _: str(monitor(domain.handle, _STATUS, 0)), refusal=refusal)):
                return State.STUCK
        return State.RUNS


def _is_stuck(answer: str) -> bool:
    """Whether QEMU stopped its guest for an internal error, as where KVM cannot run it any further."""
    try:
        status = json.loads(answer[:_LONGEST_STATUS])["return"]["status"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return False
    return bool(status == "internal-error")


def _found(work: Callable[[], T]) -> T | None:
    """What is asked for about a domain; None where that is not there."""
    try:
        return work()
    except load().libvirtError as error:
        if error.get_error_code() == load().VIR_ERR_NO_DOMAIN:
            return None
        raise


def _flags(*, definition: bool, secrets: bool) -> int:
    libvirt = load()
    flags = libvirt.VIR_DOMAIN_XML_INACTIVE if definition else 0
    return int(flags | (libvirt.VIR_DOMAIN_XML_SECURE if secrets else 0))


def _version(number: int) -> str | None:
    """1000000 * major + 1000 * minor + release (libvirt:include/libvirt/libvirt-host.h, virGetVersion)."""
    major, rest = divmod(number, 1_000_000)
    return f"{major}.{rest // 1000}.{rest % 1000}" if number > 0 else None


@contextlib.contextmanager
def connected(
    uri: str, *, write: bool = False, seconds: float = SECONDS, meanwhile: Callable[[], object] | None = None
) -> Iterator[Connection]:
    """A connection for the time of the block.

    Args:
        uri: as virsh takes it.
        write: whether more than looking is meant.
        seconds: how long each call may take; starting a domain may take longer.
        meanwhile: what can be done while the other side is waited for.

    Raises:
        UsageError: that is no URI.
        HostError: libvirt-python is not installed, or libvirt cannot be reached, refuses or does not answer in time.
    """
    if not uri.isprintable():
        raise UsageError(f"{quoted(uri)} is no URI", "write one as virsh takes it, as qemu:///system")
    libvirt = load()

    def opened(_step: Callable[[], None]) -> Connection:
        return Connection(uri, libvirt.open(uri) if write else libvirt.openReadOnly(uri), seconds)

    call = Call(opened)
    if meanwhile:
        meanwhile()
    try:
        connection = call.wait(seconds)
    except TimeoutError as error:
        raise late(uri, "the connection", seconds) from error
    except UNREADABLE as error:
        raise unreadable(uri, "the connection") from error
    except libvirt.libvirtError as error:
        raise not_opened(uri, error) from error
    try:
        yield connection
    finally:
        connection.close()
