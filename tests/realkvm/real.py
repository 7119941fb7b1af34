"""What the tests inside the testbed share: hvctl as a process, QEMU's first words, and the probed host."""

from __future__ import annotations

import functools
import pwd
import subprocess
import sys

from hvctl.model.host import Host

QEMU = "qemu-system-x86_64"
# libvirt's QEMU driver without services, confinement or users of its own.
SETTINGS = """\
stdio_handler = "file"
user = "root"
group = "root"
remember_owner = 0
namespaces = []
cgroup_controllers = []
security_driver = "none"
"""


def hvctl(*words: str, code: int = 0, timeout: int = 120) -> subprocess.CompletedProcess[str]:
    """Run hvctl as a user would, and demand its exit code."""
    command = [sys.executable, "-m", "hvctl", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == code, f"{command} gave {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def qemu_refusal(cpu: str, *, machine: str = "q35") -> str:
    """What QEMU says to a CPU at start with KVM; empty if it starts."""
    words = [QEMU, "-machine", machine, "-accel", "kvm", "-cpu", cpu, "-S", "-nodefaults", "-display", "none"]
    quit_at_once = '{"execute":"qmp_capabilities"}\n{"execute":"quit"}\n'
    done = subprocess.run(
        [*words, "-qmp", "stdio"], input=quit_at_once, capture_output=True, text=True, timeout=120, check=False
    )
    lines = [line.partition(": ")[2] for line in done.stderr.splitlines() if "warning:" not in line]
    assert (done.returncode == 0) == (not lines), done
    return lines[0] if lines else ""


def in_time(seconds: float, world: str) -> float:
    """As many seconds as a sampled test has: an emulated Intel processor has a slow clock and slower instructions."""
    return seconds * 2 / 3 if "intel" in world else seconds


@functools.cache
def this_host() -> Host:
    """The machine that the test runs on, probed once."""
    from hvctl.host.probe import probe_host

    return probe_host()


def add_libvirt_user() -> None:
    """The driver looks the user of Debian's libvirt-daemon-system up before it reads its settings."""
    if not any(entry.pw_name == "libvirt-qemu" for entry in pwd.getpwall()):
        subprocess.run(["useradd", "--system", "--user-group", "libvirt-qemu"], check=True, timeout=30)
