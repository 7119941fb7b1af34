"""Fixes over generated domains: nothing fixable is left, nothing is fixed twice, nothing new is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvctl.catalog import BY_ID
from hvctl.errors import InputError
from hvctl.guest.domain.reader import read_domain
from hvctl.guest.syntax import COMMAND_LINE, DOMAIN
from hvctl.host.host_file import read_host
from hvctl.lint.engine import Job, choose, lint
from hvctl.lint.fixes import apply_fixes
from hvctl.lint.rule import Facts, all_rules
from hvctl.model.finding import Finding, Safety, Severity
from hvctl.xml import reader
from tests.guest.domain.domains import domains
from tests.lint.odd_commands import odd_commands
from tests.lint.odd_domains import odd_domains
from tests.made_hosts import made_amd_host, made_kvm
from tests.paths import HOSTS, RULE_CASES

# A kernel that does not tell of the VP index, which much else requires.
LACKING = made_amd_host(kvm=made_kvm(features=0xAAFF & ~(1 << 6)))
POOLS = (
    (),
    (read_host(str(HOSTS / "debian-12.json")),),
    (read_host(str(HOSTS / "debian-13.json")), read_host(str(HOSTS / "debian-13-intel.json"))),
    (LACKING,),
)
pools = st.sampled_from(POOLS)
files = st.one_of(domains(), odd_domains())
SAFE, ANY = (Safety.SAFE,), (Safety.SAFE, Safety.UNSAFE)
allowances = st.sampled_from([SAFE, ANY])


def job(hosts: tuple[object, ...]) -> Job:
    return Job(choose(all_rules()), Facts(hosts), with_edits=True)  # type: ignore[arg-type]


def errors(findings: tuple[Finding, ...]) -> set[str]:
    return {one.rule for one in findings if one.severity is Severity.ERROR}


@given(files, pools, allowances)
def test_nothing_fixable_is_left(data: bytes, hosts: tuple[object, ...], allowed: tuple[Safety, ...]) -> None:
    fixed = apply_fixes(data, "x", DOMAIN, job(hosts), allowed)
    left = [one for one in fixed.result.findings if one.fix and one.fix.safety in allowed]
    assert left == []


def test_each_content_of_a_file_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    real = reader.parse_all

    def parse_all(files: Iterable[tuple[bytes, str]], **options: Any) -> Any:
        files = list(files)
        seen.extend(data for data, _ in files)
        return real(files, **options)

    monkeypatch.setattr(reader, "parse_all", parse_all)
    fixed = apply_fixes((RULE_CASES / "no-stimer" / "fires.xml").read_bytes(), "x", DOMAIN, job(()), ANY)
    assert fixed.titles
    assert len(seen) == len(set(seen)) == len({*seen, fixed.data})


@given(files, pools, allowances)
def test_a_second_time_changes_nothing(data: bytes, hosts: tuple[object, ...], allowed: tuple[Safety, ...]) -> None:
    once = apply_fixes(data, "x", DOMAIN, job(hosts), allowed).data
    assert apply_fixes(once, "x", DOMAIN, job(hosts), allowed).data == once


@given(files, pools, allowances)
def test_no_new_error_comes(data: bytes, hosts: tuple[object, ...], allowed: tuple[Safety, ...]) -> None:
    before = lint(data, "x", DOMAIN, job(hosts)).findings
    after = apply_fixes(data, "x", DOMAIN, job(hosts), allowed).result.findings
    assert errors(after) <= errors(before)


@given(files, pools, allowances)
def test_what_could_be_read_can_be_read_afterwards(
    data: bytes, hosts: tuple[object, ...], allowed: tuple[Safety, ...]
) -> None:
    try:
        read_domain(data, "x")
    except InputError:
        return
    read_domain(apply_fixes(data, "x", DOMAIN, job(hosts), allowed).data, "x")


@given(files, pools)
def test_what_is_safe_turns_nothing_off_and_keeps_every_value(data: bytes, hosts: tuple[object, ...]) -> None:
    try:
        before = read_domain(data, "x")
    except InputError:
        return
    after = read_domain(apply_fixes(data, "x", DOMAIN, job(hosts), SAFE).data, "x")
    # Beside what turns on all that the host has, what is written alone does nothing; the default does nothing anywhere.
    everything = {row_id for row_id in before.enabled() if BY_ID[row_id].takes_all}
    kept = {
        row_id: value
        for row_id, value in before.enabled().items()
        if value != "Microsoft Hv" and (not everything or row_id in everything)
    }
    assert kept.items() <= after.enabled().items()
    assert (before.cpu, before.machine, before.tsc_frequency) == (after.cpu, after.machine, after.tsc_frequency)


@given(files, pools)
def test_the_places_of_edits_are_those_of_their_bytes(data: bytes, hosts: tuple[object, ...]) -> None:
    for finding in lint(data, "x", DOMAIN, job(hosts)).findings:
        edits = finding.fix.edits if finding.fix else ()
        assert list(edits) == sorted(edits, key=lambda edit: (edit.start, edit.end))
        assert all(0 <= edit.start <= edit.end <= len(data) for edit in edits)


@given(odd_commands(), pools, allowances)
def test_the_same_of_command_lines(data: bytes, hosts: tuple[object, ...], allowed: tuple[Safety, ...]) -> None:
    before = lint(data, "x", COMMAND_LINE, job(hosts))
    fixed = apply_fixes(data, "x", COMMAND_LINE, job(hosts), allowed)
    assert [one for one in fixed.result.findings if one.fix and one.fix.safety in allowed] == []
    assert apply_fixes(fixed.data, "x", COMMAND_LINE, job(hosts), allowed).data == fixed.data
    assert errors(fixed.result.findings) <= errors(before.findings)


COMMAND = "qemu-system-x86_64 -accel kvm -M pc-q35-7.2 -cpu {}\n"


@pytest.mark.parametrize(
    ("cpu", "fixed"),
    [
        ("host,hv_stimer", "host,hv_stimer,hv-vpindex=on,hv-time=on,hv-synic=on"),
        ("'host,hv_ipi'", "'host,hv_ipi,hv-vpindex=on'"),
        ("host,hv-passthrough,-hv-evmcs,hv-vapic=off", "host,hv-passthrough"),
        ("host,hv-passthrough,hv-evmcs=off,+x2apic", "host,hv-passthrough,+x2apic"),
        ("host,hv_evmcs,hv_vapic=off", "host,hv_evmcs,hv_vapic=off"),
        ('"host,hv-passthrough,-hv-evmcs"', '"host,hv-passthrough"'),
        ("host,\\\n hv_relaxed", "host,\\\n hv_relaxed"),
    ],
)
def test_command_lines_are_fixed(cpu: str, fixed: str) -> None:
    text = COMMAND.format(cpu)
    found = apply_fixes(text.encode(), "x", COMMAND_LINE, job(()), SAFE)
    assert found.data.decode() == COMMAND.format(fixed)


WITH_ALL = "host,hv_relaxed,hv_vapic,hv_vpindex,hv_time,hv_synic,hv_stimer"
CPU = f"-M pc-q35-7.2 -cpu {WITH_ALL}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            f"kvm -M pc-q35-7.2 -name win7 -cpu {WITH_ALL} -m 4G",
            f"kvm -M pc-q35-7.2,hpet=off -name win7 -cpu {WITH_ALL} -rtc base=localtime,driftfix=slew -m 4G",
        ),
        (
            f"kvm -name win7 -cpu '{WITH_ALL}' -machine 'pc-q35-7.2,hpet=on' -rtc base=utc,driftfix=none",
            f"kvm -name win7 -cpu '{WITH_ALL}' -machine 'pc-q35-7.2,hpet=off' -rtc base=localtime,driftfix=slew",
        ),
        (
            f"kvm -M pc-q35-7.2 -M hpet=off -rtc driftfix=slew -global kvm-pit.lost_tick_policy=slew -cpu {WITH_ALL}",
            f"kvm -M pc-q35-7.2 -M hpet=off -rtc driftfix=slew -global kvm-pit.lost_tick_policy=delay -cpu {WITH_ALL}",
        ),
        (
            f"kvm -M pc-q35-7.2,hpet=off -rtc driftfix=slew -cpu {WITH_ALL} -global cpu.hv-reset=on",
            f"kvm -M pc-q35-7.2,hpet=off -rtc driftfix=slew -cpu {WITH_ALL}",
        ),
        (
            f'kvm -M pc-q35-7.2,hpet=off -rtc driftfix=slew -cpu {WITH_ALL},"hv_reset",-hypervisor',
            f'kvm -M pc-q35-7.2,hpet=off -rtc driftfix=slew -cpu {WITH_ALL}""',
        ),
        (
            f"kvm -M 'pc-q35-7.2,hpet=o'n -rtc driftfix=sl\"ow\",x -cpu {WITH_ALL},hv\\_re'set,+x2'apic",
            f"kvm -M 'pc-q35-7.2,hpet=off' -rtc driftfix=sl\"ow\",x -cpu {WITH_ALL}',+x2'apic",
        ),
        (
            f"kvm -M pc-q35-7.2,hpet=off -rtc driftfix=slew -cpu '{WITH_ALL},x\\,hv_reset',\\hv_reset",
            f"kvm -M pc-q35-7.2,hpet=off -rtc driftfix=slew -cpu '{WITH_ALL},x\\'",
        ),
        (
            f"kvm -M pc-q35-7.2,hpet=off -rtc driftfix=slew -cpu {WITH_ALL} -global kvm-pit.lost_tick_policy=a,b=c",
            f"kvm -M pc-q35-7.2,hpet=off -rtc driftfix=slew -cpu {WITH_ALL} -global kvm-pit.lost_tick_policy=delay",
        ),
        (
            f"kvm -global value=slew,driver=kvm-pit,property=lost_tick_policy -M hpet=off -rtc driftfix=slew {CPU}",
            f"kvm -global value=delay,driver=kvm-pit,property=lost_tick_policy -M hpet=off -rtc driftfix=slew {CPU}",
        ),
        (f"kvm -M pc-q35-7.2,hpet=on,x=,,y -rtc driftfix=slew -cpu {WITH_ALL}", None),
        (f"kvm -M pc-q35-7.2,hpet=on$X -rtc driftfix=slew -cpu {WITH_ALL}", None),
        ("kvm -M q35,hpet=off -rtc driftfix=slew", None),
        (
            f"kvm\0-name\0win7\0-M\0pc-q35-7.2,hpet=off\0-cpu\0{WITH_ALL}\0",
            f"kvm\0-name\0win7\0-M\0pc-q35-7.2,hpet=off\0-cpu\0{WITH_ALL}\0-rtc\0base=localtime,driftfix=slew\0",
        ),
    ],
)
def test_what_is_unsafe_in_command_lines(before: str, after: str | None) -> None:
    found = apply_fixes(before.encode(), "x", COMMAND_LINE, job(()), ANY)
    assert found.data.decode() == (before if after is None else after)
    assert [one for one in found.result.findings if one.fix] == []


COMMANDLINE = """\
<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
  <qemu:commandline>
    <qemu:arg value='{}'/>
    <qemu:env name='A' value='b'/>
    <qemu:arg value='{}'/>
  </qemu:commandline>
