"""The words of the command line."""

from __future__ import annotations

from hvctl.guest.command.writer import arguments, cpu, escape
from hvctl.guest.plan import guest_of
from hvctl.model.profile import ClockChoice, CpuChoice, Migration, Profile
from hvctl.plan.resolve import resolve
from tests.made_hosts import made_amd_host, made_intel_host, made_qemu
from tests.plan.test_resolve import wish

RELAXED = Profile("test", wishes=(wish("relaxed"),))


def test_the_whole_line() -> None:
    assert arguments(resolve(RELAXED, (made_amd_host(),))) == (
        "-machine",
        "pc-q35-10.0,hpet=off",
        "-cpu",
        "host,migratable=on,hv_relaxed=on",
        "-rtc",
        "base=localtime,driftfix=slew",
        "-global",
        "kvm-pit.lost_tick_policy=delay",
    )


def test_values_are_written_as_qemu_reads_them() -> None:
    wishes = (
        wish("spinlocks", value=8191),
        wish("vendor-id", value="a=b;c"),
        wish("no-nonarch-coresharing", value="auto"),
        wish("version-id", value="10.0.20348"),
    )
    profile = Profile("test", wishes=wishes, migration=Migration.NONE)
    assert cpu(guest_of(resolve(profile, (made_amd_host(),)))) == (
        "host,hv_spinlocks=0x1fff,hv_vendor_id=a=b;c,hv_no_nonarch_coresharing=auto,"
        "hv_version_id_major=10,hv_version_id_minor=0,hv_version_id_build=20348,"
        "hv_version_id_spack=0,hv_version_id_sbranch=0,hv_version_id_snumber=0"
    )


def test_cpu_choices_come_before_the_enlightenments() -> None:
    choice = CpuChoice("Skylake-Server", hidden=True, features=(("invtsc", True), ("pcid", False)))
    profile = RELAXED._replace(cpu=choice, tsc_frequency=2_600_000_000)
    assert cpu(guest_of(resolve(profile, (made_intel_host(),)))) == (
        "Skylake-Server,kvm=off,invtsc=on,pcid=off,tsc-frequency=2600000000,hv_relaxed=on"
    )


def test_the_clock() -> None:
    profile = RELAXED._replace(clock=ClockChoice("utc", hpet=True, rtc="delay", pit="discard"))
    words = arguments(resolve(profile, (made_amd_host(),)))
    assert words[1] == "pc-q35-10.0,hpet=on"
    assert words[4:] == ("-rtc", "base=utc", "-global", "kvm-pit.lost_tick_policy=discard")


def test_no_hpet_option_where_the_machine_has_none() -> None:
    qemu = made_qemu()
    qemu = qemu._replace(machines=tuple(machine._replace(hpet=False) for machine in qemu.machines))
    assert arguments(resolve(RELAXED, (made_amd_host(qemu=(qemu,)),)))[1] == "pc-q35-10.0"


def test_a_comma_is_doubled() -> None:
    assert escape("a,b,,c") == "a,,b,,,,c"
