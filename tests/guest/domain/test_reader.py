"""Domain XML to a guest: what libvirt makes of it, where it stands, and what is said of mistakes.

What each domain means was observed with libvirt 9.0 and QEMU 7.2: the arguments that `virsh domxml-to-native` prints,
and the properties of the CPU that QEMU then has.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvctl.catalog import ROWS
from hvctl.catalog.placement import ClockTimer, HypervElement, HypervMode, PanicDevice
from hvctl.catalog.types import Kind, Row
from hvctl.errors import InputError
from hvctl.guest.domain.domain import Domain
from hvctl.guest.domain.reader import read_domain
from hvctl.guest.domain.writer import domain
from hvctl.host.host_file import read_host
from hvctl.model.guest import Guest, Setting, Topology
from hvctl.model.plan import Plan
from hvctl.model.profile import CpuChoice, Migration, Profile, Value
from hvctl.plan.resolve import resolve
from hvctl.profile.reader import load_profile
from hvctl.profile.source import shipped_names
from hvctl.report.problems import render_error
from tests.made_guests import facts, made_guest
from tests.made_hosts import made_amd_host, made_intel_host
from tests.paths import HOSTS
from tests.plan.test_resolve import wish

QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"


def xml(features: str = "", *, cpu: str = "", clock: str = "", rest: str = "", root: str = "type='kvm'") -> str:
    """A small domain that libvirt takes, its parts on lines of their own: features 4, cpu 5, clock 6, the rest 7."""
    return f"""\
