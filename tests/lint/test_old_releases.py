"""Lint tells nobody to write what the guest's release does not use."""

from __future__ import annotations

import re

import pytest

from hvctl.catalog import BY_ID, ROWS
from hvctl.guest.command.reader import read_command_line
from hvctl.guest.convert import to_libvirt
from hvctl.guest.syntax import COMMAND_LINE, DOMAIN, Syntax
from hvctl.lint.engine import Job, choose
from hvctl.lint.fixes import apply_fixes
from hvctl.lint.rule import all_rules
from hvctl.model.finding import Finding, Safety
from hvctl.model.host import Host
from tests.lint.test_instead_on_hosts import VALUES, guest_in, judge
from tests.made_hosts import made_amd_host, made_intel_host
from tests.plan_file.test_locking import hardware

ABLE = hardware(made_intel_host(), apicv=True)
POOLS: dict[str, tuple[Host, ...]] = {"none": (), "able": (ABLE,), "amd": (made_amd_host(),)}
COMMAND = (
    "qemu-system-x86_64 -accel kvm -machine pc-i440fx-7.2{} -cpu host,{} -smp {},sockets=1 "
    "-rtc base=localtime,driftfix=slew -name {}\n"
)
BASIC = "hv_relaxed,hv_vapic,hv_vpindex,hv_time,hv_synic"
UEFI = " -drive if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd -drive if=none,id=d"


def command(properties: str, name: str, *, vcpus: int = 1, uefi: bool = False) -> bytes:
    text = COMMAND.format(",hpet=off", properties, vcpus, name)
    return (text.replace(" -name", f"{UEFI} -name") if uefi else text).encode()


def found(data: bytes, pool: str = "none") -> dict[str, Finding]:
    return {one.rule: one for one in judge(data, COMMAND_LINE, POOLS[pool])}


@pytest.mark.parametrize("name", ["winxp", "win2003", "winvista", "win2008", "win7", "win2008r2"])
@pytest.mark.parametrize("pool", POOLS)
def test_the_controller_alone_is_left_alone_where_the_timers_are_not_used(name: str, pool: str) -> None:
    data = command(BASIC, name)
    assert "synic-without-stimer" not in found(data, pool)
    assert "synic-without-stimer" in found(data.replace(name.encode(), b"win11"))
    assert "synic-without-avic" not in found(command(BASIC, "winxp"), pool)


def test_the_clock_is_still_advised_where_the_timers_are_to_be_left_out() -> None:
    data = command("hv_relaxed,hv_vapic,hv_stimer", "win7")
    before = found(data)
    assert before["requirement-missing"].instead == "leave it out"
    assert set(found(data.replace(b",hv_stimer", b""))) <= set(before)
    assert "no-hypervclock" in before
    assert "no-hypervclock" not in found(data.replace(b"win7", b"win10"))


@pytest.mark.parametrize("name", ["winxp", "win7"])
def test_what_is_not_used_is_to_be_left_out(name: str) -> None:
    data = command("hv_relaxed,hv_vapic,hv_time,hv_stimer", name)
    one = found(data)["requirement-missing"]
    assert one.instead == "leave it out"
    fixed = apply_fixes(data, "x", COMMAND_LINE, Job(choose(all_rules()), with_edits=True), tuple(Safety)).data
    assert b"hv_stimer" not in fixed
    assert found(fixed) == {}


def test_without_hypervisor_bit_all_fixes_leave_nothing_new() -> None:
    data = command(f"hypervisor=off,{BASIC}", "win7")
    fixed = apply_fixes(data, "x", COMMAND_LINE, Job(choose(all_rules()), with_edits=True), tuple(Safety)).data
    assert found(fixed) == {}


@pytest.mark.parametrize("properties", ["hv_relaxed,hv_stimer", "hv_relaxed,hv_synic", "hv_ipi", "hv_ipi,hv_stimer"])
@pytest.mark.parametrize("name", ["win7", "win2008r2"])
@pytest.mark.parametrize("pool", POOLS)
def test_of_what_hangs_only_that_is_said(properties: str, name: str, pool: str) -> None:
    data = command(properties, name, vcpus=4, uefi=True)
    rules = found(data, pool)
    assert "hangs-with-uefi" in rules
    assert not [one.instead for one in rules.values() if one.instead.startswith("write hv-")]
    assert set(rules) <= {"hangs-with-uefi", "timer-policy", "not-supported-by-host"}, rules


@pytest.mark.parametrize("name", ["winxp", "win7", "win10"])
@pytest.mark.parametrize("properties", ["hv_passthrough", "hv_passthrough,hv_evmcs=off"])
def test_who_uses_nothing_is_not_asked_what_to_get(name: str, properties: str) -> None:
    data = command(properties, name, vcpus=2, uefi=True)
    said = [one.instead for one in found(data).values() if "passthrough" in one.rule]
    assert said
    assert any("name what the guest should get" in one for one in said) is (name == "win10")


def alone_and_whole() -> list[str]:
    """Each row by itself, and with what it requires."""
    found = []
    for row in ROWS:
        needed = [row]
        for one in needed:  # it grows
            needed += [BY_ID[other] for other in one.requires if BY_ID[other] not in needed]
        for rows in ([row], needed) if len(needed) > 1 else ([row],):
            names = [f"{one.properties[0].name}={VALUES.get(one.kind, 'on')}" for one in rows]
            found.append(",".join(dict.fromkeys(("hv-relaxed=on", "hv-vapic=on", *names))))
    return found


@pytest.mark.parametrize("name", ["winxp", "win2003", "win2008", "win7", "win8", "win2012r2", "win7-uefi"])
def test_no_finding_says_to_write_what_the_release_does_not_use(name: str) -> None:
    for properties in alone_and_whole():
        data = command(properties, name.partition("-")[0], vcpus=2, uefi=name.endswith("uefi"))
        domain = to_libvirt(read_command_line(data.decode(), "x")).text.encode()
        for text, syntax in ((data, COMMAND_LINE), (domain, DOMAIN)):
            for pool in POOLS.values():
                nothing_unused_is_advised(text, syntax, pool)


def nothing_unused_is_advised(data: bytes, syntax: Syntax, pool: tuple[Host, ...]) -> None:
    guest = guest_in(data, syntax)
    for one in judge(data, syntax, pool):
        for row in ROWS:
            if re.search(rf"write .*{re.escape(guest.syntax(row))}", one.instead):
                assert guest.uses(row), (one.rule, one.instead, data)
