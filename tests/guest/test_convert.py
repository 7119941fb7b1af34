"""A guest in another form: what both forms can say comes back as it was, and what one cannot say is named."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvctl.catalog import ROWS
from hvctl.catalog.placement import HypervMode, PanicDevice
from hvctl.catalog.types import Kind, Row
from hvctl.errors import InputError
from hvctl.guest.command.reader import read_command_line, read_cpu
from hvctl.guest.command.writer import arguments
from hvctl.guest.convert import lost_in_profile, to_libvirt, to_qemu
from hvctl.guest.domain import LIBOSINFO
from hvctl.guest.domain.reader import read_domain
from hvctl.guest.domain.writer import domain
from hvctl.guest.plan import guest_of_profile, profile_of_guest
from hvctl.host.host_file import read_host
from hvctl.model.guest import Firmware, Guest, Setting, Timer, Topology
from hvctl.plan.resolve import resolve
from hvctl.profile.reader import load_profile, profile_from_text, to_yaml
from hvctl.profile.source import shipped_names
from tests.made_guests import facts, made_guest, setting, timer
from tests.paths import HOSTS

VALUES: dict[Kind, st.SearchStrategy[int | str | None]] = {
    Kind.FLAG: st.none(),
    Kind.NUMBER: st.integers(4095, 0x7FFFFFFF),
    Kind.STRING: st.text("abc XYZ&<'\"0", min_size=1, max_size=12),
    Kind.ON_OFF_AUTO: st.sampled_from(["on", "auto"]),
    Kind.VERSION: st.sampled_from(["10.0.14393", "6.1.7100", "1.2.3.4-5-6"]),
}
ORDINARY = [row for row in ROWS if not row.experimental]
SYSTEMS = {
    None: "other",
    "http://microsoft.com/win/11": "windows-11",
    "http://microsoft.com/win/2k22": "windows-server-2022",
}
FEATURES = ["svm", "vmx", "invtsc", "avx512f", "pclmulqdq", "lahf-lm"]


@st.composite
def guests(draw: st.DrawFn) -> Guest:
    """A guest with any rows on and off, any CPU, clock, timers, interrupt chip, topology, firmware and system."""
    settings: list[Setting] = []
    for row in ORDINARY:
        state = draw(st.sampled_from(["on", "on", "off", ""]))
        if state == "on":
            settings.append(Setting(row, True, draw(VALUES[row.kind])))
        # An absent panic device or mode is not written; a text has no off.
        elif (
            state == "off"
            and row.kind in (Kind.FLAG, Kind.NUMBER)
            and not isinstance(row.libvirt, PanicDevice | HypervMode)
        ):
            settings.append(Setting(row, False))
    some: dict[str, st.SearchStrategy[Timer]] = {
        "rtc": st.sampled_from(["catchup", "delay"]).map(timer),
        "pit": st.sampled_from(["delay", "discard"]).map(timer),
        "hpet": st.booleans().map(lambda present: timer(None, present)),
    }
    model = draw(st.sampled_from(["host", "max", "EPYC", "Skylake-Server-noTSX-IBRS"]))
    shape = draw(st.sampled_from([None, Topology(1, None, 2, 2), Topology(2, 1, 1, 1), Topology(1, 2, 3, 1)]))
    return made_guest(
        *settings,
        features=draw(st.dictionaries(st.sampled_from(FEATURES), st.booleans())).items(),
        accelerator=draw(st.sampled_from(["kvm", "tcg"])),
        machine=draw(st.sampled_from(["pc-q35-7.2", "pc-i440fx-6.1"])),
        irqchip=draw(st.sampled_from([None, "on", "split"])),
        firmware=draw(st.sampled_from([None, Firmware("uefi"), Firmware("uefi", True), Firmware("uefi", False)])),
        cpu=model,
        migratable=draw(st.booleans()) if model in ("host", "max") else True,
        enforce=draw(st.booleans()),
        hidden=draw(st.booleans()),
        tsc_frequency=draw(st.sampled_from([None, 2_600_000_000])),
        offset=draw(st.sampled_from([None, "utc", "localtime"])),
        timers={name: draw(one) for name, one in some.items() if draw(st.booleans())},
        vcpus=draw(st.sampled_from([None, 1, 12] if shape else [None, 1])),
        topology=shape,
        system=draw(st.sampled_from(list(SYSTEMS))),
    )


def as_domain(guest: Guest) -> Guest:
    return read_domain(to_libvirt(guest).text.encode(), "x")


def as_command_line(guest: Guest) -> Guest:
    return read_command_line(shlex.join(to_qemu(guest).words), "x")


def same(guest: Guest, *without: str) -> dict[str, Any]:
    """What a guest has. Two things are not written where they are as they are without a word: QEMU's policy of the RTC,
    and libvirt's offset of a clock with timers."""
    found = facts(guest, *without)
    found["timers"] = {name: one for name, one in found["timers"].items() if (name, one[0]) != ("rtc", "delay")}
    return found | {"offset": guest.offset or "utc"}