<domain {root}>
<name>test</name><memory>65536</memory>
<os><type arch='x86_64' machine='q35'>hvm</type></os>
<features><acpi/>{features}</features>
{cpu}
<clock offset='utc'>{clock}</clock>
{rest}
</domain>
"""


def hyperv(inner: str, attributes: str = "") -> str:
    return xml(f"<hyperv{attributes}>{inner}</hyperv>")


def commandline(*words: str, features: str = "", cpu: str = "") -> str:
    args = "".join(f"<qemu:arg value='{word}'/>\n" for word in words)
    rest = f"<qemu:commandline>\n{args}</qemu:commandline>"
    return xml(features, cpu=cpu, rest=rest, root=f"type='kvm' xmlns:qemu='{QEMU}'")


def guest(text: str) -> Domain:
    return read_domain(text.encode(), "d.xml")


def enabled(text: str) -> dict[str, Value | None]:
    return guest(text).enabled()


def place(found: Guest, setting: Setting) -> tuple[int, int, int]:
    span = found.span(setting.where)
    return span.line, span.column, span.end_column


def mistakes(text: str | bytes) -> list[str]:
    """Every problem as `line:column-end message (hint)`."""
    with pytest.raises(InputError) as caught:
        read_domain(text if isinstance(text, bytes) else text.encode(), "d.xml")
    found = []
    for problem in caught.value.problems:
        assert problem.span is not None
        span, hint = problem.span, f" ({problem.hint})" if problem.hint else ""
        found.append(f"{span.line}:{span.column}-{span.end_column} {problem.message}{hint}")
    return found


# What hvctl writes is read back.


def same(plan: Plan, found: Guest) -> None:
    assert found.enabled() == {decision.id: decision.value for decision in plan.enabled()}
    assert [setting.id for setting in found.in_order()] == [decision.id for decision in plan.enabled()]
    assert found.machine == plan.machine.type
    assert (found.cpu, found.hidden, found.features) == (plan.cpu.model, plan.cpu.hidden, plan.cpu.features)
    assert found.tsc_frequency == plan.cpu.tsc_frequency
    assert (found.accelerator, found.libvirt, found.doubts) == ("kvm", True, ())


@pytest.mark.parametrize("fragment", [False, True])
@pytest.mark.parametrize("host", ["debian-12", "debian-13"])
@pytest.mark.parametrize("profile", shipped_names())
def test_every_shipped_profile(profile: str, host: str, fragment: bool) -> None:
    plan = resolve(load_profile(profile), (read_host(str(HOSTS / f"{host}.json")),), libvirt=True)
    assert not plan.refusals
    found = guest(domain(plan, fragment=fragment))
    same(plan, found)
    assert found.label == ("d.xml" if fragment else profile)


TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=","), min_size=1, max_size=12)
NUMBERS = st.integers(4095, 0x7FFFFFFF)


def value(data: st.DataObject, row: Row) -> Value | None:
    """A value that a profile may give a row."""
    match row.kind:
        case Kind.STRING:
            return data.draw(TEXTS)
        case Kind.NUMBER:
            return data.draw(NUMBERS)
    return None


def ids(row: Row) -> str:
    return row.id


WRITTEN = [row for row in ROWS if row.libvirt and not isinstance(row.libvirt, HypervMode) and not row.vendors]


@given(st.lists(st.sampled_from(WRITTEN), unique=True), st.data())
def test_every_plan(rows: list[Row], data: st.DataObject) -> None:
    wishes = tuple(wish(row.id, value=value(data, row)) for row in WRITTEN if row in rows)
    cpu = data.draw(
        st.sampled_from([CpuChoice(), CpuChoice("EPYC", hidden=True, features=(("invtsc", True), ("pcid", False)))])
    )
    tsc = data.draw(st.sampled_from([None, 2_500_000_000]))
    profile = Profile("p", wishes=wishes, cpu=cpu, tsc_frequency=tsc, migration=Migration.NONE)
    plan = resolve(profile, (made_amd_host(scaling=True),), libvirt=True)
    same(plan, guest(domain(plan)))


def test_what_is_only_intels_and_the_mode() -> None:
    for host, wishes in ((made_intel_host(), (wish("evmcs"),)), (made_amd_host(), (wish("passthrough"),))):
        plan = resolve(Profile("p", wishes=wishes, migration=Migration.NONE), (host,), libvirt=True)
        assert not plan.refusals
        same(plan, guest(domain(plan)))


# Enlightenments.


@pytest.mark.parametrize(
    ("inner", "found"),
    [
        ("", {}),
        ("<relaxed state='on'/>", {"relaxed": None}),
        ("<relaxed state='off'/>", {}),
        ("<relaxed state='o&#110;'/>", {"relaxed": None}),
        ("text<relaxed state='on'/><!-- <vapic state='on'/> -->", {"relaxed": None}),
        ("<relaxed state='on'/><relaxed state='off'/>", {}),
        ("<relaxed state='off'/><relaxed state='on'/>", {"relaxed": None}),
        ("<x:relaxed xmlns:x='urn:x' state='on'/>", {"relaxed": None}),
        ("<spinlocks state='on' retries='8191'/>", {"spinlocks": 8191}),
        ("<spinlocks state='on' retries='0x1fff'/>", {"spinlocks": 8191}),
        ("<spinlocks state='on' retries='010000'/>", {"spinlocks": 4096}),
        ("<spinlocks state='on' retries=' +8191'/>", {"spinlocks": 8191}),
        ("<spinlocks state='on' retries='4294967294'/>", {"spinlocks": 4294967294}),
        ("<spinlocks state='on' retries='4294967295'/>", {}),
        ("<spinlocks state='off' retries='12'/>", {}),
        ("<vendor_id state='on' value='KVM &amp; Hv'/>", {"vendor-id": "KVM & Hv"}),
        ("<vendor_id state='on' value=''/>", {"vendor-id": ""}),
        ("<vendor_id state='on' value='äöüäöü'/>", {"vendor-id": "äöüäöü"}),
        ("<vendor_id state='off' value='much too long for it'/>", {}),
        ("<stimer state='on'><direct state='on'/></stimer>", {"stimer": None, "stimer-direct": None}),
        ("<stimer state='on'><direct state='off'/></stimer>", {"stimer": None}),
        ("<stimer state='off'><direct state='on'/></stimer>", {}),
        ("<stimer state='off'><direct/><nonsense/></stimer>", {}),
        ("<stimer state='on'><direct state='on'/></stimer><stimer state='off'/>", {"stimer-direct": None}),
        ("<stimer state='on'><direct state='on'/></stimer><stimer state='off'><direct state='off'/></stimer>",
         {"stimer-direct": None}),
    ],
)  # fmt: skip
def test_what_libvirt_makes_of_hyperv(inner: str, found: dict[str, Value | None]) -> None:
    assert enabled(hyperv(inner)) == found
    assert guest(hyperv(inner)).doubts == ()


def placed(row: Row, state: str) -> str:
    """A domain with what libvirt writes for a row's place."""
    match row.libvirt:
        case ClockTimer(name):
            return xml(clock=f"<timer name='{name}' present='{'yes' if state == 'on' else 'no'}'/>")
        case PanicDevice(model):
            return xml(rest=f"<devices><panic model='{model}'/></devices>" if state == "on" else "")
        case HypervMode(mode):
            return hyperv("", f" mode='{mode if state == 'on' else 'custom'}'")
        case HypervElement(name, attribute=attribute, inside=inside):
            inner = f"<{name} state='{state}'{f' {attribute}={VALUE!r}' if attribute else ''}/>"
            return hyperv(f"<{inside} state='on'>{inner}</{inside}>" if inside else inner)
        case None:
            raise AssertionError(row.id)


VALUE = "8191"


@pytest.mark.parametrize("row", [row for row in ROWS if row.libvirt], ids=ids)
def test_every_row(row: Row) -> None:
    found = enabled(placed(row, "on"))
    assert found[row.id] == {Kind.NUMBER: int(VALUE), Kind.STRING: VALUE}.get(row.kind)
    assert row.id not in enabled(placed(row, "off"))


def test_repeated_and_missing_elements() -> None:
    one, two = "<hyperv><relaxed state='on'/></hyperv>", "<hyperv mode='custom'><vapic state='on'/></hyperv>"
    assert enabled(xml(one + two)) == {"relaxed": None, "vapic": None}
    assert enabled(xml(f"{one}</features><features>{two}")) == {"relaxed": None, "vapic": None}
    assert enabled(xml("<hyperv mode='passthrough'/>" + two)) == {"vapic": None}
    assert enabled(xml().replace("<features><acpi/></features>", "")) == {}


def test_other_namespaces_are_not_libvirts() -> None:
    text = xml("<hyperv><relaxed state='on'/></hyperv>").replace("<features>", "<features xmlns='urn:x'>")
    assert enabled(text) == {}


