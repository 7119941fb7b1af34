"""Facts of one machine, as probed or as read from a host file.

`None` means that the fact is not known; it is never a stand-in for "no".
"""

from typing import NamedTuple

from hvctl.model.cpuid import CpuidLeaf

Scalar = bool | int | str

LIBVIRT = "libvirt"
"""How a KVM was asked that only its libvirt was asked about."""


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
    """One machine. `qemu` has the binary to be used first; `how` tells where each group of facts comes from."""

    name: str | None
    kvm: Kvm
    hardware: Hardware
    qemu: tuple[Qemu, ...] = ()
    libvirt: Libvirt | None = None
    how: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """How messages call this host."""
        return self.name or "this host"
