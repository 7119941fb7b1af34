"""libvirt's own schema and parser take every domain that hvctl writes; no daemon is needed (test:///default)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hvctl.guest.domain.writer import domain
from hvctl.host.host_file import read_host
from hvctl.plan.resolve import resolve
from hvctl.profile.reader import load_profile
from hvctl.profile.source import shipped_names
from tests.paths import HOSTS

HOST = HOSTS / "debian-12.json"


@pytest.mark.parametrize("fragment", [False, True])
def test_libvirt_takes_every_shipped_profile(tmp_path: Path, fragment: bool) -> None:
    paths = []
    for profile in shipped_names():
        plan = resolve(load_profile(profile), (read_host(str(HOST)),), libvirt=True)
        paths.append(tmp_path / f"{profile}.xml")
        text = domain(plan, fragment=fragment)
        if fragment:
            text = text.replace("<os>", f"<name>{profile}</name><memory>1024</memory><os>")
        paths[-1].write_text(text)
    lines = "".join(f"define --validate --file {path}\n" for path in paths)
    done = subprocess.run(
        ["virsh", "-q", "-c", "test:///default"], input=lines, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