def test_modes() -> None:
    assert enabled(hyperv("<vapic state='on'/>", " mode='custom'")) == {"vapic": None}
    found = guest(hyperv("", " mode='passthrough'"))
    assert (found.enabled(), found.doubts) == ({"passthrough": None}, ())
    mode = found.settings["passthrough"]
    assert found.span(mode.where, mode.attribute)[1:5] == (4, 26, 4, 44)
    found = guest(hyperv("<vapic state='on'/>", " mode='passthrough'"))
    assert found.enabled() == {"vapic": None, "passthrough": None}
    assert found.doubts == ("<hyperv mode='passthrough'>: newer libvirts leave out its children",)
    assert guest(hyperv("<vapic state='off'/>", " mode='passthrough'")).doubts == ()
    found = guest(hyperv("", " mode='host-model'"))
    assert found.enabled() == {}
    assert found.doubts == ("<hyperv mode='host-model'>: libvirt chooses the enlightenments when the guest starts",)


def test_doubts_about_hyperv() -> None:
    inner = "<new state='on'/><time state='on'/><crash/><tlbflush state='on'><odd/></tlbflush><spinlocks state='on'/>"
    found = guest(hyperv(f"{inner}<vendor-id state='on'/><stimer-direct state='on'/>"))
    assert found.enabled() == {"tlbflush": None, "spinlocks": None}
    unknown = "in <hyperv> is not known to hvctl"
    assert found.doubts == (
        f"<new> {unknown}",
        f"<time> {unknown}; libvirt writes it <timer name='hypervclock' present='yes'/> in <clock>",
        f"<crash> {unknown}; libvirt writes it <panic model='hyperv'/> in <devices>",
        f"<odd> {unknown}",
        "<spinlocks> has no retries: libvirt before 11.9.0 refuses that",
        f"<vendor-id> {unknown}; libvirt writes it <vendor_id state='on' value='...'/> in <hyperv>",
        f"<stimer-direct> {unknown}; libvirt writes it <direct state='on'/> in <stimer>",
    )


def test_doubts_are_bounded() -> None:
    assert len(guest(hyperv("".join(f"<a{number}/>" for number in range(1000)))).doubts) == 50


def test_places_of_settings() -> None:
    text = xml(
        "\n\t<hyperv>\n\t<!-- ä --><relaxed state='on'/><spinlocks\n state='on' retries='0x1fff'/>"
        "<stimer state='off'><direct state='on'/></stimer></hyperv>",
        clock="<timer name='hypervclock' present='yes'/>",
        rest="<devices><panic model='hyperv'/></devices>",
    )
    for encoding in ("utf-8", "utf-16", "utf-8-sig"):
        found = read_domain(text.replace("\n", "\r\n").encode(encoding), "d.xml")
        assert [(one.id, one.on, place(found, one)[:2]) for one in found.in_order()] == [
            ("relaxed", True, (6, 12)),
            ("spinlocks", True, (6, 33)),
            ("crash", True, (10, 10)),
            ("time", True, (9, 21)),
            ("stimer", False, (7, 31)),
        ]
        # What is inside of it libvirt does not read.
        assert [(outer.id, inner.local) for outer, inner in found.unread] == [("stimer", "direct")]
        span = found.span(found.settings["relaxed"].where)
        assert span.excerpt[span.column - 1 : span.end_column - 1] == "<relaxed state='on'/>"


# The rest of the guest.


@pytest.mark.parametrize(
    ("clock", "time", "tsc"),
    [
        ("<timer name='hypervclock' present='yes'/>", True, None),
        ("<timer name='hypervclock' present='no'/>", False, None),
        ("<timer name='hypervclock'/>", False, None),
        ("<timer name='hypervclock' present='yes'/><timer name='hypervclock' present='no'/>", True, None),
        ("<timer name='tsc' frequency='2500000000'/>", False, 2_500_000_000),
        ("<timer name='tsc' frequency='2500000000' present='no'/>", False, 2_500_000_000),
        ("<timer name='tsc' frequency='1'/><timer name='tsc' frequency='2'/><timer name='tsc'/>", False, 2),
        ("<timer name='tsc' frequency='0'/>", False, None),
        ("<timer name='rtc' tickpolicy='catchup'/>", False, None),
        ("</clock><clock><timer name='hypervclock' present='yes'/>", True, None),
    ],
)
def test_timers(clock: str, time: bool, tsc: int | None) -> None:
    found = guest(xml(clock=clock))
    assert ("time" in found.enabled(), found.tsc_frequency) == (time, tsc)


@pytest.mark.parametrize(
    ("devices", "crash"),
    [
        ("", False),
        ("<panic/>", False),
        ("<panic model='isa'/>", False),
        ("<panic model='hyperv'/>", True),
        ("<panic model='isa'/><panic model='hyperv'/>", True),
        ("</devices><devices><panic model='hyperv'/>", True),
    ],
)
def test_panic_devices(devices: str, crash: bool) -> None:
    assert ("crash" in enabled(xml(rest=f"<devices>{devices}</devices>"))) == crash


@pytest.mark.parametrize(
    ("kvm", "hidden"),
    [
        ("<kvm><hidden state='on'/></kvm>", True),
        ("<kvm><hidden state='off'/></kvm>", False),
        ("<kvm><hidden state='on'/></kvm><kvm><hidden state='off'/></kvm>", False),
        ("<kvm><poll-control state='on'/></kvm>", False),
    ],
)
def test_hidden_kvm(kvm: str, hidden: bool) -> None:
    assert guest(xml(kvm)).hidden == hidden


