"""Rules line by line: what is written, and where exactly something is found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lxml import etree

from hvctl.guest.syntax import COMMAND_LINE, DOMAIN, Syntax
from hvctl.host.host_file import read_host
from hvctl.lint.engine import Job, choose, lint
from hvctl.lint.rule import Facts, all_rules
from hvctl.model.finding import Severity
from hvctl.model.host import Host
from hvctl.profile.reader import load_profile
from tests.made_hosts import (
    made_amd_host,
    made_intel_host,
    made_libvirt,
    made_no_hyperv_host,
    made_old_kernel_host,
    made_qemu,
)
from tests.model.test_host import pool_of
from tests.paths import HOSTS, ROOT, RULE_CASES

DEBIAN_12, DEBIAN_13 = (read_host(str(HOSTS / f"debian-{number}.json")) for number in (12, 13))
EVERY = choose(all_rules())
START = {rule.id for rule in all_rules() if rule.severity == "error"}
Places = list[tuple[str, int, int]]


def found(text: str, *hosts: Host, kind: Syntax = DOMAIN, profile: str = "") -> Places:
    facts = Facts(hosts, load_profile(profile) if profile else None)
    findings = lint(text.encode(), "x", kind, Job(EVERY, facts)).findings
    return [(one.rule, one.span.line, one.span.column) for one in findings]


def errors(text: str, *hosts: Host, kind: Syntax = DOMAIN) -> Places:
    return [place for place in found(text, *hosts, kind=kind) if place[0] in START]


HYPERV = """\
<domain type='kvm'>
<os><type machine='pc-q35-7.2'/></os>
<features><hyperv{mode}>
{lines}
</hyperv></features>
{rest}</domain>
"""


def domain(*lines: str, rest: str = "", mode: str = "") -> str:
    return HYPERV.format(lines="\n".join(lines), rest=rest, mode=mode)


CLOCK = "<clock offset='localtime'><timer name='hypervclock' present='yes'/></clock>\n"
ON = " state='on'/>"


@pytest.mark.parametrize(
    ("text", "places"),
    [
        (domain(f"<relaxed{ON}"), []),
        (domain(f"<synic{ON}"), [("requirement-missing", 4, 1)]),
        (domain(f"<synic{ON}").replace("q35-7.2", "q35-3.0"), []),
        (domain(f"<stimer{ON}"), [("requirement-missing", 4, 1)]),
        (domain(f"<stimer{ON}", f"<synic{ON}", f"<vpindex{ON}"), [("stimer-without-hypervclock", 4, 1)]),
        (domain(f"<stimer{ON}", f"<synic{ON}", f"<vpindex{ON}", rest=CLOCK), []),
        (domain(f"<ipi{ON}", "<vpindex state='off'/>"), [("requirement-missing", 4, 1)]),
        (
            domain("<ipi\n  state='on'/>", f"<tlbflush{ON}"),
            [("requirement-missing", 4, 1), ("requirement-missing", 6, 1)],
        ),
        (domain("<ipi state='off'/>"), []),
        (domain(f"<evmcs{ON}"), [("requirement-missing", 4, 1)]),
        (domain(f"<ipi{ON}", f"<vpindex{ON}", "<vpindex state='off'/>"), [("requirement-missing", 4, 1)]),
        (domain(f"<tlbflush state='on'><direct{ON}</tlbflush>", f"<vpindex{ON}"), [("requirement-missing", 4, 22)]),
        (domain(f"<ipi{ON}", mode=" mode='passthrough'"), [("passthrough-with-children", 3, 19)]),
        (domain("<relaxed/>"), [("invalid-value", 4, 1)]),
        (domain("<relaxed  state =\t'ON'/>"), [("invalid-value", 4, 11)]),
        (domain("<nothing/>"), [("unknown-enlightenment", 4, 1)]),
        (
            domain("<stimer state='on'><period/></stimer>", f"<synic{ON}", f"<vpindex{ON}", rest=CLOCK),
            [("unknown-enlightenment", 4, 20)],
        ),
        (domain("<x:relaxed xmlns:x='urn:x' state='on'/>"), []),
        (domain("<spinlocks state='on' retries='4094'/>"), [("spinlocks-out-of-range", 4, 23)]),
        (domain("<spinlocks state='on' retries='4294967296'/>"), [("spinlocks-out-of-range", 4, 23)]),
        (domain("<spinlocks state='on' retries='4294967295'/>", f"<relaxed{ON}"), []),
        (domain("<spinlocks state='off' retries='1'/>"), []),
        (domain("<spinlocks state='on' retries='many'/>"), [("invalid-value", 4, 23)]),
        (domain("<spinlocks state='on' retries='0b1000000000000'/>"), [("invalid-value", 4, 23)]),
        (domain("<spinlocks state='on'/>"), []),
        (domain("<vendor_id state='on' value='1234567890abc'/>"), [("vendor-id-invalid", 4, 23)]),
        (domain("<vendor_id state='on' value='éééééé'/>"), []),
        (domain("<vendor_id state='on' value='ééééééé'/>"), [("vendor-id-invalid", 4, 23)]),
        (domain("<vendor_id state='on' value='a,b'/>"), [("vendor-id-invalid", 4, 23)]),
        (domain("<vendor_id state='on'/>"), [("invalid-value", 4, 1)]),
        (domain(f"<relaxed{ON}").replace("'kvm'", "'qemu'"), [("not-kvm", 1, 9)]),
        (domain("<relaxed state='off'/>").replace("'kvm'", "'qemu'"), []),
        (domain(f"<relaxed{ON}").replace("'kvm'", "'xen'"), []),
        (domain(f"<synic{ON}", f"<stimer{ON}").replace("'kvm'", "'xen'"), []),
        (domain(f"<relaxed{ON}").replace("'kvm'", "'hvf'"), [("not-kvm", 1, 9)]),
        (domain(f"<synic{ON}", "<vpindex/>"), [("requirement-missing", 4, 1), ("invalid-value", 5, 1)]),
        (domain(f"<relaxed{ON}").replace(" type='kvm'", ""), [("not-kvm", 1, 1)]),
        (domain(mode=" mode='all'"), [("invalid-value", 3, 19)]),
        (domain(rest="<clock><timer name='hpet' present='off'/></clock>"), [("invalid-value", 6, 27)]),
        (domain(rest="<cpu mode='maximum'><feature name='hv-time'/></cpu>"), [("hv-cpu-feature", 6, 30)]),
        (
            domain(rest="<cpu mode='maximum'><feature policy='disable' name='hv_evmcs'/></cpu>"),
            [("hv-cpu-feature", 6, 47)],
        ),
        (
            domain(rest="<cpu mode='maximum'><feature name='pmu'/><feature name='nx'/></cpu>"),
            [("unknown-cpu-feature", 6, 30)],
        ),
        (
            domain(rest="<cpu mode='maximum'><feature name='sse3'/><feature name='pni'/></cpu>"),
            [("unknown-cpu-feature", 6, 30)],
        ),
        (
            domain(rest="<cpu mode='maximum'><feature name='md_clear'/><feature name='md_clear'/></cpu>"),
            [("unknown-cpu-feature", 6, 30), ("unknown-cpu-feature", 6, 56)],
        ),
        ("<domstatus>\n" + domain(f"<synic{ON}") + "</domstatus>", [("requirement-missing", 5, 1)]),
    ],
)
def test_what_does_not_start(text: str, places: Places) -> None:
    assert errors(text) == places


QEMU = "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n{}</qemu:commandline>\n"


def argument(*words: str) -> str:
    return QEMU.format("".join(f"<qemu:arg value='{word}'/>\n" for word in words))


@pytest.mark.parametrize(
    ("arguments", "places"),
    [
        (["-global", "x86_64-cpu.hv-relaxed=on"], [("written-twice", 8, 11)]),
        (["-global", "host-x86_64-cpu.hv-relaxed=off"], []),
        (["-global", "qemu64-x86_64-cpu.hv-relaxed=off"], [("written-twice", 8, 11)]),
        (["-global", "x86_64-cpu.hv-vapic=on"], []),
        (["-global", "driver=cpu,property=hv-synic,value=on"], [("requirement-missing", 8, 11)]),
        (["-global", "x86_64-cpu.hv-what=on"], [("unknown-enlightenment", 8, 11)]),
        (["-global", "x86_64-cpu.hv-vapic=maybe"], [("invalid-value", 8, 11)]),
        (["-cpu", "host,hv_vpindex"], [("replaced-cpu", 8, 11)]),
        (["-global", "kvm-pit.lost_tick_policy=discard"], []),
        (["-global"], []),
        (["-global", "x86_64-cpu.hv_vapic=on"], [("unknown-enlightenment", 8, 11)]),
        (["-global", "x86_64-cpu.hv-no-nonarch-coresharing=on"], [("coresharing-unpinned", 8, 11)]),
    ],
)
def test_arguments_beside_elements(arguments: list[str], places: Places) -> None:
    assert errors(domain(f"<relaxed{ON}", rest=argument(*arguments))) == places


BESIDE = {"hpet-on", "timer-policy", "no-stimer", "no-hypervclock", "vapic-missing", "synic-without-stimer"}


@pytest.mark.parametrize(
    ("arguments", "rules"),
    [
        (["-global", "x86_64-cpu.hv-vpindex=off", "-cpu", "host,hv-synic,hv-vpindex"], []),
        (["-global", "cpu.hv-vpindex=off", "-global", "cpu.hv-vpindex=on", "-global", "cpu.hv-synic=on"], []),
        (["-cpu", "host,hv-synic,hv-vpindex=off,hv-vpindex"], []),
        (["-cpu", "host,hv-synic,+hv-vpindex,hv-vpindex=off"], []),
        (["-cpu", "host,-hv-vpindex,hv-synic,hv-vpindex=on"], ["requirement-missing"]),
        (["-cpu", "host,hv-synic", "-cpu", "host,hv-relaxed"], ["replaced-cpu"]),
        (["-cpu", "host,+hv_relaxed"], ["unknown-enlightenment"]),
        (["-cpu", "host,hv-synic,x-hv-synic-kvm-only=on"], []),
        (
            ["-cpu", "host,hv-passthrough,-hv-evmcs,hv-synic"],
            ["disabled-after-passthrough", "passthrough-blocks-migration"],
        ),
        (["-cpu", "host,hv-passthrough,hv-syndbg=off"], ["passthrough-blocks-migration"]),
        (["-cpu", "host,hv-reenlightenment,tsc-freq=2G"], []),
        (["-cpu", "host,hv-relaxed,-hypervisor"], ["hypervisor-hidden"]),
    ],
)
def test_a_processor_among_the_arguments_is_read_as_qemu_reads_it(arguments: list[str], rules: list[str]) -> None:
    text = "<domain type='kvm'><os><type machine='pc-q35-7.2'/></os>\n" + argument(*arguments) + "</domain>"
    places = [place for place in found(text) if place[0] not in BESIDE]
    assert [place[0] for place in places] == rules
    # All of them are about the last value.
    assert {place[1:] for place in places} <= {(len(arguments) + 2, 11)}


RUN = "qemu-system-x86_64 -accel kvm -M pc-q35-7.2 "
QUIET = {"hpet-on", "timer-policy", "no-stimer", "no-hypervclock", "vapic-missing"}


@pytest.mark.parametrize(
    ("text", "places"),
    [
        (RUN + "-cpu host,hv_ipi", [("requirement-missing", 1, 55)]),
        (RUN + "-cpu 'host,hv_ipi'", [("requirement-missing", 1, 56)]),
        (RUN + "-cpu host,hv_ipi,hv-vpindex=off", [("requirement-missing", 1, 55)]),
        (RUN + "-cpu host,+hv-ipi,hv_vpindex=on", []),
        (RUN + "\\\n  -cpu host,hv_stimer", [("requirement-missing", 2, 13)]),
        (RUN + "-cpu host,hv_what", [("unknown-enlightenment", 1, 55)]),
        (RUN + "-cpu host,+hv_relaxed", [("unknown-enlightenment", 1, 55)]),
        (RUN + "-cpu host,hv_relaxed=maybe", [("invalid-value", 1, 55)]),
        (RUN + "-cpu host -smp 0b10", [("invalid-value", 1, 60)]),
        (RUN + "-cpu host,hv_spinlocks=0x100", []),
        (RUN + "-cpu host,hv_vendor_id=NotMicrosoftHv", [("vendor-id-invalid", 1, 55), ("vendor-id-pointless", 1, 55)]),
        (
            RUN + "-cpu host,hv-passthrough,-hv-evmcs",
            [("passthrough-blocks-migration", 1, 55), ("disabled-after-passthrough", 1, 70)],
        ),
        (RUN + "-cpu host,hv_no_nonarch_coresharing=auto,hv_relaxed", [("coresharing-auto", 1, 55)]),
        (RUN + "-cpu host,hv_enforce_cpuid,hv_relaxed", [("debugging-only", 1, 55)]),
        (RUN + "-cpu host,hv_crash", [("crash-blocks-dump", 1, 55)]),
        (RUN + "-cpu host,invtsc=on,hv_relaxed", [("invtsc-without-frequency", 1, 55)]),
        (RUN + "-cpu host,invtsc=on,hv_relaxed,tsc-freq=2G", []),
        (RUN + "-cpu host,hv_reenlightenment", [("reenlightenment-without-frequency", 1, 55)]),
        (RUN.replace("kvm", "tcg") + "-cpu max,hv_relaxed", [("not-kvm", 1, 27)]),
        (RUN.replace("pc-q35-7.2", "q35") + "-cpu host,hv_relaxed", [("unversioned-machine", 1, 34)]),
        (RUN + "-name win11 -cpu host", [("clock-offset", 1, 1), ("windows-without-hyperv", 1, 1)]),
        (RUN + "-name win11 -cpu host -rtc base=utc", [("windows-without-hyperv", 1, 1), ("clock-offset", 1, 72)]),
        (RUN + "-cpu host,hv_relaxed $EXTRA", []),
        (RUN + "-cpu $CPU", []),
        (RUN + "-global x86_64-cpu.hv-reset=on -cpu host,hv_relaxed", [("reset-pointless", 1, 53)]),
        ("-cpu host,hv_ipi -M pc-q35-7.2", [("requirement-missing", 1, 11)]),
        ("set -e\ncd /tmp; " + RUN + "-cpu host,hv_ipi\necho -cpu host,hv_evmcs", [("requirement-missing", 2, 64)]),
        (
            RUN + "-cpu host,hv_ipi\n" + RUN + "-cpu host,hv_ipi",
            [("requirement-missing", 1, 55), ("requirement-missing", 2, 55)],
        ),
        ("/usr/bin/kvm\0-M\0pc-q35-7.2\0-cpu\0host,hv_ipi\0", [("requirement-missing", 1, 38)]),
        (RUN + "-cpu host,-hypervisor,hv_relaxed", [("hypervisor-hidden", 1, 55)]),
        (RUN + "-cpu host,-hypervisor", []),
        (RUN + "-name win11 -cpu $CPU -rtc base=localtime", []),
        (RUN.replace("kvm", "tcg") + "-cpu $CPU", []),
        ("cat <<EOF\nit's\nEOF\n" + RUN + "-cpu host,hv_ipi", [("requirement-missing", 4, 55)]),
        ("echo $'it\\'s'", []),
        ("echo -cpu host,hv_ipi", []),
        ("qemu-system-aarch64 -cpu max,hv_ipi", []),
        ("qemu-system-aarch64 -M virt -accel kvm -name win11 -cpu max", []),
        ("virt-install --virt-type kvm --name win11 --cpu host", []),
        ("docker run --device=/dev/kvm --name windows -v a:/b image", []),
        ("usermod -aG kvm -s /bin/sh win11; QEMU=/usr/bin/qemu-system-x86_64 -name win11", []),
        ("nice -n 5 " + RUN + "-cpu host,hv_ipi", [("requirement-missing", 1, 65)]),
        ("if " + RUN + "-cpu host,hv_ipi; then echo -cpu host,hv_evmcs; fi", [("requirement-missing", 1, 58)]),
        (RUN + "-cpu host,hv_ipi& wait -name win11", [("requirement-missing", 1, 55)]),
        (RUN + "-cpu host,'hv_ipi;'", [("unknown-enlightenment", 1, 56)]),
        (RUN + "-cpu host,hv_relaxed -cpu \"'help'\"", [("replaced-cpu", 1, 1)]),  # a CPU of which nothing is known
        (RUN + "-cpu host,hv_ipi\\;", [("unknown-enlightenment", 1, 55)]),
        (RUN + "\\\r\n  -cpu host,hv_ipi\r\necho -name win11\r\n", [("requirement-missing", 2, 13)]),
        (RUN + "-cpu host,hv_synic,x-hv-synic-kvm-only=on", [("synic-without-stimer", 1, 55)]),
        (
            RUN.replace("q35-7.2", "q35-3.0") + "-cpu host,hv_synic,x-hv-synic-kvm-only=off",
            [("requirement-missing", 1, 55), ("synic-without-stimer", 1, 55)],
        ),
        (RUN.replace("kvm", "tcg") + "-cpu max,hv_synic,hv_vpindex", [("not-kvm", 1, 27)]),
    ],
)
def test_command_lines(text: str, places: Places) -> None:
    assert [place for place in found(text, kind=COMMAND_LINE) if place[0] not in QUIET] == places


@pytest.mark.parametrize(
    ("words", "rules"),
    [
        ("-M pc-q35-7.2 -cpu host,hv_relaxed", ["hpet-on", "timer-policy"]),
        ("-M pc-q35-7.2 -cpu host,hv_relaxed $EXTRA", []),
        ("-M $M -cpu host,hv_relaxed", []),
        ("-M pc-q35-7.2,hpet=on -cpu host,hv_relaxed $EXTRA", ["hpet-on"]),
        ("-cpu host,hv_relaxed", ["hpet-on", "timer-policy", "unversioned-machine"]),
        ('-cpu host,hv_relaxed "${MORE[@]}"', []),
        ("-M pc-q35-7.2,hpet=$HPET -rtc driftfix=$FIX -cpu host,hv_relaxed", []),
        ("-cpu $CPU", []),
    ],
)
def test_what_a_shell_puts_in_is_not_taken_for_missing(words: str, rules: list[str]) -> None:
    text = f"qemu-system-x86_64 -accel kvm {words}"
    absent = {"hpet-on", "timer-policy", "unversioned-machine"}
    assert sorted({place[0] for place in found(text, kind=COMMAND_LINE)} & absent) == rules


@pytest.mark.parametrize(
    "text",
    [
        "QEMU=/usr/bin/qemu-system-x86_64\n",
        "if [ ! -e /dev/kvm ]; then modprobe kvm; fi\n",
        "command -v qemu-system-x86_64 >/dev/null || apt-get install -y qemu-kvm\n",
        "qemu-system-x86_64 --version\nkvm -cpu help\nkvm -machine help | grep q35\n",
        "lsmod | grep kvm\n",
    ],
)
def test_what_runs_no_guest_is_none_whatever_the_profile(text: str) -> None:
    assert found(text, kind=COMMAND_LINE, profile="windows-11") == []


@pytest.mark.parametrize(
    ("options", "rules"),
    [
        ("-M pc-q35-7.2,accel=$ACCEL -cpu host,hv_relaxed,hv_vapic", []),
        ('-M pc-q35-7.2 -accel "${ACCEL:-kvm}" -cpu host,hv_relaxed,hv_vapic', []),
        ("-M pc-q35-7.2 -accel kvm -cpu host,hv_synic=$SYNIC,hv_spinlocks=`cat n`", []),
        ("-M pc-q35-7.2 -accel kvm -cpu host,hv_vendor_id=${VENDOR_OF_THE_GUEST},invtsc=$INVTSC,$MORE", []),
        ("-M pc-q35-7.2 -accel kvm -global x86_64-cpu.hv-relaxed=$R -cpu host,hv_vapic", []),
        ("-M pc-q35-7.2 -accel kvm -global kvm-pit.lost_tick_policy=$P -cpu host,hv_vapic", []),
        ("-M pc-q35-7.2 -accel kvm -cpu host,hv_ipi,hv_vpindex,hv_relaxed=maybe,$MORE", ["invalid-value"]),
        ("-M pc-q35-7.2 -accel kvm -cpu 'host,hv_relaxed=$R'", ["invalid-value"]),
    ],
)
def test_what_a_shell_puts_in_is_not_judged(options: str, rules: list[str]) -> None:
    places = found(f"qemu-system-x86_64 {options}", kind=COMMAND_LINE)
    assert [place[0] for place in places if place[0] not in QUIET] == rules


FULL = [f"<{name}{ON}" for name in ("relaxed", "vapic", "vpindex", "synic", "stimer")]
TIMERS = (
    "<clock offset='localtime'>\n<timer name='rtc' tickpolicy='catchup'/>\n<timer name='pit' tickpolicy='delay'/>\n"
    "<timer name='hpet' present='no'/>\n<timer name='hypervclock' present='yes'/>\n</clock>\n"
)
GOOD = domain(*FULL, rest=TIMERS)
WITHOUT = "windows-without-hyperv"
HIDDEN = ("hypervisor-hidden", 16, 47)


@pytest.mark.parametrize(
    ("old", "new", "places"),
    [
        ("", "", []),
        ("<hyperv>", "<hyperv mode='host-model'>", [("host-model-brings-more", 3, 19)]),
        (" machine='pc-q35-7.2'", "", [("unversioned-machine", 2, 5)]),
        (FULL[4], "", [("synic-without-stimer", 7, 1)]),
        (FULL[1], "", [("vapic-missing", 3, 11)]),
        ("<timer name='hpet' present='no'/>", "", [("hpet-on", 10, 1)]),
        ("'no'", "'yes'", [("hpet-on", 13, 20)]),
        ("'catchup'", "'delay'", []),
        ("<timer name='rtc' tickpolicy='catchup'/>", "", []),
        ("'delay'", "'merge'", [("timer-policy", 12, 19)]),
        ("'delay'", "'discard'", []),
        ("'localtime'", "'utc'", []),
        ("<os>", "<name>win2k22</name><os>", []),
        ("<os>", "<name>winter</name><os>", []),
        ("</domain>", "<devices><panic model='hyperv'/></devices></domain>", [("crash-blocks-dump", 16, 17)]),
        ("</domain>", "<devices><panic model='isa'/></devices></domain>", []),
        ("</domain>", "<cpu mode='maximum'><feature policy='disable' name='hypervisor'/></cpu></domain>", [HIDDEN]),
        ("</domain>", "<cpu mode='maximum'><feature policy='optional' name='hypervisor'/></cpu></domain>", []),
        ("</domain>", "<cpu mode='maximum'><feature policy='require' name='hypervisor'/></cpu></domain>", []),
        (FULL[0], FULL[0] + FULL[1], [("repeated-element", 4, 22)]),
        (FULL[0], "<stimer state='off'/><relaxed state='on'/>", [("repeated-element", 4, 1)]),
        (FULL[0] + "\n", "</hyperv><hyperv>" + FULL[4] + "\n", [("repeated-element", 4, 18)]),
        (FULL[0], FULL[0] + "<spinlocks state='on'/>", [("spinlocks-without-retries", 4, 22)]),
        (FULL[0], FULL[0] + "<spinlocks state='off'/>", []),
        (FULL[0], FULL[0] + "<vendor_id state='on'/>", [("invalid-value", 4, 22)]),
    ],
)
def test_what_is_slow_or_dangerous(old: str, new: str, places: Places) -> None:
    assert found(GOOD.replace(old, new, 1)) == places


def test_of_several_elements_the_last_mode_counts() -> None:
    inside = "<hyperv mode='passthrough'><relaxed state='on'/></hyperv>"
    text = f"<domain type='kvm'><features>{inside}<!-- --></features></domain>"
    assert "passthrough-with-children" in [place[0] for place in found(text)]
    assert "passthrough-with-children" not in [place[0] for place in found(text.replace("<!-- -->", "<hyperv/>"))]


@pytest.mark.parametrize(
    ("name", "windows"),
    [
        *((name, True) for name in ("win11", "windows", "Windows-10", "my-win2019-dc", "WIN_XP", "w-win7", "win 8")),
        *((name, True) for name in ("win2k22", "win2012r2", "w2k19", "W2K8R2")),
        *((name, False) for name in ("linux", "winter", "darwin11", "rewind", "window7", "twin11a", "win", "")),
        *((name, False) for name in ("w2", "gw2k8", "win100", "windowsill", "winserverless")),
        *((name, True) for name in ("win10x64", "Win11Pro", "win2022std", "WindowsServer2019", "winserver")),
    ],
)
def test_windows_is_known_by_its_name(name: str, windows: bool) -> None:
    text = GOOD.replace("<os>", f"<name>{name}</name><os>").replace("'localtime'", "'utc'")
    assert (("clock-offset", 10, 8) in found(text)) is windows


@pytest.mark.parametrize(
    ("head", "rules"),
    [
        ("type='kvm'><os><type arch='aarch64' machine='virt'/></os>", []),
        ("type='xen'><os><type arch='x86_64'/></os>", []),
        (
            "type='kvm'><os><type arch='x86_64' machine='pc-i440fx-7.2'/></os>",
            ["cpu-model-too-old", "hpet-on", "timer-policy", WITHOUT],
        ),
    ],
)
def test_windows_elsewhere_is_left_alone(head: str, rules: list[str]) -> None:
    text = f"<domain {head}<name>win11</name><clock offset='localtime'/></domain>"
    assert sorted(place[0] for place in found(text)) == rules


@pytest.mark.parametrize(
    ("system", "windows"),
    [
        ("http://microsoft.com/win/11", True),
        ("http://microsoft.com/win/2k22", True),
        ("http://debian.org/debian/12", False),
    ],
)
def test_libosinfo_knows_better(system: str, windows: bool) -> None:
    info = (
        "<metadata><l:libosinfo xmlns:l='http://libosinfo.org/xmlns/libvirt/domain/1.0'>"
        f"<l:os id='{system}'/></l:libosinfo></metadata>"
    )
    text = GOOD.replace("<os>", f"<name>win11</name>{info}<os>").replace("'localtime'", "'utc'")
    assert (("clock-offset", 10, 8) in found(text)) is windows


DEBIAN = (
    "<metadata><l:libosinfo xmlns:l='http://libosinfo.org/xmlns/libvirt/domain/1.0'>"
    "<l:os id='http://debian.org/debian/12'/></l:libosinfo></metadata>"
)
LINUX = domain(f"<vapic{ON}", rest=CLOCK).replace("<os>", f"{DEBIAN}<os>")
ARM = domain(f"<vapic{ON}", rest=CLOCK).replace("<type machine='pc-q35-7.2'", "<type arch='aarch64' machine='virt-7.2'")


@pytest.mark.parametrize("text", [LINUX, ARM])
def test_what_windows_wants_is_not_asked_of_others(text: str) -> None:
    assert found(text) == found(text, profile="windows-11") == []
    other = domain(f"<vapic{ON}", rest=CLOCK)
    assert {place[0] for place in found(other)} == {"hpet-on", "timer-policy", "no-stimer"}


def test_what_does_nothing_is_not_called_slow() -> None:
    assert [place[0] for place in found(GOOD.replace("'kvm'", "'qemu'", 1).replace(FULL[4], ""))] == ["not-kvm"]
    nothing = domain(f"<relaxed{ON}").replace("'kvm'", "'qemu'")
    rules = {place[0] for place in found(nothing, made_intel_host(), profile="nested-hyperv")}
    assert rules == {"not-kvm", "clock-offset"}


def test_one_fault_is_one_finding_that_names_or_counts_all_hosts_and_what_they_all_need() -> None:
    text = domain(*FULL, f"<tlbflush state='on'><extended{ON}</tlbflush>", f"<emsr_bitmap{ON}", rest=TIMERS)
    pool = pool_of(*(DEBIAN_12._replace(name=f"old{number}") for number in range(8)), DEBIAN_13).representatives()
    job = Job(choose(all_rules()), Facts(pool))
    findings = [one for one in lint(text.encode(), "x", DOMAIN, job).findings if one.rule != "recommended-missing"]
    assert [(one.rule, one.message.partition(":")[0], one.instead) for one in findings] == [
        (
            "not-supported-by-host",
            "tlbflush-ext is on, and old0 and 7 more cannot give it",
            "boot Linux 6.2 or newer and use libvirt 11.0.0 or newer there, or leave it out",
        ),
        (
            "unknown-to-libvirt",
            "the libvirt of old0 and 7 more does not know emsr_bitmap",
            "use libvirt 10.7.0 or newer there, or leave it out",
        ),
    ]
    # Of hosts that lack different things each is named with its own, and what else it will need.
    older_qemu = DEBIAN_13._replace(
        name="qemu", qemu=(made_amd_host(qemu=(made_qemu(unknown=("hv-tlbflush-ext",)),)).qemu[0],)
    )
    newer_libvirt = DEBIAN_12._replace(name="kernel", libvirt=DEBIAN_13.libvirt)
    older_libvirt = DEBIAN_13._replace(name="libvirt", libvirt=DEBIAN_12.libvirt)
    mixed = Job(choose(all_rules()), Facts((newer_libvirt, older_qemu, older_libvirt)))
    (finding, *_) = [one for one in lint(text.encode(), "x", DOMAIN, mixed).findings if one.span.line == 9]
    assert finding.message == (
        "tlbflush-ext is on, and kernel cannot give it: KVM does not report HV_EXT_GVA_RANGES_FLUSH_AVAILABLE; "
        "qemu cannot give it: /usr/bin/qemu-system-x86_64 does not know hv-tlbflush-ext"
    )
    assert finding.instead == (
        "boot Linux 6.2 or newer on kernel, use QEMU 7.1 or newer on qemu, use libvirt 11.0.0 or newer on libvirt; "
        "or leave it out"
    )
    # Nobody is told by silence: a finding that a configuration makes milder hides no other.
    milder = Job(choose(all_rules(), {"not-supported-by-host": Severity.INFO}), Facts(pool))
    assert [one.rule for one in lint(text.encode(), "x", DOMAIN, milder).findings if one.span.line == 9] == [
        "libvirt-does-not-compare",
        "not-supported-by-host",
        "unknown-to-libvirt",
    ]
    # Who asks for one rule alone gets its finding.
    alone = Job(choose([one for one in all_rules() if one.id == "unknown-to-libvirt"]), Facts(pool))
    assert [one.span.line for one in lint(text.encode(), "x", DOMAIN, alone).findings] == [9, 10]


@pytest.mark.parametrize(
    ("lines", "hosts", "places"),
    [
        ([*FULL, f"<evmcs{ON}"], (made_intel_host(),), [("synic-without-avic", 7, 1)]),
        ([*FULL, f"<evmcs{ON}"], (made_amd_host(),), [("evmcs-without-nested-intel", 9, 1)]),
        (
            [*FULL, f"<evmcs{ON}"],
            (made_intel_host(nested=False),),
            [("synic-without-avic", 7, 1), ("evmcs-without-nested-intel", 9, 1)],
        ),
        ([*FULL, f"<avic{ON}"], (made_intel_host(), made_amd_host()), [("avic-without-hardware", 9, 1)]),
        ([*FULL, f"<avic{ON}"], (made_intel_host(),), []),
        (FULL, (made_no_hyperv_host(),), [("not-supported-by-host", 4, 1)]),
        ([*FULL, f"<emsr_bitmap{ON}"], (DEBIAN_12,), [("unknown-to-libvirt", 9, 1)]),
        (
            [*FULL, f"<tlbflush state='on'><extended{ON}</tlbflush>"],
            (DEBIAN_12, DEBIAN_13),
            [("not-supported-by-host", 9, 22)],
        ),
    ],
)
def test_hosts(lines: list[str], hosts: tuple[Host, ...], places: Places) -> None:
    text = domain(*lines, rest=TIMERS)
    assert [place for place in found(text, *hosts) if place[0] != "recommended-missing"] == places


def test_the_mode_that_libvirt_chooses_by_is_younger_than_some() -> None:
    text = domain(mode=" mode='host-model'", rest=TIMERS)
    new = made_amd_host()._replace(libvirt=made_libvirt()._replace(version="11.9.0"))
    assert [place[0] for place in found(text, new)] == ["host-model-brings-more"]
    unknown = made_amd_host()._replace(libvirt=made_libvirt()._replace(version=None))
    assert [place[0] for place in found(text, new, unknown)] == ["host-model-brings-more"]
    assert ("unknown-to-libvirt", 3, 19) in found(text, new, DEBIAN_13)


def test_what_a_kernel_cannot_tell_is_skipped() -> None:
    text = domain(*FULL[:4], f"<stimer state='on'><direct{ON}</stimer>", rest=TIMERS)
    result = lint(text.encode(), "x", DOMAIN, Job(EVERY, Facts((made_old_kernel_host(),))))
    (skipped,) = [one for one in result.skipped if one.rule == "not-supported-by-host"]
    assert skipped.reason == "made-4.19: stimer-direct: this kernel has no way to tell (before 5.0)"


def test_a_profile_says_that_it_is_windows_and_nests() -> None:
    text = GOOD.replace("'localtime'", "'utc'")
    assert ("clock-offset", 10, 8) in found(text, profile="windows-11")
    nested = found(GOOD, DEBIAN_13, profile="nested-hyperv")
    assert ("nested-incomplete", 3, 11) in nested
    assert ("nested-incomplete", 3, 11) not in found(GOOD, DEBIAN_13, profile="windows-10")


PINNED = "<vcpu>2</vcpu><cputune><vcpupin vcpu='0' cpuset='0'/><vcpupin vcpu='1' cpuset='1'/></cputune>\n"


def test_pinned_vcpus_do_not_share() -> None:
    spinning = domain("<spinlocks state='on' retries='8191'/>", *FULL, rest=TIMERS + PINNED)
    assert found(spinning) == [("spinlocks-with-pinned-vcpus", 4, 1)]
    assert found(spinning.replace("<vcpu>2", "<vcpu>3")) == []
    for several in ("0-7", "0,4"):
        assert found(spinning.replace("cpuset='0'", f"cpuset='{several}'")) == []
    assert found(spinning.replace("cpuset='1'", "cpuset='0'")) == []
    promise = argument("-global", "x86_64-cpu.hv-no-nonarch-coresharing=on")
    topology = "<cpu><topology sockets='1' cores='2' threads='1'/></cpu>\n"
    assert errors(domain(*FULL, rest=TIMERS + PINNED + topology + promise)) == []
    floating = PINNED.replace("cpuset='0'", "cpuset='0-7'")
    assert [one[0] for one in errors(domain(*FULL, rest=TIMERS + floating + topology + promise))] == [
        "coresharing-unpinned"
    ]
    assert [one[0] for one in errors(domain(*FULL, rest=TIMERS + PINNED + promise))] == ["coresharing-unpinned"]


@pytest.mark.parametrize("path", sorted((HOSTS.parent / "golden").glob("*/*.xml")), ids=lambda path: path.parent.name)
def test_what_gen_writes_is_clean(path: Path) -> None:
    """But for everything that the host has, which nobody should write."""
    host = read_host(str(HOSTS / f"{path.stem}.json"))
    result = lint(path.read_bytes(), "x", DOMAIN, Job(EVERY, Facts((host,))))
    bad = {one.rule for one in result.findings if one.severity != "info"}
    assert bad == ({"passthrough-blocks-migration"} if path.parent.name == "passthrough" else set())


TIMED = "hv_relaxed,hv_vpindex,hv_time,hv_synic,hv_stimer"
BATCH = "qemu-system-x86_64.exe ^\r\n -machine q35,accel={} ^\r\n -cpu EPYC,hv_relaxed,hv_ipi\r\necho -cpu host\r\n"


@pytest.mark.parametrize(
    ("text", "places"),
    [
        (f"kvm -cpu host,{TIMED} -M pc-q35-7.2 -cpu host,kvm=off", [("replaced-cpu", 1, 83)]),
        (f"kvm -cpu host,kvm=off -M pc-q35-7.2 -cpu host,{TIMED}", []),
        (f"kvm -M pc-q35-7.2,kernel_irqchip=off -cpu host,{TIMED}", [("irqchip-off", 1, 8)]),
        (f"kvm -accel kvm,kernel-irqchip=off -M pc-q35-7.2 -cpu host,{TIMED}", [("irqchip-off", 1, 12)]),
        (f"kvm -M pc-q35-7.2,kernel-irqchip=split -cpu host,{TIMED}", []),
        ("kvm -M pc-q35-7.2,kernel-irqchip=off -cpu host,hv_relaxed", []),
        (f"kvm -M pc-q35-5.1 -cpu host,kvm=off,{TIMED}", [("kvmclock-missing", 1, 8)]),
        (f"kvm -M pc-q35-5.2 -cpu host,kvm=off,{TIMED}", []),
        (f"kvm -M pc-q35-5.1 -cpu host,{TIMED}", []),
        (f"kvm -M pc-q35-7.2 -cpu host,migratable=off,{TIMED}", [("migratable-off", 1, 29)]),
        (f"kvm -M pc-q35-7.2 -cpu host,migratable=off,invtsc=off,{TIMED}", []),
        (f"kvm -M pc-q35-7.2 -cpu host,migratable=off,tsc-frequency=2500000000,{TIMED}", []),
        (BATCH.format("whpx"), [("not-kvm", 2, 11), ("requirement-missing", 3, 23)]),
        (BATCH.format("kvm"), [("requirement-missing", 3, 23)]),
        ("kvm -M pc-q35-7.2 -global qemu64-x86_64-cpu.hv-synic=on", [("requirement-missing", 1, 27)]),
        ("kvm -M pc-q35-7.2 -cpu host -global EPYC-x86_64-cpu.hv-synic=on", []),
        ("kvm -M pc-q35-7.2 -cpu host,hv-passthrough,hv-vendor-id=KVM", [("passthrough-with-children", 1, 44)]),
    ],
)  # fmt: skip
def test_what_a_command_line_does_otherwise_than_it_looks(text: str, places: Places) -> None:
    """The last -cpu counts alone, classes of -global, scripts of Windows, and what the machine and KVM must have."""
    quiet = {*QUIET, "passthrough-blocks-migration", "unversioned-machine", "timer-policy", "hpet-on", "vapic-missing"}
    found_places = [place for place in found(text, kind=COMMAND_LINE) if place[0] not in quiet]
    assert [place for place in found_places if "synic" not in place[0] and "no-" not in place[0]] == places


REPLACED = ("hv-cpu-feature", "unknown-enlightenment")
WRITE_TO = re.compile(r"(<[^>]+/>) in <(\w+)>")


WITH_ELEMENTS = [
    rule.id for rule in all_rules() if WRITE_TO.search((RULE_CASES / rule.id / "expected.txt").read_text())
]


def test_many_rules_name_elements_to_write() -> None:
    assert len(WITH_ELEMENTS) > 8


@pytest.mark.parametrize("rule", WITH_ELEMENTS)
def test_who_obeys_gets_rid_of_the_finding(rule: str) -> None:
    """Every `write <...> in <...>`, carried out by hand on the file that fires; nothing else may come of it."""
    words = options.read_text().split() if (options := RULE_CASES / rule / "options").exists() else []
    hosts = [read_host(str(ROOT / word)) for word in words if word.endswith(".json")]
    data = (RULE_CASES / rule / "fires.xml").read_bytes()
    job = Job(EVERY, Facts(tuple(hosts)))
    findings = [
        one for one in lint(data, "x", DOMAIN, job).findings if one.rule == rule and WRITE_TO.search(one.instead)
    ]
    assert findings
    root = etree.fromstring(data)
    line = findings[0].span.line if rule in REPLACED else 0
    for above in root.iter("*"):
        for one in [one for one in above if int(str(one.sourceline)) == line]:
            above.remove(one)
    for element, parent in WRITE_TO.findall(findings[0].instead):
        write_into(root, etree.fromstring(element), parent)
    after = lint(etree.tostring(root), "x", DOMAIN, job).findings
    assert len([one for one in after if one.rule == rule]) < len([one for one in findings if one.rule == rule])
    assert {one.rule for one in after if one.severity == "error"} <= {one.rule for one in findings}


def write_into(root: etree._Element, new: etree._Element, parent: str) -> None:
    """Put an element where a message says, in the place of one of its name; parents of it are made."""
    around = {"hyperv": "features", "clock": "", "features": "", "devices": ""}
    above = root.find(f".//{parent}")
    if above is None:
        outer = root if not around[parent] else root.find(around[parent])
        if outer is None:
            outer = etree.SubElement(root, around[parent])
        above = etree.SubElement(outer, parent)
    old = [one for one in above.findall(new.tag) if one.get("name") == new.get("name")]
    for one in old:
        new.extend(list(one))
        above.remove(one)
    above.append(new)
