"""The README's commands work as they stand: hvctl's own, and the Windows 11 installation by QEMU and by libvirt.

No Windows is there: QEMU must take every argument and make every device, and libvirt must define the domain.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hvctl import api
from hvctl.cli import run
from tests.guest.filters.pages import block
from tests.paths import ROOT
from tests.realkvm.real import SETTINGS, add_libvirt_user, hvctl, this_host

pytestmark = pytest.mark.world("debian-12")


def blocks(language: str, section: str = "") -> list[str]:
    """The blocks in a language, of the whole README or of one section."""
    text = (ROOT / "README.md").read_text()
    if section:
        text = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


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


def swtpms(folder: Path) -> list[str]:
    """The processes that serve the TPM of a folder, which have 10 s to end."""
    end = time.monotonic() + 10
    while (found := _swtpms(folder)) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def _swtpms(folder: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if words[0].endswith(b"swtpm") and f"dir={folder}/tpm".encode() in words:
                found.append(process.name)
    return found


def asked(path: Path, *commands: str) -> list[str]:
    """QEMU's answers on a QMP socket, which is waited for."""
    with socket.socket(socket.AF_UNIX) as client:
        end = time.monotonic() + 120
        while client.connect_ex(str(path)):
            assert time.monotonic() < end
            time.sleep(0.2)
        client.settimeout(60)
        with client.makefile("rw") as stream:
            stream.readline()
            answers = []
            for command in ("qmp_capabilities", *commands):
                stream.write(json.dumps({"execute": command}))
                stream.flush()
                answers.append(next(line for line in stream if '"event"' not in line))
    return answers[1:]


def test_the_preparation_keeps_what_is_there(folder: Path) -> None:
    shell(blocks("sh", "hvctl launch")[0], folder)
    assert stat.S_IMODE((folder / "tpm").stat().st_mode) == 0o700
    kept = [folder / "disk.qcow2", folder / "vars.fd", folder / "tpm" / "state"]
    for path in kept:
        path.write_bytes(b"Windows")
    shell(blocks("sh", "hvctl launch")[0], folder)
    assert [path.read_bytes() for path in kept] == [b"Windows"] * 3


def test_qemu_takes_the_windows_installation(folder: Path) -> None:
    once, each_time = blocks("sh", "hvctl launch")[:2]
    shell(once, folder)
    # The testbed has not what Windows wants.
    start = each_time.replace("-m 8G", "-m 256M -S -display none -qmp unix:qmp,server=on,wait=off")
    refused, second = (
        ["sh", "-c", script] for script in (start.replace("launch windows-11", "launch no-such-profile"), start)
    )
    here: dict[str, Any] = {"cwd": folder, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    for _ in range(2):  # what the first time left does not disturb the second
        done = subprocess.run(refused, **here, timeout=120, check=False)
        assert (done.returncode, swtpms(folder)) == (2, []), done.stderr
        with subprocess.Popen(["sh", "-c", start], **here, start_new_session=True) as first:
            try:
                assert '"status": "prelaunch"' in asked(folder / "qmp", "query-status")[0]
                (swtpm,) = _swtpms(folder)
                done = subprocess.run(second, **here, timeout=120, check=False)
                assert done.returncode == 1
                assert "timeout while waiting to get lock" in done.stderr
                assert _swtpms(folder) == [swtpm]
                asked(folder / "qmp", "quit")
                _, said = first.communicate(timeout=120)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(first.pid, signal.SIGKILL)
        wrong = [line for line in said.splitlines() if "qemu-system" in line and "warning:" not in line]
        assert (first.returncode, wrong, swtpms(folder)) == (0, [], []), said


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
        # Both tests define a domain of this name, whichever comes first.
        shell("virsh -c qemu:///system undefine --nvram win11", Path.cwd())
        daemon.terminate()


@pytest.mark.usefixtures("libvirtd")
def test_libvirt_takes_the_windows_installation(folder: Path) -> None:
    once, start = blocks("sh", "hvctl launch")[2:4]
    assert start == "virsh start win11\n"  # needs the network `default` and disks with something on them
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", str(folder / "disk.qcow2"), "1M"], check=True, timeout=30
    )
    shell(once, folder)
    look = "virsh -c qemu:///system dumpxml win11"
    defined = shell(look, folder)
    with pytest.raises(AssertionError, match="already exists"):
        shell(once, folder)
    assert shell(look, folder) == defined
    for word in ("<stimer state='on'>", "<tpm model='tpm-crb'>", "secure-boot", "virtio-win.iso", "hypervclock"):
        assert word in defined, defined


@pytest.mark.usefixtures("libvirtd")
def test_libvirt_takes_what_virt_install_prints_with_the_profile(folder: Path) -> None:
    """docs/virt-install.md, without README's network and TPM."""
    shell(block("virt-install.md"), folder)
    path = folder / "win11.xml"
    path.write_text(shell("virsh -c qemu:///system dumpxml win11", folder))
    guest = api.read_guest(str(path)).guest
    assert guest is not None
    plan = api.check(api.resolve(api.load_profile("windows-11"), [this_host()], libvirt=True))
    assert guest.enabled() == {one.id: one.value for one in plan.enabled()}
    assert [one.rule for one in api.lint(str(path), [this_host()]).findings] == []
