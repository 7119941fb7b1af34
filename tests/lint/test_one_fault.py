"""One fault is one finding, and obeying it brings no other one."""

from __future__ import annotations

import pytest

from hvctl.guest.syntax import COMMAND_LINE, DOMAIN
from hvctl.lint.engine import Job, choose
from hvctl.lint.fixes import apply_fixes
from hvctl.lint.rule import Facts, all_rules
from hvctl.model.finding import Finding, Safety
from hvctl.model.host import Host
from tests.lint.test_instead_on_hosts import changed as with_changes
from tests.lint.test_instead_on_hosts import changes_of, guest_in, judge, rows_of
from tests.made_hosts import made_amd_host, made_intel_host
from tests.plan_file.test_locking import hardware

ABLE = (hardware(made_intel_host(), apicv=True),)
COMMAND = "qemu-system-x86_64 -accel kvm -machine {},hpet=off -cpu host,{} -smp 1 -rtc base=localtime,driftfix=slew\n"
HIDDEN = "kvm=off,hv_relaxed,hv_vapic"


def command(properties: str, machine: str = "pc-q35-7.2") -> bytes:
    return COMMAND.format(machine, properties).encode()


def found(data: bytes, hosts: tuple[Host, ...] = ()) -> dict[str, Finding]:
    return {one.rule: one for one in judge(data, COMMAND_LINE, hosts)}


def obeyed(data: bytes, finding: Finding) -> bytes:
    changes = changes_of(guest_in(data, COMMAND_LINE), COMMAND_LINE)
    changes.turn_on(rows_of(finding.instead))
    return with_changes(data, changes)


def fixed(data: bytes, hosts: tuple[Host, ...] = (), kinds: tuple[Safety, ...] = tuple(Safety)) -> bytes:
    job = Job(choose(all_rules()), Facts(hosts), with_edits=True)
    return apply_fixes(data, "x", COMMAND_LINE, job, kinds).data


@pytest.mark.parametrize("properties", ["hv_relaxed,hv_vapic,hv_stimer", "hv_relaxed,hv_vapic,hv_time=off,hv_stimer"])
def test_all_that_an_enlightenment_lacks_is_one_finding(properties: str) -> None:
    data = command(properties)
    rules = found(data)
    assert [rule for rule in rules if rule in ("requirement-missing", "stimer-without-hypervclock")] == [
        "requirement-missing"
    ]
    one = rules["requirement-missing"]
    assert "hv-synic" in one.message
    assert "hv-time" in one.message
    assert found(obeyed(data, one)) == {}
    assert one.fix is None or one.fix.safety is (Safety.UNSAFE if "off" in properties else Safety.SAFE)
    assert found(fixed(data)) == {}


def test_the_clock_is_still_named_where_only_its_rule_is_asked() -> None:
    only = tuple(one for one in choose(all_rules()) if one.rule.id == "stimer-without-hypervclock")
    assert len(judge(command("hv_relaxed,hv_stimer"), COMMAND_LINE, (), only)) == 1


def test_a_fix_of_one_is_not_refused_for_what_another_still_lacks() -> None:
    data = command("hv_relaxed,hv_vapic,hv_time=off,hv_stimer,hv_syndbg")
    left = found(fixed(data, kinds=(Safety.SAFE,)))
    assert "requirement-missing" not in left
    assert "stimer-without-hypervclock" in left


@pytest.mark.parametrize("then", ["invtsc=on,tsc-frequency=2500000000", "invtsc=off"])
def test_a_tsc_that_does_not_migrate_is_one_finding(then: str) -> None:
    data = command("migratable=off,invtsc=on,hv_relaxed,hv_vapic,hv_vpindex,hv_time,hv_synic,hv_stimer")
    (one,) = found(data).values()
    assert one.rule == "invtsc-without-frequency"
    assert one.instead == "write the frequency of the hosts' TSC in Hz, or turn invtsc off"
    assert found(data.replace(b"invtsc=on", then.encode())) == {}
    assert set(found(data.replace(b"invtsc=on,", b""))) == {"migratable-off"}


