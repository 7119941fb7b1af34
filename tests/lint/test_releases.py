"""Lint of guests whose release is known: nothing is advised that it does not use, and what harms it is found."""

from __future__ import annotations

import pytest

from hvctl.guest.domain.reader import read_domain
from hvctl.guest.syntax import COMMAND_LINE, DOMAIN, Syntax
from hvctl.host.host_file import read_host
from hvctl.lint.engine import Job, choose, lint
from hvctl.lint.fixes import apply_fixes
from hvctl.lint.rule import Facts, all_rules
from hvctl.model.finding import Safety
from tests.made_hosts import made_amd_host, made_qemu
from tests.paths import HOSTS, ROOT

OSINFO = (
    '<metadata><libosinfo:libosinfo xmlns:libosinfo="http://libosinfo.org/xmlns/libvirt/domain/1.0">'
    '<libosinfo:os id="http://microsoft.com/win/{}"/></libosinfo:libosinfo></metadata>'
)
CLOCK = (
    "<clock offset='localtime'><timer name='rtc' tickpolicy='catchup'/><timer name='pit' tickpolicy='delay'/>"
    "<timer name='hpet' present='no'/>{}</clock>"
)
HYPERVCLOCK = "<timer name='hypervclock' present='yes'/>"
UEFI = "<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader>"


def domain(release: str, *, vcpus: int = 1, uefi: bool = False, hyperv: str = "", clock: str = "") -> str:
    return (
        f"<domain type='kvm'><name>guest</name>{OSINFO.format(release)}<vcpu>{vcpus}</vcpu>"
        f"<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type>{UEFI if uefi else ''}</os>"
        f"<features><acpi/>{f'<hyperv>{hyperv}</hyperv>' if hyperv else ''}</features>"
        f"<cpu mode='host-passthrough'><topology sockets='1' cores='{vcpus}' threads='1'/></cpu>{CLOCK.format(clock)}"
        "</domain>"
    )


def found(text: str, kind: Syntax = DOMAIN) -> list[str]:
    hosts = tuple(read_host(str(HOSTS / f"debian-{number}.json")) for number in (12, 13))
    result = lint(text.encode(), "x", kind, Job(choose(all_rules()), Facts(hosts)))
    return sorted({finding.rule for finding in result.findings})


@pytest.mark.parametrize("release", ["xp", "2k3", "2k3r2"])
def test_what_looks_for_no_hypervisor_is_left_alone(release: str) -> None:
    assert found(domain(release, vcpus=2)) == []
    assert "windows-without-hyperv" in found(domain("10", vcpus=2))


@pytest.mark.parametrize("release", ["vista", "2k8", "7", "2k8r2"])
def test_no_synthetic_timers_before_windows_8(release: str) -> None:
    hyperv = "<relaxed state='on'/><vapic state='on'/><vpindex state='on'/><runtime state='on'/><ipi state='on'/>"
    text = domain(release, hyperv=hyperv, clock=HYPERVCLOCK)
    assert "no-stimer" not in found(text)
    assert "no-stimer" in found(text.replace(f"win/{release}", "win/10"))


@pytest.mark.parametrize("release", ["7", "2k8r2"])
def test_uefi_and_several_vcpus_bear_no_enlightenment(release: str) -> None:
    hyperv = "<relaxed state='on'/>"
    assert found(domain(release, vcpus=4, uefi=True)) == []
    assert "hangs-with-uefi" in found(domain(release, vcpus=4, uefi=True, hyperv=hyperv))
    for bears in (
        domain(release, vcpus=4, hyperv=hyperv),
        domain(release, uefi=True, hyperv=hyperv),
        domain("10", vcpus=4, uefi=True, hyperv=hyperv),
    ):
        assert "hangs-with-uefi" not in found(bears)


@pytest.mark.parametrize("release", ["xp", "2k3", "7"])
def test_a_fix_turns_nothing_on_that_the_release_does_not_use(release: str) -> None:
    text = domain(release, vcpus=4, uefi=True)
    job = Job(choose(all_rules()), Facts(), with_edits=True)
    fixed = apply_fixes(text.encode(), "x", DOMAIN, job, (Safety.SAFE, Safety.UNSAFE)).data
    assert read_domain(fixed, "x").enabled() == {}


