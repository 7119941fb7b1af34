"""`hvctl launch` on the machine that the tests run on: where its KVM has no Hyper-V, in one sentence."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import pytest

from hvctl.errors import HostError
from hvctl.host.probe import probe_host


def launch(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hvctl", "launch", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def hyperv_here() -> bool:
    try:
        return bool(probe_host(with_qemu=False, with_libvirt=False).kvm.hyperv)
    except HostError:
        return False


def test_this_machine_is_checked_before_anything_starts() -> None:
    done = launch("minimal", "--dry-run", "--", "-m", "1G", "-append", "two words")
    if hyperv_here():
        assert done.returncode == 0
        assert shlex.split(done.stdout)[-4:] == ["-m", "1G", "-append", "two words"]
    else:
        assert (done.returncode, done.stdout) == (3, "")
        assert "KVM" in done.stderr


def test_a_host_file_does_not_replace_this_machine() -> None:
    done = launch("minimal", "--also-host", "tests/hosts/debian-12.json", "--dry-run")
    assert done.returncode in ((0, 1) if hyperv_here() else (3,))


def test_there_is_no_qemu_of_that_name() -> None:
    done = launch("minimal", "--qemu", "/nonexistent/qemu", "--dry-run")
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [(), ("nosuch",), ("minimal", "--nosuch"), ("minimal", "-m", "1G")])
def test_a_wrong_command_line(words: tuple[str, ...]) -> None:
    assert launch(*words).returncode == 2


def test_help_says_where_qemus_arguments_go() -> None:
    done = launch("--help")
    assert done.returncode == 0
    assert "Give disks, memory, display and firmware after `--`" in done.stdout


@pytest.mark.parametrize("name", ["", "a\x01b", b"\xff\xfe"])
def test_a_name_is_printable(name: str | bytes) -> None:
    done = launch("minimal", "--dry-run", "--name", os.fsdecode(name))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: --name is one printable line")


def test_stdin_has_one_reader() -> None:
    assert "stdin can be read once" in launch("-", "--also-host", "-").stderr
