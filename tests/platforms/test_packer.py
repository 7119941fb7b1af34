"""What `gen --for packer` writes, in a template that Debian's packer takes, and the command line that it makes."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from hvctl import api
from hvctl.host.host_file import read_host
from hvctl.profile.source import shipped_names
from tests.cli.run import inside
from tests.paths import HOSTS
from tests.platforms.tools import in_debian

POOLS = ("debian-12.json", "debian-13.json", "debian-12-intel.json")
BUILDER = {
    "type": "qemu",
    "iso_url": "/mnt/x.iso",
    "iso_checksum": "none",
    "communicator": "none",
    "format": "raw",
    "headless": True,
    "output_directory": "/mnt/output",
    "qemu_binary": "/mnt/qemu-system-x86_64",
    "boot_wait": "1s",
    "disable_vnc": True,
    "shutdown_timeout": "1s",
}
# Stands for QEMU: it keeps its arguments, and ends as a guest that shuts down.
RECORDER = """#!/bin/sh
case $1 in -version) echo QEMU emulator version 7.2.0; exit ;; esac
printf '%s\\0' "$@" >/mnt/arguments
"""


def written(profile: str, host: str) -> Any:
    done = inside("gen", profile, "--for", "packer", "--host", str(HOSTS / host), code=None)
    return json.loads(done.stdout) if done.returncode == 0 else None


def write(path: Path, more: Any) -> None:
    path.write_text(json.dumps({"builders": [{**BUILDER, **more}]}))


def test_packer_takes_each_plan(tmp_path: Path) -> None:
    found = {f"{name}-{host}": written(name, host) for name in shipped_names() for host in POOLS}
    usable = {name: one for name, one in found.items() if one is not None}
    assert len(usable) > 30
    for name, one in usable.items():
        write(tmp_path / name, one)
    done = in_debian("for name in *.json; do packer validate $name; done", tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"qemuarg": [["-cpu", "host"]]}, "unknown configuration key: '\"qemuarg\"'"),
        ({"qemuargs": [["-cpu", {"model": "host"}]]}, "'qemuargs[0][1]' expected type 'string'"),
    ],
)
def test_packer_refuses_what_is_wrong(more: Any, error: str, tmp_path: Path) -> None:
    """So the other can fail."""
    write(tmp_path / "x.json", more)
    done = in_debian("packer validate x.json", tmp_path)
    assert done.returncode == 1
    assert error in done.stdout + done.stderr


def test_packer_s_qemu_gets_the_plan(tmp_path: Path) -> None:
    for name, text in (("qemu-system-x86_64", RECORDER), ("qemu-img", "#!/bin/sh\n"), ("x.iso", "")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    write(tmp_path / "x.json", written("windows-11", POOLS[0]))
    done = in_debian("ip link set lo up || true; timeout 60 packer build -color=false x.json || true", tmp_path)
    assert (tmp_path / "arguments").exists(), done.stdout
    words = (tmp_path / "arguments").read_text().split("\0")[:-1]
    guest = api.read_text(shlex.join(["qemu-system-x86_64", *words])).guest
    assert guest is not None
    guest.check()
    plan = api.resolve(api.load_profile("windows-11"), [read_host(str(HOSTS / POOLS[0]))])
    assert guest.enabled() == {one.id: one.value for one in plan.enabled()}
    assert (guest.accelerator, guest.machine, guest.offset) == ("kvm", plan.machine.type, plan.clock.offset)
    assert words.count("-machine") == words.count("-cpu") == 1