def lost_of(guest: Guest) -> set[str]:
    return {sentence.partition(":")[0] for sentence in to_libvirt(guest).lost}


@given(guests())
def test_domain_to_command_line_to_domain(guest: Guest) -> None:
    before = as_domain(guest)
    lost = {sentence.split()[0] for sentence in to_qemu(before).lost}
    assert lost == {name for name, has in (("firmware", before.firmware), ("os", before.system)) if has}
    after = as_domain(as_command_line(before))
    assert same(after, "firmware", "system", "vcpus") == same(before, "firmware", "system", "vcpus")
    shape = before.topology
    of_shape = (shape.sockets or 1) * (shape.dies or 1) * (shape.cores or 1) * (shape.threads or 1) if shape else None
    assert after.vcpus == (before.vcpus or of_shape)
    assert (after.doubts, after.mistakes) == ((), [])


@given(guests())
def test_command_line_to_domain_to_command_line(guest: Guest) -> None:
    before = as_command_line(guest.replace(firmware=None, system=None))
    lost, after = lost_of(before), as_command_line(as_domain(before))
    assert same(after, "settings", "vcpus") == same(before, "settings", "vcpus")
    assert after.enabled() == {name: value for name, value in before.enabled().items() if name not in lost}


@given(guests())
def test_libvirt_keeps_all_but_what_is_named(guest: Guest) -> None:
    lost, found = lost_of(guest), as_domain(guest)
    assert found.enabled() == {name: value for name, value in guest.enabled().items() if name not in lost}
    assert same(found, "settings") == same(guest, "settings")
    assert facts(as_domain(found)) == facts(found)


@given(guests())
def test_qemu_keeps_all_but_what_is_named(guest: Guest) -> None:
    if guest.takes_all:
        return  # below
    found = as_command_line(guest)
    assert same(found, "firmware", "system", "vcpus") == same(guest, "firmware", "system", "vcpus")


@given(guests())
def test_a_profile_keeps_all_but_what_is_named(guest: Guest) -> None:
    profile, lost = profile_of_guest(guest)
    names = {sentence.partition(":")[0] for sentence in lost}
    back, unknown = guest_of_profile(profile)
    assert not unknown
    assert back.enabled() == {name: value for name, value in guest.enabled().items() if name not in names}
    assert (back.cpu, "cpu max" in names) == (("host", True) if guest.cpu == "max" else (guest.cpu, False))
    kept = ("machine", "hidden", "features", "tsc_frequency", "system")
    assert [getattr(back, name) for name in kept] == [getattr(guest, name) for name in kept]
    assert profile.os == SYSTEMS[guest.system]
    # A profile always says something of the clock: what QEMU does without a word.
    assert back.offset == (guest.offset or "utc")
    defaults = {"rtc": timer("delay"), "pit": timer("delay"), "hpet": timer(None, True)}
    assert back.timers == {**defaults, **guest.timers}
    wanted = {"firmware": guest.firmware, "vCPUs": guest.vcpus, "topology": guest.topology}
    wanted |= {"enforce=on": guest.enforce, "kernel-irqchip=split": guest.irqchip == "split"}
    said = {sentence.partition(":")[0].split()[0] for sentence in lost_in_profile(guest)}
    assert said == {name for name, has in wanted.items() if has}


@given(guests())
def test_the_profile_can_be_written_and_read(guest: Guest) -> None:
    """Unless the guest itself has what cannot be: then so does the profile, and nothing else is wrong with it."""
    if guest.takes_all or guest.lacking:
        return
    profile, _ = profile_of_guest(guest)
    assert profile_from_text(to_yaml(profile))._replace(spans=()).cpu == profile.cpu