@pytest.mark.parametrize("text", ["-1", "0", "0x2", "", "99999999999", "two"])
@pytest.mark.parametrize("name", Topology._fields)
def test_a_topology_that_libvirt_refuses_is_a_mistake(name: str, text: str) -> None:
    (mistake,) = mistakes(xml(cpu=f"<cpu><topology {name}='{text}'/></cpu>"))
    assert f"'{text}' is no number of {name} (write a whole number from 1)" in mistake


PLAIN = made_guest(accelerator="kvm", machine="q35", cpu="qemu64", offset="utc")


@pytest.mark.parametrize(
    ("cpu", "changes"),
    [
        ("", {}),
        ("<cpu/>", {}),
        ("<cpu><topology sockets='1' cores='2' threads='1'/></cpu>", {"topology": Topology(1, None, 2, 1)}),
        ("<cpu><model/></cpu>", {}),
        ("<cpu mode='host-passthrough'/>", {"cpu": "host"}),
        ("<cpu mode='host-passthrough' migratable='on' check='none'/>", {"cpu": "host"}),
        ("<cpu mode='host-passthrough' migratable='off'/>", {"cpu": "host", "migratable": False}),
        ("<cpu mode='host-passthrough'><model>EPYC</model></cpu>", {"cpu": "host"}),
        ("<cpu mode='maximum'/>", {"cpu": "max"}),
        ("<cpu mode='maximum' migratable='off'/>", {"cpu": "max", "migratable": False}),
        ("<cpu mode='custom' match='exact' check='partial'><model>EPYC</model></cpu>", {"cpu": "EPYC"}),
        ("<cpu match='strict' check='full'><model>EPYC</model></cpu>", {"cpu": "EPYC", "enforce": True}),
        ("<cpu><model>EP<!-- -->YC</model><model>Penryn</model></cpu><cpu mode='maximum'/>", {"cpu": "EPYC"}),
        ("<cpu mode='maximum'><feature name='a'/><feature name='b' policy='require'/></cpu>",
         {"cpu": "max", "features": (("a", True), ("b", True))}),
        ("<cpu mode='maximum'><feature name='a' policy='force'/><feature name='b' policy='forbid'/></cpu>",
         {"cpu": "max", "features": (("a", True), ("b", False))}),
        ("<cpu mode='maximum'><feature policy='disable' name='c'/></cpu>",
         {"cpu": "max", "features": (("c", False),)}),
        ("<cpu mode='maximum'><feature name='pclmuldq'/><feature name='sse4.1'/></cpu>",
         {"cpu": "max", "features": (("pclmulqdq", True), ("sse4.1", True))}),
    ],
)  # fmt: skip
def test_the_cpu(cpu: str, changes: dict[str, object]) -> None:
    assert facts(guest(xml(cpu=cpu))) == facts(PLAIN) | changes


@pytest.mark.parametrize(
    ("cpu", "model", "doubt"),
    [
        ("<cpu mode='host-model'/>", None,
         "<cpu mode='host-model'>: libvirt chooses the CPU model when the guest starts"),
        ("<cpu match='minimum'><model>kvm64</model></cpu>", None,
         "<cpu match='minimum'>: libvirt chooses the CPU model when the guest starts"),
        ("<cpu><model>EPYC</model><feature name='svm' policy='optional'/></cpu>", "EPYC",
         "CPU feature 'svm' is optional: libvirt decides when the guest starts"),
        ("<cpu mode='host-passthrough'><feature name='hv-relaxed'/></cpu>", "host",
         "libvirt knows no CPU feature 'hv-relaxed', and will not start the guest"),
        ("<cpu mode='host-passthrough'><feature name='lahf-lm'/></cpu>", "host",
         "libvirt knows no CPU feature 'lahf-lm', and will not start the guest: its name is lahf_lm"),
        ("<cpu mode='host-passthrough'><feature name='pmu'/></cpu>", "host",
         "libvirt knows no CPU feature 'pmu', and will not start the guest: libvirt has <pmu> in <features> for it"),
    ],
)  # fmt: skip
def test_doubts_about_the_cpu(cpu: str, model: str | None, doubt: str) -> None:
    found = guest(xml(cpu=cpu))
    assert (found.cpu, found.features, found.doubts) == (model, (), (doubt,))


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("type='kvm'", "type='qemu'", {"accelerator": "tcg"}),
        ("type='kvm'", "type='hvf'", {"accelerator": "hvf"}),
        ("type='kvm'", "", {"accelerator": None}),
        (" machine='q35'", "", {"machine": None}),
        ("machine='q35'", "machine=''", {"machine": None}),
        ("machine='q35'", "machine='pc-q35-7.2'", {"machine": "pc-q35-7.2"}),
        ("arch='x86_64'", "", {}),
        ("arch='x86_64'", "arch='i686'", {"arch": "i686", "cpu": None}),
        ("<os><type arch='x86_64' machine='q35'>hvm</type></os>", "", {"machine": None}),
        ("<name>test</name>", "", {"label": "d.xml"}),
        ("<name>test</name>", "<name> t&amp;<![CDATA[ä]]>\n</name>", {"label": "t&ä"}),
    ],
)
def test_the_rest_of_the_domain(old: str, new: str, changes: dict[str, object]) -> None:
    found = guest(xml().replace(old, new))
    assert facts(found) | {"label": found.label} == facts(PLAIN) | {"label": "test"} | changes


