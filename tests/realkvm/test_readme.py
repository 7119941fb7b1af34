"""The README's commands work as they stand: hvctl's own, and the Windows 11 installation by QEMU and by libvirt.

No Windows is there: QEMU must take every argument and make every device, and libvirt must define the domain.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hvctl.cli import run
from tests.paths import ROOT
from tests.realkvm.real import SETTINGS, add_libvirt_user, hvctl

pytestmark = pytest.mark.world("debian-12")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `hvctl` on the PATH, and images of no size that count."""
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "hvctl"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m hvctl "$@"\n')
    command.chmod(0o755)
    for name in ("Win11.iso", "virtio-win.iso"):
        (tmp_path / name).write_bytes(bytes(1 << 20))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{os.environ.get('PYTHONPATH', '')}")
    return tmp_path


def shell(script: str, folder: Path) -> str:
    done = subprocess.run(
        ["sh", "-eu", "-c", script], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, (script, done.stdout, done.stderr)
    return done.stdout


def test_the_commands_of_the_console_blocks(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    lines = [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines() if line[:2] == "$ "]
    assert len(lines) > 12
    for line in lines:
        words = shlex.split(line, comments=True)
        assert words[0] == "hvctl"
        assert run(words[1:]) == 0, line
        # lint has nothing to say of what gen writes.
        assert capsys.readouterr().out or {"-o", "--in-place", "lint"} & set(words), line


def test_the_transcript_is_what_hvctl_says() -> None:
    block = blocks("console")[0]
    done = hvctl("gen", "windows-11")
    shown = done.stdout + done.stderr
    for line in block.splitlines()[1:]:
        assert line in shown.splitlines(), line


def test_the_profiles_are_good(folder: Path) -> None:
    # The others are for pre-commit, GitHub and GitLab: tests/lint/test_ci.py.
    profiles = [text for text in blocks("yaml") if text.startswith("version: ")]
    assert len(profiles) == 2
    for number, text in enumerate(profiles):
        (folder / f"{number}.yaml").write_text(text)
        hvctl("profile", "check", str(folder / f"{number}.yaml"))


def test_qemu_takes_the_windows_installation(folder: Path) -> None:
    once, each_time = blocks("sh")[:2]
    shell(once, folder)
    disk = folder / "disk.qcow2"
    disk.write_bytes(disk.read_bytes() + b"Windows")
    # Whoever runs the whole section again must not lose what is installed.
    with pytest.raises(AssertionError, match="File exists"):
        shell(once, folder)
    assert disk.read_bytes().endswith(b"Windows")
    prepare, _, launch = each_time.partition("hvctl launch")
    try:
        printed = shell(f"{prepare}hvctl launch{launch.replace(' -- ', ' --dry-run -- ', 1)}", folder)
        command = shlex.split(printed.splitlines()[-1])
        command[command.index("-m") + 1] = "256M"  # the testbed has not what Windows wants
        done = subprocess.run(
            [*command, "-S", "-display", "none", "-qmp", "stdio"],
            cwd=folder,
            input='{"execute":"qmp_capabilities"}\n{"execute":"query-status"}\n{"execute":"quit"}\n',
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        # --terminate ends swtpm with its first client; this is for a test that failed before.
        subprocess.run(["pkill", "-f", f"dir={folder}"], check=False, timeout=10)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "warning:" not in line]) == (0, [])
    assert '"status": "prelaunch"' in done.stdout


@pytest.fixture
def libvirtd() -> Iterator[None]:
    """The system's daemon, in the testbed only: its files are in memory."""
    add_libvirt_user()
    Path("/etc/libvirt/qemu.conf").write_text(SETTINGS)
    with subprocess.Popen(["libvirtd"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as daemon:
        end = time.monotonic() + 60
        while not Path("/run/libvirt/libvirt-sock").exists() and time.monotonic() < end:
            time.sleep(0.2)
        yield
        daemon.terminate()


@pytest.mark.usefixtures("libvirtd")
def test_libvirt_takes_the_windows_installation(folder: Path) -> None:
    *lines, last = blocks("sh")[2].strip().splitlines()
    assert last == "virsh start win11"  # needs the network `default` and disks with something on them
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", str(folder / "disk.qcow2"), "1M"], check=True, timeout=30
    )
    shell("export LIBVIRT_DEFAULT_URI=qemu:///system\n" + "\n".join(lines), folder)
    defined = subprocess.run(
        ["virsh", "-c", "qemu:///system", "dumpxml", "win11"], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    for word in ("<stimer state='on'>", "<tpm model='tpm-crb'>", "secure-boot", "virtio-win.iso", "hypervclock"):
        assert word in defined, defined
