"""Hosts made from facts of the kernel's source, for what cannot be recorded: each says so in its name.

AMD's leaves are what Linux 6.1 and 6.12 really answer (see tests/hosts); Intel's are the same with the bits that
linux:arch/x86/kvm/hyperv.c gates on VMX with nested=1.
"""

from __future__ import annotations

from typing import Any

from hvctl.catalog import ROWS, kvm
from hvctl.model.host import CpuidLeaf, Hardware, Host, Kvm, Libvirt, MachineType, Qemu

QEMU_MACHINES = ("2.10", "2.11", "3.0", "3.1", "6.1", "6.2", "7.1", "7.2", "8.2", "9.2", "10.0")


def made_kvm(
    *, features: int = 0xAAFF, misc: int = 0x84D12, hints: int = 0x40E2C, nested: int = 0xA0000, evmcs: bool = False
) -> Kvm:
    """A KVM with Hyper-V emulation: 0x40000003.EAX and EDX, 0x40000004.EAX, 0x4000000A.EAX."""
    caps = dict.fromkeys(kvm.KVM_CAPS, 1)
    caps["KVM_CAP_HYPERV_ENLIGHTENED_VMCS"] = int(evmcs)
    caps["KVM_CAP_HYPERV_DIRECT_TLBFLUSH"] = 0
    leaves = (
        CpuidLeaf(0x40000000, 0x4000000A, 0x756E694C, 0x564B2078, 0x7648204D),
        CpuidLeaf(0x40000001, 0x31237648),
        CpuidLeaf(0x40000002, 0x3839, 0x000A0000),
        CpuidLeaf(0x40000003, features, 0x100830, 0, misc),
        CpuidLeaf(0x40000004, hints | (1 << 14 if evmcs else 0), 0xFFF),
        CpuidLeaf(0x40000005, 0x1000, 0x40),
        CpuidLeaf(0x4000000A, nested | (0x101 if evmcs else 0), 1),
    )
    return Kvm("6.12.0-made", "system-ioctl", tuple(caps.items()), leaves)


def made_qemu(*, newest: str = "10.0", unknown: tuple[str, ...] = ()) -> Qemu:
    """A QEMU that knows every property but the named ones, and the machine types up to a version."""
    versions = QEMU_MACHINES[: QEMU_MACHINES.index(newest) + 1]
    machines = [
        MachineType(f"{prefix}-{version}", alias if version == newest else None, hpet=True)
        for prefix, alias in (("pc-q35", "q35"), ("pc-i440fx", "pc"))
        for version in versions
    ]
    properties = tuple(
        (known.name, known.type) for row in ROWS for known in row.properties if known.name not in unknown
    )
    return Qemu(
        "/usr/bin/qemu-system-x86_64",
        newest + ".0",
        properties,
        (),
        tuple(machines),
        (("avx", True), ("invtsc", False), ("pcid", True), ("svm", True), ("vmx", True)),
        None,
        ("EPYC", "Skylake-Server", "qemu64"),
    )


def made_libvirt(*, without: tuple[str, ...] = ()) -> Libvirt:
    """A libvirt whose schema knows every element of the catalog but the named ones."""
    places = [row.libvirt for row in ROWS if row.libvirt]
    return Libvirt("11.3.0", tuple(place.path for place in places if place.path not in without))


def made_amd_host(name: str = "made-amd", *, tsc: int = 2_500_000_000, scaling: bool = False, **changes: Any) -> Host:
    """An AMD host with everything but AVIC and, unless asked for, TSC scaling; `tsc` is in Hz."""
    hardware = Hardware("amd", "Made EPYC", 25, 1, 1, True, False, tsc, scaling, "on", "tsc")
    host = Host(name, made_kvm(), hardware, (made_qemu(),), made_libvirt())
    return host._replace(**changes)


def made_intel_host(name: str = "made-intel", *, nested: bool = True, **changes: Any) -> Host:
    """An Intel host with APICv, TSC scaling and, with nested, evmcs."""
    hardware = Hardware("intel", "Made Xeon", 6, 85, 7, nested, True, 2_600_000_000, True, "on", "tsc")
    kernel = made_kvm(evmcs=nested)
    # kvm_intel has it with nested=0, too (tests/hosts/debian-12-intel-not-nested.json).
    kernel = kernel._replace(caps=tuple((dict(kernel.caps) | {"KVM_CAP_HYPERV_ENLIGHTENED_VMCS": 1}).items()))
    host = Host(name, kernel, hardware, (made_qemu(),), made_libvirt())
    return host._replace(**changes)


def made_no_hyperv_host(name: str = "made-no-hyperv") -> Host:
    """A KVM without CONFIG_KVM_HYPERV: all capabilities 0, no leaves."""
    kernel = Kvm("6.18.0-made", "capabilities", tuple((cap, 0) for cap in kvm.KVM_CAPS), ())
    return made_amd_host(name, kvm=kernel)


def made_old_kernel_host(name: str = "made-4.19") -> Host:
    """A kernel before 5.0: the leaves are synthesised, and what a synthesis cannot see is unknown."""
    unseen = tuple(row.id for row in ROWS if row.checks and not row.legacy)
    return made_amd_host(name, kvm=made_kvm()._replace(how="synthesis", unseen=unseen))
