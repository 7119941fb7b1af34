"""The report on a host: at 80 columns, with and without colour, and as JSON."""

import json
import re

import pytest

from hvctl.catalog import ROWS
from hvctl.host.host_file import host_json as document_of
from hvctl.host.host_file import read_host
from hvctl.model.host import Host
from hvctl.plan.support import State, judge
from hvctl.report.host import host_json, host_text, warnings
from hvctl.text.json_document import dump
from tests.made_hosts import made_amd_host, made_no_hyperv_host, made_old_kernel_host, made_qemu
from tests.paths import HOSTS

RECORDED = [read_host(str(path)) for path in sorted(HOSTS.glob("*.json"))]
MADE = [made_amd_host(), made_no_hyperv_host(), made_old_kernel_host()]
every_host = pytest.mark.parametrize("host", [*RECORDED, *MADE], ids=lambda host: host.label)


@every_host
@pytest.mark.parametrize("width", [80, 100])
def test_lines_fit(host: Host, width: int) -> None:
    for line in host_text(host, width=width).splitlines():
        assert len(line) <= width
        assert line == line.rstrip()


@every_host
def test_colour_changes_nothing_but_colour(host: Host) -> None:
    plain, colored = host_text(host), host_text(host, color=True)
    assert re.sub(r"\x1b\[\d+m", "", colored) == plain
    assert "\x1b" not in plain


@every_host
def test_json_is_complete_and_stable(host: Host) -> None:
    text = dump(host_json(host, document_of(host), []))
    found = json.loads(text)
    assert list(found) == ["format_version", "hyperv", "host", "warnings", "verdicts", "profiles"]
    assert [verdict["id"] for verdict in found["verdicts"]] == [row.id for row in ROWS] * max(len(host.qemu), 1)
    assert {verdict["state"] for verdict in found["verdicts"]} <= set(State)
    assert found["hyperv"] is host.kvm.hyperv


def table(text: str) -> dict[str, list[str]]:
    rows = (line.split() for line in text.splitlines())
    return {words[0]: words[1:] for words in rows if len(words) == 6 and words[-1] in set(State)}


@pytest.mark.parametrize("host", [host for host in (*RECORDED, *MADE) if host.kvm.hyperv], ids=lambda host: host.label)
def test_a_row_for_each_enlightenment_and_none_for_an_experiment(host: Host) -> None:
    assert list(table(host_text(host))) == [row.id for row in ROWS if not row.experimental]


def test_a_reason_stands_below_what_is_missing() -> None:
    text = host_text(made_amd_host(kvm=made_amd_host().kvm._replace(leaves=())))
    assert table(text)["relaxed"] == ["no", "yes", "yes", "yes", "no"]
    assert "\n    kernel: KVM does not report HV_RELAXED_TIMING_RECOMMENDED" in text


def test_debian_12_in_full() -> None:
    expected = HOSTS / "debian-12.txt"
    assert host_text(read_host(str(HOSTS / "debian-12.json"))) == expected.read_text()


def test_without_hyperv_there_is_no_table() -> None:
    text = host_text(made_no_hyperv_host())
    assert "KVM without Hyper-V emulation" in text
    assert table(text) == {}


def test_without_qemu_no_verdict_is_yes_and_the_reason_is_given_once() -> None:
    host = made_amd_host(qemu=())
    assert {judged.verdict.state for judged in judge(host, None)} == {State.NO, State.UNKNOWN}
    text = host_text(host)
    assert text.count("QEMU was asked") == 1
    assert "no QEMU binary is known" not in text


def test_without_libvirt_the_header_says_it_once() -> None:
    text = host_text(made_amd_host(libvirt=None))
    assert "libvirt       not asked, or none is installed" in text
    assert "which elements its libvirt knows" not in text


def test_a_second_qemu_is_told_by_its_differences() -> None:
    older = made_qemu(newest="6.2", unknown=("hv-emsr-bitmap",))._replace(path="/opt/old/qemu")
    same = made_qemu()._replace(path="/opt/same/qemu")
    text = host_text(made_amd_host(qemu=(made_qemu(), older, same)))
    assert "With /opt/old/qemu (6.2.0): other verdicts: emsr-bitmap no" in text
    assert "With /opt/same/qemu (10.0.0): the same verdicts" in text


@pytest.mark.parametrize(("source", "warned"), [("tsc", False), (None, False), ("hpet", True), ("acpi_pm", True)])
def test_a_clock_source_that_makes_guests_slow_is_told(source: str | None, warned: bool) -> None:
    host = made_amd_host()
    host = host._replace(hardware=host.hardware._replace(clocksource=source))
    assert any("reference TSC page" in text for text in warnings(host)) is warned
    assert ("as slow as the MSR" in " ".join(host_text(host).split())) is warned


def test_what_an_old_kernel_cannot_tell_is_named() -> None:
    host = made_old_kernel_host()
    assert all(name in warnings(host)[0] for name in host.kvm.unseen)
    assert table(host_text(host))[host.kvm.unseen[0]][0] == "unknown"