def test_another_architecture_is_a_doubt() -> None:
    found = guest(xml().replace("x86_64", "aarch64"))
    assert (found.cpu, found.doubts) == (
        None,
        ("the architecture is 'aarch64': hvctl knows the enlightenments of x86",),
    )


# What QEMU is given beside libvirt's arguments.

GLOBAL = "-global"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ((GLOBAL, "x86_64-cpu.hv-syndbg=on"), {"syndbg": None}),
        (("--global", "driver=x86_64-cpu,property=hv-syndbg,value=yes"), {"syndbg": None}),
        ((GLOBAL, "cpu.hv-syndbg=y"), {"syndbg": None}),
        ((GLOBAL, "qemu64-x86_64-cpu.hv-syndbg=true"), {"syndbg": None}),
        ((GLOBAL, "max-x86_64-cpu.hv-syndbg=on"), {}),
        ((GLOBAL, "kvm-pit.lost_tick_policy=delay"), {}),
        ((GLOBAL, "x86_64-cpu.hv-syndbg=on", GLOBAL, "x86_64-cpu.hv-syndbg=off"), {}),
        ((GLOBAL, "x86_64-cpu.hv-spinlocks=010000"), {"spinlocks": 4096}),
        ((GLOBAL, "x86_64-cpu.hv-spinlocks=12"), {"spinlocks": 12}),
        ((GLOBAL, "x86_64-cpu.hv-spinlocks=0xffffffff"), {}),
        ((GLOBAL, "x86_64-cpu.hv-vendor-id=a,b=c"), {"vendor-id": "a,b=c"}),
        ((GLOBAL, "x86_64-cpu.hv-no-nonarch-coresharing=auto"), {"no-nonarch-coresharing": "auto"}),
        ((GLOBAL, "x86_64-cpu.hv-no-nonarch-coresharing=off"), {}),
        ((GLOBAL, "x86_64-cpu.hv-version-id-build=0x5"), {"version-id": "10.0.5"}),
        ((GLOBAL, "x86_64-cpu.hv-version-id-spack=7"), {"version-id": "10.0.14393.7-0-0"}),
        ((GLOBAL, "x86_64-cpu.hv-apicv=on"), {"avic": None}),
        ((GLOBAL, "x86_64-cpu.hv-passthrough=on"), {"passthrough": None}),
        (("-S", GLOBAL, "x86_64-cpu.hv-syndbg=on", "-no-reboot"), {"syndbg": None}),
        (("-name", GLOBAL, "x86_64-cpu.hv-syndbg=on"), {}),
        ((GLOBAL,), {}),
    ],
)
def test_globals(words: tuple[str, ...], found: dict[str, Value | None]) -> None:
    read = guest(commandline(*words))
    assert (read.enabled(), read.doubts) == (found, ())


def test_a_global_sets_what_libvirt_does_not() -> None:
    features = "<hyperv><relaxed state='on'/><vapic state='off'/><spinlocks state='on' retries='8191'/></hyperv>"
    words = [f"x86_64-cpu.hv-{text}" for text in ("relaxed=off", "vapic=on", "spinlocks=4095", "syndbg=on")]
    found = guest(commandline(*[part for word in words for part in (GLOBAL, word)], features=features))
    assert found.enabled() == {"relaxed": None, "vapic": None, "spinlocks": 8191, "syndbg": None}
    assert {one.id: place(found, one) for one in found.in_order()} == {
        "relaxed": (4, 26, 47),
        "vapic": (11, 11, 41),
        "spinlocks": (4, 67, 105),
        "syndbg": (15, 11, 42),
    }


def test_a_version_in_parts() -> None:
    text = commandline(GLOBAL, "cpu.hv-version-id-major=6", GLOBAL, "cpu.hv-version-id-sbranch=1")
    assert enabled(text) == {"version-id": "6.0.14393.0-1-0"}
    # Machine types up to 6.1 have another default.
    assert enabled(text.replace("q35", "pc-q35-6.1")) == {"version-id": "6.1.7100.0-1-0"}


def test_globals_of_the_cpu_beside_enlightenments() -> None:
    parts = ("kvm=off", "tsc-frequency=1000", "invtsc=on", "enforce=on")
    words = [part for each in parts for part in (GLOBAL, f"x86_64-cpu.{each}")]
    found = guest(commandline(*words))
    changes = {"hidden": True, "tsc_frequency": 1000, "features": (("invtsc", True),), "enforce": True}
    assert facts(found) == facts(PLAIN) | changes
    words += (GLOBAL, "x86_64-cpu.migratable=off")
    assert mistakes(commandline(*words)) == [
        "17:11-44 CPU model qemu64 has no property migratable (write a value that QEMU accepts)"
    ]
    # The model host is written with migratable=on, so that it stays so.
    host = guest(
        commandline(*words, cpu="<cpu mode='host-passthrough'><feature name='invtsc' policy='disable'/></cpu>")
    )
    assert (host.migratable, host.features) == (True, (("invtsc", False),))
    assert guest(commandline(GLOBAL, "max-x86_64-cpu.kvm=off", cpu="<cpu mode='host-passthrough'/>")).hidden


