"""Hypervisors inside the guest: made fast, or kept out."""

from hvctl.catalog.types import Subject
from hvctl.catalog.windows import SYSTEMS, USES

_WORDS = {use.id: use.words for use in USES}
_BY_DEFAULT = ", ".join(guest.title for guest in SYSTEMS if guest.vbs_default)
_TWO_WAYS = """\
## Make it fast
Give the guest's CPU vmx (Intel) or svm (AMD), and load kvm_intel or kvm_amd with nested=1. CPU model host has them
then; a named model only where they are asked for.

Turn on stimer-direct: a Hyper-V inside can use no other synthetic timers. Beside it emsr-bitmap and tlbflush-direct;
on Intel they work only with evmcs.

On Intel turn on evmcs: each VMREAD and VMWRITE of the inner hypervisor is an exit without it, unless the processor has
shadow VMCS. It hides VMX controls (`hvctl explain evmcs`), even from a hypervisor that does not use it. QEMU advises it
for every guest on Intel, because only a nested hypervisor uses it.

Leave the I/O APIC in the kernel (kernel-irqchip=on): with split, a Windows with Credential Guard on Intel takes hours
to boot.

`hvctl gen PROFILE --uses vbs` (or wsl2, hyper-v) writes all of it, as far as the hosts can give it.

## Keep it out
Turn vmx and svm off: `cpu: {features: {vmx: off, svm: off}}` in a profile, `-cpu host,vmx=off,svm=off`, or <feature
policy='disable' name='vmx'/>. Windows then finds no virtualization in its processor: no VBS, no memory integrity, no
WSL2, no Hyper-V, and no nested exits.

That weakens Windows' own protection: Credential Guard and memory integrity are off. Windows that was installed with
them keeps the setting and reports them as not running.
"""
_SOURCES = (
    "qemu:docs/system/i386/hyperv.rst, hv-evmcs, hv-stimer-direct, hv-emsr-bitmap, hv-tlbflush-direct, Recommendations",
    "linux:arch/x86/kvm/vmx/nested.c:749-763, 6551 (only with the enlightened VMCS)",
    "kernel bug 220549, linux commit 6517dfbcc918 (split interrupt chip)",
)

SUBJECTS = (
    Subject(
        "vbs",
        "virtualization-based security in the guest",
        (*_WORDS["vbs"], "device-guard", "mbec", "gmet", "lsaiso"),
        f"""\
## What it is
Windows runs its own hypervisor below itself, and keeps secrets (Credential Guard) and the check of kernel code
(memory integrity, HVCI, core isolation) there. In a guest that is nested virtualization: exits of Windows go to KVM,
to Windows' hypervisor, and back.

{_BY_DEFAULT} turn it on by default where the processor has what it needs.

{_TWO_WAYS}
## Memory integrity without MBEC or GMET
Memory integrity wants Intel's MBEC (Kaby Lake and later) or AMD's GMET (Zen 2 and later) in the guest's CPU. Without,
Windows emulates it (Restricted User Mode) by many more exits: the authors of KVM's patches count 1.2 million exits a
second for a video in a guest of 8 vCPUs, 200,000 with evmcs, 50,000 with MBEC.

KVM's patches for both were in its queue in May 2026; which kernels have them is not known here. QEMU must know the
feature, too. Beside evmcs KVM of Linux 7.2 leaves neither MBEC nor CET; a patch that allows MBEC there was sent with
the others.
""",
        (
            *_SOURCES,
            "linux:arch/x86/kvm/vmx/hyperv_evmcs.h, EVMCS1_SUPPORTED_2NDEXEC, _VMENTRY_CTRL, _VMEXIT_CTRL",
            'Microsoft Learn, "Enable memory integrity" (MBEC, GMET, Restricted User Mode)',
            'kvm mailing list, "KVM: VMX: Introduce Intel Mode-Based Execute Control", 13 March and 23 December 2025',
            'the same, "KVM: VMX: allow MBEC with EVMCS", 23 December 2025',
        ),
    ),
    Subject(
        "wsl2",
        "Windows Subsystem for Linux 2 and Docker Desktop",
        (*_WORDS["wsl2"], "docker"),
        f"""\
## What it is
WSL2 runs Linux in a small virtual machine of Windows' own hypervisor; Docker Desktop uses WSL2, or Hyper-V. In a guest
that is nested virtualization, as for vbs. WSL1 needs none.

{_TWO_WAYS}
""",
        (*_SOURCES, "microsoft/WSL issues 7876 and 40820 (users' words)"),
    ),
    Subject(
        "nested-hyperv",
        "Hyper-V and Windows Sandbox inside the guest",
        (*_WORDS["nested-hyperv"], "nesting", "vmx", "svm"),
        f"""\
## What it is
The guest runs virtual machines of its own: its Hyper-V uses the processor's vmx or svm, which KVM emulates. Windows
Sandbox and isolated containers are such virtual machines.

{_TWO_WAYS}
## Migration
reenlightenment tells the inner Hyper-V when the TSC's rate has changed. It needs tsc-frequency to migrate or to be
saved; leave it out where the rate is the same everywhere.
""",
        (*_SOURCES, "Proxmox forum, thread 184178 (users' words)"),
    ),
)
