"""Configurations of Proxmox VE given to the commands that take guests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.run import inside
from tests.paths import HOSTS

AMD, INTEL = str(HOSTS / "debian-13.json"), str(HOSTS / "debian-13-intel.json")
TEXT = """\
bios: ovmf
cores: 4
cpu: host,flags=+hv-tlbflush
machine: pc-q35-11.0+pve2
memory: 8192
ostype: win11

[PENDING]
cores: 8
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    found = tmp_path / "100.conf"
    found.write_text(TEXT)
    return str(found)


def test_show_names_lines_and_who_added_what(path: str) -> None:
    lines = inside("show", path).stdout.splitlines()
    assert lines[0] == path
    assert "  machine      pc-q35-11.0  line 4" in lines
    assert "  vcpus        4            line 2" in lines
    assert "  tlbflush     on           line 3" in lines
    assert "  relaxed      on           added by Proxmox VE" in lines
    text = " ".join(" ".join(lines).split())
    assert "note: Proxmox VE may add hv_evmcs: that depends on the processor's vendor, which --host gives" in text
    assert "note: [PENDING]: the next start applies it" in text
    assert "note: machine type pc-q35-11.0+pve2: +pve2 is Proxmox VE's own" in text


def test_show_as_json(path: str) -> None:
    (guest,) = json.loads(inside("show", path, "--format", "json").stdout)["guests"]
    found = {one["name"]: one for one in guest["enlightenments"]}
    assert found["tlbflush"] == {"name": "tlbflush", "value": "on", "line": 3, "origin": None}
    assert found["spinlocks"] == {"name": "spinlocks", "value": "8191", "line": None, "origin": "added by Proxmox VE"}


def test_show_takes_other_files_and_no_mixture(path: str, tmp_path: Path) -> None:
    other = tmp_path / "a.args"
    other.write_text("-accel kvm \\\n -cpu host,hv_relaxed\n")
    shown = inside("show", str(other), path).stdout
    assert "relaxed      on    line 2" in shown
    assert f"\n{path}\n" in shown
    assert "files and domains of a libvirt do not go together" in inside("show", path, "win11", code=2).stderr
    profile = tmp_path / "p.conf"
    profile.write_text("version: 1\nname: a\nguest:\n  os: windows-11\nmigration: none\n")
    assert f"{profile} is a profile, not a guest" in " ".join(inside("show", str(profile), code=2).stderr.split())


@pytest.mark.parametrize(("host", "given"), [(AMD, False), (INTEL, True)], ids=["amd", "intel"])
def test_convert_on_a_host(path: str, host: str, given: bool) -> None:
    done = inside("convert", path, "--to", "qemu", "--host", host)
    assert ("hv_evmcs=on" in done.stdout) == given
    assert "may add" not in done.stderr
    assert "[PENDING]: the next start applies it" in done.stderr
    assert "that depends on the processor's vendor" in " ".join(inside("convert", path, "--to", "qemu").stderr.split())


def test_convert_to_each_form(path: str) -> None:
    assert "os: windows-11" in inside("convert", path, "--to", "profile").stdout
    assert '<tlbflush state="on"/>' in inside("convert", path).stdout
    assert json.loads(inside("convert", path, "--to", "json").stdout)["machine"] == "pc-q35-11.0"


def test_check_migration(path: str) -> None:
    done = inside("check-migration", path, "--from", AMD, "--to", AMD, code=None)
    assert done.stdout.startswith(f"{path}, ")
    assert "may add" not in done.stdout


def test_mistakes_are_shown_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "101.conf"
    path.write_text(TEXT.replace("flags=+hv-tlbflush", "flags=+hv-frequencies").replace("cores: 4", "cores: four"))
    said = inside("convert", str(path), code=2).stderr
    assert f"{path}:2:8" in said
    assert f"{path}:3:17" in said
    assert "cpu: takes no flag +hv-frequencies: Proxmox VE ignores the line" in said


def test_diagnose_reads_a_configuration_in_a_ticket(tmp_path: Path) -> None:
    path = tmp_path / "ticket"
    path.write_text("VM 100 is slow.\n\n# qm config 100\nargs: -cpu host,kvm=off\ncores: 4\nostype: win11\n\nThanks\n")
    done = inside("diagnose", str(path))
    assert "[args-replace-cpu]" in done.stdout
    assert f"{path}:4:12" in done.stdout
    assert "hpet-on" not in done.stdout


@pytest.mark.parametrize("place", ["virtual-guest", "qemu-server"])
def test_custom_models_beside_it(tmp_path: Path, place: str) -> None:
    for name in ("virtual-guest", "qemu-server"):
        (tmp_path / name).mkdir()
    path = tmp_path / "qemu-server" / "100.conf"
    path.write_text(TEXT.replace("host,flags=+hv-tlbflush", "custom-a"))
    assert "custom model a is not known: there is no cpu-models.conf beside" in " ".join(
        inside("show", str(path)).stdout.split()
    )
    models = tmp_path / place / "cpu-models.conf"
    models.write_text("cpu-model: a\n    reported-model host\n    flags +hv-frequencies\n")
    shown = inside("show", str(path)).stdout
    assert "frequencies  on" in shown
    assert "custom model a," in shown
    assert "cpu-models.conf:3" in shown