def test_ticks_are_counted_where_there_are_no_synthetic_timers_to_use() -> None:
    words = (
        "qemu-system-x86_64 -accel kvm -machine pc-q35-9.2,hpet=off -rtc base=localtime -name {} -cpu host,hv_relaxed,"
    )
    stimer = "hv_vapic,hv_vpindex,hv_runtime,hv_time,hv_synic,hv_stimer"
    for name, properties, counted in (
        ("win11", stimer, False),
        ("windows", stimer, False),
        ("win7", stimer, True),
        ("win11", "hv_vapic,hv_vpindex,hv_time", True),
    ):
        assert ("timer-policy" in found(words.format(name) + properties, COMMAND_LINE)) is counted, (name, properties)


@pytest.mark.parametrize(
    ("cpu", "wrong"),
    [
        ("<cpu mode='custom'><model>qemu64</model></cpu>", True),
        ("<cpu mode='custom'><model>kvm64</model></cpu>", True),
        ("", True),  # QEMU's default
        ("<cpu mode='custom'><model>Nehalem</model></cpu>", False),
        ("<cpu mode='host-model'/>", False),
        ("<cpu mode='host-passthrough'><feature policy='disable' name='sse4.2'/></cpu>", True),
        ("<cpu mode='host-passthrough'><feature policy='disable' name='svm'/></cpu>", False),
        ("<cpu><model>qemu64</model><feature name='sse4.2'/><feature name='popcnt'/></cpu>", False),
    ],
)
def test_a_processor_on_which_windows_11_does_not_boot(cpu: str, wrong: bool) -> None:
    text = domain("11")
    text = text[: text.index("<cpu")] + cpu + text[text.index("<clock") :]
    assert ("cpu-model-too-old" in found(text)) is wrong
    assert "cpu-model-too-old" not in found(text.replace("win/11", "win/10"))


@pytest.mark.parametrize(
    ("vcpus", "topology", "rules"),
    [
        ("4", "", ["many-sockets"]),
        ("<vcpu current='1'>4</vcpu>", "", ["many-sockets"]),
        ("1", "", []),
        ("4", "<topology sockets='1' dies='1' cores='2' threads='2'/>", []),
        ("8", "<topology sockets='4' cores='2' threads='1'/>", ["many-sockets"]),
    ],
)
def test_sockets_that_windows_does_not_use(vcpus: str, topology: str, rules: list[str]) -> None:
    text = domain("10")
    written = vcpus if vcpus.startswith("<") else f"<vcpu>{vcpus}</vcpu>"
    text = text.replace("<vcpu>1</vcpu>", written)
    text = text.replace("<topology sockets='1' cores='1' threads='1'/>", topology)
    assert [rule for rule in found(text) if rule == "many-sockets"] == rules
    assert "many-sockets" not in found(text.replace("win/10", "win/2k22"))
    job = Job(tuple(one for one in choose(all_rules()) if one.rule.id == "many-sockets"), Facts(), with_edits=True)
    fixed = apply_fixes(text.encode(), "x", DOMAIN, job, (Safety.UNSAFE,)).data.decode()
    assert "many-sockets" not in found(fixed)
    cells = text.replace("</cpu>", "<numa><cell id='0' cpus='0' memory='1'/></numa></cpu>")
    assert "<numa>" in cells
    assert apply_fixes(cells.encode(), "a.xml", DOMAIN, job, tuple(Safety)).data == cells.encode()
    guest = read_domain(fixed.encode(), "x")
    assert (
        guest.topology is None
        or None in guest.topology[2:]
        or not rules
        or (
            (guest.topology.sockets, (guest.topology.cores or 0) * (guest.topology.threads or 0))
            == (1, guest.most_vcpus or guest.vcpus)
        )
    )


