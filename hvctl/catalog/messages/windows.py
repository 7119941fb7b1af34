"""What Windows shows: stop codes, and refusals of its own hypervisor; and what people say of their guests.

Only what a source says. The codes are described in Microsoft's Bug Check Code Reference, which knows nothing of KVM;
what is said of KVM has a source of its own.
"""

from hvctl.catalog.messages.types import Layer, Message

_REFERENCE = "Microsoft, Bug Check Code Reference"
_RST = "qemu:docs/system/i386/hyperv.rst"
_KEEP_OUT = (
    "keep it out: without vmx and svm in the guest's CPU (libvirt: <feature policy='disable' name='vmx'/>) Windows "
    "starts no hypervisor"
)
_NESTED = (
    "make it fast with `uses: [nested-hyperv]` in the profile (`hvctl explain nested-hyperv`), on a host whose KVM has "
    f"nested=1; or {_KEEP_OUT}"
)


def _stop(code: int, name: str) -> tuple[str, ...]:
    """The ways in which a stop code is written."""
    ways = ("stop code", "stop code:", "stop", "stop:", "bug check", "bugcheck", "bugcheck was:", "bsod")
    numbers = (f"0x{code:X}", f"0x{code:08X}")
    return (name, name.replace("_", " "), *(f"{way} {number}" for way in ways for number in numbers))


