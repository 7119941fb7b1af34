"""What the host's kernel logs of KVM and of the TSC, and what QEMU says where it cannot use KVM at all."""

from hvctl.catalog.messages.types import Layer, Message

_X86_C = "linux:arch/x86/kvm/x86.c"
_LOAD = "load kvm_intel or kvm_amd"

MESSAGES = (
    Message(
        "no-access-to-kvm",
        Layer.QEMU,
        "QEMU may not open /dev/kvm, or it does not exist: {reason}.",
        "If it does not exist, switch virtualization on in the firmware's setup and " + _LOAD + "; else add this user "
        "to the group kvm. A container needs --device /dev/kvm.",
        "qemu:accel/kvm/kvm-all.c, kvm_init()",
        ("Could not access KVM kernel module: {reason}",),
    ),
    Message(
        "kvm-not-initialized",
        Layer.QEMU,
        "QEMU cannot use KVM; the line before says why.",
        "See `hvctl check-host`.",
        "qemu:accel/accel-system.c",
        ("failed to initialize kvm:",),
        vague=True,
    ),
    Message(
        "kvm-busy",
        Layer.QEMU,
        "Another hypervisor, such as VirtualBox or VMware, has taken the processor's virtualization.",
        "Stop its machines, and unload its modules (vboxdrv, vmmon).",
        "linux:virt/kvm/kvm_main.c, hardware_enable_all()",
        ("ioctl(KVM_CREATE_VM) failed: {number} Device or resource busy",),
    ),
    Message(
        "virtualization-off",
        Layer.KVM,
        "The firmware has switched virtualization off, so KVM cannot be used.",
        "Switch on VT-x (Intel) or SVM (AMD) in the firmware's setup; on a host that is itself a guest, in the outer "
        "hypervisor.",
        "linux:arch/x86/kvm/vmx/vmx.c, arch/x86/kvm/svm/svm.c, arch/x86/kernel/cpu/feat_ctl.c",
        (
            "kvm: disabled by bios",
            "support for {value} disabled by bios",
            "VMX not enabled (by BIOS)",
            "VMX (outside TXT) disabled by BIOS",
            "SVM disabled (by BIOS)",
        ),
    ),
    Message(
        "no-virtualization",
        Layer.KVM,
        "This processor has no virtualization, or the outer hypervisor does not pass it on.",
        "On a host that is itself a guest, give it vmx or svm (libvirt: <cpu mode='host-passthrough'/>), and load the "
        "outer kvm module with nested=1.",
        "linux:arch/x86/kvm/vmx/vmx.c, arch/x86/kvm/svm/svm.c",
        ("kvm: no hardware support", "VMX not supported by CPU", "SVM not supported by CPU"),
    ),
    Message(
        "hyperv-msr-unhandled",
        Layer.KVM,
        "The guest uses {row} ({title}), and KVM did not allow it: this kernel does not emulate it, or "
        "hv-enforce-cpuid is on and the guest's CPUID does not announce it.",
        "See `hvctl check-host`; leave hv-enforce-cpuid out.",
        "linux:arch/x86/kvm/hyperv.c:1261-1335",
        (
            "unhandled rdmsr: {hyperv_msr}",
            "unhandled wrmsr: {hyperv_msr}",
            "Unhandled RDMSR({hyperv_msr})",
            "Unhandled WRMSR({hyperv_msr})",
        ),
        rules=("debugging-only", "not-supported-by-host"),
    ),
    Message(
        "msr-unhandled",
        Layer.KVM,
        "The guest used MSR {msr}, which KVM does not emulate, so the guest got an exception. Windows handles it "
        "for most MSRs. Where it does not, it stops with SYSTEM_THREAD_EXCEPTION_NOT_HANDLED or "
        "KMODE_EXCEPTION_NOT_HANDLED.",
        "Do nothing if the guest runs. If it stops at this, load kvm with ignore_msrs=1 (libvirt: <msrs "
        "unknown='ignore'/>), or use a named CPU model instead of host.",
        f"{_X86_C}, kvm_msr_ignored_check(); users' reports: quickemu issue 88, virt-manager issue 570",
        (
            "unhandled rdmsr: {plain_msr}",
            "unhandled wrmsr: {plain_msr}",
            "Unhandled RDMSR({plain_msr})",
            "Unhandled WRMSR({plain_msr})",
        ),
    ),
    Message(
        "msr-ignored",
        Layer.KVM,
        "The guest used MSR {msr}, which KVM does not emulate; ignore_msrs=1 made it read 0 or do nothing.",
        "Do nothing. report_ignored_msrs=0 of the module kvm silences the line.",
        f"{_X86_C}, kvm_msr_ignored_check()",
        ("ignored rdmsr: {any_msr}", "ignored wrmsr: {any_msr}"),
    ),
    Message(
        "xsavec-without-xsaves",
        Layer.KVM,
        "A Windows Server 2016 with Hyper-V and more than one vCPU does not boot on a CPU with XSAVEC and without "
        "XSAVES. Linux takes XSAVES away from AMD's Zen 1 and 2 (erratum 1386).",
        "If the guest does not boot, switch XSAVEC off: -cpu ...,xsavec=off (libvirt: <feature policy='disable' "
        "name='xsavec'/>).",
        "linux:arch/x86/kvm/hyperv.c:1337-1372",
        ("Booting SMP Windows KVM VM with !XSAVES && XSAVEC",),
    ),
    Message(
        "host-tsc-unstable",
        Layer.KVM,
        "The host's kernel does not trust its TSC. KVM then has no stable clock to share, and {row} ({title}) costs "
        "an exit at each reading: the guest is slow, and its clocks can differ from vCPU to vCPU.",
        "See /sys/devices/system/clocksource/clocksource0/current_clocksource: it should be tsc. Update the firmware; "
        "on a host that is itself a guest, see that the outer one has a stable TSC. tsc=reliable only where the TSC is "
        "known to be good.",
        f"{_X86_C}; linux:arch/x86/kvm/hyperv.c:1123-1155; linux:kernel/time/clocksource.c",
        (
            "SMP vm created on host with unstable TSC",
            "Marking TSC unstable due to",
            "Marking clocksource 'tsc' as unstable",
        ),
        row="time",
    ),
    Message(
        "tsc-scaling-refused",
        Layer.KVM,
        "The guest was given a TSC frequency that the processor cannot scale to.",
        "Remove tsc-frequency, or run the guest on a host with TSC scaling.",
        f"{_X86_C}, set_tsc_khz()",
        ("user requested TSC rate below hardware speed", "Invalid TSC scaling ratio"),
    ),
    Message(
        "timer-period-limited",
        Layer.KVM,
        "The guest asked its timer for a shorter period than KVM allows (min_timer_period_us, 200 by default), and got "
        "that. By itself it is harmless; it shows that Windows does not use {row} ({title}) for this timer.",
        "If the guest is busy when idle, turn on {row} with what it requires: {needs}.",
        "linux:arch/x86/kvm/lapic.c, limit_periodic_timer_frequency(); arch/x86/kvm/i8254.c",
        ("ns lapic timer period limited to {number} ns", "ns i8254 timer period limited to {number} ns"),
        row="stimer",
        rules=("no-stimer", "synic-without-stimer"),
    ),
    Message(
        "split-lock",
        Layer.KVM,
        "The guest made an atomic access across a cache line. Linux slows the vCPU down for each (split lock "
        "mitigation), which people notice as stutter in Windows.",
        "Write 0 into /proc/sys/kernel/split_lock_mitigate; it keeps the warning and drops the penalty. All guests of "
        "the host can then slow each other down this way.",
        "linux:Documentation/arch/x86/buslock.rst; linux:Documentation/admin-guide/sysctl/kernel.rst",
        ("took a split_lock trap", "took a bus_lock trap"),
    ),
    Message(
        "vendor-module-loaded",
        Layer.KVM,
        "kvm_intel or kvm_amd was asked for while the other one is loaded, or twice.",
        "Do nothing; to change its parameters, stop the guests, and unload it first: `modprobe -r kvm_intel`.",
        f"{_X86_C}, kvm_x86_vendor_init()",
        ("already loaded vendor module", "already loaded the other module"),
    ),
    Message(
        "avic-forced",
        Layer.KVM,
        "force_avic=1 turns on AVIC on a processor that does not report it.",
        "Remove force_avic from the options of kvm_amd. Without AVIC leave {row} ({title}) off.",
        "linux:arch/x86/kvm/svm/avic.c",
        ("AVIC is not supported in CPUID but force enabled",),
        row="avic",
        rules=("avic-without-hardware",),
    ),
)
