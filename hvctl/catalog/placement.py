"""Where libvirt writes an enlightenment: a sum type, to be matched exhaustively.

`since` is the libvirt that brought it. `abi_checked` is whether libvirt compares it before it migrates
(libvirt:src/conf/domain_conf.c, virDomainDefFeaturesCheckABIStability()). `path` names a placement in host files and
messages.
"""

from typing import NamedTuple, assert_never


class HypervElement(NamedTuple):
    """A child of `<hyperv>`, or of the child `inside`; `attribute` carries the value beside `state`."""

    name: str
    since: str
    inside: str = ""
    attribute: str = ""
    minimum: int | None = None
    abi_checked: bool = True

    @property
    def path(self) -> str:
        """Such as `stimer/direct`."""
        return f"{self.inside}/{self.name}" if self.inside else self.name


class HypervMode(NamedTuple):
    """A `mode` of `<hyperv>`."""

    name: str
    since: str
    abi_checked: bool = True

    @property
    def path(self) -> str:
        """There is one such mode."""
        return "@mode"


class ClockTimer(NamedTuple):
    """A `<timer>` of `<clock>`."""

    name: str
    since: str
    abi_checked: bool = True

    @property
    def path(self) -> str:
        """Such as `timer:hypervclock`."""
        return f"timer:{self.name}"


class PanicDevice(NamedTuple):
    """A `<panic>` in `<devices>`."""

    model: str
    since: str
    abi_checked: bool = True

    @property
    def path(self) -> str:
        """Such as `panic:hyperv`."""
        return f"panic:{self.model}"


Placement = HypervElement | HypervMode | ClockTimer | PanicDevice


def example(place: Placement, value: str = "...") -> str:
    """The element that turns the enlightenment on, and the element it belongs in."""
    match place:
        case HypervElement(name, inside=inside, attribute=attribute):
            said = f" {attribute}='{value}'" if attribute else ""
            return f"<{name} state='on'{said}/> in <{inside or 'hyperv'}>"
        case HypervMode(name):
            return f"<hyperv mode='{name}'/> in <features>"
        case ClockTimer(name):
            return f"<timer name='{name}' present='yes'/> in <clock>"
        case PanicDevice(model):
            return f"<panic model='{model}'/> in <devices>"
        case _:
            assert_never(place)