@pytest.mark.parametrize("host", ["debian-12", "debian-13"])
@pytest.mark.parametrize("name", shipped_names())
def test_what_gen_writes_for_both_converts_into_each_other(name: str, host: str) -> None:
    plan = resolve(load_profile(name), (read_host(str(HOSTS / f"{host}.json")),), libvirt=True)
    assert not plan.refusals
    line = read_command_line(shlex.join(arguments(plan)), "x")
    xml = domain(plan, fragment=True)
    words = to_qemu(read_domain(xml.encode(), "x")).words
    machine, accelerator, rest = words[:2], words[2:4], words[4:]
    # gen leaves the accelerator to the user.
    assert (accelerator, (*machine, *rest)) == (("-accel", "kvm"), arguments(plan))
    assert same(read_domain(to_libvirt(line).text.encode(), "x")) == same(read_domain(xml.encode(), "x"))
    if plan.clock.rtc != "delay":
        assert to_libvirt(line).text == xml


# What one of them cannot say.


@pytest.mark.parametrize("row", [row for row in ORDINARY if row.libvirt is None], ids=lambda row: row.id)
def test_what_libvirt_has_no_element_for_is_named(row: Row) -> None:
    value = {Kind.ON_OFF_AUTO: "on", Kind.VERSION: "10.0.1"}.get(row.kind)
    converted = to_libvirt(made_guest(setting(row.id, value), cpu="host"))
    assert converted.lost == (f"{row.id}: libvirt has no element for it",)


def test_a_value_that_libvirt_refuses_is_not_written() -> None:
    converted = to_libvirt(read_cpu("host,hv_relaxed,hv_spinlocks=100", "x"))
    assert converted.lost == ("spinlocks: libvirt refuses a value below 4095",)
    assert list(read_domain(converted.text.encode(), "x").enabled()) == ["relaxed"]


def test_what_passthrough_overwrites_is_named() -> None:
    line = "qemu-system-x86_64 -cpu host,hv-time,hv-spinlocks=0x1fff,hv-passthrough,hv-vendor-id=123456789ab"
    converted = to_libvirt(read_command_line(line, "x"))
    assert '<hyperv mode="passthrough"/>' in converted.text
    assert converted.lost == tuple(
        f"{row_id}: hv-passthrough has KVM's own instead" for row_id in ("spinlocks", "time", "vendor-id")
    )
    assert to_qemu(read_command_line(line, "x")).words[-1] == "host,hv_passthrough=on"


def of_domain(inner: str, root: str = "") -> Guest:
    return read_domain(f"<domain type='kvm'{root}>{inner}</domain>".encode(), "x")


@pytest.mark.parametrize(
    ("inner", "words", "lost"),
    [
        ("", ("-accel", "kvm", "-cpu", "qemu64"), ()),
        ("<clock offset='utc'/>", ("-accel", "kvm", "-cpu", "qemu64", "-rtc", "base=utc"), ()),
        (
            "<clock offset='timezone' timezone='Europe/Paris'/>",
            ("-accel", "kvm", "-cpu", "qemu64"),
            ("clock offset timezone: only utc and localtime are carried over",),
        ),
        (
            "<clock offset='utc'><timer name='pit' tickpolicy='merge'/><timer name='kvmclock' present='no'/></clock>",
            ("-accel", "kvm", "-cpu", "qemu64,kvmclock=off", "-rtc", "base=utc"),
            ("timer pit tickpolicy=merge: there is no such policy elsewhere",),
        ),
        (
            "<features><hyperv><vendor_id state='off'/></hyperv></features><cpu mode='host-passthrough'/>",
            ("-accel", "kvm", "-cpu", "host"),
            (),
        ),
        (
            "<vcpu>2</vcpu><cputune><vcpupin vcpu='0' cpuset='1'/><vcpupin vcpu='1' cpuset='2'/></cputune>",
            ("-accel", "kvm", "-cpu", "qemu64", "-smp", "2,sockets=2,cores=1,threads=1"),
            ("vCPU pinning: pin the vCPUs again",),
        ),
        (
            "<clock offset='utc'><timer name='tsc' present='no'/><timer name='hypervclock' present='no'/></clock>",
            ("-accel", "kvm", "-cpu", "qemu64,hv_time=off", "-rtc", "base=utc"),
            ("timer tsc present=no: QEMU has no option for it",),
        ),
        (
            "<cpu mode='host-model'/>",
            ("-accel", "kvm", "-cpu", "host"),
            ("cpu: the model is not known; the command line has host",),
        ),
        # As libvirt 9.0 writes them.
        (
            "<vcpu current='2'>8</vcpu>",
            ("-accel", "kvm", "-cpu", "qemu64", "-smp", "2,maxcpus=8,sockets=8,cores=1,threads=1"),
            (),
        ),
        (
            "<clock offset='utc'><timer name='rtc' track='guest'/></clock><clock offset='localtime'/>",
            ("-accel", "kvm", "-cpu", "qemu64", "-rtc", "base=utc,clock=vm"),
            (),
        ),
        (
            "<features><apic eoi='on'/><pmu state='off'/><kvm><hint-dedicated state='on'/></kvm></features>",
            ("-accel", "kvm", "-cpu", "qemu64,kvm-pv-eoi=on,pmu=off,kvm-hint-dedicated=on"),
            (),
        ),
        (
            "<cpu mode='maximum'><cache mode='passthrough'/><maxphysaddr mode='passthrough' limit='40'/></cpu>",
            ("-accel", "kvm", "-cpu", "max,host-cache-info=on,l3-cache=off,host-phys-bits=on,host-phys-bits-limit=40"),
            (),
        ),
        (
            "<devices><interface type='hostdev'><source><address slot='0x10'/></source></interface></devices>",
            ("-accel", "kvm", "-cpu", "qemu64"),
            ("assigned pci device 0000:00:10.0: devices are not converted",),
        ),
        (
            "<devices><hostdev type='pci'><source><address bus='0x01' slot='0x00'/></source></hostdev></devices>",
            ("-accel", "kvm", "-cpu", "qemu64"),
            ("assigned pci device 0000:01:00.0: devices are not converted",),
        ),
    ],
)
def test_domains_as_command_lines(inner: str, words: tuple[str, ...], lost: tuple[str, ...]) -> None:
    assert to_qemu(of_domain(inner)) == (words, lost)


