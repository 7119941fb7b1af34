"""Guests in other text: found where they are, with their lines and columns, and nothing else taken for one."""

from __future__ import annotations

import pytest

from hvctl.guest.embedded import Embedded, embedded
from hvctl.guest.syntax import COMMAND_LINE, DOMAIN

LOG = """\
2026-11-28 01:34:01.439+0000: starting up libvirt version: 9.0.0, hostname: host
LC_ALL=C \\
PATH=/usr/sbin:/usr/bin \\
/usr/bin/qemu-system-x86_64 \\
-name guest=w,debug-threads=on \\
-cpu host,migratable=on,hv-stimer=on \\
-msg timestamp=on
2026-11-28T01:34:01.817139Z qemu-system-x86_64: it doesn't work
"""


def shown(text: str) -> list[tuple[str, int, int]]:
    return [
        (guest.data.decode("utf-8", "surrogateescape").strip(), guest.first, guest.last) for guest in embedded(text)
    ]


def only(text: str) -> Embedded:
    found = list(embedded(text))
    assert len(found) == 1
    return found[0]


def test_a_log_of_libvirt() -> None:
    found = only(LOG)
    assert (found.syntax, found.first, found.last) == (COMMAND_LINE, 4, 7)
    assert found.data.startswith(b"/usr/bin/qemu-system-x86_64 \\\n-name")
    assert found.data.endswith(b"-msg timestamp=on")


def test_columns_are_those_of_the_text() -> None:
    found = only("$ sudo qemu-system-x86_64 -enable-kvm -cpu host,hv_time\n")
    assert found.data == b"       qemu-system-x86_64 -enable-kvm -cpu host,hv_time"


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("root 12 9.0 ? /usr/libexec/qemu-kvm -name a -cpu host", "/usr/libexec/qemu-kvm -name a -cpu host"),
        ("command '/bin/kvm -cpu 'host,hv_time' -m 1' failed: exit code 1", "/bin/kvm -cpu 'host,hv_time' -m 1"),
        ("args: -cpu host,hv_relaxed", "-cpu host,hv_relaxed"),
        ("-machine q35 -cpu host", "-machine q35 -cpu host"),
        ("qemu-system-x86_64 ^\r\n -cpu host", "qemu-system-x86_64 ^\r\n -cpu host"),
    ],
)
def test_commands(text: str, command: str) -> None:
    assert shown(f"before\n{text}\nafter") == [(command, 2, 2 + command.count("\n"))]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I use kvm with -cpu host and it doesn't start",
        "qemu-system-x86_64: -accel whpx: invalid accelerator whpx",
        "- -cpu host did not help",
        "my-kvm -cpu host",
        "<domain type='kvm'> without an end",
        "<domains><domainname/></domains>",
        "qemu-system-x86_64 -cpu " + "x" * (256 << 10),
    ],
)
def test_what_is_no_guest(text: str) -> None:
    assert shown(text) == []


def test_domains() -> None:
    one = "<domain type='kvm'>\n  <name>a</name>\n</domain>"
    found = list(embedded(f"here it is:\n  {one}\nand\n{one.replace('>a<', '>b<')}{one}"))
    assert [(guest.first, guest.last) for guest in found] == [(2, 4), (6, 8), (8, 10)]
    assert {guest.syntax for guest in found} == {DOMAIN}
    assert found[0].data.startswith(b"  <domain type='kvm'>\n")


def test_a_script_is_read_whole() -> None:
    script = "#!/bin/sh\nCPU=host\nqemu-system-x86_64 -enable-kvm -cpu $CPU,hv_time\n"
    assert shown(script) == [(script.strip(), 1, 4)]


def test_a_process_is_read_whole() -> None:
    assert shown("qemu-system-x86_64\0-cpu\0host\0") == [("qemu-system-x86_64\0-cpu\0host\0", 1, 1)]


@pytest.mark.parametrize("unit", ["\n", "\\\n", "<domain ", "a/", "kvm -a ", "args: -cpu host\n", "'"])
def test_hostile_text(unit: str) -> None:
    assert sum(1 for _ in embedded(unit * (100_000 // len(unit)))) <= 100_000


def test_a_configuration_of_proxmox_in_a_text_is_one_guest() -> None:
    """Its `args:` are no command line of their own."""
    lines = "args: -cpu host\ncores: 2\nostype: win11\n\n[PENDING]\ncores: 4\n"
    (found,) = embedded(f"root@pve# cat 100.conf\n{lines}root@pve#\n")
    assert (found.syntax.name, found.first, found.text[found.start : found.end]) == (
        "Proxmox VE configuration",
        2,
        lines,
    )
    (alone,) = embedded("the line is\nargs: -cpu host\n")
    assert alone.syntax.name == "command line"
