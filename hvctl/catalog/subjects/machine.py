"""The machine, its CPU, and its saved states."""

from hvctl.catalog.types import Subject

SUBJECTS = (
    Subject(
        "kernel-irqchip",
        "where the interrupt controllers are emulated",
        ("irqchip", "split-irqchip", "split", "ioapic", "apic"),
        """\
## What it is
on: local APIC, I/O APIC, PIC and PIT are in KVM (the default). split: only the local APIC is, the rest is QEMU's.
off: all is QEMU's.

With off, synic, stimer, stimer-direct and ipi cannot work: QEMU does not start, or newer KVMs do not report them.

split is needed for interrupt remapping by an emulated IOMMU, which guests with more than 255 vCPUs need.

## Windows with VBS on Intel
With split, KVM announces directed EOI and broadcasts each EOI all the same. Windows with Credential Guard then gets
storms of interrupts, and takes hours to boot. Linux 7.0 lets QEMU ask for the right behaviour; QEMU's patch was an
RFC in March 2026. Use on.

## How
-machine ...,kernel-irqchip=on; <ioapic driver='kvm'/> in <features> (qemu means split)
""",
        (
            "linux:arch/x86/kvm/x86.c, kvm_vcpu_ioctl_enable_cap(); arch/x86/kvm/hyperv.c:2870-2880",
            "kernel bug 220549; linux commit 6517dfbcc918; qemu-devel, 9 March 2026",
        ),
    ),
    Subject(
        "machine-types",
        "the machine that Windows sees",
        ("machine-type", "machine", "q35", "pc-q35", "i440fx", "pc-i440fx"),
        """\
## What it is
A versioned type (pc-q35-9.2) keeps devices and defaults as they were in that QEMU, also in newer ones. An alias (q35,
pc) is the newest of each QEMU: another machine after an update, and on another host. A migration between two fails,
and Windows may find new devices and ask for activation or BitLocker's key.

What versions change about Hyper-V: up to 6.1 the hypervisor's version is 6.1.7100, later 10.0.14393; up to 5.1 a
hidden KVM has no kvmclock device; up to 3.0 synic works without vpindex; up to 2.10 64 virtual processors are
announced.

## How
-machine pc-q35-9.2; <type machine='pc-q35-9.2'>hvm</type>; profile: `machine: q35` takes the newest versioned type
that all hosts have, and writes that.

Change the type of an installed Windows only for a reason, and keep a copy of the old definition.
""",
        (
            "qemu:hw/i386/pc.c:129-132, 199, 220; hw/i386/kvm/clock.c",
            "libvirt:docs/formatdomain.rst, Operating system booting",
        ),
    ),
    Subject(
        "topology",
        "vCPUs as sockets, cores and threads",
        ("sockets", "socket", "cores", "vcpus", "vcpu", "smp", "editions"),
        """\
## What it decides
Editions of Windows use a limited number of sockets: Home one, Pro two, Pro for Workstations four; of servers before
2012, Standard four and Enterprise eight. The vCPUs in other sockets are not used.

Where no topology is written, libvirt makes a socket of each vCPU, and so does QEMU for machine types up to 6.1.

## How
-smp 8,sockets=1,cores=8,threads=1; <vcpu>8</vcpu>, and <topology sockets='1' cores='8' threads='1'/> in <cpu>

`hvctl gen --libvirt --vcpus N` writes one socket; lint's many-sockets finds sockets that an edition does not use.
""",
        (
            "libvirt:docs/formatdomain.rst, CPU model and topology; virsh domxml-to-native of libvirt 9.0",
            "qemu:hw/i386/pc_q35.c, prefer_sockets; Microsoft, Compare Windows editions",
        ),
    ),
    Subject(
        "firmware",
        "UEFI, secure boot and the TPM",
        ("uefi", "ovmf", "efi", "secure-boot", "secureboot", "bios", "tpm", "swtpm"),
        """\
## What it decides
Windows 11 is supported with UEFI, secure boot and a TPM 2.0 only. Enlightenments work the same with any firmware.

Windows 7 and Server 2008 R2 are the exception: with UEFI and several vCPUs they hang with any enlightenment.

UEFI variables in a raw file block internal snapshots: see snapshots. A new TPM, or a change of the firmware, makes
BitLocker ask for its key: see changes.

## How
<os firmware='efi'> lets libvirt choose the files; <tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>
adds a TPM. For QEMU itself hvctl's README has the commands (Windows 11, from an empty disk).
""",
        (
            "Microsoft Learn, Windows 11 requirements; Red Hat bug 1185253",
            "libvirt:docs/formatdomain.rst, BIOS bootloader, TPM device",
        ),
    ),
    Subject(
        "changes",
        "when a change takes effect, and how to go back",
        ("change", "changing", "effect", "takes-effect", "cold-start", "reboot", "undo", "activation", "bitlocker"),
        """\
## When
A guest sees enlightenments, its CPU and its machine from its start on. A running one keeps what it was started with:
a reboot inside Windows is not enough, nor is a restored state (managed save, snapshot with memory) or a migration.
Shut the guest down, and start it again.

virsh edit, virsh define, `hvctl apply` and Proxmox's settings change what is defined, not what runs.

## What Windows may notice
Enlightenments are bits of CPUID that Windows reads at each boot: no driver is installed and no device appears, and no
report was found of an activation or of BitLocker that asked for it.

The machine type, the firmware, the TPM and the CPU model are another matter: Windows may find new devices, ask for
activation, or BitLocker for its key. Suspend BitLocker before such a change.

A Windows that is configured to use the HPET or the PM timer (useplatformclock) goes on to do so, and gains little from
the reference clock. In the guest: bcdedit /deletevalue useplatformclock.

## How to go back
`hvctl apply --undo DOMAIN` puts the definition back that was there before; of a file keep a copy, or --diff. The guest
has it at its next start. Nothing stays in Windows.
""",
        (
            "qemu:docs/system/i386/hyperv.rst; libvirt:docs/formatdomain.rst",
            "Microsoft Learn, BCDEdit /set; BitLocker FAQ",
        ),
    ),
    Subject(
        "snapshots",
        "migration, save, snapshots, suspend and hibernation",
        (
            "migration",
            "migrate",
            "live-migration",
            "snapshot",
            "save",
            "saving",
            "virsh-save",
            "managedsave",
            "managed-save",
            "restore",
            "savevm",
            "suspend",
            "resume",
            "sleep",
            "s3",
            "s4",
            "hibernate",
            "hibernation",
            "pause",
        ),
        """\
## What blocks them
virsh save, managed save (which libvirt-guests may use when the host shuts down), and snapshots with memory write the
guest's state as a migration does: what blocks a migration blocks them. That is passthrough, no-nonarch-coresharing
with auto, invtsc without tsc-frequency (migratable=off can bring it), and assigned devices whose driver cannot save
their state: most GPUs.

A guest that uses reenlightenment is saved without tsc-frequency, and cannot be loaded again.

`hvctl check-migration GUEST --save` says what applies. Disk-only snapshots are not concerned.

## The clock afterwards
With hv-time the guest's clock goes on from where it stopped, and is late by the time that it was saved or paused,
until Windows corrects it over the network or by a guest agent (virsh domtime --sync).

With KVM hidden on a machine type up to 5.1 the clock jumps back: see kvm-hidden.

## Sleep and hibernation inside the guest
Windows guests with stimer are reported to hang or to stop with a bug check (0x9F, 0xA0) when they come back from S3
or hibernation: QEMU issue 1887 (users' words), and a Linux patch of January 2026 for Server 2025, which delays timers
that are set into the past.

Shut down or use virsh save instead, and keep the guest from it: <suspend-to-mem enabled='no'/> and <suspend-to-disk
enabled='no'/> in <pm>, or -global ICH9-LPC.disable_s3=1 and disable_s4=1 (q35; PIIX4_PM on pc). Do not turn stimer
off for it: that costs CPU time always.
""",
        (
            "qemu:migration/savevm.c, save_snapshot(); target/i386/kvm/kvm.c:1685-1708, 2307-2319; machine.c:904-921",
            "qemu:hw/vfio/migration.c; libvirt:docs/formatdomain.rst, Power Management",
            "QEMU issue 1887; lore.kernel.org, 20260115141520.24176-1-graf@amazon.com",
        ),
    ),
    Subject(
        "cpu-models",
        "which CPU model a Windows guest should have",
        (
            "cpu-model",
            "cpu",
            "model",
            "qemu64",
            "kvm64",
            "host-passthrough",
            "host-model",
            "migratable",
            "x86-64-v2",
            "x86-64-v2-aes",
            "x86-64-v3",
            "x86-64-v4",
            "amd",
            "intel",
            "epyc",
        ),
        """\
## One host, or equal hosts
host (libvirt: host-passthrough): all that the processor has. The guest moves only between hosts whose CPUs, microcode
and KVM give the same features.

migratable=on, the default, leaves out what cannot migrate (invtsc).

## Mixed hosts
A named model that every host can give, the newest such. `hvctl pool hosts/` finds it, and names what it lacks. Intel
and AMD do not mix: no model hides the vendor.

x86-64-v2 (SSE4.2, POPCNT), v3 (AVX2, BMI) and v4 (AVX-512) are levels of the compiler's ABI. Proxmox VE has models of
these names; QEMU has not.

## Not for current Windows
qemu64, QEMU's default, and kvm64 lack SSE4.2 and POPCNT: Windows 11 24H2 and Server 2025 do not boot on them.

A named model has neither vmx nor svm unless it is asked for: no VBS and no WSL2 inside.
""",
        (
            "qemu:docs/system/cpu-models-x86.rst.inc; target/i386/cpu.c, builtin_x86_defs",
            "qemu:target/i386/kvm/kvm-cpu.c, kvm_default_props (svm off)",
            'Microsoft Learn, "Windows processor requirements"; x86-64 psABI, "Micro-Architecture Levels"',
        ),
    ),
)