def test_other_options_of_the_commandline_come_after_libvirts() -> None:
    space = " xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"
    words = ("-rtc", "driftfix=slew", "-machine", "kernel_irqchip=off", "-no-hpet", "-device", "vfio-pci,host=01:00.0")
    arguments = "".join(f"<qemu:arg value='{word}'/>" for word in words)
    found = of_domain(f"<clock offset='localtime'/><qemu:commandline>{arguments}</qemu:commandline>", space)
    machine, rtc = "kernel-irqchip=off,hpet=off", "base=localtime,driftfix=slew"
    assert to_qemu(found) == (
        ("-machine", machine, "-accel", "kvm", "-cpu", "qemu64", "-rtc", rtc),
        ("assigned pci device 01:00.0: devices are not converted",),
    )
    assert not found.can_set("rtc.policy")


def test_what_xml_cannot_hold_is_an_error() -> None:
    with pytest.raises(InputError, match="XML cannot hold"):
        to_libvirt(read_cpu("host,hv_vendor_id=\x1b[31m", "x"))


def test_a_date_that_libvirt_works_out_is_named() -> None:
    (doubt,) = of_domain("<clock offset='localtime' adjustment='7200'/>").doubts
    assert doubt.startswith("the clock's adjustment=7200")


def test_options_that_a_shell_fills_in_are_no_default() -> None:
    found = read_command_line("qemu-system-x86_64 $OPTS", "x")
    assert (found.cpu, to_qemu(found).lost) == (None, ("cpu: the model is not known; the command line has host",))


def test_a_cpu_of_the_commandline_replaces_libvirts() -> None:
    space = " xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"
    arguments = "<qemu:commandline><qemu:arg value='-cpu'/><qemu:arg value='host,hv_time'/></qemu:commandline>"
    found = of_domain(f"<features><hyperv><vpindex state='on'/></hyperv></features>{arguments}", space)
    assert to_qemu(found).words == ("-accel", "kvm", "-cpu", "host,hv_time=on")


