"""What libvirt answers about its host: recorded answers, made ones, and answers that are none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hvctl.catalog import BY_ID, ROWS
from hvctl.errors import HostError
from hvctl.host.host_file import dump_host, load_host, read_host
from hvctl.host.libvirt_capabilities import NOTE, Answers, qemu_user, read_answers
from hvctl.model.host import Host
from hvctl.model.plan import Layer, Outcome
from hvctl.plan.resolve import resolve, unusable
from hvctl.plan.support import NOT_KNOWN, State, judge, support
from hvctl.profile.reader import load_profile
from hvctl.report.host import host_text
from tests.paths import HOSTS

FOLDER = Path(__file__).parent / "libvirt"
SUB_ELEMENTS = {row.id for row in ROWS if row.libvirt and "/" in row.libvirt.path}


def answers(version: str, *, domain: str = "") -> Answers:
    texts = (FOLDER / f"capabilities-{version}.xml", FOLDER / f"domcapabilities-{domain or version}.xml")
    host, guests = (path.read_text() for path in texts)
    return Answers(host, guests, "7.2.22", "9.0.0")


def host(version: str, *, domain: str = "") -> Host:
    return read_answers(answers(version, domain=domain), "node")


def states(of: Host, layer: Layer | None = None) -> dict[str, State]:
    found = {}
    for one in judge(of, of.qemu[0]):
        asked = [answer.state for answer in one.answers if answer.layer is layer]
        found[one.row.id] = asked[0] if asked else one.verdict.state
    return found


@pytest.mark.parametrize(("version", "world"), [("9.0", "debian-12"), ("11.3", "debian-13")])
def test_what_it_tells_is_what_the_kernel_and_qemu_say(version: str, world: str) -> None:
    told, truth = host(version), read_host(str(HOSTS / f"{world}.json"))
    assert told.kvm.hyperv is True
    for layer in (Layer.KERNEL, Layer.QEMU, Layer.LIBVIRT):
        real = states(truth, layer)
        for row_id, state in states(told, layer).items():
            assert state in (real[row_id], State.UNKNOWN), (layer, row_id)
    for name in ("vendor", "family", "model", "stepping"):
        assert getattr(told.hardware, name) == getattr(truth.hardware, name)


@pytest.mark.parametrize("version", ["9.0", "11.3"])
def test_what_it_cannot_tell_is_unknown(version: str) -> None:
    told = host(version)
    kernel = states(told, Layer.KERNEL)
    assert SUB_ELEMENTS
    for row_id in (*SUB_ELEMENTS, "time", "crash", "evmcs", "enforce-cpuid", "syndbg"):
        assert kernel[row_id] is State.UNKNOWN, row_id
    # libvirt 9.0 does not know these: that they are not listed says nothing about KVM.
    for row_id in ("emsr-bitmap", "xmm-input"):
        assert kernel[row_id] is (State.YES if version == "11.3" else State.UNKNOWN)
    assert State.NO not in kernel.values()
    hardware = told.hardware
    assert (hardware.nested, hardware.apicv, hardware.smt, hardware.clocksource) == (None, None, None, None)
    assert told.qemu[0].expansion is None
    assert NOTE in told.notes


def test_the_defaults_of_newer_versions_tell_of_elements_inside_others() -> None:
    told = host("11.3", domain="made-like-12.8")
    kernel, libvirt = states(told, Layer.KERNEL), states(told, Layer.LIBVIRT)
    for row_id in SUB_ELEMENTS:
        assert (kernel[row_id], libvirt[row_id]) == (State.YES, State.YES), row_id
    before = states(host("11.3"))
    assert {row_id for row_id, state in states(told).items() if state is not before[row_id]} == SUB_ELEMENTS


def test_a_default_that_is_not_on_tells_nothing() -> None:
    text = (FOLDER / "domcapabilities-made-like-12.8.xml").read_text()
    text = text.replace("<stimer_direct>on<", "<stimer_direct>off<").replace(
        "<tlbflush_direct>on</tlbflush_direct>", ""
    )
    told = read_answers(answers("11.3")._replace(domain_capabilities=text), "node")
    found = {row_id: support(told, BY_ID[row_id], told.qemu[0]) for row_id in SUB_ELEMENTS}
    assert {row_id for row_id, states in found.items() if states[0].state is State.YES} == {"tlbflush-ext"}
    # The element is there, so this libvirt knows it.
    assert found["stimer-direct"][3].state is State.YES
    assert found["tlbflush-direct"][3].state is State.UNKNOWN


def test_the_false_two_do_not_make_a_kvm_with_hyperv() -> None:
    told = host("9.0-no-hyperv")
    assert told.kvm.hyperv is None
    assert told.kvm.caps == ()
    assert set(states(told, Layer.KERNEL).values()) == {State.UNKNOWN}
    why = unusable(told)
    assert why is not None
    assert why.reason == NOT_KNOWN.reason
    plan = resolve(load_profile("minimal"), (told,), libvirt=True)
    assert [one.reason for one in plan.refusals] == [NOT_KNOWN.reason]
    assert "whether its KVM emulates Hyper-V is not known" in host_text(told)
    assert "without Hyper-V" not in host_text(told)


def test_an_absent_element_does_not_either() -> None:
    text = re.sub(
        r"<hyperv .*</hyperv>", "<hyperv supported='no'/>", answers("11.3").domain_capabilities, flags=re.DOTALL
    )
    for changed in (text, text.replace("<hyperv supported='no'/>", "")):
        assert read_answers(answers("11.3")._replace(domain_capabilities=changed), "node").kvm.hyperv is None


def test_the_counter_gives_the_frequency_and_whether_it_scales() -> None:
    hardware = host("9.0-no-hyperv").hardware
    assert (hardware.tsc_hz, hardware.tsc_scaling) == (2445406000, False)
    text = answers("9.0-no-hyperv").capabilities
    for old, new, expected in (
        ("scaling='no'", "scaling='yes'", (2445406000, True)),
        ("scaling='no'", "", (2445406000, None)),
        ("frequency='2445406000'", "frequency='7'", (None, False)),
        ("frequency='2445406000'", "frequency='9' x='1'", (None, False)),
        ("frequency='2445406000'", "frequency='-2445406000'", (None, False)),
        ("name='tsc'", "name='other'", (None, None)),
    ):
        assert text.count(old) == 1
        changed = answers("9.0-no-hyperv")._replace(capabilities=text.replace(old, new))
        found = read_answers(changed, "node").hardware
        assert (found.tsc_hz, found.tsc_scaling) == expected, new


@pytest.mark.parametrize("version", ["9.0", "11.3"])
def test_machines_have_their_aliases_and_models_are_those_that_can_be_had(version: str) -> None:
    qemu = host(version).qemu[0]
    aliases = {machine.alias: machine.name for machine in qemu.machines if machine.alias}
    newest = {"9.0": "7.2", "11.3": "10.0"}[version]
    assert aliases == {"q35": f"pc-q35-{newest}", "pc": f"pc-i440fx-{newest}"}
    assert not {"q35", "pc"} & {machine.name for machine in qemu.machines}
    assert {"qemu64", "qemu32"} <= set(qemu.models or ())
    assert "EPYC" not in (qemu.models or ())
    assert qemu.path == "/usr/bin/qemu-system-x86_64"


def test_models_of_which_one_is_unknown_are_unknown() -> None:
    text = answers("9.0").domain_capabilities.replace("usable='no'", "usable='unknown'", 1)
    assert read_answers(answers("9.0")._replace(domain_capabilities=text), "node").qemu[0].models is None


@pytest.mark.parametrize("version", ["9.0", "11.3", "9.0-no-hyperv"])
def test_it_becomes_a_host_file_like_any_other(version: str) -> None:
    told = host(version)
    assert load_host(dump_host(told), "node.json") == told


def test_a_plan_leaves_out_what_is_unknown_and_says_what_to_do() -> None:
    plan = resolve(load_profile("windows-11"), (host("11.3"),), libvirt=True)
    (refused,) = [decision for decision in plan.decisions if decision.state is Outcome.REFUSED]
    assert refused.id == "time"
    assert "check-host --record" in refused.remedy
    plan = resolve(load_profile("minimal"), (host("11.3"),), libvirt=True)
    left_out = {one.id for one in plan.decisions if one.asked == "prefer" and one.state is Outcome.OFF}
    assert not left_out & {one.id for one in plan.enabled()}


def wrong(capabilities: str = "", domain: str = "") -> Answers:
    good = answers("9.0")
    return good._replace(
        capabilities=capabilities or good.capabilities, domain_capabilities=domain or good.domain_capabilities
    )


GOOD = answers("9.0")


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (wrong(capabilities="<capabilities>"), "libvirt's capabilities cannot be read"),
        (wrong(domain="nonsense"), "libvirt's domainCapabilities cannot be read"),
        (wrong(domain="<other/>"), "libvirt's domainCapabilities cannot be read"),
        (wrong(domain="<!DOCTYPE a [<!ENTITY b 'c'>]><domainCapabilities>&b;</domainCapabilities>"), "cannot be read"),
        (wrong(capabilities="<capabilities>" + "<a>" * 5000), "cannot be read"),
        (wrong(capabilities="<capabilities/>"), "can start no KVM guests of x86_64"),
        (wrong(capabilities=GOOD.capabilities.replace("type='kvm'", "type='qemu'")), "can start no KVM guests"),
        (wrong(domain=GOOD.domain_capabilities.replace("<domain>kvm<", "<domain>qemu<")), "not those of KVM guests"),
        (wrong(domain=GOOD.domain_capabilities.replace(">x86_64<", ">aarch64<")), "not those of KVM guests"),
        (wrong(domain="<domainCapabilities/>"), "not those of KVM guests"),
    ],
)
def test_other_answers_are_refused(made: Answers, message: str) -> None:
    with pytest.raises(HostError, match=message):
        read_answers(made, "node")


def test_what_cannot_be_printed_is_left_out() -> None:
    text = GOOD.capabilities.replace(">pc-q35-7.1<", ">pc-q35-7.1&#x202e;<").replace("<vendor>AMD", "<vendor>A&#x9;MD")
    domain = GOOD.domain_capabilities.replace("<value>relaxed<", "<value>rel&#x9b;axed<")
    told = read_answers(wrong(text, domain), "node")
    assert told.hardware.vendor is None
    assert all(machine.name.isprintable() for machine in told.qemu[0].machines)
    assert told.libvirt is not None
    assert all(element.isprintable() for element in told.libvirt.elements)


def test_whom_qemu_runs_as() -> None:
    text = answers("11.3").capabilities
    assert qemu_user(text) == 0
    assert qemu_user(text.replace("+0:+0", "+64055:+109")) == 64055
    # A session has the model of its host's confinement alone.
    assert qemu_user(text.replace("<model>dac", "<model>selinux")) is None
    for label in ("", "libvirt-qemu:kvm", "+4294967295:+0", "+99999999999:+0", "-1:0"):
        assert qemu_user(text.replace("+0:+0", label)) is None
    with pytest.raises(HostError, match="it is not what libvirt prints"):
        qemu_user("<domain/>")