def test_a_cpu_takes_the_place_of_libvirts() -> None:
    features = "<hyperv><relaxed state='on'/></hyperv><kvm><hidden state='on'/></kvm>"
    words = (
        "-cpu",
        "max",
        "-cpu",
        "host,hv_time,hv-vendor-id=null,+hv-vapic,-hv-ipi,hv-ipi=on,migratable=off,+aes,,-avx",
    )
    found = guest(commandline(*words, GLOBAL, "cpu.hv-syndbg=on", GLOBAL, "cpu.hv-time=off", features=features))
    assert found.enabled() == {"vapic": None, "time": None, "vendor-id": "null", "syndbg": None}
    assert (found.cpu, found.migratable, found.hidden) == ("host", False, False)
    assert found.features == (("aes", True), ("avx", False))
    assert (found.label, found.machine, found.libvirt) == ("test", "q35", True)
    found = guest(commandline("-cpu", "host,check,tsc-freq=2.5G"))
    assert (found.tsc_frequency, found.features) == (2_500_000_000, ())
    assert mistakes(commandline("-cpu", "host,tsc-freq=x")) == [
        "9:11-34 tsc-frequency=x: this is no number of Hz (write a value that QEMU accepts)"
    ]
    assert enabled(commandline("-cpu", "EPYC", features=features)) == {}


@pytest.mark.parametrize(
    ("words", "doubt"),
    [
        ((GLOBAL, "x86_64-cpu.hv-new=on"), "hvctl does not know the QEMU property hv-new"),
        (("-machine", "accel=tcg"), "-machine in <qemu:commandline> was not read"),
        (("-accel", "tcg"), "-accel in <qemu:commandline> was not read"),
        (("-enable-kvm",), "-enable-kvm in <qemu:commandline> was not read"),
    ],
)
def test_doubts_about_the_command_line(words: tuple[str, ...], doubt: str) -> None:
    assert guest(commandline(*words)).doubts == (doubt,)


def test_another_property_of_the_cpu() -> None:
    found = guest(commandline(GLOBAL, "x86_64-cpu.phys-bits=40"))
    assert (found.properties, found.doubts) == ((("phys-bits", "40"),), ())


def test_a_class_of_a_cpu_that_is_not_known() -> None:
    found = guest(commandline(GLOBAL, "EPYC-x86_64-cpu.hv-syndbg=on", cpu="<cpu mode='host-model'/>"))
    assert found.doubts[1] == "-global EPYC-x86_64-cpu.hv-syndbg was not read: the CPU model is not known"
    assert enabled(commandline(GLOBAL, "cpu.hv-syndbg=on", cpu="<cpu mode='host-model'/>")) == {"syndbg": None}


def test_the_namespace_counts_and_its_prefix_does_not() -> None:
    text = commandline(GLOBAL, "cpu.hv-syndbg=on")
    assert enabled(text.replace("qemu:", "q:").replace(":qemu", ":q")) == {"syndbg": None}
    for changed in (text.replace(f" xmlns:qemu='{QEMU}'", ""), text.replace("qemu/1.0", "qemu/1.1"),
                    text.replace("qemu:", "")):  # fmt: skip
        found = guest(changed)
        tag = "commandline" if "qemu:" not in changed else "qemu:commandline"
        assert found.enabled() == {}
        assert found.doubts == (f"libvirt ignores <{tag}>: its namespace is not {QEMU}",)


