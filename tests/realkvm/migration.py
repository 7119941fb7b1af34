"""Real live migrations: two QEMUs on one machine, and what became of both and of the guest between them."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tests.realkvm.migration_guest import NOTES_ADDRESS, NOTES_SIZE, Notes, hypervisor, image, read_notes

LONG = 60.0
POLL_SECONDS = 0.02
HEADLESS = ("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-m", "16")
# Seconds. Before Linux 6.7 (bf328e22e472, "Don't sync user-written TSC against startup values") KVM takes a TSC within
# one second of a new VM's own for an attempt to synchronise vCPUs, and keeps the VM's own. That turns the reference
# counter of a reenlightened guest, whose TSC page KVM leaves as it is, back by the time between the QEMUs' starts.
OLDER = 1.5
# The guest's second loop after a moment began after it, and has written down every leaf anew.
TICKS = 2

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Side:
    """How a QEMU is called, as far as source and destination may differ.

    The state without RAM leaves the source in one piece, or chance decides: where a destination dies of the first part
    of it, the source fails by EPIPE if it has not yet sent the last. QEMU sends 32 KiB at a time
    (qemu:migration/qemu-file.c, IO_BUF_SIZE), which a unix socket takes as a whole. The state of a pc has 13 KiB, a
    q35's 32, and the description that follows 43 (qemu:migration/savevm.c, should_send_vmdesc()).
    """

    qemu: tuple[str, ...]
    machine: str
    cpu: str
    more: tuple[str, ...] = ()

    def words(self) -> list[str]:
        machine = f"{self.machine},suppress-vmdesc=on"
        return [*self.qemu, "-machine", machine, "-accel", "kvm", "-cpu", self.cpu, *self.more]


@dataclass(frozen=True, slots=True)
class Move:
    """A migration to try: `reenlightened` is the guest's wish, `capabilities` are QEMU's migration capabilities.

    A `nested` guest is a hypervisor that runs one of its own.
    """

    source: Side
    target: Side
    reenlightened: bool = False
    capabilities: tuple[str, ...] = ()
    nested: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """How a QEMU was found at the end: its exit status, or None and its run state while it ran; and its words."""

    status: int | None
    state: str
    said: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of a migration.

    `blocked` and `refused` are what the source says before and to the command `migrate`, `migration` and `error` its
    last status and words about it. `before` are the guest's last notes at the source, `after` its first whole ones at
    the destination, None if it did not go on there; `stayed` is whether it went on at the source instead.
    """

    source: Ended
    target: Ended
    blocked: tuple[str, ...] = ()
    refused: str = ""
    migration: str = ""
    error: str = ""
    before: Notes | None = None
    after: Notes | None = None
    stayed: bool = False

    def said(self) -> tuple[str, ...]:
        """All that QEMU said, on both sides."""
        return (self.refused, self.error, *self.source.said, *self.target.said)

    def changed(self) -> set[int]:
        """The leaves that are not at the destination what they were at the source."""
        assert self.before
        assert self.after
        pairs = zip(self.before.leaves, self.after.leaves, strict=True)
        return {before.leaf for before, after in pairs if before != after}


class Gone(Exception):
    """The QEMU at the other end of QMP has ended."""


class QmpError(Exception):
    """QMP's answer is an error; the text is its description."""


@dataclass
class Qemu:
    """A running QEMU and its QMP, by a socket that it inherits: it cannot be missed, and it ends with the process."""

    name: str
    folder: Path
    process: subprocess.Popen[bytes]
    channel: socket.socket
    _buffer: bytes = field(default=b"", repr=False)

    def greeted(self) -> bool:
        """Whether it has started: QMP's greeting comes after all that may fail."""
        try:
            self._line(time.monotonic() + LONG)
            self.ask("qmp_capabilities")
        except Gone:
            return False
        return True

    def ask(self, command: str, **arguments: object) -> Any:
        """The command's `return`. Raises Gone, QmpError."""
        try:
            self.channel.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        except OSError as error:
            raise Gone(self.name) from error
        deadline = time.monotonic() + LONG
        while "event" in (answer := self._line(deadline)):
            pass
        if "error" in answer:
            raise QmpError(answer["error"]["desc"])
        return answer["return"]

    def notes(self) -> Notes:
        path = self.folder / f"{self.name}.notes"
        self.ask("pmemsave", val=NOTES_ADDRESS, size=NOTES_SIZE, filename=str(path))
        return read_notes(path.read_bytes())

    def ticked(self, since: int) -> Notes:
        """The notes after some loops more than `since`."""
        return until(lambda: found if (found := self.notes()).ticks >= since + TICKS else None)

    def ended(self) -> Ended:
        """How it is now; one that hung up is waited for."""
        try:
            state = str(self.ask("query-status")["status"])
        except Gone:
            state = ""
            self.process.wait(LONG)
        said = (self.folder / f"{self.name}.said").read_text(errors="replace")
        return Ended(self.process.poll(), state, tuple(said.splitlines()))

    def _line(self, deadline: float) -> dict[str, Any]:
        while b"\n" not in self._buffer:
            self.channel.settimeout(max(deadline - time.monotonic(), 0.01))
            try:
                data = self.channel.recv(1 << 16)
            except ConnectionError:
                data = b""
            if not data:
                raise Gone(self.name)
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer


