"""`show --running` and `lint --running`: real QEMU processes, by their names."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hvctl.cli.inputs.processes import running_guests
from hvctl.host.processes import Found, Process, Unread
from tests.cli.in_process import Hvctl
from tests.run.running import PAUSED, QEMU, wait_for

CPU = "max,hv-relaxed=on,hv-synic=on"


class Running(NamedTuple):
    """Two QEMUs: one with a name, started as Proxmox VE starts them, and one without."""

    named: int
    nameless: int


@pytest.fixture(scope="module")
def qemus() -> Iterator[Running]:
    started = [
        subprocess.Popen(["/usr/bin/kvm", *words, "-m", "16"], executable=QEMU)
        for words in (("-name", "win11,debug-threads=on", "-cpu", CPU, *PAUSED[1:]), PAUSED[1:])
    ]
    try:
        wait_for(lambda: all(b"-machine" in Path(f"/proc/{one.pid}/cmdline").read_bytes() for one in started))
        yield Running(*(process.pid for process in started))
    finally:
        for process in started:
            process.kill()
            process.wait()


@pytest.fixture
def hvctl(capsys: pytest.CaptureFixture[str]) -> Hvctl:
    return Hvctl(capsys)


def line_of(pid: int, out: str) -> str:
    """The line of a table that has a process id."""
    (line,) = (line for line in out.splitlines() if f" {pid} " in line)
    return line


class TestShow:
    def test_the_table(self, qemus: Running, hvctl: Hvctl) -> None:
        out = hvctl("show", "--running").out
        head = out.splitlines()[0]
        assert head.split() == ["guest", "pid", "Windows", "on", "beside"]
        assert line_of(qemus.named, out).split()[:5] == ["win11", str(qemus.named), "11", "2", "not"]
        line = line_of(qemus.nameless, out)
        assert line.split()[:4] == [str(qemus.nameless)] * 2 + ["-", "0"]
        assert head.index("Windows") == line.index("- ")

    def test_json(self, qemus: Running, hvctl: Hvctl) -> None:
        document = json.loads(hvctl("show", "--running", "--format", "json").out)
        assert list(document) == ["format_version", "processes", "doubts"]
        (found,) = (one for one in document["processes"] if one["pid"] == qemus.named)
        assert (found["name"], found["problem"], found["release"], found["accelerator"]) == (
            "win11",
            None,
            "windows-11",
            "tcg",
        )
        assert [one["id"] for one in found["enlightenments"]] == ["relaxed", "synic"]
        assert "uuid" not in found

    @pytest.mark.parametrize("words", [("win11",), ("--inactive",), ("--connect", "test:///default")])
    def test_it_goes_alone(self, hvctl: Hvctl, words: tuple[str, ...]) -> None:
        assert "--running goes with no other argument than --format" in hvctl("show", "--running", *words, code=2).err

    def test_libvirt_has_nothing_to_do_with_it(self, hvctl: Hvctl, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LIBVIRT_DEFAULT_URI", "bogus://x/y")
        hvctl("show", "--running")
        assert "--running" not in hvctl("show", code=3).err
        monkeypatch.delenv("LIBVIRT_DEFAULT_URI")
        assert "--running" not in hvctl("show", "--connect", "bogus://x/y", code=3).err

    def test_without_libvirt_it_is_advised(self, hvctl: Hvctl, monkeypatch: pytest.MonkeyPatch) -> None:
        """A libvirt that cannot be reached, wherever the tests run."""
        monkeypatch.delenv("LIBVIRT_DEFAULT_URI", raising=False)
        monkeypatch.setattr("hvctl.cli.show.connected", unreachable)
        assert "is libvirtd running? `hvctl show --running` needs no libvirt" in hvctl("show", code=3).err
        assert "--running" not in hvctl("show", "win11", code=3).err


def unreachable(*_: object, **__: object) -> Any:
    from hvctl.errors import HostError

    raise HostError("libvirt cannot be reached", "is libvirtd running?")


class TestLint:
    def test_findings_name_the_guest_and_the_option(self, qemus: Running, hvctl: Hvctl) -> None:
        out = hvctl("lint", "--running", "--no-config", "--format", "concise", code=1).out
        column = len(f"/usr/bin/kvm -name win11,debug-threads=on -cpu {CPU[: CPU.index('hv-synic')]}") + 1
        assert f"win11 (pid {qemus.named}):1:{column}: error[requirement-missing]: hv-synic is on" in out
        assert f"pid {qemus.nameless}" not in out  # it is not known to be Windows

    def test_the_line_is_shown_as_it_was_typed(self, qemus: Running, hvctl: Hvctl) -> None:
        done = hvctl("lint", "--running", "--no-config", "--select", "requirement-missing", code=1)
        assert f"win11 (pid {qemus.named}):1:" in done.out
        assert "-cpu max,hv-relaxed=on,hv-synic=on" in done.out
        assert "= fix:" not in done.out
        assert "fixes" not in done.err

    def test_json(self, qemus: Running, hvctl: Hvctl) -> None:
        done = hvctl("lint", "--running", "--no-config", "--format", "json", code=1)
        found = [one for one in json.loads(done.out)["findings"] if f"(pid {qemus.named})" in one["path"]]
        assert {one["rule"] for one in found} >= {"requirement-missing", "not-kvm", "clock-offset"}
        assert not [one for one in found if one["fix"]]

    @pytest.mark.parametrize("option", ["--fix", "--unsafe-fixes", "--diff"])
    def test_nothing_can_be_fixed(self, hvctl: Hvctl, option: str) -> None:
        assert "a running QEMU cannot be changed" in hvctl("lint", "--running", option, code=2).err

    def test_it_goes_with_no_other_source(self, hvctl: Hvctl) -> None:
        assert "PATH and --running do not go together" in hvctl("lint", ".", "--running", code=2).err
        done = hvctl("lint", "--running", "--connect", "test:///default", code=2)
        assert "--connect and --running do not go together" in done.err


class TestWhatIsNotKnown:
    """QEMUs with too many arguments, and processes that may be QEMUs."""

    @pytest.fixture(autouse=True)
    @staticmethod
    def found(monkeypatch: pytest.MonkeyPatch) -> None:
        unread = (
            Unread(7, "its arguments are larger than 256 KiB", certain=True),
            Unread(8, "permission denied", certain=False),
        )
        found = Found(
            (Process(9, "\0".join(("kvm", "-id", "100", "-cpu", "host,hv_spinlocks=x", ""))),), unread, hidden=True
        )
        monkeypatch.setattr("hvctl.cli.inputs.processes.find_qemus", lambda _root: found)

    def test_show(self, hvctl: Hvctl) -> None:
        done = hvctl("show", "--running")
        assert [line.split()[:2] for line in done.out.splitlines()[1:3]] == [["7", "7"], ["100", "9"]]
        assert "256 KiB" in line_of(7, done.out)
        assert "spinlocks" in line_of(9, done.out)
        assert "note: 1 process cannot be read (permission denied): 8" in done.err
        assert "note: /proc hides the processes of other users (hidepid)" in done.err
        document = json.loads(hvctl("show", "--running", "--format", "json").out)
        assert [one["problem"] is None for one in document["processes"]] == [False, False]
        assert len(document["doubts"]) == 2

    def test_lint(self, hvctl: Hvctl) -> None:
        done = hvctl("lint", "--running", "--no-config", "--format", "json", "--fail-on", "never", code=1)
        document = json.loads(done.out)
        assert [one["path"] for one in document["unchecked"]] == ["pid 7", "/proc", "/proc"]
        assert {one["path"] for one in document["findings"]} == {"100 (pid 9)"}


def test_the_same_process_as_convert_reads(qemus: Running, hvctl: Hvctl) -> None:
    assert "<synic state=" in hvctl("convert", str(qemus.named)).out


class TestNames:
    """In a directory like /proc."""

    @pytest.mark.parametrize(
        ("words", "name", "title"),
        [
            (("-id", "100", "-name", "win11,debug-threads=on"), "100", "100 (pid 7)"),
            (("-name", "guest=a,,b,debug-threads=on"), "a,b", "a,b (pid 7)"),
            (("-name", "debug-threads=on,guest=x"), "x", "x (pid 7)"),
            (("-name", "process=x"), "7", "pid 7"),
            (("-S",), "7", "pid 7"),
            (("-name", "a\x1b[2J\nb"), "a[2J b", "a[2J b (pid 7)"),
            (("-name", ""), "7", "pid 7"),
            (("-name",), "7", "pid 7"),
            (("-name", "\udcff"), "7", "pid 7"),
        ],
        ids=str,
    )
    def test_name(self, tmp_path: Path, words: tuple[str, ...], name: str, title: str) -> None:
        self.add(tmp_path, 7, *words)
        (guest,) = running_guests(str(tmp_path)).guests
        assert (guest.name, guest.title) == (name, title)

    def test_one_that_is_only_asked_has_no_guest(self, tmp_path: Path) -> None:
        """How libvirt asks a QEMU for what it can do (libvirt:src/qemu/qemu_process.c, qemuProcessQMPLaunch())."""
        words = (
            "-S",
            "-no-user-config",
            "-nodefaults",
            "-nographic",
            "-machine",
            "none,accel=kvm:tcg",
            "-qmp",
            "unix:x",
        )
        self.add(tmp_path, 7, *words)
        assert running_guests(str(tmp_path)).guests == ()

    def test_many_that_cannot_be_read(self, tmp_path: Path) -> None:
        (tmp_path / "proc").mkdir()
        for pid in range(1, 40):
            (tmp_path / "proc" / str(pid)).write_text("")
        numbers = ", ".join(map(str, range(1, 21)))
        (doubt,) = running_guests(str(tmp_path)).doubts
        assert doubt == f"39 processes cannot be read (not a directory): {numbers}, 19 more"

    def test_hidden_processes(self, tmp_path: Path) -> None:
        self.add(tmp_path, 7, "-S")
        os.rename(tmp_path / "proc" / "1", tmp_path / "1")
        assert running_guests(str(tmp_path)).doubts == ("/proc hides the processes of other users (hidepid)",)

    @staticmethod
    def add(root: Path, pid: int, *words: str) -> None:
        for number, program in ((1, "/sbin/init"), (pid, QEMU)):
            folder = root / "proc" / str(number)
            folder.mkdir(parents=True)
            (folder / "exe").symlink_to(program)
            (folder / "cmdline").write_bytes(b"".join(os.fsencode(word) + b"\0" for word in ("kvm", *words)))