@pytest.mark.parametrize(
    ("machine", "smp", "wrong"),
    [
        ("pc-q35-6.1", "8", True),
        ("pc-i440fx-5.2", "8", True),
        ("pc-q35-6.1", "2,maxcpus=8", True),
        ("pc-q35-6.1", "8,threads=2", True),
        ("pc-q35-6.1", "4,threads=2", False),
        ("pc-q35-6.1", "8,sockets=1", False),
        ("pc-q35-6.1", "8,cores=8", False),
        ("pc-q35-6.2", "8", False),
        ("pc-i440fx-7.2", "8", False),
        ("pc-q35-6.2", "8,threads=2", False),
        ("pc-q35-6.2", "8,cores=2", True),
        ("q35", "8", False),  # which version that is, nobody knows
        ("pc-q35-rhel8.6.0", "8", False),
    ],
)
def test_sockets_that_qemu_makes(machine: str, smp: str, wrong: bool) -> None:
    text = f"qemu-system-x86_64 -accel kvm -machine {machine} -cpu host -smp {smp} -name win10"
    assert ("many-sockets" in found(text, COMMAND_LINE)) is wrong
    assert "many-sockets" not in found(text.replace(smp, "8,sockets=1,cores=8"), COMMAND_LINE)


def test_the_default_of_virt_manager_has_no_finding() -> None:
    """Windows 11 as virt-manager 5 makes it with two vCPUs, and libvirt 11 writes it back
    (virt-manager:tests/data/cli/compare/virt-install-win11.xml)."""
    data = (ROOT / "tests" / "lint" / "virt-manager-win11.xml").read_bytes()
    assert lint(data, "win11.xml", DOMAIN, Job(choose(all_rules()))).findings == ()
    # Of four sockets even Pro uses two.
    four = data.replace(b">2</vcpu>", b">4</vcpu>")
    assert [one.rule for one in lint(four, "win11.xml", DOMAIN, Job(choose(all_rules()))).findings] == ["many-sockets"]


@pytest.mark.parametrize("release", ["2k3", "2k8r2"])
def test_sockets_of_servers(release: str) -> None:
    text = domain(release, vcpus=8).replace("<topology sockets='1' cores='8' threads='1'/>", "")
    assert "many-sockets" in found(text)
    assert "many-sockets" not in found(text.replace(">8<", ">4<"))


@pytest.mark.parametrize(
    ("name", "severity"), [("winxp", "info"), ("win2003", "info"), ("winvista", "warning"), ("win10", "warning")]
)
def test_an_hpet_is_no_warning_where_it_is_not_known_to_be_used(name: str, severity: str) -> None:
    text = f"qemu-system-x86_64 -accel kvm -machine pc-i440fx-7.2 -cpu host -rtc base=localtime -name {name}"
    job = Job(choose(all_rules()))
    (one,) = [one for one in lint(text.encode(), "x", COMMAND_LINE, job).findings if one.rule == "hpet-on"]
    assert one.severity.value == severity
    assert ("not known to use it" in one.message) is (severity == "info")
    assert one.why.startswith("Windows from Vista on prefers")


@pytest.mark.parametrize(
    ("models", "instead"),
    [(("EPYC", "EPYC-Rome", "qemu64"), "EPYC-Rome"), (("EPYC", "qemu64"), "EPYC"), (("qemu64",), ""), (None, "")],
)
def test_the_model_is_named_that_all_hosts_can_give(models: tuple[str, ...] | None, instead: str) -> None:
    qemu = made_qemu()
    every = made_amd_host("a", qemu=(qemu._replace(models=("EPYC", "EPYC-Rome", "qemu64")),))
    hosts = (every, made_amd_host("b", qemu=(qemu._replace(models=models),)))
    job = Job(tuple(one for one in choose(all_rules()) if one.rule.id == "cpu-model-too-old"), Facts(hosts))
    command = "qemu-system-x86_64 -accel kvm -cpu qemu64 -name win11"
    xml = domain("11").replace("<cpu mode='host-passthrough'>", "<cpu mode='custom'><model>qemu64</model>")
    for text, syntax, written in (
        (command, COMMAND_LINE, "-cpu {}"),
        (xml, DOMAIN, "<cpu mode='custom'><model>{}</model></cpu>"),
    ):
        (one,) = lint(text.encode(), "x", syntax, job).findings
        said = f"write {written.format(instead)}: every host can give it" if instead else "write a model from Nehalem"
        assert one.instead.startswith(said)
        if instead:
            assert lint(text.replace("qemu64", instead).encode(), "x", syntax, job).findings == ()
