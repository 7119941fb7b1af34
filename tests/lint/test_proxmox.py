"""lint on configurations of Proxmox VE: what it advises leads to a clean result, fixes are splices, suppressions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from hvctl.guest.proxmox.config import NO_MODELS, read_models
from hvctl.guest.proxmox.reader import read_guests
from hvctl.guest.syntax import PROXMOX
from hvctl.lint.engine import Job, Result, choose, lint
from hvctl.lint.fixes import apply_fixes
from hvctl.lint.rule import Facts, all_rules
from hvctl.model.finding import Finding, Safety, Severity
from hvctl.model.host import Host
from tests.cli.run import hvctl
from tests.made_hosts import made_amd_host

ALL = (Safety.SAFE, Safety.UNSAFE)
RULE = "args-replace-cpu"
REST = "cores: 4\nmachine: pc-q35-9.2+pve1\nmemory: 8192\nostype: win11\n"


def judge(text: str, path: Path | str = "100.conf", hosts: Sequence[Host] = ()) -> Result:
    return lint(text.encode(), str(path), PROXMOX, Job(choose(all_rules()), Facts(tuple(hosts))))


def rules(findings: Sequence[Finding]) -> set[str]:
    return {one.rule for one in findings}


CPUS = [
    "host",
    "host,kvm=off",
    "host,hv_vendor_id=abc,kvm=off",
    "host,+aes,-hv-tlbflush,+pdpe1gb",
    "host,+invtsc,hv_frequencies",
    "EPYC-Milan,+topoext,hv_relaxed,hv_spinlocks=0x1fff",
    "max,hv_tlbflush,hv_vpindex",
    "'kvm64,-avx'",
    "host,hv_spinlocks=0xfff,tsc-frequency=2500000000",
    "host,hv_vendor_id=a-b",
]


@pytest.mark.parametrize("cpu", CPUS)
def test_obeying_brings_back_what_proxmox_adds(cpu: str, tmp_path: Path) -> None:
    """As by hand, from what the sentence says: the line, and the model with its lines."""
    text = f"args: -cpu {cpu} -S\n{REST}"
    before = read_guests(text, "100.conf")[0]
    (finding,) = [one for one in judge(text).findings if one.rule == RULE]
    match = re.fullmatch(
        r"remove -cpu from args: and write `cpu: ([^`]+)`"
        r"(?:, with `(cpu-model: \S+)` and in it (.*) in cpu-models.conf)?"
        r"(?: \(lost is (.+)\))?",
        finding.instead,
    )
    assert match, finding.instead
    line, header, inside, lost = match.groups()
    if header:
        body = "".join(f"    {one}\n" for one in re.findall(r"`([^`]+)`", inside))
        (tmp_path / "cpu-models.conf").write_text(f"{header}\n{body}")
    path = tmp_path / "100.conf"
    path.write_text(f"args: -S\ncpu: {line}\n{REST}")
    models = read_models((tmp_path / "cpu-models.conf").read_text(), "m") if header else NO_MODELS
    after = read_guests(path.read_text(), str(path), models)[0]
    found = judge(path.read_text(), path).findings
    had = rules(judge(text).findings)
    assert not [one for one in found if one.severity is not Severity.INFO and one.rule not in had - {RULE}]
    assert not after.mistakes
    assert set(before.replaced[0].names) <= {*after.qemu_names, *(f"hv-{one.id}" for one in before.removals)}
    assert after.hidden == before.hidden
    assert after.cpu == before.cpu
    for name, switch in before.switches.items():
        assert after.switches[name].on == switch.on
    wanted = {one.id: one.value for one in before.on.values()}
    assert lost or {key: after.enabled().get(key, "none") for key in wanted} == wanted


@pytest.mark.parametrize("cpu", ["host,-hypervisor", "host,hv_passthrough"])
def test_what_is_not_lost(cpu: str) -> None:
    found = rules(judge(f"args: -cpu {cpu}\n{REST}").findings)
    assert not found & {RULE, "replaced-cpu"}


def test_a_second_cpu_in_args_is_the_other_rules() -> None:
    text = f"args: -cpu host,hv_relaxed,hv_vpindex -cpu host\n{REST}"
    assert {RULE, "replaced-cpu"} <= rules(judge(text).findings)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"args: -cpu host,kvm=off\n{REST}", f"cpu: host,hidden=1\n{REST}"),
        (f"args: -S -cpu host  -no-hpet\ncpu: kvm64\n{REST}", f"args: -S -no-hpet\ncpu: host\n{REST}"),
        (f"{REST}args: -cpu host", f"{REST}cpu: host\n"),
        (f"# ours \xe4\r\nargs:   -cpu   'host,+aes'\r\n{REST}", f"# ours \xe4\r\ncpu: host,flags=+aes\n{REST}"),
        (
            f"{REST}[PENDING]\nargs: -cpu host\n\n[snap]\nargs: -cpu max\n{REST}",
            f"{REST}[PENDING]\ncpu: host\n\n[snap]\nargs: -cpu max\n{REST}",
        ),
        (
            f"args: -cpu host\nargs: -cpu max\n# ours\nargs: -cpu 'host,+aes'\n{REST}",
            f"# ours\ncpu: host,flags=+aes\n{REST}",
        ),
    ],
)
def test_fixes_are_splices(before: str, after: str) -> None:
    fixed = apply_fixes(before.encode(), "100.conf", PROXMOX, Job(choose(all_rules())), ALL)
    assert fixed.data.decode() == after


@pytest.mark.parametrize(
    ("cpu", "fixed"),
    [
        ("host,flags=+hv-evmcs", "host"),
        ("host,flags=+hv-evmcs;+aes", "host,flags=+aes"),
        ("host,flags=+aes;+hv-evmcs,hidden=0", "host,flags=+aes,hidden=0"),
    ],
)
def test_a_flag_of_cpu_is_removed(cpu: str, fixed: str) -> None:
    text = f"cpu: {cpu}\n{REST}"
    job = Job(choose(one for one in all_rules() if one.id == "evmcs-without-nested-intel"), Facts((made_amd_host(),)))
    assert apply_fixes(text.encode(), "100.conf", PROXMOX, job, ALL).data.decode() == f"cpu: {fixed}\n{REST}"


def test_switches_of_the_clock_are_set() -> None:
    rest = REST.replace("win11", "w2k8")
    text = f"localtime: 0\ntdf: no\n{rest}"
    fixed = apply_fixes(text.encode(), "100.conf", PROXMOX, Job(choose(all_rules())), ALL)
    assert fixed.data.decode() == f"localtime: 1\ntdf: 1\n{rest}"


def test_what_proxmox_adds_is_not_dropped_but_named() -> None:
    (finding,) = [one for one in judge(f"cpu: host\n{REST}").findings if one.rule == "reset-pointless"]
    assert finding.message == "hv-reset is on, and no guest gains from it (added by Proxmox VE)"
    assert finding.instead == "write -hv-reset in flags of a custom CPU model in cpu-models.conf"
    assert finding.fix is None
    assert finding.span.line == 5


def test_obeying_that_turns_it_off(tmp_path: Path) -> None:
    (tmp_path / "cpu-models.conf").write_text("cpu-model: a\n    reported-model host\n    flags -hv-reset\n")
    path = tmp_path / "100.conf"
    path.write_text(f"cpu: custom-a\n{REST}")
    assert judge(path.read_text(), path).findings == ()


def test_a_suppression_is_about_the_file() -> None:
    text = f"# hvctl: ignore[{RULE}, suppression-unused] measured\nargs: -cpu host\n{REST}"
    assert RULE not in rules(judge(text).findings)
    assert RULE not in rules(judge(text.replace(":", "%3A", 1)).findings), "as Proxmox VE writes it again"
    assert "suppression-unused" in rules(judge(f"# hvctl: ignore[{RULE}] no\ncpu: host\n{REST}").findings)


def test_snapshots_and_pending_changes_have_findings_of_their_own() -> None:
    text = f"cpu: host\n{REST}\n[PENDING]\nargs: -cpu host\n\n[before]\nargs: -cpu host\n{REST}"
    lines = [one.span.line for one in judge(text).findings if one.rule == RULE]
    assert lines == [8, 11]
    resets = [one.span.line for one in judge(text).findings if one.rule == "reset-pointless"]
    assert resets == [5], "the main section's, which the pending guest has as well, once"


def test_a_directory(tmp_path: Path) -> None:
    (tmp_path / "100.conf").write_text(f"args: -cpu host\n{REST}")
    (tmp_path / "nginx.conf").write_text("server { listen 80; }\n")
    (tmp_path / "cpu-models.conf").write_text("cpu-model: a\n    flags +hv-frequencies\n")
    done = hvctl("lint", str(tmp_path), "--no-config", "--select", RULE, code=1)
    assert "100.conf:1:12" in done.stdout
    assert "2 other files passed over (-v names them)" in done.stderr
    assert "nginx.conf" not in done.stderr
    named = hvctl("lint", str(tmp_path), "--no-config", "--select", RULE, "-v", code=1).stderr
    assert f"passed over: {tmp_path}/nginx.conf\n" in named
    (tmp_path / "100.conf").unlink()
    assert hvctl("lint", str(tmp_path), "--no-config", code=0).stdout == ""
    alone = hvctl("lint", str(tmp_path / "nginx.conf"), "--no-config", code=0).stderr
    assert "nginx.conf: it is no configuration of a virtual machine of Proxmox VE" in alone


def test_windows_that_proxmox_does_not_know_of() -> None:
    text = "cores: 2\ncpu: host\nmachine: pc-q35-9.2\nmemory: 1\nname: win2019-sql\n"
    (finding,) = [one for one in judge(text).findings if one.rule == "windows-without-hyperv"]
    match = re.match(r"write (ostype: win10), or that of its release", finding.instead)
    assert match
    assert rules(judge(f"{text}{match[1]}\n").findings) == {"reset-pointless"}


def test_windows_7_with_ovmf_is_left_alone() -> None:
    """Proxmox VE adds nothing there, since it hangs with them."""
    text = "bios: ovmf\ncores: 2\ncpu: host\nmachine: pc-q35-9.2\nmemory: 1\nostype: win7\n"
    assert "windows-without-hyperv" not in rules(judge(text).findings)
    assert "hangs-with-uefi" in rules(judge(f"{text}args: -cpu host,hv_relaxed,hv_time\n").findings)
