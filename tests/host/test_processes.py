"""The QEMU processes of a machine: in directories like /proc, and real ones that begin, hide and end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hvctl.errors import HostError
from hvctl.host.processes import Found, Process, Unread, find_qemus
from tests.run.running import PAUSED, QEMU, state, wait_for


class Proc:
    """A directory like /proc, with a first process."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.add(1, "/usr/lib/systemd/systemd", "/sbin/init")

    def add(self, pid: int, exe: str | None, *words: str | bytes) -> Path:
        """A process that runs a file, with its arguments; of one of the kernel, and of a zombie, there is none."""
        folder = self.root / "proc" / str(pid)
        folder.mkdir(parents=True)
        if exe is not None:
            (folder / "exe").symlink_to(exe)
        data = (word if isinstance(word, bytes) else word.encode() for word in words)
        (folder / "cmdline").write_bytes(b"".join(word + b"\0" for word in data))
        return folder

    def found(self) -> Found:
        return find_qemus(str(self.root))

    @property
    def only(self) -> Process:
        """The one QEMU."""
        (process,) = self.found().processes
        return process


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    return Proc(tmp_path)


@pytest.mark.parametrize(
    ("exe", "name"),
    [
        ("/usr/bin/qemu-system-x86_64", "qemu-system-x86_64"),
        ("/usr/bin/qemu-system-x86_64", "/usr/bin/kvm"),
        ("/usr/bin/qemu-system-x86_64 (deleted)", "/usr/bin/kvm"),
        ("/usr/bin/qemu-system-x86_64-microvm", "qemu-system-x86_64-microvm"),
        ("/usr/libexec/qemu-kvm", "/usr/libexec/qemu-kvm"),
        ("/usr/bin/kvm-spice", "kvm-spice"),
        ("/nix/store/x/bin/.qemu-system-x86_64-wrapped", "qemu-system-x86_64"),
        ("/usr/bin/qemu-system-x86_64", "anything"),
        ("/usr/bin/qemu-system-aarch64", "qemu-system-aarch64"),
    ],
)
def test_qemus(proc: Proc, exe: str, name: str) -> None:
    proc.add(100, exe, name, "-S")
    assert proc.only == Process(100, f"{name}\0-S\0")


@pytest.mark.parametrize(
    ("exe", "words"),
    [
        ("/usr/bin/qemu-img", ("qemu-img", "create")),
        ("/usr/bin/qemu-ga", ("qemu-ga",)),
        ("/usr/bin/qemu-x86_64", ("qemu-x86_64", "/bin/true")),
        ("/usr/bin/qemu-nbd", ("qemu-nbd",)),
        ("/usr/bin/grep", ("grep", "qemu-system-x86_64")),
        ("/usr/bin/sudo", ("sudo", "qemu-system-x86_64", "-S")),
        ("/usr/bin/dash", ("/bin/sh", "/usr/bin/qemu-system-i386", "-S")),
        ("/usr/bin/dash", ("qemu-system-x86_64", "-S")),
        ("/usr/bin/python3.11", ("/usr/bin/python3", "/usr/bin/kvm_stat")),
        ("/lib64/ld-linux-x86-64.so.2", ("/lib64/ld-linux-x86-64.so.2", "/bin/sh", "-c", "true", "qemu-system-x86_64")),
        (None, ()),
        (None, ("qemu-system-x86_64", "-S")),
    ],
)
def test_what_is_no_qemu(proc: Proc, exe: str | None, words: tuple[str, ...]) -> None:
    """Whatever its words are: what it runs decides. The last two are of the kernel, and a zombie."""
    proc.add(100, exe, *words)
    assert proc.found() == Found((), (), hidden=False)


@pytest.mark.parametrize("loader", ["ld-linux-x86-64.so.2", "ld-musl-x86_64.so.1", "ld-2.31.so", "ld.so"])
def test_a_qemu_that_a_loader_runs(proc: Proc, loader: str) -> None:
    proc.add(100, f"/lib/{loader}", f"/lib/{loader}", "--library-path", "/x", "/x/qemu-system-x86_64", "-S")
    assert proc.only.text == "/x/qemu-system-x86_64\0-S\0"


