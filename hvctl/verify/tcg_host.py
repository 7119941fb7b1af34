"""A host for plans that run without KVM: TCG accepts every enlightenment, so the plan is that of a KVM with all."""

from __future__ import annotations

from collections import defaultdict

from hvctl.catalog import ROWS, kvm
from hvctl.model.cpuid import CpuidLeaf
from hvctl.model.host import Hardware, Host, Kvm, Qemu

# TCG emulates an AMD processor with SVM (qemu:target/i386/cpu.c, max_x86_cpu_initfn). The TSC's frequency is nominal.
_PROCESSOR = Hardware("amd", nested=True, apicv=True, tsc_hz=1_000_000_000, tsc_scaling=True)


def host_without_kvm(qemu: tuple[Qemu, ...] = ()) -> Host:
    """This machine as if its KVM had the whole catalog."""
    registers: defaultdict[tuple[int, str], int] = defaultdict(int)
    for row in ROWS:
        for bits in (*row.checks, *row.adds):
            registers[bits.leaf, bits.register] |= bits.mask
    leaves = tuple(
        CpuidLeaf(leaf, *(registers[leaf, register] for register in kvm.REGISTERS))
        for leaf in sorted({leaf for leaf, _ in registers})
    )
    answers = Kvm(None, "system-ioctl", tuple(dict.fromkeys(kvm.KVM_CAPS, 1).items()), leaves)
    return Host("TCG", answers, _PROCESSOR, qemu)
