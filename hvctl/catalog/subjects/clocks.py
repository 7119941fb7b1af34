"""The TSC, and the clocks of the machine."""

from hvctl.catalog.types import Subject

SUBJECTS = (
    Subject(
        "invtsc",
        "a TSC that the guest is told never changes its rate",
        ("invariant-tsc", "constant-tsc", "nonstop-tsc"),
        """\
## What it is
A bit of the CPU (CPUID 0x80000007.EDX bit 8): the TSC ticks at one rate in all power states. Without hv-time, Windows
trusts the TSC as its clock only with it.

With hv-time on, Windows reads the reference TSC page, and has no need of it for its clock.

## What it costs
QEMU neither migrates nor saves a guest with it (virsh save, managed save, snapshot with memory) unless tsc-frequency
is set: the next host could have another rate.

CPU model host leaves it out while migratable is on; migratable=off brings it.

## How
-cpu host,invtsc=on,tsc-frequency=2500000000

<feature policy='require' name='invtsc'/> in <cpu>, <timer name='tsc' frequency='2500000000'/> in <clock>

Profile: `cpu: {features: {invtsc: on}}` and `tsc-frequency: auto`, or `migration: none`.
""",
        (
            'Microsoft Learn, "Acquiring high-resolution time stamps"',
            "qemu:target/i386/kvm/kvm.c:2307-2319, target/i386/cpu.c (no_autoenable_flags)",
            "libvirt:src/qemu/qemu_migration.c:1623-1646",
        ),
    ),
    Subject(
        "tsc-frequency",
        "the rate of the guest's TSC",
        ("tsc", "tsc-khz", "tsc-scaling", "tsc-freq", "frequency"),
        """\
## What it is
QEMU asks KVM to run the guest's TSC at this rate. A host gives it by TSC scaling, or where its own rate is within 250
ppm; else QEMU refuses to start with it.

Two things may only migrate, or be loaded from a saved state, with it: invtsc, and a guest that uses reenlightenment.

## How
-cpu ...,tsc-frequency=2500000000 (Hz); <timer name='tsc' frequency='2500000000'/> in <clock>

Profile: `tsc-frequency: auto` takes the first host's. All hosts must run at it or scale: `hvctl pool` shows which do.

Write the same number on all hosts: QEMU compares it with the arriving guest's.
""",
        (
            "qemu:target/i386/kvm/kvm.c:880-930, kvm_arch_set_tsc_khz(); target/i386/machine.c:320, 904-921",
            "linux:arch/x86/kvm/x86.c, tsc_tolerance_ppm",
        ),
    ),
    Subject(
        "hpet",
        "the High Precision Event Timer",
        ("high-precision-event-timer", "pm-timer", "acpi-pm-timer", "useplatformclock"),
        """\
## What it is
A timer of the machine that QEMU emulates: each access is an exit to QEMU itself. QEMU has it on unless it is turned
off.

Windows without stimer takes its ticks from it, also when it is idle, or from the RTC where there is none. Without
hv-time and an HPET it reads the ACPI PM timer, which costs an exit to QEMU each time, too.

## How
-machine ...,hpet=off (older QEMU: -no-hpet); <timer name='hpet' present='no'/> in <clock>

Turn it off for Windows, and hv-time, synic and stimer on. Profiles have it off unless they say `clock: {timers:
{hpet: on}}`.

If Windows was told to use it (bcdedit /set useplatformclock yes), take that back in the guest: bcdedit /deletevalue
useplatformclock.
""",
        ("qemu:docs/system/i386/hyperv.rst, hv-stimer", "libvirt:docs/formatdomain.rst, Time keeping"),
    ),
    Subject(
        "rtc",
        "the real-time clock",
        ("real-time-clock", "cmos", "driftfix", "localtime", "clock-offset", "clock", "clocks", "drift", "time-drift"),
        """\
## What it is
The battery-backed clock of the machine, and a periodic timer. Windows reads it at boot and takes it for local time.

Windows without synthetic timers counts its ticks: lost ones must be delivered later (catchup, driftfix=slew), or its
clock is slow. With hv-time and stimer, Windows 8, Server 2012 and later keep time without it.

## How
-rtc base=localtime,driftfix=slew

<clock offset='localtime'> with <timer name='rtc' tickpolicy='catchup'/>

Profile: `clock: {offset: localtime, timers: {rtc: catchup}}`, the default for Windows.
""",
        (
            "qemu:docs/system/i386/hyperv.rst, hv-stimer (reverts to HPET or RTC); qemu(1), -rtc",
            "libvirt:docs/formatdomain.rst, Time keeping",
        ),
    ),
    Subject(
        "pit",
        "the programmable interval timer",
        ("i8254", "kvm-pit", "lost-tick-policy"),
        """\
## What it is
The oldest timer of the machine. Boot loaders use it; Windows leaves it for the APIC timer or synthetic timers early.

delay delivers late ticks at the normal rate, discard drops them. catchup and merge, which libvirt names too, are not
for Windows: see the rule timer-policy.

## How
-global kvm-pit.lost_tick_policy=delay (KVM's default) or discard

<timer name='pit' tickpolicy='delay'/> in <clock>

virt-manager, oVirt and KubeVirt write delay, Proxmox VE discard: both work.
""",
        (
            "qemu:hw/i386/kvm/i8254.c, kvm_pit_properties",
            "libvirt:src/qemu/qemu_command.c, qemuBuildClockCommandLine()",
        ),
    ),
)
