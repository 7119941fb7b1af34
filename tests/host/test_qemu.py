"""Asking QEMU binaries: the installed one, programs that are none, and a fake that lies."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hvctl.catalog import ROWS, machines
from hvctl.host.probe import ask_first, find_binaries
from hvctl.host.qemu import probe_qemus
from hvctl.model.host import MachineType, Qemu
from tests.made_hosts import made_amd_host
from tests.paths import ROOT
from tests.run.running import WRAPPERS, fake_qemu, wait_for, wrapper


def script(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def only(path: str, *, kvm: bool = False, limit: float = 10.0) -> tuple[Qemu | None, tuple[str, ...]]:
    answers = probe_qemus([path], kvm=kvm, limit=limit)
    return (answers.qemu[0] if answers.qemu else None), answers.notes


def test_the_installed_qemu() -> None:
    qemu, notes = only(find_binaries()[0])
    assert qemu
    assert notes == ()
    assert qemu.version
    wanted = {known.name for row in ROWS for known in row.properties if not row.experimental}
    assert wanted <= set(dict(qemu.properties))
    assert {"machine", "chardev"} <= set(qemu.options)
    by_alias = {machine.alias: machine for machine in qemu.machines if machine.alias}
    assert set(machines.FAMILIES) <= set(by_alias)
    assert by_alias["q35"].hpet is not None
    assert (qemu.expansion, qemu.passthrough, qemu.models) == (None, None, None)


LEFT_BEHIND = """
import os, sys
from hvctl.host.qemu import probe_qemus
before = os.listdir("/proc/self/fd")
probe_qemus(sys.argv[1:], kvm=True, limit=3)
assert os.listdir("/proc/self/fd") == before
try:
    print(os.waitpid(-1, os.WNOHANG))
except ChildProcessError:
    print("no child")
"""


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    # A process of its own: this one may have other children.
    command = [sys.executable, "-c", LEFT_BEHIND, find_binaries()[0], "/bin/true", fake_qemu(tmp_path, "silent")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("no child\n", "")


def test_with_kvm_the_fake_tells_everything(tmp_path: Path) -> None:
    path = fake_qemu(tmp_path, "honest")
    qemu, notes = only(path, kvm=True)
    assert notes == ()
    assert qemu == Qemu(
        path,
        "9.8.7",
        (("hv-fake", "bool"),),
        ("run-with", "run-with.exit-with-parent"),
        (MachineType("none"), MachineType("pc-q35-9.8", "q35", hpet=True)),
        (("avx", True), ("level", 7)),
        (),
        ("EPYC",),
    )


def test_the_cache_names_no_other_binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = fake_qemu(tmp_path, "honest")
    asked = ask_first([path], made_amd_host())
    (kept,) = (tmp_path / "cache/hvctl").iterdir()
    first, _, rest = kept.read_text().partition("\n")
    kept.write_text(f"{first}\n{rest.replace(path, '/bin/false').replace('9.8.7', '1.2.3')}")
    assert ask_first([path], made_amd_host()) == asked


def test_a_qemu_that_dies_of_kvm_is_known_without_it(tmp_path: Path) -> None:
    qemu, notes = only(fake_qemu(tmp_path, "dies-of-kvm"), kvm=True)
    assert qemu
    assert qemu.models is None
    assert "with KVM it cannot be asked, so its CPU models are not known: it ended (exit code 1)" in notes[0]
    assert notes[0].endswith("fake: failed to set MSR: Assertion failed")


def test_a_qemu_that_falls_back_to_tcg_is_known_without_kvm(tmp_path: Path) -> None:
    qemu, notes = only(fake_qemu(tmp_path, "falls-back-to-tcg"), kvm=True)
    assert qemu
    assert (qemu.expansion, qemu.passthrough, qemu.models) == (None, None, None)
    assert notes[0].endswith("so its CPU models are not known: it cannot use /dev/kvm")


@pytest.mark.parametrize(
    ("lie", "note"),
    [
        ("version-is-a-list", "not an object"),
        ("version-is-negative", "where a number is expected"),
        ("properties-are-numbers", "not an object"),
        ("name-with-escapes", "where a short text is expected"),
        ("name-is-long", "where a short text is expected"),
        ("many-machines", "not a list of reasonable length"),
        ("no-x86", "it has no max-x86_64-cpu"),
        ("endless-depth", "does not answer as QEMU does: Failed to establish session"),
        ("dies-at-machines", "it ended (exit code 7)"),
    ],
)
def test_lies_become_a_note(tmp_path: Path, lie: str, note: str) -> None:
    qemu, notes = only(fake_qemu(tmp_path, lie))
    assert qemu is None
    assert len(notes) == 1
    assert note in notes[0]
    assert notes[0].isprintable()


BROKEN = {
    "events-without-end": "it sends messages without end",
    "other-ids": "it sends messages without end",
    "no-ids": "it sends messages without end",
    "ids-are-lists": "where a name is expected",
    "events-are-lists": "where a name is expected",
    "bytes": "can't decode byte 0xff",
    "list": "not a JSON object",
    "digits": "Exceeds the limit",
    "deep": "recursion",
    "wide": "more than 1048576 bytes",
    "long-line": "more than 1048576 bytes",
    "million-properties": "more than 1048576 bytes",
    "error-without-id": "error response without an ID",
}
ASK_ALL = """
import sys
from hvctl.host.qemu import probe_qemus
for path in sys.argv[1:]:
    print(*probe_qemus([path], kvm=False).notes)
