"""libvirt itself: it takes what hvctl writes, and makes the same flags of it."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hvctl.catalog import ROWS
from hvctl.formats.shipped import names
from tests.realkvm.real import hvctl

SETTINGS = """\
stdio_handler = "file"
user = "root"
group = "root"
remember_owner = 0
namespaces = []
cgroup_controllers = []
security_driver = "none"
"""


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The embedded QEMU driver: no daemon, one process a call."""
    folder = tmp_path_factory.mktemp("libvirt")
    (folder / "etc").mkdir()
    (folder / "etc" / "qemu.conf").write_text(SETTINGS)
    return f"qemu:///embed?root={folder}"


def virsh(uri: str, *lines: str) -> str:
    """Several commands of one virsh: what is defined in the embedded driver is seen by the same process."""
    done = subprocess.run(
        ["virsh", "-q", "-c", uri],
        input="\n".join([*lines, ""]),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "error:" not in done.stderr, done.stderr
    return done.stdout


def flags(cpu: str) -> set[str]:
    """The hv-* flags of a -cpu value as libvirt or hvctl writes them, with numbers as numbers."""
    found = set()
    for word in cpu.split(","):
        name, _, value = word.partition("=")
        if name.replace("_", "-").startswith("hv-"):
            number = str(int(value, 0)) if value.startswith("0x") else value or "on"
            found.add(f"{name.replace('_', '-')}={number}")
    return found


def cpu_of(words: list[str]) -> str:
    return words[words.index("-cpu") + 1]


@pytest.mark.parametrize("profile", names())
def test_libvirt_defines_it_and_gives_the_flags_of_the_plan(profile: str, uri: str, tmp_path: Path) -> None:
    both = json.loads(hvctl("gen", profile, "--both", "--format", "json").stdout)
    path = tmp_path / "domain.xml"
    path.write_text(both["xml"])
    name = both["plan"]["profile"]
    printed = virsh(
        uri,
        f"define --validate --file {path}",
        f"domxml-to-native qemu-argv --xml {path}",
        f"undefine {name}",
    )
    native = next(line for line in printed.splitlines() if " -cpu " in line)
    assert flags(cpu_of(shlex.split(native))) == flags(cpu_of(both["argv"]))
    assert flags(cpu_of(both["argv"]))


def test_the_columns_of_libvirt_are_known_to_it(uri: str) -> None:
    capabilities = virsh(uri, "domcapabilities --virttype kvm")
    known = {row.libvirt.path for row in ROWS if row.libvirt}
    assert "<value>relaxed</value>" in capabilities
    assert {"relaxed", "timer:hypervclock"} <= known