# Mistakes.


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (hyperv("<relaxed/>"), ["4:26-36 <relaxed> has no state (write state='on' or state='off')"]),
        (hyperv("<relaxed state='ON'/>"), ["4:35-45 state of <relaxed> cannot be 'ON' (write state='on')"]),
        (hyperv("<relaxed state=' yes '/>"),
         ["4:35-48 state of <relaxed> cannot be ' yes ' (write state='on' or state='off')"]),
        (hyperv("<stimer state='on'><direct/></stimer>"),
         ["4:45-54 <direct> has no state (write state='on' or state='off')"]),
        (hyperv("", " mode='none'"),
         ["4:26-37 <hyperv> has no mode 'none' (write mode='custom' or 'passthrough' or 'host-model')"]),
        (hyperv("<spinlocks state='on' retries='4094'/>"),
         ["4:48-62 retries of <spinlocks> cannot be '4094' (write a whole number from 4095 to 4294967295)"]),
        (hyperv("<vendor_id state='on'/>"), ["4:26-49 <vendor_id> has no value (write value='...')"]),
        (hyperv("<vendor_id state='on' value='a,b'/>"),
         ["4:48-59 value of <vendor_id> cannot be 'a,b' (write at most 12 bytes, without a comma)"]),
        (hyperv("<vendor_id state='on' value='äöüäöüx'/>"),
         ["4:48-63 value of <vendor_id> cannot be 'äöüäöüx' (write at most 12 bytes, without a comma)"]),
        (xml("<kvm><hidden/></kvm>"), ["4:23-32 <hidden> has no state (write state='on' or state='off')"]),
        (xml(clock="<timer name='hypervclock' present='on'/>"),
         ["6:47-59 present of <timer> cannot be 'on' (write present='yes')"]),
        (xml(clock="<timer name='tsc' frequency='1.5'/>"),
         ["6:39-54 frequency of <timer> cannot be '1.5' (write a whole number from 0 to 9223372036854775807)"]),
        (xml(cpu="<cpu mode='host'/>"),
         ["5:6-17 mode of <cpu> cannot be 'host' (write custom or host-model or host-passthrough or maximum)"]),
        (xml(cpu="<cpu check='yes' match='x'/>"),
         ["5:6-17 check of <cpu> cannot be 'yes' (write none or partial or full)",
          "5:18-27 match of <cpu> cannot be 'x' (write exact or strict or minimum)"]),
        (xml(cpu="<cpu migratable='on'><model>EPYC</model></cpu>"),
         ["5:6-21 migratable is not for this CPU mode (leave it out, or write mode='host-passthrough')"]),
        (xml(cpu="<cpu mode='maximum' migratable='yes'/>"),
         ["5:21-37 migratable of <cpu> cannot be 'yes' (write on or off)"]),
        (xml(cpu="<cpu><model>host</model></cpu>"),
         ["5:6-13 libvirt knows no CPU model host (write <cpu mode='host-passthrough'/>)"]),
        (xml(cpu="<cpu mode='maximum'><feature/><feature name='a' policy='b'/><feature name='a'/></cpu>"),
         ["5:21-31 <feature> has no name (write name='...')",
          "5:49-59 policy of <feature> cannot be 'b' (write force or require or optional or disable or forbid)",
          "5:70-78 duplicate CPU feature 'a' (leave one out: libvirt refuses both)"]),
        (xml(cpu="<cpu><feature name='a'/></cpu>"),
         ["5:6-25 features need a model in this CPU mode (write <model>...</model>)"]),
        (commandline(GLOBAL, "cpu.hv-syndbg=ON"),
         ["9:11-35 hv-syndbg=ON: a switch is on or off (write a value that QEMU accepts)"]),
        (commandline(GLOBAL, "cpu.hv-spinlocks=4294967296"),
         [("9:11-46 hv-spinlocks=4294967296: the value is a whole number that fits into uint32 "
           "(write a value that QEMU accepts)")]),
        (commandline(GLOBAL, "cpu.tsc-frequency=1G"),
         ["9:11-39 tsc-frequency=1G: this is no number of Hz (write a value that QEMU accepts)"]),
        (commandline().replace("</qemu:c", "<qemu:arg/></qemu:c"),
         ["8:1-12 <qemu:arg> has no value (write value='...')"]),
        ("<hyperv/>", ["1:1-8 this is not a libvirt domain, but <hyperv> (pass what virsh dumpxml prints)"]),
        ("<domain xmlns='urn:x'/>",
         ["1:1-8 this <domain> is not libvirt's (libvirt's has no namespace and no prefix)"]),
        ("<q:domain xmlns:q='urn:x'/>",
         ["1:1-10 this <q:domain> is not libvirt's (libvirt's has no namespace and no prefix)"]),
        ("<domains>\n<domain/> <domain/></domains>",
         ["1:1-9 this is not a libvirt domain, but <domains> (pass what virsh dumpxml prints)"]),
        ("<domainsnapshot><domain/><domain/></domainsnapshot>",
         ["1:26-33 a second domain begins here (a file holds one)"]),
        ("<domains><domain/></domains>",
         ["1:1-9 this is not a libvirt domain, but <domains> (pass what virsh dumpxml prints)"]),
        ("<domainsnapshot/>",
         ["1:1-16 this is not a libvirt domain, but <domainsnapshot> (pass what virsh dumpxml prints)"]),
        ("<domain/>\n<domain/>", ["2:1-2 content after the end of <domain> (write one element per file)"]),
    ],
)  # fmt: skip
def test_mistakes(text: str, found: list[str]) -> None:
    assert mistakes(text) == found


@pytest.mark.parametrize(
    "number", ["-1", "8191 ", "4294967296", "09", "0x", "1e4", "8_191", "", " ", "٨١٩١", "9" * 100_000]
)
def test_numbers_that_libvirt_does_not_read(number: str) -> None:
    (found,) = mistakes(hyperv(f"<spinlocks state='on' retries='{number}'/>"))
    assert found.startswith("4:48-")
    assert "retries of <spinlocks> " in found


def test_all_mistakes_at_once_in_the_order_of_the_file() -> None:
    text = xml(
        "<hyperv><relaxed/><vapic state='x'/></hyperv><kvm><hidden/></kvm>",
        cpu="<cpu mode='x'/>",
        clock="<timer name='hypervclock' present='x'/>",
    )
    assert [found.partition("-")[0] for found in mistakes(text)] == ["4:26", "4:43", "4:68", "5:6", "6:47"]


def test_no_more_than_a_hundred() -> None:
    assert len(mistakes(hyperv("<relaxed/>" * 10_000))) == 100


@pytest.mark.parametrize("around", ["domainsnapshot", "domaincheckpoint", "domstatus"])
def test_what_libvirt_writes_around_a_domain(around: str) -> None:
    inside = hyperv("<relaxed state='on'/>")
    text = f"<{around}><name>other</name>\n{inside}</{around}>"
    found = guest(text)
    assert (found.label, found.enabled(), place(found, found.settings["relaxed"])) == (
        "test",
        {"relaxed": None},
        (5, 26, 47),
    )


# libvirt itself.

