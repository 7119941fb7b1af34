"""The caller's arguments beside the generated ones: what is merged, what passes, what is refused and how."""

from __future__ import annotations

import pytest

from hvctl.catalog import BY_ID, ROWS
from hvctl.errors import InputError
from hvctl.guest.command.writer import arguments
from hvctl.model.profile import Ask, Profile, Wish
from hvctl.plan.resolve import resolve
from hvctl.run.merge import Target, merge, target
from tests.made_hosts import made_amd_host

MACHINE = "pc-q35-7.2"
GENERATED = (
    *("-machine", f"{MACHINE},hpet=off", "-cpu", "host,migratable=on,hv_relaxed=on"),
    *("-rtc", "base=localtime,driftfix=slew", "-global", "kvm-pit.lost_tick_policy=delay"),
)
IRQCHIP = tuple(row.id for row in ROWS if row.irqchip)
TARGET = Target(MACHINE, ("q35",), irqchip=IRQCHIP)


def merged(caller: str, to: Target = TARGET) -> str:
    return " ".join(merge(GENERATED, caller.split(), to))


def written(*, accel: str = "", machine: str = "", rtc: str = "", rest: str = "") -> str:
    """The generated command line with these additions."""
    words = f"-accel kvm{accel} -machine {MACHINE},hpet=off{machine} {' '.join(GENERATED[2:4])} "
    words += f"-rtc base=localtime,driftfix=slew{rtc} -global kvm-pit.lost_tick_policy=delay {rest}"
    return words.rstrip()


@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        ("", written()),
        (
            "-m 4G -S --incoming defer -no-reboot disk.img",
            written(rest="-m 4G -S --incoming defer -no-reboot disk.img"),
        ),
        ("-machine smm=on,pflash0=code", written(machine=",smm=on,pflash0=code")),
        ("-M q35,vmport=off", written(machine=",vmport=off")),
        ("--machine type=pc-q35-7.2 -machine kernel_irqchip=split", written(machine=",kernel_irqchip=split")),
        ("-machine accel=kvm,memory-backend=mem", written(machine=",memory-backend=mem")),
        ("-machine hpet=off", written()),
        ("-machine x-oem-id=a,,b", written(machine=",x-oem-id=a,,b")),
        ("-enable-kvm -accel kvm", written()),
        ("--accel kvm,dirty-ring-size=4096", written(accel=",dirty-ring-size=4096")),
        ("-accel accel=kvm,kernel-irqchip=split", written(accel=",kernel-irqchip=split")),
        ("-rtc clock=vm", written(rtc=",clock=vm")),
        ("-global virtio-net-pci.mq=on", written(rest="-global virtio-net-pci.mq=on")),
        ("-global host-x86_64-cpu.pmu=off", written(rest="-global host-x86_64-cpu.pmu=off")),
        ("-name -cpu -append -readconfig", written(rest="-name -cpu -append -readconfig")),
        ("-run-with chroot=/var/empty", written(rest="-run-with chroot=/var/empty")),
    ],
)
def test_merged(caller: str, expected: str) -> None:
    assert merged(caller) == expected


@pytest.mark.parametrize(
    ("caller", "message"),
    [
        ("-machine pc", "the machine type pc is not the plan's, pc-q35-7.2"),
        ("-M pc-q35-8.0,smm=on", "the machine type pc-q35-8.0 is not the plan's, pc-q35-7.2"),
        ("-machine accel=kvm:tcg", "the accelerator kvm:tcg is not KVM"),
        ("-accel tcg,thread=multi", "the accelerator tcg is not KVM"),
        ("-machine hpet=on", "hpet=on is against the plan, which says off"),
        ("--cpu max", "-cpu is what hvctl writes"),
        ("-no-hpet", "-no-hpet is a part of the plan"),
        ("-rtc base=utc", "-rtc base=utc is the plan's to decide"),
        ("-rtc clock=vm,driftfix=none", "-rtc driftfix=none is the plan's to decide"),
        ("-readconfig file", "-readconfig cannot be checked against the plan"),
        ("-daemonize", "-daemonize leaves nothing to supervise"),
        (
            "-global kvm-pit.lost_tick_policy=discard",
            "-global kvm-pit.lost_tick_policy=discard is the plan's to decide",
        ),
    ],
)
def test_refused(caller: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        merged(caller)
    (problem,) = caught.value.problems
    assert problem.message == message
    assert problem.hint
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
@pytest.mark.parametrize(
    "form", ["host-x86_64-cpu.{}=on", "driver=host-x86_64-cpu,property={},value=on", "x86_64-cpu.{}=on", "cpu.{}=on"]
)
def test_no_enlightenment_goes_through_a_global(row: object, form: str) -> None:
    for known in next(each for each in ROWS if each is row).properties:
        with pytest.raises(InputError, match="changes an enlightenment of the plan") as caught:
            merge(GENERATED, ["-global", form.format(known.name)], TARGET)
        assert f"`{next(each for each in ROWS if each is row).id}`" in caught.value.problems[0].hint


@pytest.mark.parametrize("name", ["kernel-irqchip=off", "kernel_irqchip=off"])
@pytest.mark.parametrize("option", ["-machine ", "-accel kvm,"])
def test_the_irqchip_is_needed_by_rows_that_the_message_names(option: str, name: str) -> None:
    with pytest.raises(InputError, match=", ".join(IRQCHIP)):
        merged(option + name)
    assert name in merged(option + name, TARGET._replace(irqchip=()))


@pytest.mark.parametrize("caller", ["-daemonize", "-runas nobody", "-run-with user=nobody"])
def test_what_breaks_supervision_may_stay_without_it(caller: str) -> None:
    with pytest.raises(InputError):
        merged(caller)
    assert merged(caller, TARGET._replace(supervised=False)) == written(rest=caller)


def test_all_problems_come_at_once() -> None:
    with pytest.raises(InputError) as caught:
        merged("-cpu host -m 1G -M pc,hpet=on -readconfig x -no-hpet")
    assert len(caught.value.problems) == 5


def test_the_target_is_what_the_plan_says() -> None:
    row = next(row for row in ROWS if row.irqchip)
    wishes = tuple(Wish(each, Ask.ON) for each in (row.id, *row.requires))
    host = made_amd_host()
    plan = resolve(Profile("made", wishes=wishes), (host,))
    found = target(plan, host.qemu[0], supervised=True)
    assert (found.machine, found.aliases, found.hpet) == ("pc-q35-10.0", ("q35",), False)
    assert set(found.irqchip) == {each for each in (row.id, *row.requires) if BY_ID[each].irqchip}
    assert merge(arguments(plan), [], found)[:2] == ("-accel", "kvm")