def until(look: Callable[[], Found | None]) -> Found:
    """The first answer of `look` that is not None."""
    end = time.monotonic() + LONG
    while (found := look()) is None:
        assert time.monotonic() < end, f"waited {LONG} s in vain"
        time.sleep(POLL_SECONDS)
    return found


@contextlib.contextmanager
def running(name: str, words: list[str], folder: Path) -> Iterator[Qemu]:
    """A QEMU that is gone at the end."""
    ours, theirs = socket.socketpair()
    qmp = ["-chardev", f"socket,id=qmp,fd={theirs.fileno()}", "-qmp", "chardev:qmp"]
    with ours, (folder / f"{name}.said").open("wb") as said:
        with theirs:
            process = subprocess.Popen(
                [*words, *HEADLESS, *qmp],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                pass_fds=[theirs.fileno()],
            )
        try:
            yield Qemu(name, folder, process, ours)
        finally:
            process.kill()
            process.wait(LONG)


def migrate(move: Move, folder: Path) -> Moved:
    """Tries to migrate a guest that runs, over a socket in `folder`."""
    (folder / "guest").write_bytes(hypervisor() if move.nested else image(reenlightened=move.reenlightened))
    bios, address = ("-bios", str(folder / "guest")), f"unix:{folder / 'stream'}"
    # The guest never sleeps: it waits until the destination has started, as they share a processor.
    with running("source", [*move.source.words(), *bios, "-S"], folder) as source, contextlib.ExitStack() as stack:
        starts = [source.greeted()]
        if move.reenlightened:
            time.sleep(OLDER)
        words = [*move.target.words(), *bios, "-incoming", address]
        target = stack.enter_context(running("target", words, folder))
        starts.append(target.greeted())
        if not starts[0]:
            return Moved(source.ended(), target.ended())
        source.ask("cont")
        before = source.ticked(0)
        if not starts[1]:
            return Moved(source.ended(), target.ended(), before=before, stayed=True)
        for qemu in (source, target):
            enable(qemu, move.capabilities)
        return _moved(source, target, before, address)


def enable(qemu: Qemu, capabilities: tuple[str, ...]) -> None:
    states = [{"capability": name, "state": True} for name in capabilities]
    qemu.ask("migrate-set-capabilities", capabilities=states)


def _moved(source: Qemu, target: Qemu, before: Notes, address: str) -> Moved:
    blocked = tuple(source.ask("query-migrate").get("blocked-reasons", ()))
    try:
        source.ask("migrate", uri=address)
    except QmpError as error:
        stayed = goes_on(source, before) is not None
        return Moved(source.ended(), target.ended(), blocked, str(error), before=before, stayed=stayed)
    last = until(lambda: finished(source.ask("query-migrate")))
    state = until(lambda: at_rest(source.ask("query-status")))
    before = source.notes()
    stayed = state == "running" and goes_on(source, before) is not None
    after = None if stayed else goes_on(target, before)
    ends = source.ended(), target.ended()
    return Moved(*ends, blocked, "", last["status"], last.get("error-desc", ""), before, after, stayed)


def finished(answer: dict[str, Any]) -> dict[str, Any] | None:
    return answer if answer.get("status") in ("completed", "failed", "cancelled") else None


def at_rest(answer: dict[str, Any]) -> str | None:
    """The source's run state, as soon as it has taken the guest back or is done with it."""
    return answer["status"] if answer["status"] in ("running", "postmigrate") else None


def goes_on(qemu: Qemu, since: Notes) -> Notes | None:
    """The guest's notes once they are newer; None if it is not there any more."""
    try:
        return qemu.ticked(since.ticks)
    except Gone:
        return None
