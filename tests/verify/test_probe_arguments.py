"""The arguments of the probe guest: what is kept of a guest's own, and what is changed."""

from __future__ import annotations

import shlex

import pytest

from hvctl.verify.probe_subject import essential, with_accelerator, with_vcpus, without_rows

WHOLE = (
    "-name guest=a -machine pc-q35-7.2,smm=on,memory-backend=ram,pflash0=code,hpet=off -accel kvm -m 8G -smp 4,cores=4 "
    "-cpu host,hv_relaxed=on -object memory-backend-memfd,id=ram,size=8G -blockdev node-name=code,driver=null-co "
    "-rtc base=localtime,driftfix=slew -global kvm-pit.lost_tick_policy=delay -global host-x86_64-cpu.hv-time=on "
    "-global ICH9-LPC.disable_s3=1 -nodefaults -no-reboot -no-user-config -device virtio-net-pci disk.img"
)


def test_machine_cpu_and_clock_are_kept() -> None:
    kept = essential(shlex.split(WHOLE))
    assert shlex.join(kept.words) == (
        "-machine type=pc-q35-7.2,smm=on,hpet=off -accel kvm -smp 4,cores=4 -cpu host,hv_relaxed=on "
        "-rtc base=localtime,driftfix=slew -global kvm-pit.lost_tick_policy=delay "
        "-global host-x86_64-cpu.hv-time=on -no-user-config"
    )
    assert kept.dropped == ("-name", "-m", "-object", "-blockdev", "-global", "-device", "disk.img")


def test_no_file_is_named() -> None:
    """Whoever verifies a stranger's command line starts the probe guest with it, and nothing of the stranger's."""
    words = "-machine pc,kernel=k,initrd=i,append=a,dtb=d,dumpdtb=o,shim=s,firmware=f,smm=off -accel kvm,device=x"
    assert shlex.join(essential(shlex.split(words)).words) == "-machine type=pc,smm=off -accel accel=kvm"


def test_what_has_nothing_to_drop_stays_as_it_is() -> None:
    words = ("-M", "q35,accel=kvm", "--cpu", "max,,x", "-enable-kvm")
    assert essential(words) == (words, ())


def test_a_machine_that_was_only_references_is_gone() -> None:
    assert essential(("-machine", "memory-backend=ram")).words == ()


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("host-x86_64-cpu.hv-time=on", True),
        ("x86_64-cpu.hv-time=on", True),
        ("cpu.hv-time=on", True),
        ("device.hv-time=on", True),
        ("driver=cpu,property=hv-time,value=on", True),
        ("kvm-pit.lost_tick_policy=delay", True),
        ("cpu-hotplug.a=b", False),
        ("ICH9-LPC.disable_s3=1", False),
        ("driver=ICH9-LPC,property=disable_s3,value=1", False),
    ],
)
def test_globals_that_reach_the_cpu(value: str, kept: bool) -> None:
    assert essential(("-global", value)).words == (("-global", value) if kept else ())


def test_a_global_that_qemu_refuses_is_left_to_it() -> None:
    assert essential(("-global", "nothing")).words == ("-global", "nothing")


@pytest.mark.parametrize(
    ("before", "number", "after"),
    [
        ("-cpu max", None, "-cpu max -smp 2"),
        ("-cpu max", 8, "-cpu max -smp 8"),
        ("-smp 4,cores=2 -cpu max", None, "-smp 4,cores=2 -cpu max"),
        ("-smp 4,cores=2 -cpu max", 1, "-cpu max -smp 1"),
    ],
)
def test_vcpus(before: str, number: int | None, after: str) -> None:
    assert with_vcpus(before.split(), number) == tuple(after.split())


@pytest.mark.parametrize(
    ("before", "name", "after"),
    [
        ("-cpu host,hv-time", "tcg", "-accel tcg -cpu max,hv-time"),
        ("-accel kvm -cpu host", "tcg", "-accel tcg -cpu max"),
        ("-enable-kvm -cpu EPYC,hv-time", "tcg", "-accel tcg -cpu EPYC,hv-time"),
        ("-machine q35,accel=kvm:tcg,smm=off", "tcg", "-accel tcg -machine type=q35,smm=off"),
        ("-machine accel=kvm -rtc base=utc", "tcg", "-accel tcg -rtc base=utc"),
        ("-global kvm-pit.lost_tick_policy=delay", "tcg", "-accel tcg"),
        ("-global driver=kvm-pit,property=lost_tick_policy,value=delay", "tcg", "-accel tcg"),
        ("-global nothing", "tcg", "-accel tcg -global nothing"),
        ("-accel tcg -cpu host -global kvm-pit.lost_tick_policy=delay", "kvm", None),
    ],
)
def test_accelerator(before: str, name: str, after: str | None) -> None:
    wanted = before.replace("tcg", "kvm") if after is None else after
    assert with_accelerator(before.split(), name) == tuple(wanted.split())


def test_rows_are_taken_out_however_they_are_written() -> None:
    words = ("-cpu", "max,hv-vpindex,hv_vpindex=on,+hv-vpindex,hv-apicv=on,hv-time,hv-version-id-major=1", "-smp", "2")
    assert without_rows(words, ["vpindex", "avic", "version-id"]) == ("-cpu", "max,hv-time", "-smp", "2")