@pytest.mark.parametrize("rule", ["no-stimer", "requirement-missing"])
def test_with_the_controller_comes_what_is_advised_beside_it(rule: str) -> None:
    lacking = {"no-stimer": "hv_relaxed,hv_vapic,hv_time", "requirement-missing": "hv_relaxed,hv_vapic,hv_stimer"}
    data = command(lacking[rule])
    before = found(data, ABLE)
    after = found(obeyed(data, before[rule]), ABLE)
    assert rule not in after
    assert set(after) <= set(before)
    job = Job(tuple(one for one in choose(all_rules()) if one.rule.id == rule), Facts(ABLE), with_edits=True)
    then = found(apply_fixes(data, "x", COMMAND_LINE, job, tuple(Safety)).data, ABLE)
    assert set(then) <= set(before) - {rule}


@pytest.mark.parametrize(
    ("properties", "rule"),
    [
        ("hv_vpindex,hv_synic,hv_stimer", "stimer-without-hypervclock"),
        ("hv_stimer", "requirement-missing"),
        ("hv_vpindex", "no-hypervclock"),
        ("hv_vpindex", "no-stimer"),
        ("hv_vpindex,hv_synic", "synic-without-stimer"),
    ],
)
def test_no_clock_is_brought_where_its_time_would_jump_back(properties: str, rule: str) -> None:
    data = command(f"{HIDDEN},{properties}", "pc-q35-5.1")
    before = found(data)
    one = before[rule]
    assert one.fix is None
    assert one.instead.endswith("; and use machine type 5.2 or later, or leave KVM visible")
    for old, new in ((b"q35-5.1", b"q35-5.2"), (b"kvm=off,", b"")):
        assert set(found(obeyed(data, one).replace(old, new))) <= set(before) - {rule}
    assert "kvmclock-missing" not in found(fixed(data))


def test_no_clock_is_moved_to_where_its_time_would_jump_back() -> None:
    text = (
        "<domain type='kvm'><name>g</name><os><type machine='pc-q35-{}'>hvm</type></os>"
        "<features><kvm><hidden state='on'/></kvm><hyperv><relaxed state='on'/></hyperv></features>"
        "<cpu mode='host-passthrough'><feature name='hv-time' policy='require'/></cpu></domain>"
    )
    for machine, can in (("5.1", False), ("5.2", True)):
        findings = judge(text.format(machine).encode(), DOMAIN, ())
        (one,) = [one for one in findings if one.rule == "hv-cpu-feature"]
        assert (one.fix is not None) is can
        assert ("machine type 5.2" in one.instead) is not can


def test_the_hypervisor_stays_hidden_beside_a_graphics_card() -> None:
    data = command("hypervisor=off,hv_relaxed,hv_vapic,hv_vpindex,hv_time,hv_synic,hv_stimer")
    assert b"hypervisor=off" not in fixed(data)
    card = data.replace(b" -smp", b" -device vfio-pci,host=01:00.0 -smp")
    assert found(card)["hypervisor-hidden"].fix is None
    assert found(card)["hypervisor-hidden"].instead.startswith("leave the enlightenments out, or")
    assert fixed(card) == card


@pytest.mark.parametrize(
    ("properties", "rule", "said"),
    [
        ("hv_avic", "avic-without-hardware", "APICv or AVIC is not active on n1 and 2 more"),
        ("hv_evmcs", "evmcs-without-nested-intel", "the processor is AMD's on n1 and 2 more"),
    ],
)
def test_all_hosts_that_lack_something_are_counted(properties: str, rule: str, said: str) -> None:
    hosts = tuple(hardware(made_amd_host(f"n{number}"), apicv=False) for number in (1, 2, 3))
    assert found(command(f"hv_relaxed,hv_vapic,{properties}"), hosts)[rule].message.endswith(said)
    mixed = (made_intel_host("i1", nested=False), *hosts)
    message = found(command("hv_relaxed,hv_vapic,hv_evmcs"), mixed)["evmcs-without-nested-intel"].message
    assert message.endswith("nested virtualization is off on i1 and the processor is AMD's on n1 and 2 more")
