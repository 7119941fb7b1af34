"""What hides the hypervisor from the guest, and graphics cards, for which people do it."""

from hvctl.catalog.types import Subject
from hvctl.catalog.windows import GPU, USES

_GPU = next(use for use in USES if use.id == GPU)

SUBJECTS = (
    Subject(
        "kvm-hidden",
        "KVM's own signature hidden from the guest",
        ("kvm-off", "kvm=off", "hidden", "hide", "hiding", "hide-kvm", "kvmclock"),
        """\
## What it does
KVM names itself in a CPUID leaf ("KVMKVMKVM"): 0x40000000, or 0x40000100 beside Hyper-V's. kvm=off removes that leaf,
and with it KVM's own clock and hypercalls.

Windows uses none of them. With enlightenments on, a Windows guest is as fast with KVM hidden as without. A Linux
guest sees Hyper-V instead of KVM then.

It hides KVM, not that there is a hypervisor: see hypervisor-bit.

## What it costs
On machine types up to 5.1 QEMU makes no kvmclock device then. hv-time is built on KVM's clock, which is not carried:
time in the guest jumps back when it is migrated, loaded from a saved state or snapshot. Use machine type 5.2 or
later.

## How
-cpu ...,kvm=off; <kvm><hidden state='on'/></kvm> in <features>; profile: `cpu: {hidden: on}`

In one -cpu with the enlightenments: QEMU takes the last -cpu whole, and `-cpu host,kvm=off` after another throws all
of its enlightenments away.
""",
        (
            "qemu:target/i386/kvm/kvm.c:2135-2144; hw/i386/kvm/clock.c, create_always; system/vl.c, QEMU_OPTION_cpu",
            "observed: Linux guests and `info qtree` with QEMU 7.2",
        ),
    ),
    Subject(
        "hypervisor-bit",
        "the bit that tells a guest that there is a hypervisor",
        ("hypervisor", "hypervisor=off", "hypervisor-off"),
        """\
## What it is
CPUID leaf 1, ECX bit 31. Guests look at Hyper-V's leaves only where it is set. Without it Windows uses no
enlightenment, even though they are on: it reads clocks by exits, spins on locks that others hold, and runs its
watchdogs.

That is why a guest with hypervisor=off is slow.

## When to turn it off
Only where a program in the guest demands it. It is then one choice: turn the enlightenments off, too, since nothing
uses them. lint reports such a guest as an info, and asks for none.

It hides little: firmware tables, devices and timing show a virtual machine all the same.

Some drivers want the bit: users report code 43 of Intel's SR-IOV graphics, and an AMD iGPU that does not start,
without it (strongtz/i915-sriov-dkms issues 120 and 417, isc30/ryzen-gpu-passthrough-proxmox pull request 158; users'
words).

What hides less and costs nothing: see kvm-hidden and vendor-id.

## How
-cpu ...,hypervisor=off; <feature policy='disable' name='hypervisor'/> in <cpu>
""",
        (
            'Hypervisor Top Level Functional Specification, "Feature and Interface Discovery"',
            "linux:arch/x86/kernel/cpu/mshyperv.c, ms_hyperv_platform()",
        ),
    ),
    Subject(
        GPU,
        "a graphics card assigned to the guest, and its driver",
        (
            *_GPU.words,
            "vga-passthrough",
            "code-43",
            "error-43",
            "nvidia",
            "geforce",
            "radeon",
            "vgpu",
            "sr-iov",
            "sriov",
            "9070",
        ),
        """\
## What hides what
kvm=off (kvm hidden): KVM's own leaf is gone. Costs nothing in Windows on machine types from 5.2.

vendor-id: Hyper-V's leaf has another name than Microsoft Hv. Costs nothing in Windows, which looks at the interface
id. Without any enlightenment it has no effect.

hypervisor=off: the guest does not look for a hypervisor, and uses no enlightenment. Slow, and some drivers fail
without the bit: see hypervisor-bit.

hv-passthrough: hides nothing. It replaces a vendor-id by KVM's own, and blocks migration and saving.

## What drivers want
NVIDIA GeForce: since version 465 (March 2021, as a beta) drivers run in a Windows guest, one card for one guest,
without hiding. Older ones stop with code 43 unless kvm=off and, with enlightenments on, a vendor-id are set (users'
words: kubevirt issue 3285).

AMD: a user reports code 43 of an RX 9070 XT in 2026, gone with KVM hidden and any vendor-id (mroboff/vm-curator pull
request 74).

Intel SR-IOV: users report code 43, gone with a vendor-id and Hyper-V off inside the guest (strongtz/i915-sriov-dkms
issue 429); code 43 once Hyper-V or WSL is on inside (intel/linux-intel-lts issue 77, IGCIT issue 1394); and code 43
with hypervisor=off (i915-sriov-dkms issues 120 and 417).

What no source says is not known: keep what works.

## Stay fast while hidden
Keep the enlightenments on, and write all into one -cpu:

-cpu host,kvm=off,hv_vendor_id=0123456789ab,hv_relaxed,hv_vapic,hv_time,...

QEMU takes the last -cpu whole: `-cpu host,kvm=off` in `args:` of Proxmox VE throws away all that came before it.

hvctl keeps both beside an assigned PCI device (of which nothing says what it is), calls neither pointless there, and
names what a profile changes about them.

## Migration and snapshots
QEMU migrates and saves an assigned device only if its driver can; most cannot. Write `migration: none` in the
profile: tsc-frequency, reenlightenment and invtsc are then free, and lint is silent about migration.
""",
        (
            "qemu:docs/system/i386/hyperv.rst, hv-vendor-id, hv-passthrough; system/vl.c, QEMU_OPTION_cpu",
            'NVIDIA, "GeForce GPU Passthrough for Windows Virtual Machine (Beta)", 30 March 2021',
            "GitHub threads as named: their writers' words, not checked",
        ),
    ),
)