def test_the_order_is_that_of_the_numbers(proc: Proc) -> None:
    for pid in (1000, 99, 4194303):
        proc.add(pid, QEMU, "kvm")
    for name in ("self", "thread-self", "net", "³", "-1"):
        (proc.root / "proc" / name).mkdir()
    (proc.root / "proc" / "5").write_text("a file")
    found = proc.found()
    assert [one.pid for one in found.processes] == [99, 1000, 4194303]
    assert [one.pid for one in found.unread] == [5]


def test_any_bytes_are_arguments(proc: Proc) -> None:
    proc.add(100, QEMU, "kvm", b"\xff\x9b\n\x1b[2J", "", "a b")
    assert proc.only.text == "kvm\0\udcff\udc9b\n\x1b[2J\0\0a b\0"


def test_arguments_that_are_too_many(proc: Proc) -> None:
    proc.add(100, QEMU, "kvm", *["x" * 1000] * 300)
    proc.add(101, "/usr/bin/rm", "rm", *["x" * 1000] * 300)
    found = proc.found()
    assert found.unread == (Unread(100, "its arguments are larger than 256 KiB", certain=True),)
    assert found.processes == ()


def test_no_arguments(proc: Proc) -> None:
    """A process that ends has none any more; one that was started without any has an empty name."""
    proc.add(100, QEMU)
    assert proc.found().processes == ()
    proc.add(101, QEMU, "")
    assert proc.only == Process(101, "\0")


def test_one_that_ends_meanwhile(proc: Proc) -> None:
    (proc.add(100, QEMU, "kvm") / "cmdline").unlink()
    proc.add(101, QEMU, "kvm")
    assert proc.only.pid == 101
    assert proc.found().unread == ()


def test_without_the_first_process_others_are_hidden(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    assert find_qemus(str(tmp_path)) == Found((), (), hidden=True)


def test_without_proc(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="cannot be read: no such file"):
        find_qemus(str(tmp_path))


AS_NOBODY = """
import os, sys
from hvctl.host.processes import find_qemus
os.setgid(65534); os.setuid(65534)
print(find_qemus(sys.argv[1]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
class TestOfOtherUsers:
    """What a user without rights sees of root's processes."""

    def seen(self, root: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, root], capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout

    def test_what_it_runs_is_hidden_and_its_arguments_are_not(self) -> None:
        process = subprocess.Popen(["/usr/bin/kvm", *PAUSED[1:], "-m", "16"], executable=QEMU)
        other = subprocess.Popen(["sleep", "600"])
        try:
            wait_for(lambda: b"-machine" in Path(f"/proc/{process.pid}/cmdline").read_bytes())
            seen = self.seen("/")
            assert f"Process(pid={process.pid}, text='/usr/bin/kvm\\x00-accel" in seen
            assert str(other.pid) not in seen
        finally:
            for one in (process, other):
                one.kill()
                one.wait()

    def test_a_process_that_cannot_be_read(self) -> None:
        root = Path("/tmp") / f"hvctl-test-proc-{os.getpid()}"  # pytest's own directories are root's alone
        root.mkdir(mode=0o755)
        try:
            proc = Proc(root)
            proc.add(100, QEMU, "kvm").chmod(0)
            (proc.add(101, QEMU, "kvm") / "cmdline").chmod(0)
            seen = self.seen(str(root))
            assert "Unread(pid=100, reason='permission denied', certain=False)" in seen
            assert "Unread(pid=101, reason='permission denied', certain=False)" in seen
        finally:
            subprocess.run(["rm", "-r", str(root)], check=True)


def test_a_real_qemu_until_it_has_ended() -> None:
    process = subprocess.Popen([*PAUSED, "-m", "16"])
    try:
        wait_for(lambda: b"-machine" in Path(f"/proc/{process.pid}/cmdline").read_bytes())
        found = {one.pid: one.text for one in find_qemus().processes}
        assert found[process.pid] == "\0".join([*PAUSED, "-m", "16", ""])
        # Its threads are none of their own.
        threads = wait_for(lambda: {int(name) for name in os.listdir(f"/proc/{process.pid}/task")} - {process.pid})
        assert not threads & found.keys()
        process.kill()
        wait_for(lambda: state(process.pid) == "Z")
        assert process.pid not in {one.pid for one in find_qemus().processes}
    finally:
        process.kill()
        process.wait()
