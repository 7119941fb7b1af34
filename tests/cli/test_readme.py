"""What the README shows of commands that need no KVM is what they print."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import HOSTS, ROOT

README = (ROOT / "README.md").read_text()


def section(title: str) -> str:
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


SHOWN = blocks(section("Proxmox VE"), "shell-session")
OF_KUBEVIRT = blocks(section("KubeVirt"), "shell-session")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The configuration and the machine that the README shows, and the host that it names."""
    (conf,) = blocks(section("Proxmox VE"), "conf")
    (tmp_path / "100.conf").write_text(conf)
    (machine,) = blocks(section("KubeVirt"), "yaml")
    (tmp_path / "vm.yaml").write_text(machine)
    shutil.copy(HOSTS / "debian-13.json", tmp_path / "node1.json")
    return tmp_path


def terminal(line: str, folder: Path) -> str:
    """What a command line prints, stderr and stdout as they come."""
    words = shlex.split(line, comments=True)
    assert words[0] == "hvctl"
    command = [sys.executable, "-m", "hvctl", *words[1:]]
    done = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False
    )
    return done.stdout


@pytest.mark.parametrize("block", [*SHOWN, *OF_KUBEVIRT], ids=lambda block: block.splitlines()[0])
def test_a_transcript_is_what_is_printed(block: str, folder: Path) -> None:
    line, _, shown = block.removeprefix("$ ").partition("\n")
    parts = [re.escape(part) for part in shown.split("...\n")]
    assert re.fullmatch(".*".join(parts), terminal(line, folder), re.DOTALL)


def test_what_is_shown_can_be_appended(folder: Path) -> None:
    """Even after a section that no empty line ends."""
    line = next(block for block in SHOWN if "--for proxmox" in block).splitlines()[0].removeprefix("$ ")
    (folder / "cpu-models.conf").write_text("cpu-model: other\n    reported-model host\n")
    with (folder / "cpu-models.conf").open("a") as models:
        words = shlex.split(line)[1:]
        subprocess.run([sys.executable, "-m", "hvctl", *words, "-q"], cwd=folder, stdout=models, timeout=60, check=True)
    conf = (folder / "100.conf").read_text().replace("args: -cpu host,kvm=off", "cpu: custom-hvctl-windows-11")
    (folder / "100.conf").write_text(conf)
    assert "1 file: nothing found" in terminal("hvctl lint 100.conf --host node1.json", folder)


def test_the_proxmox_commands_work(folder: Path) -> None:
    for line in blocks(section("Proxmox VE"), "sh")[1].splitlines():
        words = line.replace("/etc/pve/qemu-server/", "./").replace("node2", "node1")
        assert not re.search("^error:", terminal(words, folder), re.MULTILINE), line


def test_qm_showcmd_is_the_first_that_is_shown() -> None:
    assert blocks(section("Proxmox VE"), "sh")[0] == "qm showcmd 100 --pretty | hvctl lint -\n"


def test_a_machine_of_kubevirt_is_clean_after_the_edit_that_is_shown(folder: Path) -> None:
    terminal(OF_KUBEVIRT[1].splitlines()[0].removeprefix("$ ").replace("--diff", "--in-place"), folder)
    assert terminal("hvctl lint vm.yaml --host node1.json --fail-on info", folder).endswith("1 file: nothing found\n")


# What takes kubectl's output is tested in tests/cli/test_gen_kubevirt.py.
@pytest.mark.parametrize(
    "line", [line for line in blocks(section("KubeVirt"), "sh")[0].splitlines() if line.startswith("hvctl")]
)
def test_the_other_kubevirt_commands_work(line: str, folder: Path) -> None:
    host = " --host node1.json" if "gen" in line else ""
    shown = terminal(line.partition("  #")[0] + host, folder)
    assert not re.search("^error:", shown, re.MULTILINE)
    assert re.search("^(apiVersion: |<domain )", shown, re.MULTILINE)