WINDOWS = (
    Message(
        "clock-watchdog",
        Layer.WINDOWS,
        "Windows waited too long for the clock interrupt of another processor. In a guest a vCPU that the host did not "
        "run for a while looks the same; {row} ({title}) tells Windows not to watch.",
        "Turn on {row}, as every profile of hvctl does; give the guest no more vCPUs than the host has CPUs.",
        f"{_REFERENCE}, 0x101; {_RST}:40-43",
        _stop(0x101, "CLOCK_WATCHDOG_TIMEOUT"),
        row="relaxed",
        rules=("windows-without-hyperv", "recommended-missing"),
    ),
    Message(
        "hypervisor-error",
        Layer.WINDOWS,
        "Windows' own hypervisor stopped (VBS, WSL2, Hyper-V): it runs nested in this guest. KVM's emulation of the "
        "processor's virtualization is what it met.",
        f"Update the host's kernel and Windows. Then {_NESTED}.",
        f"{_REFERENCE}, 0x20001",
        _stop(0x20001, "HYPERVISOR_ERROR"),
        rules=("nested-incomplete", "evmcs-without-nested-intel", "hypervisor-hidden"),
    ),
    Message(
        "secure-kernel-error",
        Layer.WINDOWS,
        "The secure kernel of virtualization-based security (VBS) stopped. It runs on Windows' hypervisor, nested in "
        "this guest.",
        f"Update the host's kernel and Windows. Then {_NESTED}.",
        f"{_REFERENCE}, 0x18B",
        _stop(0x18B, "SECURE_KERNEL_ERROR"),
        rules=("nested-incomplete",),
    ),
    Message(
        "unsupported-processor",
        Layer.WINDOWS,
        "The guest's CPU lacks what this Windows needs to start. Windows 11 24H2 and Server 2025 need SSE4.2 and "
        "POPCNT, which qemu64, kvm64 and Penryn lack; 64-bit Windows 8.1 and later need CMPXCHG16B, LAHF and "
        "PREFETCHW.",
        "Use -cpu host (libvirt: host-passthrough), or a named model of Nehalem's generation or later; for several "
        "hosts, the one that `hvctl pool` proposes.",
        f"{_REFERENCE}, 0x5D; Microsoft, Windows processor requirements",
        _stop(0x5D, "UNSUPPORTED_PROCESSOR"),
    ),
    Message(
        "hal-initialization",
        Layer.WINDOWS,
        "Windows' hardware abstraction layer could not set up what it found: interrupt controllers, timers, ACPI. No "
        "source ties it to a certain enlightenment.",
        "Compare the guest with what `hvctl gen` writes for its Windows (`hvctl lint` shows the differences), and try "
        "`hvctl gen minimal`.",
        f"{_REFERENCE}, 0x5C",
        _stop(0x5C, "HAL_INITIALIZATION_FAILED"),
        rules=("requirement-missing", "windows-without-hyperv"),
    ),
    Message(
        "vcpus-differ",
        Layer.WINDOWS,
        "Windows found processors that do not match each other. In a guest these are vCPUs whose CPUID or APIC ids "
        "differ.",
        "Write a plain topology, as -smp 4,sockets=1,cores=4,threads=1, and leave hybrid CPUs out by pinning the vCPUs "
        "to one kind of core.",
        f"{_REFERENCE}, 0x3E; cloud-hypervisor issue 5400",
        _stop(0x3E, "MULTIPROCESSOR_CONFIGURATION_NOT_SUPPORTED"),
    ),
    Message(
        "exception-at-boot",
        Layer.WINDOWS,
        "A part of Windows' kernel met an exception that it does not handle. At boot of a guest, users report an MSR "
        "that KVM does not emulate as the cause; the host's kernel then logs it.",
        "Look for `Unhandled RDMSR` in the host's kernel log (`dmesg`). If it is there, load kvm with "
        "ignore_msrs=1, or use a named CPU model instead of host. Else the cause is elsewhere, often a driver.",
        f"{_REFERENCE}, 0x7E and 0x1E; users' reports: quickemu issue 88, gacybercenter/kinetic issue 12",
        (*_stop(0x7E, "SYSTEM_THREAD_EXCEPTION_NOT_HANDLED"), *_stop(0x1E, "KMODE_EXCEPTION_NOT_HANDLED")),
    ),
    Message(
        "power-state-failure",
        Layer.WINDOWS,
        "A driver did not follow Windows into or out of sleep or hibernation (0x9F), or Windows' power manager stopped "
        "(0xA0). In guests with {row} ({title}) both are reported at the return from S3 or hibernation.",
        "Rule sleep out: libvirt <pm><suspend-to-mem enabled='no'/><suspend-to-disk enabled='no'/></pm>, QEMU -global "
        "ICH9-LPC.disable_s3=1 -global ICH9-LPC.disable_s4=1; use virsh save instead. Do not turn {row} off for it.",
        f"{_REFERENCE}, 0x9F and 0xA0; users' reports: QEMU issue 1887; "
        "lore.kernel.org, 20260115141520.24176-1-graf@amazon.com",
        (*_stop(0x9F, "DRIVER_POWER_STATE_FAILURE"), *_stop(0xA0, "INTERNAL_POWER_ERROR")),
        row="stimer",
    ),
    Message(
        "irql-on-epyc",
        Layer.WINDOWS,
        "A driver or Windows touched memory that was not there. Most causes are drivers; users report it on AMD EPYC "
        "with old microcode where {row} ({title}) is on.",
        "Update the processor's microcode and the virtio drivers. If it stays, leave {row} out and watch.",
        f"{_REFERENCE}, 0x0A; users' reports: virtio-win/kvm-guest-drivers-windows issue 1582",
        _stop(0x0A, "IRQL_NOT_LESS_OR_EQUAL"),
        row="tlbflush",
    ),
    Message(
        "no-nested-virtualization",
        Layer.WINDOWS,
        "Windows wants to start its own hypervisor (Hyper-V, WSL2, the Virtual Machine Platform), and the guest's CPU "
        "has no virtualization.",
        "Give the guest vmx (Intel) or svm (AMD): -cpu host has it where kvm_intel or kvm_amd is loaded with nested=1. "
        "`hvctl gen PROFILE` with `uses: [wsl2]` in the profile adds what makes it fast.",
        f"Microsoft, Troubleshooting Windows Subsystem for Linux; Docker, Troubleshoot topics; {_RST}:159-169",
        (
            "0x80370102",
            "ensure virtualization is enabled in the BIOS",
            "WSL2 is not supported with your current machine configuration",
            "Hyper-V cannot be installed",
            "virtualization support not detected",
            "virtualization support wasn't detected",
            "Hardware assisted virtualization and data execution protection must be enabled in the BIOS",
            "processor does not have required virtualization capabilities",
        ),
        rules=("hypervisor-hidden", "nested-incomplete", "evmcs-without-nested-intel"),
    ),
    Message(
        "hypervisor-detected",
        Layer.WINDOWS,
        "systeminfo says so where Windows sees a hypervisor below it: KVM, or its own, which then runs VBS. It is no "
        "fault.",
        "Do nothing. Whether VBS runs is shown by msinfo32, Virtualization-based security.",
        "Microsoft, systeminfo",
        ("A hypervisor has been detected. Features required for Hyper-V will not be displayed",),
    ),
)

