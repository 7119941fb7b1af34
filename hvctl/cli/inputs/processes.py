"""The guests of the QEMU processes of this machine, by the names that people know them by."""

from collections.abc import Iterator
from typing import NamedTuple

from hvctl.guest.command.options import parameters, scan
from hvctl.host.hostfs import clean
from hvctl.host.processes import Found, Process, Unread, find_qemus
from hvctl.text.problems import counted

_SHOWN = 20


class Named(NamedTuple):
    """A QEMU by the name of its guest: Proxmox VE's VMID, what `-name` says, else its process id."""

    name: str
    process: Process

    @property
    def title(self) -> str:
        """What messages call it; no other one has the same."""
        pid = f"pid {self.process.pid}"
        return f"{self.name} ({pid})" if self.name != str(self.process.pid) else pid


class Running(NamedTuple):
    """The guests that run, the QEMUs whose guest is not known, and sentences about processes that may be QEMUs."""

    guests: tuple[Named, ...]
    unread: tuple[Unread, ...]
    doubts: tuple[str, ...]


def running_guests(root: str = "/") -> Running:
    """All of them, by their process ids; raises HostError where /proc cannot be read."""
    found = find_qemus(root)
    guests = (_named(process) for process in found.processes)
    unread = tuple(one for one in found.unread if one.certain)
    return Running(tuple(one for one in guests if one), unread, tuple(_doubts(found)))


def _named(process: Process) -> Named | None:
    """A process with its name; None for one without a guest, which libvirt starts to ask a QEMU what it can do."""
    vmid = name = ""
    for option in scan(process.text.split("\0")[1:]):
        value = option.value or ""
        if option.name == "id":  # an option of Proxmox VE's QEMU alone
            vmid = value
        elif option.name == "name":
            name = _parts(value, "guest").get("guest", name)
        elif option.name in ("machine", "M") and _parts(value, "type").get("type") == "none":
            return None
    return Named(clean(vmid) or clean(name) or str(process.pid), process)


def _parts(value: str, implied: str) -> dict[str, str]:
    return {part.name: part.value for part in parameters(value, implied)}


def _doubts(found: Found) -> Iterator[str]:
    if found.hidden:
        yield "/proc hides the processes of other users (hidepid)"
    for reason in dict.fromkeys(one.reason for one in found.unread if not one.certain):
        pids = [str(one.pid) for one in found.unread if not one.certain and one.reason == reason]
        shown = [*pids[:_SHOWN], *([f"{len(pids) - _SHOWN} more"] if len(pids) > _SHOWN else [])]
        yield f"{counted(len(pids), 'process', 'processes')} cannot be read ({reason}): {', '.join(shown)}"