print(int(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0]) // 1024)
"""


def test_no_lie_costs_time_or_memory(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ASK_ALL, *(fake_qemu(tmp_path, lie) for lie in BROKEN)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True, cwd=ROOT)
    *notes, peak = done.stdout.splitlines()
    assert [known in note for known, note in zip(BROKEN.values(), notes, strict=True)] == [True] * len(BROKEN), notes
    assert done.stderr == ""
    assert int(peak) < 100


@pytest.mark.parametrize("lie", ["silent", "hangs-at-machines"])
def test_silence_is_bounded(tmp_path: Path, lie: str) -> None:
    began = time.monotonic()
    qemu, notes = only(fake_qemu(tmp_path, lie), limit=1)
    assert qemu is None
    assert "no answer within 1 seconds" in notes[0]
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("name", "text", "note"),
    [
        ("succeeds", "exit 0", "it ended (exit code 0)"),
        ("fails", "echo one >&2; echo 'last words' >&2; exit 3", "it ended (exit code 3): last words"),
        ("crashes", "kill -SEGV $$", "it ended (killed by SIGSEGV)"),
        ("escapes", r"printf '\033[31mred\033[0m\n' >&2; exit 1", "[31mred[0m"),
        ("floods", "exec yes >&2", "no answer within 2 seconds"),
    ],
)
def test_what_is_not_qemu_becomes_a_note(tmp_path: Path, name: str, text: str, note: str) -> None:
    qemu, notes = only(script(tmp_path, name, text), limit=2)
    assert qemu is None
    assert note in notes[0]
    assert notes[0].isprintable()


def test_files_that_cannot_be_run(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    (tmp_path / "text").chmod(0o755)
    assert "No such file" in only(str(tmp_path / "missing"))[1][0]
    assert "cannot be started" in only(str(tmp_path / "text"))[1][0]
    assert "cannot be started" in only(str(tmp_path))[1][0]


def test_what_a_wrapper_started_goes_with_it(tmp_path: Path) -> None:
    sleep = shutil.copy("/bin/sleep", tmp_path / "sleep-of-the-wrapper")
    only(script(tmp_path, "wrapper", f"{sleep} 600 & wait"), limit=1)
    deadline = time.monotonic() + 5
    while _running(str(sleep)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _running(str(sleep)) == []


@pytest.mark.parametrize("name", WRAPPERS)
def test_nothing_of_a_wrapper_is_left(tmp_path: Path, name: str) -> None:
    qemu, _ = only(wrapper(tmp_path, WRAPPERS[name], f"{find_binaries()[0]} -name {tmp_path}"))
    assert qemu
    assert _running(str(tmp_path)) == []


@pytest.mark.parametrize("name", WRAPPERS)
def test_kill_9_while_a_wrapper_is_asked_leaves_nothing(tmp_path: Path, name: str) -> None:
    silent = fake_qemu(tmp_path, "silent")
    path = wrapper(tmp_path, WRAPPERS[name], silent)
    code = "import sys; from hvctl.host.qemu import probe_qemus; probe_qemus(sys.argv[1:], kvm=False, limit=100)"
    with subprocess.Popen([sys.executable, "-c", code, path], cwd=ROOT) as process:
        wait_for(lambda: _running(f"{sys.executable}\0{silent}"))
        process.kill()
    wait_for(lambda: not _running(str(tmp_path)))


def _running(word: str) -> list[Path]:
    return [path for path in Path("/proc").glob("[0-9]*/cmdline") if word in _read(path)]


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def test_all_are_asked_at_the_same_time_and_keep_their_order(tmp_path: Path) -> None:
    began = time.monotonic()
    answers = probe_qemus([fake_qemu(tmp_path, lie) for lie in ("silent", "honest", "hangs-at-machines")], limit=6)
    assert time.monotonic() - began < 12
    assert [Path(qemu.path).name for qemu in answers.qemu] == ["honest"]
    assert ["silent" in answers.notes[0], "hangs" in answers.notes[1]] == [True, True]