@pytest.mark.parametrize(
    ("line", "inside", "lost"),
    [
        ("kvm -cpu host", '<domain type="kvm">', ()),
        ("-cpu max -rtc base=utc,driftfix=none", '<timer name="rtc" tickpolicy="delay"/>', ()),
        ("-cpu max,kvmclock=off", '<timer name="kvmclock" present="no"/>', ()),
        ("-cpu max -machine q35,kernel-irqchip=split", '<ioapic driver="qemu"/>', ()),
        ("-cpu max -smp 8,cores=4", '<topology sockets="2" cores="4" threads="1"/>', ()),
        ("-cpu max -smp 8,sockets=2", '<topology sockets="2" cores="4" threads="1"/>', ()),
        ("-cpu max -smp 8,sockets=2,cores=2", '<topology sockets="2" cores="2" threads="2"/>', ()),
        ("-cpu max -smp sockets=2,cores=2", '<topology sockets="2" cores="2" threads="1"/>', ()),
        ("-cpu max -smp 8 -smp cores=4", '<topology sockets="2" cores="4" threads="1"/>', ()),
        ("-cpu max -smp 8,maxcpus=16,cores=4", '<vcpu current="8">16</vcpu>', ()),
        ("-cpu max -smp 8 -machine pc-q35-7.2", '<topology sockets="1" cores="8" threads="1"/>', ()),
        ("-cpu max -smp 8 -machine pc-q35-6.1+pve0", '<topology sockets="8" cores="1" threads="1"/>', ()),
        ("qemu-system-aarch64 -cpu max", '<type arch="aarch64">', ()),
        ("-cpu max -rtc clock=vm", '<timer name="rtc" track="guest"/>', ()),
        ("-cpu max -rtc clock=rt", '<cpu mode="maximum"', ("rtc clock=rt: libvirt has no such word",)),
        ("-cpu max -global mc146818rtc.lost_tick_policy=slew", '<timer name="rtc" tickpolicy="catchup"/>', ()),
        (
            """-cpu max -device '{"driver":"vfio-pci","host":"0000:03:00.0"}'""",
            '<cpu mode="maximum"',
            ("assigned pci device 0000:03:00.0: devices are not converted",),
        ),
        ("-cpu max -smp 8,threads=8", '<topology sockets="1" cores="1" threads="8"/>', ()),
        (
            "-cpu max -smp 8,threads=2",
            "<vcpu>8</vcpu>",
            ("topology: which numbers QEMU gives to what is not written is not known",),
        ),
        (
            "-cpu max -machine q35,kernel-irqchip=off",
            '<domain type="kvm">',
            ("kernel-irqchip=off: libvirt has no element for it",),
        ),
        (
            "-cpu max -rtc base=2024-01-01",
            '<cpu mode="maximum"',
            ("clock offset 2024-01-01: only utc and localtime are carried over",),
        ),
        ("-cpu max -drive if=pflash,file=OVMF_CODE.fd", '<os firmware="efi">', ()),
        ("-cpu max -bios fw.bin", '<cpu mode="maximum"', ("firmware: the kind of fw.bin is not known",)),
    ],
)
def test_command_lines_as_domains(line: str, inside: str, lost: tuple[str, ...]) -> None:
    converted = to_libvirt(read_command_line(line, "x"))
    assert inside in converted.text
    assert converted.lost == lost


def test_without_a_clock_none_is_written() -> None:
    assert "clock" not in to_libvirt(read_cpu("host,hv_relaxed", "x")).text
    line = "qemu-system-x86_64 -machine pc-q35-9.2,hpet=off -cpu host -rtc base=utc,driftfix=slew"
    found = read_domain(
        to_libvirt(read_command_line(f"{line} -global kvm-pit.lost_tick_policy=discard", "x")).text.encode(), "x"
    )
    assert found.offset == "utc"
    assert same(found)["timers"] == {
        "rtc": timer("catchup")[1:],
        "pit": timer("discard")[1:],
        "hpet": timer(None, False)[1:],
    }


def test_what_a_profile_has_no_key_for_is_named() -> None:
    xml = "<clock offset='variable'><timer name='rtc' tickpolicy='merge' track='guest'/>"
    xml += "<timer name='kvmclock' present='no'/><timer name='pit' present='yes'/>"
    xml += "<timer name='tsc' present='no'/></clock>"
    system = f"<metadata><l:os xmlns:l='{LIBOSINFO}' id='x'/></metadata>"
    profile, lost = profile_of_guest(of_domain(system + xml))
    assert profile.machine == "pc", "what QEMU and libvirt take where nothing is written"
    assert lost == (
        "os x: a profile has no key for it",
        "timer rtc track=guest: a profile has no key for it",
        "timer kvmclock present=no: a profile has no key for it",
        "timer tsc present=no: a profile has no key for it",
        "clock offset=variable: a profile has no word for it",
        "clock rtc=merge: a profile has no word for it",
    )
