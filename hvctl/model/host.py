"""Facts of one machine, as probed or as read from a host file, and the pool of hosts that a guest may live on.

`None` means that the fact is not known; it is never a stand-in for "no". A cluster of ten thousand machines has a
handful of hardware and software states: what is decided once for a class of hosts with equal facts holds for all of
its members, and memory grows with the classes.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

Scalar = bool | int | str

TSC_HZ = (1_000_000, 100_000_000_000)
"""What a profile's key tsc-frequency takes: one of `auto` is a host's."""

LIBVIRT = "libvirt"
"""How a KVM was asked that only its libvirt was asked about."""


class CpuidLeaf(NamedTuple):
    """What CPUID answers for one leaf (subleaf 0): four 32-bit registers."""

    leaf: int
    eax: int = 0
    ebx: int = 0
    ecx: int = 0
    edx: int = 0

    def register(self, name: str) -> int:
        """The value of `eax`, `ebx`, `ecx` or `edx`."""
        value: int = getattr(self, name)
        return value


class Kvm(NamedTuple):
    """What /dev/kvm says. `caps` are the answers to KVM_CHECK_EXTENSION by capability name.

    `how` is `system-ioctl`, `vcpu-ioctl`, `synthesis` (from capabilities and the MSR list, as QEMU does for
    kernels before 5.0), `capabilities` (no Hyper-V emulation: there is nothing more to ask, and `leaves` is
    empty) or `libvirt` (what its libvirt lists). Neither a synthesis nor libvirt can see the enlightenments
    named in `unseen`.
    """

    release: str | None
    how: str
    caps: tuple[tuple[str, int], ...]
    leaves: tuple[CpuidLeaf, ...]
    unseen: tuple[str, ...] = ()

    def cap(self, name: str) -> int | None:
        """The answer for one capability; None where it was not asked."""
        return dict(self.caps).get(name)

    @property
    def hyperv(self) -> bool | None:
        """Whether this KVM emulates Hyper-V (QEMU's hyperv_enabled()); None where libvirt's answer does not tell."""
        value = self.cap("KVM_CAP_HYPERV")
        if value is None and self.how == LIBVIRT:
            return None
        return (value or 0) > 0


class Hardware(NamedTuple):
    """The processor and what the KVM modules make of it. `vendor` is `intel`, `amd` or CPUID's own string."""

    vendor: str | None = None
    model_name: str | None = None
    family: int | None = None
    model: int | None = None
    stepping: int | None = None
    nested: bool | None = None
    apicv: bool | None = None
    tsc_hz: int | None = None
    tsc_scaling: bool | None = None
    smt: str | None = None
    clocksource: str | None = None


class MachineType(NamedTuple):
    """A machine type of a QEMU binary; `hpet` says whether it has the property of that name."""

    name: str
    alias: str | None = None
    hpet: bool | None = None


class Qemu(NamedTuple):
    """A QEMU binary, asked over QMP.

    `properties` are the `hv-*` and `x-hv-*` properties of `max-x86_64-cpu` with their types; `options` are
    the names of the command line's option groups. `expansion` is the migratable expansion of CPU model
    `host`, `passthrough` the ids that `hv-passthrough=on` would enable, `models` the named CPU models without
    unavailable features: None where QEMU could not be asked with KVM. `partial` is whether only libvirt was asked:
    of a property that is not there it is then not known whether the binary has it.
    """

    path: str
    version: str | None = None
    properties: tuple[tuple[str, str], ...] = ()
    options: tuple[str, ...] = ()
    machines: tuple[MachineType, ...] = ()
    expansion: tuple[tuple[str, Scalar], ...] | None = None
    passthrough: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    partial: bool = False


class Libvirt(NamedTuple):
    """libvirt as far as its installed schema tells: the element paths below `<hyperv>`, timer and panic names.

    An element is written as in the catalog: `stimer/direct`, `timer:hypervclock`, `panic:hyperv`, `@mode`. `partial` is
    whether they come from its domain capabilities: it may know others too.
    """

    version: str | None
    elements: tuple[str, ...]
    partial: bool = False


class Host(NamedTuple):
    """One machine. `qemu` has the binary to be used first; `how` tells where each group of facts comes from. `alike` is
    how many others of its pool it stands for."""

    name: str | None
    kvm: Kvm
    hardware: Hardware
    qemu: tuple[Qemu, ...] = ()
    libvirt: Libvirt | None = None
    how: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    alike: int = 0

    @property
    def label(self) -> str:
        """How messages call this host."""
        return self.name or "this host"


def and_more(hosts: Sequence[Host]) -> str:
    """The first of some hosts, and how many more there are: "n1 and 7 more"."""
    more = len(hosts) - 1 + sum(host.alike for host in hosts)
    return f"{hosts[0].label} and {more} more" if more else hosts[0].label


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
        hosts = [group.host(member) for group, member in chosen]
        for group in self.classes:
            mine = [at for at, (other, _) in enumerate(chosen) if other is group]
            hosts[mine[0]] = hosts[mine[0]]._replace(alike=len(group.members) - len(mine))
        return tuple(hosts)

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
