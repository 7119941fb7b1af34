"""Fixes over generated domains: nothing fixable is left, nothing is fixed twice, nothing new is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvctl.catalog import BY_ID
from hvctl.errors import InputError
from hvctl.formats.domain import read_domain
from hvctl.formats.hostfile import read_host
from hvctl.lint.context import Facts
from hvctl.lint.engine import Job, choose, lint
from hvctl.lint.fixes import mend
from hvctl.lint.registry import all_rules
from hvctl.lint.rule import Kind
from hvctl.model.finding import Finding, Safety, Severity
from tests.lint.odd_domains import odd_domains
from tests.made_hosts import made_intel_host
from tests.render.domains import domains

HOSTS = Path(__file__).parent.parent / "hosts"
POOLS = ((), (read_host(str(HOSTS / "debian-12.json")),), (read_host(str(HOSTS / "debian-13.json")), made_intel_host()))
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
    mended = mend(data, "x", Kind.DOMAIN, job(hosts), allowed)
    left = [one for one in mended.result.findings if one.fix and one.fix.safety in allowed]
    assert left == []


@given(files, pools, allowances)
def test_a_second_time_changes_nothing(data: bytes, hosts: tuple[object, ...], allowed: tuple[Safety, ...]) -> None:
    once = mend(data, "x", Kind.DOMAIN, job(hosts), allowed).data
    assert mend(once, "x", Kind.DOMAIN, job(hosts), allowed).data == once


@given(files, pools, allowances)
def test_no_new_error_comes(data: bytes, hosts: tuple[object, ...], allowed: tuple[Safety, ...]) -> None:
    before = lint(data, "x", Kind.DOMAIN, job(hosts)).findings
    after = mend(data, "x", Kind.DOMAIN, job(hosts), allowed).result.findings
    assert errors(after) <= errors(before)


@given(files, pools, allowances)
def test_what_could_be_read_can_be_read_afterwards(
    data: bytes, hosts: tuple[object, ...], allowed: tuple[Safety, ...]
) -> None:
    try:
        read_domain(data, "x")
    except InputError:
        return
    read_domain(mend(data, "x", Kind.DOMAIN, job(hosts), allowed).data, "x")


@given(files, pools)
def test_what_is_safe_turns_nothing_off_and_keeps_every_value(data: bytes, hosts: tuple[object, ...]) -> None:
    try:
        before = read_domain(data, "x")
    except InputError:
        return
    after = read_domain(mend(data, "x", Kind.DOMAIN, job(hosts), SAFE).data, "x")
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
    for finding in lint(data, "x", Kind.DOMAIN, job(hosts)).findings:
        edits = finding.fix.edits if finding.fix else ()
        assert list(edits) == sorted(edits, key=lambda edit: (edit.start, edit.end))
        assert all(0 <= edit.start <= edit.end <= len(data) for edit in edits)


COMMAND = "qemu-system-x86_64 -accel kvm -M pc-q35-7.2 -cpu {}\n"


@pytest.mark.parametrize(
    ("cpu", "mended"),
    [
        ("host,hv_stimer", "host,hv_stimer,hv-synic=on,hv-time=on,hv-vpindex=on"),
        ("'host,hv_ipi'", "'host,hv_ipi,hv-vpindex=on'"),
        ("host,hv-passthrough,-hv-evmcs,hv-vapic=off", "host,hv-passthrough"),
        ("host,hv-passthrough,hv-evmcs=off,+x2apic", "host,hv-passthrough,+x2apic"),
        ("host,hv_evmcs,hv_vapic=off", "host,hv_evmcs,hv_vapic=off"),
        ('"host,hv-passthrough,-hv-evmcs"', '"host,hv-passthrough"'),
        ("host,\\\n hv_relaxed", "host,\\\n hv_relaxed"),
    ],
)
def test_command_lines_are_mended(cpu: str, mended: str) -> None:
    text = COMMAND.format(cpu)
    found = mend(text.encode(), "x", Kind.COMMAND_LINE, job(()), SAFE)
    assert found.data.decode() == COMMAND.format(mended)