ACCEPTED = [
    hyperv("<relaxed state='off'/><relaxed state='on'/><vapic state='on'/><vapic state='off'/>"),
    hyperv("<spinlocks state='on' retries='0x1fff'/><vendor_id state='on' value='KVM &amp; Hv'/>"),
    hyperv("<spinlocks state='on' retries='010000'/><stimer state='on'><direct state='on'/></stimer>"),
    hyperv("<spinlocks state='off' retries='1'/><stimer state='off'><direct/><nonsense/></stimer>"),
    hyperv("<x:relaxed xmlns:x='urn:x' state='on'/>"),
    hyperv("", " mode='passthrough'"),
    xml("<hyperv><relaxed state='on'/></hyperv><hyperv><vapic state='on'/></hyperv><kvm><hidden state='on'/></kvm>"),
    xml(cpu="<cpu mode='host-passthrough' migratable='off'><feature name='invtsc'/></cpu>"),
    xml(cpu="<cpu check='full'><model>EP<!-- -->YC</model><feature name='svm' policy='forbid'/></cpu>"),
    xml(clock="<timer name='hypervclock' present='yes'/><timer name='tsc' frequency='2500000000'/>"),
    xml(rest="<devices><panic model='hyperv'/></devices>"),
]
REFUSED = [
    hyperv("<relaxed/>"),
    hyperv("<relaxed state='ON'/>"),
    hyperv("<stimer state='on'><direct/></stimer>"),
    hyperv("", " mode='none'"),
    hyperv("<spinlocks state='on' retries='4094'/>"),
    hyperv("<spinlocks state='on' retries='8191 '/>"),
    hyperv("<vendor_id state='on'/>"),
    hyperv("<vendor_id state='on' value='a,b'/>"),
    hyperv("<vendor_id state='on' value='äöüäöüx'/>"),
    xml("<kvm><hidden/></kvm>"),
    xml(clock="<timer name='hypervclock' present='on'/>"),
    xml(clock="<timer name='tsc' frequency='0x10'/>"),
    xml(cpu="<cpu mode='host'/>"),
    xml(cpu="<cpu check='yes'/>"),
    xml(cpu="<cpu migratable='on'><model>EPYC</model></cpu>"),
    xml(cpu="<cpu mode='maximum' migratable='yes'/>"),
    xml(cpu="<cpu mode='maximum'><feature/></cpu>"),
    xml(cpu="<cpu mode='maximum'><feature name='a' policy='b'/></cpu>"),
    xml(cpu="<cpu mode='maximum'><feature name='a'/><feature name='a'/></cpu>"),
    xml(cpu="<cpu><feature name='a'/></cpu>"),
    "<domain xmlns='urn:x' type='test'><name>a</name></domain>",
]


def define(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What libvirt's test driver makes of a domain; no daemon is needed, and it has a domain `test` of its own."""
    path = folder / "guest.xml"
    path.write_text(text.replace("<name>test</name>", "<name>guest</name>"))
    words = ["virsh", "-q", "-c", "test:///default", f"define {path}; dumpxml guest"]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


def bare(found: Guest) -> dict[str, Any]:
    """What libvirt prints again: not what is off, and another machine type, and vCPUs and policies of its own."""
    return facts(found, "settings", "machine", "vcpus") | {"enabled": found.enabled(), "doubts": found.doubts}


@pytest.mark.parametrize("text", ACCEPTED)
def test_libvirt_takes_it_for_the_same(text: str, tmp_path: Path) -> None:
    done = define(text, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert bare(guest(done.stdout)) == bare(guest(text))


@pytest.mark.parametrize("text", REFUSED)
def test_libvirt_refuses_it_too(text: str, tmp_path: Path) -> None:
    done = define(text, tmp_path)
    assert "Failed to define domain" in done.stderr
    assert mistakes(text)


# Anything.

PARTS = [
    *"<>/='\" \n&x",
    "<hyperv>",
    "</hyperv>",
    "<hyperv mode='passthrough'>",
    "<relaxed state='on'/>",
    "<stimer state='on'>",
    "<direct state='off'/>",
    "</stimer>",
    "<spinlocks state='on' retries='8191'/>",
    "<vendor_id state='on' value='x'/>",
    "<timer name='tsc' frequency='1'/>",
    "</features><features>",
    "<cpu mode='host-passthrough'>",
    "</cpu>",
    "<feature name='svm' policy='disable'/>",
    f"<commandline xmlns='{QEMU}'>",
    "<arg value='-global'/>",
    "<arg value='-cpu'/>",
    "<arg value='cpu.hv-time=on'/>",
    "<arg value='cpu.hv-version-id-build=9999999999'/>",
    "<arg value='host,hv_time,+x,-,=,'/>",
    "<arg/>",
    "</commandline>",
]


def read(data: bytes) -> Guest | InputError:
    try:
        return read_domain(data, "d.xml")
    except InputError as error:
        return error


def accepts_or_explains(data: bytes) -> None:
    found = read(data)
    if isinstance(found, InputError):
        assert render_error(found, False).endswith("\n")
    else:
        assert all(found.span(setting.where, setting.attribute).path == "d.xml" for setting in found.in_order())


@given(st.lists(st.sampled_from(PARTS), max_size=20).map("".join), st.booleans())
def test_pieces_of_a_domain(text: str, inside: bool) -> None:
    accepts_or_explains((xml(text) if inside else xml(rest=text)).encode())


@given(st.data())
def test_damaged_domains(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([*ACCEPTED, commandline(GLOBAL, "cpu.hv-spinlocks=1", "-cpu", "host,hv_time")]))
    content = bytearray(text.encode(data.draw(st.sampled_from(["utf-8", "utf-16"]))))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    accepts_or_explains(bytes(content))


@given(st.binary(max_size=100))
def test_any_bytes(data: bytes) -> None:
    accepts_or_explains(data)