</domain>
"""


@pytest.mark.parametrize(
    ("option", "value", "left"),
    [
        ("-cpu", "host,hv_time,hv_vendor_id=none,+x2apic,hv-reset,hv_crash=on", "host,hv_time,+x2apic"),
        ("-global", "x86_64-cpu.hv-reset=on", None),
        ("--global", "x86_64-cpu.hv-reset=on", None),
    ],
)
def test_of_arguments_in_a_domain_only_what_is_meant_goes(option: str, value: str, left: str | None) -> None:
    rules = [rule for rule in all_rules() if rule.id in ("vendor-id-pointless", "reset-pointless", "crash-blocks-dump")]
    text = COMMANDLINE.format(option, value)
    rest = [line for line in text.splitlines(keepends=True) if "qemu:arg" not in line]
    found = apply_fixes(text.encode(), "x", DOMAIN, Job(choose(rules)), ANY)
    assert found.data.decode() == (COMMANDLINE.format(option, left) if left else "".join(rest))
    assert found.result.findings == ()


ELEMENTS = "<domain type='kvm'><os><type machine='pc-q35-7.2'/></os><features><hyperv>{}</hyperv></features>{}</domain>"
VPINDEX, SYNIC, IPI = (f"<{name} state='on'/>" for name in ("vpindex", "synic", "ipi"))
FEATURE = "<cpu><feature policy='{}' name='hv-synic'/></cpu>"


@pytest.mark.parametrize(
    ("before", "after", "hosts"),
    [
        ((VPINDEX, ""), ("", ""), (LACKING,)),
        ((VPINDEX + IPI, ""), (VPINDEX + IPI, ""), (LACKING,)),
        (("<vpindex/>" + IPI, ""), (VPINDEX + IPI, ""), ()),
        ((VPINDEX + SYNIC, FEATURE.format("require")), (VPINDEX + SYNIC, "<cpu></cpu>"), ()),
        ((VPINDEX + SYNIC, FEATURE.format("disable")), (VPINDEX + SYNIC, FEATURE.format("disable")), ()),
        (("<synic state='off'/>", FEATURE.format("disable")), ("<synic state='off'/>", "<cpu></cpu>"), ()),
        (("<synic state='off'/>", FEATURE.format("require")), ("<synic state='off'/>", FEATURE.format("require")), ()),
    ],
)
def test_nothing_is_written_twice_or_taken_from_what_needs_it(
    before: tuple[str, str], after: tuple[str, str], hosts: tuple[object, ...]
) -> None:
    names = ("not-supported-by-host", "requirement-missing", "hv-cpu-feature")
    asked = Job(choose(rule for rule in all_rules() if rule.id in names), job(hosts).facts)
    found = apply_fixes(ELEMENTS.format(*before).encode(), "x", DOMAIN, asked, ANY)
    assert found.data.decode() == ELEMENTS.format(*after)
    assert [one for one in found.result.findings if one.fix] == []


@pytest.mark.parametrize(
    ("option", "value", "left"),
    [
        ("-cpu", "host,hv-passthrough,-hv-evmcs,hv-crash=off,+x2apic", "host,hv-passthrough,+x2apic"),
        ("-cpu", "host,hv-passthrough,-hv-syndbg", "host,hv-passthrough,-hv-syndbg"),
    ],
)
def test_what_passthrough_turns_on_again_goes_from_a_domain_too(option: str, value: str, left: str) -> None:
    rules = [rule for rule in all_rules() if rule.id == "disabled-after-passthrough"]
    found = apply_fixes(COMMANDLINE.format(option, value).encode(), "x", DOMAIN, Job(choose(rules)), SAFE)
    assert found.data.decode() == COMMANDLINE.format(option, left)


def test_a_machine_type_gets_the_version_that_all_hosts_have() -> None:
    text = f"kvm -machine hpet=off,type=q35 -rtc driftfix=slew -cpu {WITH_ALL}\n"
    rules = [rule for rule in all_rules() if rule.id == "unversioned-machine"]
    pool = Job(choose(rules), Facts(POOLS[1]))
    assert apply_fixes(text.encode(), "x", COMMAND_LINE, pool, ANY).data.decode() == text.replace("=q35", "=pc-q35-7.2")
