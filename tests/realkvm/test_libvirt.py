"""libvirt itself: it takes what hvctl writes, and makes the same flags of it."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from hvctl.formats.profile import load_profile
from hvctl.formats.shipped import names
from hvctl.plan.resolve import resolve
from hvctl.render.libvirt import domain
from hvctl.render.qemu import arguments, cpu
from tests.realkvm.real import SETTINGS, add_libvirt_user, hvctl, this_host


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The embedded QEMU driver: no daemon, one process a call."""
    add_libvirt_user()
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


def test_libvirt_defines_every_profile_and_gives_the_flags_of_its_plan(uri: str, tmp_path: Path) -> None:
    expected, lines = {}, []
    for profile in names():
        plan = resolve(load_profile(profile), (this_host(),), libvirt=True)
        assert not plan.refusals
        path = tmp_path / f"{profile}.xml"
        path.write_text(domain(plan))
        expected[profile] = flags(cpu(plan))
        lines += [f"define --validate --file {path}", f"domxml-to-native qemu-argv --xml {path}"]
    printed = virsh(uri, *lines)
    native = [line for line in printed.splitlines() if " -cpu " in line]
    assert len(native) == len(expected)
    for (profile, wanted), line in zip(expected.items(), native, strict=True):
        words = shlex.split(line)
        assert flags(words[words.index("-cpu") + 1]) == wanted, profile
        assert wanted


def test_the_command_writes_the_same_domain(tmp_path: Path) -> None:
    both = hvctl("gen", "windows-11", "--both", "-o", str(tmp_path / "both"))
    plan = resolve(load_profile("windows-11"), (this_host(),), libvirt=True)
    assert both.stdout == ""
    line, _, xml = (tmp_path / "both").read_text().partition("\n")
    assert xml == domain(plan)
    assert shlex.split(line) == list(arguments(plan))
