"""The hosts that a guest may live on, as classes of hosts with equal facts.

A cluster of ten thousand machines has a handful of hardware and software states: what is decided once for a class
holds for all of its members, and memory grows with the classes.
"""

from collections.abc import Iterator
from typing import NamedTuple

from hvctl.model.host import Host


class Member(NamedTuple):
    """One host of a class: its name, and its TSC frequency in Hz, which two equal machines measure differently."""

    name: str
    tsc_hz: int | None


class HostClass(NamedTuple):
    """Hosts with equal facts. `facts` has neither a name nor a TSC frequency; `members` are in the order of reading."""

    facts: Host
    members: tuple[Member, ...]

    def host(self, member: Member) -> Host:
        """The facts of one member."""
        hardware = self.facts.hardware._replace(tsc_hz=member.tsc_hz)
        return self.facts._replace(name=member.name, hardware=hardware)

    @property
    def frequencies(self) -> tuple[int, int] | None:
        """The lowest and the highest known TSC frequency in Hz; None where none is known."""
        known = [member.tsc_hz for member in self.members if member.tsc_hz is not None]
        return (min(known), max(known)) if known else None

    def extremes(self) -> tuple[Member, ...]:
        """The first member, one of each end of the TSC frequencies, one of unknown frequency: each at most once."""
        known = [member for member in self.members if member.tsc_hz is not None]
        ends = [choice(known, key=lambda member: member.tsc_hz or 0) for choice in (min, max) if known]
        unknown = [member for member in self.members if member.tsc_hz is None][:1]
        different = {member.tsc_hz: member for member in (*ends, *unknown)}
        different[self.members[0].tsc_hz] = self.members[0]
        return tuple(member for member in self.members if different.get(member.tsc_hz) is member)


class Pool(NamedTuple):
    """The classes of a pool, in the order in which their first members were read."""

    classes: tuple[HostClass, ...]

    def hosts(self) -> Iterator[Host]:
        """Every host of the pool, class by class."""
        return (group.host(member) for group in self.classes for member in group.members)

    def representatives(self) -> tuple[Host, ...]:
        """As few hosts as decide for the whole pool.

        What a host can give depends on its class and, monotonously, on its TSC frequency: what holds at both ends of
        the frequencies holds between them.
        """
        chosen = [(group, member) for group in self.classes for member in group.extremes()]
        # A pool of more than one host is one in which guests move, however alike its hosts are.
        if len(chosen) == 1:
            chosen = [(group, member) for group in self.classes for member in group.members[:2]]
        return tuple(group.host(member) for group, member in chosen)

    def names(self) -> Iterator[str]:
        """The names of all hosts."""
        return (member.name for group in self.classes for member in group.members)

    def without(self, names: frozenset[str]) -> "Pool":
        """The pool less the named hosts."""
        left = [
            group._replace(members=tuple(member for member in group.members if member.name not in names))
            for group in self.classes
        ]
        return Pool(tuple(group for group in left if group.members))