SYMPTOMS = (
    Message(
        "high-idle-cpu",
        Layer.SYMPTOM,
        "Windows without {row} ({title}) programs the RTC or HPET at a high rate even when idle: users measured 30 to "
        "50 percent of a CPU for each vCPU, and 1 to 3 percent with it.",
        "Turn on {row} and what it requires ({needs}); switch the HPET off. `hvctl gen` writes all of it, and `hvctl "
        "lint` shows what is missing.",
        f"{_RST}:96-105; users' reports: OpenNebula/addon-storpool issue 79, truenas/middleware pull request 9247",
        words=("idle idles idling", "cpu cpus core cores load", "high usage load busy percent % burns uses using 100"),
        row="stimer",
        rules=(
            "no-stimer",
            "synic-without-stimer",
            "no-hypervclock",
            "hpet-on",
            "windows-without-hyperv",
            "timer-policy",
        ),
    ),
    Message(
        "clock-hours-off",
        Layer.SYMPTOM,
        "Windows takes the RTC for local time, and the guest's RTC has UTC: the clock is wrong by the time zone's "
        "hours after each cold start.",
        "Write -rtc base=localtime (libvirt: <clock offset='localtime'>), or set RealTimeIsUniversal in Windows.",
        "libvirt:docs/formatdomain.rst, Time keeping; truenas/middleware pull request 19459",
        words=(
            "clock time rtc",
            "hour hours timezone zone utc localtime",
            "wrong off ahead behind late shifted differs",
        ),
        rules=("clock-offset",),
    ),
    Message(
        "clock-after-resume",
        Layer.SYMPTOM,
        "While a guest is paused or saved its clocks stand still, unless something sets them. KVM's clock is not "
        "carried at all, and jumps back, where KVM is hidden on a machine type up to 5.1.",
        "Let Windows set its time again: `virsh domtime NAME --sync` with the guest agent, or w32tm in the guest. "
        "With a hidden KVM use machine type 5.2 or newer.",
        "qemu:hw/i386/kvm/clock.c, create_always; libvirt:docs/manpages/virsh.rst, domtime",
        words=(
            "clock time",
            (
                "resume resumed resuming suspend suspended sleep hibernate hibernation restore restored snapshot wake "
                "migrate migrated migrating migration"
            ),
        ),
        rules=("kvmclock-missing", "no-hypervclock"),
    ),
    Message(
        "clock-drifts",
        Layer.SYMPTOM,
        "Windows counts timer interrupts where it has no clock to read, and those that a busy host delivers late are "
        "lost; or the host's TSC is not stable.",
        "Turn on {row} ({title}); let lost ticks be made up (-rtc driftfix=slew, -global "
        "kvm-pit.lost_tick_policy=delay; libvirt: rtc tickpolicy='catchup', pit 'delay'). See that the host's "
        "clocksource is tsc.",
        f"{_RST}:77-83; qemu:qemu-options.hx, -rtc",
        words=(
            "clock time",
            "drift drifts drifting drifted slow slows fast skew lags lagging behind ahead jumps jumping desync",
        ),
        row="time",
        rules=("no-hypervclock", "timer-policy", "hpet-on", "windows-without-hyperv"),
    ),
    Message(
        "gpu-code-43",
        Layer.SYMPTOM,
        "The driver of an assigned graphics card refused to start it. NVIDIA's before 465 did so under a visible "
        "hypervisor; users report the same of some newer AMD and Intel cards. Or the card was not reset, or is the "
        "host's boot display.",
        "Update the driver. If that does not help, hide KVM (-cpu ...,kvm=off; libvirt: <kvm><hidden "
        "state='on'/></kvm>) and change the vendor id, and keep the other enlightenments on: `hvctl explain "
        "gpu-passthrough`.",
        "NVIDIA, GeForce GPU Passthrough for Windows Virtual Machine; users' reports: kubevirt issue 3285",
        words=("43", "code error gpu nvidia driver geforce radeon amd"),
        row="vendor-id",
        rules=("vendor-id-invalid", "hypervisor-hidden", "replaced-cpu"),
    ),
    Message(
        "black-screen",
        Layer.SYMPTOM,
        "Windows 7 and Server 2008 R2 hang with UEFI, several vCPUs and any enlightenment; users report the same of "
        "a Windows that boots from BIOS with hv-passthrough. Windows 11 24H2 restarts or hangs on a CPU without "
        "SSE4.2 and POPCNT.",
        "Paste the domain or the command line to see which it is. For Windows 7 with UEFI, leave every enlightenment "
        "out; else name enlightenments instead of hv-passthrough, and use -cpu host or a model of Nehalem's generation "
        "or later.",
        "Red Hat bug 1185253; Launchpad 1456819 and 1593605; users' reports: LXD issue 18536",
        words=(
            "black blank stuck hang hangs hung freeze freezes freezed frozen loop loops spinning restarts reboots",
            "screen boot boots booting logo spinner dots splash startup",
        ),
        rules=("passthrough-blocks-migration", "passthrough-with-children", "requirement-missing"),
    ),
    Message(
        "cannot-migrate",
        Layer.SYMPTOM,
        "QEMU refuses to migrate a guest with hv-passthrough, hv-no-nonarch-coresharing=auto, invtsc without "
        "tsc-frequency, or an assigned device. The message of `virsh migrate` names which.",
        "Paste that message. `hvctl check-migration GUEST --to HOST` says before it is tried whether a guest can move.",
        "qemu:target/i386/kvm/kvm.c:1685-1708",
        words=(
            "migrate migrated migrating migration migratable",
            "cannot can't can not fail fails failed failing unable impossible won't refuses refused blocked doesn't",
        ),
        rules=(
            "passthrough-blocks-migration",
            "invtsc-without-frequency",
            "migratable-off",
            "coresharing-auto",
            "reenlightenment-without-frequency",
        ),
    ),
    Message(
        "cannot-snapshot",
        Layer.SYMPTOM,
        "A snapshot with memory, `virsh save` and managedsave write the guest's state as a migration does, so the same "
        "blocks them: hv-passthrough, invtsc without tsc-frequency (migratable=off brings it), assigned devices. UEFI "
        "variables in a raw file block internal snapshots.",
        "Paste the message of virsh or of QEMU's monitor. Snapshots of the disks alone, with the guest shut down, "
        "always work.",
        "qemu:migration/savevm.c; quickemu issues 1261 and 1269",
        words=(
            "snapshot snapshots savevm save saving managedsave checkpoint",
            "cannot can't fail fails failed failing unable impossible won't refuses refused blocked disabled doesn't",
        ),
        rules=("passthrough-blocks-migration", "invtsc-without-frequency", "migratable-off", "coresharing-auto"),
    ),
    Message(
        "slow-with-vbs",
        Layer.SYMPTOM,
        "VBS, memory integrity, WSL2 and Hyper-V run Windows on a hypervisor inside the guest, and each of its exits "
        "costs many of KVM's. On Intel {row} ({title}) and its companions save most of them.",
        f"Either {_NESTED}.",
        f"{_RST}:159-178; users' reports: microsoft/WSL issues 7876 and 40820",
        words=(
            "slow slowly sluggish lag lags laggy unusable performance freeze freezes frozen stutter stutters",
            "vbs hvci wsl wsl2 nested integrity isolation credential docker sandbox hyperv",
        ),
        row="evmcs",
        rules=("nested-incomplete", "hypervisor-hidden", "recommended-missing"),
    ),
    Message(
        "does-not-wake",
        Layer.SYMPTOM,
        "Windows 11 with stimer is reported not to come back from sleep (S3) or hibernation.",
        "Rule sleep out: libvirt <pm><suspend-to-mem enabled='no'/><suspend-to-disk enabled='no'/></pm>, QEMU -global "
        "ICH9-LPC.disable_s3=1 -global ICH9-LPC.disable_s4=1.",
        "users' reports: QEMU issue 1887",
        words=(
            "sleep sleeps s3 s4 hibernate hibernates hibernation standby suspend",
            "wake wakes hang hangs stuck crash crashes freeze freezes fails black reboot reboots never",
        ),
        row="stimer",
    ),
    Message(
        "too-few-processors",
        Layer.SYMPTOM,
        "Each vCPU is a socket where no topology is written, and Windows Home uses one socket, Pro two.",
        "Write a topology with one socket: -smp 8,sockets=1,cores=8,threads=1 (libvirt: <topology sockets='1' "
        "cores='8' threads='1'/>).",
        "libvirt:docs/formatdomain.rst, CPU model and topology; Microsoft, Windows editions",
        words=(
            "core cores cpu cpus vcpu vcpus processor processors socket sockets",
            "only sees uses shows recognizes detects",
            "one two 1 2 single half",
        ),
    ),
    Message(
        "machine-detected",
        Layer.SYMPTOM,
        "Programs find a virtual machine by the hypervisor bit of CPUID, by KVM's and Hyper-V's leaves, and by the "
        "names of devices and firmware. kvm=off hides KVM's leaf alone.",
        "hypervisor=off hides the bit, and makes Windows ignore every enlightenment, which is slow: "
        "`hvctl explain gpu-passthrough` shows what hides what, and what it costs.",
        "linux:arch/x86/kvm/cpuid.c:326-336; qemu:target/i386/kvm/kvm.c:2135-2144",
        words=(
            "detect detects detected detection detecting hide hides hiding anticheat cheat",
            "vm virtual virtualization hypervisor kvm",
            "anticheat cheat game games agent program programs software app application exam hide hides hiding",
        ),
        rules=("hypervisor-hidden", "vendor-id-pointless"),
    ),
    Message(
        "slow-guest",
        Layer.SYMPTOM,
        "A Windows without enlightenments, with an emulated HPET or on -accel tcg is slow; so is one whose own "
        "hypervisor (VBS) runs nested.",
        "Check the guest with `hvctl lint`, and write what its Windows should have with `hvctl gen`.",
        f"{_RST}:1-35",
        words=(
            "slow slowly sluggish lag lags laggy stutter stutters stuttering unresponsive",
            "vm guest windows win10 win11 machine desktop mouse audio kvm qemu",
        ),
        rules=("windows-without-hyperv", "not-kvm", "recommended-missing", "hpet-on", "no-stimer", "hypervisor-hidden"),
    ),
)
"""The first that fits a sentence counts."""

MESSAGES = (*WINDOWS, *SYMPTOMS)
