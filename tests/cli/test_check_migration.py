"""`hvctl check-migration`: every kind of GUEST, exit codes, text and JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from hvctl.host.host_file import dump_host
from hvctl.text.files import LARGEST_TEXT, LARGEST_XML
from hvctl.xml.reader import MOST_ELEMENTS
from tests.cli.run import hvctl, inside
from tests.made_hosts import made_amd_host, made_qemu
from tests.paths import HOSTS, schema
from tests.run.running import PAUSED, wait_for

DEBIAN_12 = str(HOSTS / "debian-12.json")
DEBIAN_13 = str(HOSTS / "debian-13.json")
NO_HYPERV = str(HOSTS / "no-hyperv.json")
SCHEMA = schema("check-migration")
SAME = ("--from", DEBIAN_12, "--to", DEBIAN_12)
CPU = "qemu64,hv_relaxed=on,hv_vpindex=on,hv_synic=on"
LINE = f"qemu-system-x86_64 -machine pc-q35-7.2 -accel kvm -cpu {CPU} # what runs\n"
XML = """\
<domain type='kvm'>
  <name>win</name><memory>1048576</memory>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
  <features><hyperv><relaxed state='on'/><vpindex state='on'/><synic state='on'/></hyperv></features>
  <cpu mode='custom' match='exact'><model>qemu64</model></cpu>
</domain>
"""
PROFILE = (
    "version: 1\nname: p\nmachine: pc-q35-7.2\ncpu: qemu64\nenlightenments: {relaxed: on, vpindex: on, synic: on}\n"
)


def check(
    guest: str | Path, *words: str, code: int = 0, stdin: bytes | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it; what it prints is never a traceback, and fits."""
    if stdin is None:
        done = inside("check-migration", str(guest), *words, code=code)
    else:
        ran = subprocess.run(
            [sys.executable, "-m", "hvctl", "check-migration", str(guest), *words],
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )
        done = subprocess.CompletedProcess(ran.args, ran.returncode, ran.stdout.decode(), ran.stderr.decode())
        assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    if "--format" not in words:
        assert all(len(line) <= 80 or "`" in line or "/tmp/" in line for line in done.stdout.splitlines()), done.stdout
    return done


def verdicts(guest: str | Path, *words: str, code: int = 0) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(check(guest, *words, "--format", "json", code=code).stdout)
    jsonschema.validate(document, SCHEMA, jsonschema.Draft7Validator)
    return document


def reasons(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["effect"], one["id"]) for verdict in document["verdicts"] for one in verdict["reasons"]]


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of every kind, of one guest."""
    found = tmp_path_factory.mktemp("guests")
    write(found, "line", LINE)
    write(found, "nul", LINE.partition(" #")[0].replace(" ", "\0") + "\0")
    write(found, "cpu", f"{CPU}\n")
    write(found, "p.yaml", PROFILE)
    write(found, "p.json", json.dumps({"version": 1, "name": "p", "machine": "pc-q35-7.2", "cpu": "qemu64"}))
    write(found, "win.xml", XML)
    write(found, "utf16.xml", ('<?xml version="1.0" encoding="UTF-16"?>\n' + XML).encode("utf-16"))
    write(found, "bom.yaml", b"\xef\xbb\xbf" + PROFILE.encode())
    write(found, "bom", b"\xef\xbb\xbf" + LINE.encode())
    hvctl("gen", str(found / "p.yaml"), "--both", "--host", DEBIAN_12, "--lock", str(found / "w.json"))
    return found


FILES = ["line", "nul", "p.yaml", "p.json", "win.xml", "utf16.xml", "bom.yaml", "bom", "w.json"]


class TestGuests:
    """What GUEST may be."""

    @pytest.mark.parametrize("name", FILES)
    def test_files(self, name: str, folder: Path) -> None:
        done = check(folder / name, *SAME)
        assert done.stdout.endswith("\nyes: debian-12\n\ntargets that work: debian-12\n")
        assert done.stderr == ""

    @pytest.mark.parametrize("name", FILES)
    def test_the_same_on_stdin(self, name: str, folder: Path) -> None:
        if name.endswith(".yaml"):
            return  # in the next test
        done = check("-", *SAME, stdin=(folder / name).read_bytes())
        assert "targets that work: debian-12" in done.stdout

    def test_a_profile_on_stdin_and_by_name(self) -> None:
        assert check("-", *SAME, stdin=PROFILE.encode()).stdout.startswith("p, from debian-12\n")
        assert check("windows-11", *SAME).stdout.startswith("windows-11, from debian-12\n")

    def test_a_cpu_value_says_no_machine_type(self, folder: Path) -> None:
        assert reasons(verdicts(folder / "cpu", *SAME, code=1)) == [("unknown", "machine")]

    def test_a_lock_knows_where_it_may_be(self, folder: Path) -> None:
        done = check(folder / "w.json", "--to", DEBIAN_12)
        assert done.stdout.startswith("p, from the hosts of the plan file\n")

    def test_a_domain_of_a_libvirt(self) -> None:
        done = check("test:///default#test", *SAME, code=1)
        assert done.stdout.startswith("test, from debian-12\n\ncannot tell: debian-12\n")
        assert "the guest uses test, not KVM" in " ".join(done.stdout.split())

    @pytest.mark.parametrize(
        "word", ["test:///default#nosuch", "test:///nosuch#test", "nosuch:///x#y", "test:///default#"]
    )
    def test_no_domain_of_a_libvirt(self, word: str) -> None:
        done = check(word, *SAME, code=3)
        assert done.stdout == ""
        assert word.partition("#")[0] in done.stderr

    def test_names_and_files_that_are_not_there(self, tmp_path: Path) -> None:
        done = check("windows-12", *SAME, code=2)
        assert "unknown guest 'windows-12'" in done.stderr
        assert "did you mean 'windows-" in " ".join(done.stderr.split())
        assert "unknown guest" in check(tmp_path / "gone.xml", *SAME, code=2).stderr
        assert "unknown guest" in check(f"{DEBIAN_12}/x", *SAME, code=2).stderr


class TestRunning:
    """A QEMU that runs, by its process and by its QMP socket."""

    @pytest.fixture(scope="class")
    @classmethod
    def qemu(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
        path = tmp_path_factory.mktemp("qemu") / "qmp"
        cpu = "max,hv-relaxed=on,hv-spinlocks=0x1fff,hv-time=on,tsc-frequency=2500000000"
        process = subprocess.Popen((*PAUSED, "-cpu", cpu, "-qmp", f"unix:{path},server=on,wait=off"))
        try:
            wait_for(path.exists)
            yield str(process.pid), str(path)
        finally:
            process.kill()
            process.wait()

    def test_by_process(self, qemu: tuple[str, str]) -> None:
        document = verdicts(qemu[0], *SAME, code=1)
        assert document["guest"] == f"process {qemu[0]}"
        assert ("unknown", "accelerator") in reasons(document)

    def test_by_socket(self, qemu: tuple[str, str]) -> None:
        document = verdicts(qemu[1], *SAME, code=1)
        assert document["guest"] == qemu[1]
        assert ("unknown", "accelerator") in reasons(document)

    def test_what_waits_there(self, qemu: tuple[str, str]) -> None:
        document = verdicts(qemu[0], *SAME, "--incoming", qemu[1], code=1)
        assert ("unknown", "cpu.features") in reasons(document)
        assert not [effect for effect, _ in reasons(document) if effect == "changes"]

    def test_processes_that_are_no_qemu(self) -> None:
        done = check(str(os.getpid()), *SAME, code=2)
        assert f"process {os.getpid()} is {os.path.basename(sys.executable)}, and no QEMU" in done.stderr
        for pid in ("0", "99999999", "9" * 60):
            assert f"no process {pid}" in check(pid, *SAME, code=3).stderr.replace("\n    ", " ")

    @pytest.mark.parametrize(
        ("name", "expected"),
        [("qemu-system-x86_64", [("unknown", "accelerator")]), ("qemu-kvm", []), ("/usr/bin/kvm", [])],
    )
    def test_the_program_says_which_accelerator_is_the_default(
        self, name: str, expected: list[tuple[str, str]]
    ) -> None:
        """A shell that waits, and is called as a QEMU is."""
        words = [name, "-c", "read line", "-machine", "pc-q35-7.2", "-cpu", "qemu64,hv-relaxed=on"]
        process = subprocess.Popen(words, executable="/bin/sh", stdin=subprocess.PIPE)
        try:
            wait_for(lambda: b"-machine" in Path(f"/proc/{process.pid}/cmdline").read_bytes())
            document = verdicts(str(process.pid), *SAME, code=1 if expected else 0)
            assert reasons(document) == expected
        finally:
            process.kill()
            process.communicate()

    def test_a_qemu_that_a_loader_starts(self) -> None:
        words = [
            "/lib64/ld-linux-x86-64.so.2",
            "-c",
            "read line",
            "/x/qemu-system-x86_64",
            "-machine",
            "pc-q35-7.2",
            "-S",
        ]
        process = subprocess.Popen(words, executable="/bin/sh", stdin=subprocess.PIPE)
        try:
            wait_for(lambda: b"-machine" in Path(f"/proc/{process.pid}/cmdline").read_bytes())
            assert ("unknown", "accelerator") in reasons(verdicts(str(process.pid), *SAME, code=1))
        finally:
            process.kill()
            process.communicate()


class TestOdd:
    """Files that describe no guest, or are none."""

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "is empty"),
            (b" \n", "empty"),
            (b"\x7fELF\x02\x01\x01" + bytes(range(256)), "is not UTF-8"),
            (b"\xff\xfe\x00", ""),
            (b"<", ""),
            (b"<html/>", "this is not a libvirt domain, but <html>"),
            (b"{", ""),
            (b'{"format_version": 1}', 'this is not a plan file: it has no "kind"'),
            (b"qemu-system-x86_64 -cpu 'host", "the quotation has no end"),
            (b"qemu-system-x86_64 -cpu host,hv_time=maybe", "hv-time=maybe: a switch is on or off"),
            (b"-cpu host \xff", "is not UTF-8"),
            (b"version: 1\nenlightenments: {nosuch: on}\n", "nosuch"),
            (b"x" * (LARGEST_XML + 1), "it is larger than 4 MiB"),
            (b"x" * (LARGEST_TEXT + 1), "it is larger than 256 KiB"),
            (b"qemu-system-x86_64 -cpu host" + b" " * LARGEST_TEXT, "it is larger than 256 KiB"),
            (b"<domain>" + b"<a/>" * MOST_ELEMENTS + b"</domain>", "it has more than 100000 elements"),
        ],
    )
    def test_content(self, content: bytes, said: str, tmp_path: Path) -> None:
        done = check(write(tmp_path, "g", content), *SAME, code=2)
        assert done.stdout == ""
        assert said in " ".join(done.stderr.split()), done.stderr

    def test_a_host_file(self) -> None:
        assert "debian-12.json is a host file, not a guest" in check(DEBIAN_12, *SAME, code=2).stderr

    @pytest.mark.parametrize("make", ["folder", "fifo", "device"])
    def test_what_is_no_regular_file(self, make: str, tmp_path: Path) -> None:
        path = tmp_path / "g"
        if make == "folder":
            path.mkdir()
        elif make == "fifo":
            os.mkfifo(path)
        else:
            path.symlink_to("/dev/zero")
        done = check(path, *SAME, code=2)
        why = {
            "folder": "it is a directory",
            "fifo": "nothing writes to this pipe",
            "device": "it is not a regular file",
        }
        assert why[make] in " ".join(done.stderr.split())

    def test_what_may_not_be_read(self, tmp_path: Path) -> None:
        path = write(tmp_path, "g", XML)
        path.chmod(0)
        loop = tmp_path / "loop"
        loop.symlink_to(loop)
        assert "cannot be read: too many levels of symbolic links" in " ".join(
            check(loop, *SAME, code=2).stderr.split()
        )
        if os.geteuid():
            assert "permission denied" in check(path, *SAME, code=2).stderr

    def test_a_socket_that_is_no_qmp(self, tmp_path: Path) -> None:
        import socket

        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(tmp_path / "s"))
            done = check(tmp_path / "s", *SAME, code=3)
        assert "this is no QMP socket that answers as QEMU does" in " ".join(done.stderr.split())

    def test_a_name_that_is_no_text(self, tmp_path: Path) -> None:
        path = tmp_path / os.fsdecode(b"\xff\x1b]0;x\x07")
        path.write_text(LINE)
        for form in ("text", "json"):
            words = [sys.executable, "-m", "hvctl", "check-migration", str(path), *SAME, "--format", form]
            done = subprocess.run(words, capture_output=True, timeout=60, check=False)
            assert (done.returncode, done.stderr) == (0, b"")
            assert not {b"\x1b", b"\x07", b"\xff"} & {done.stdout[at : at + 1] for at in range(len(done.stdout))}


class TestHosts:
    """--from and --to."""

    @pytest.fixture(scope="class")
    @classmethod
    def hosts(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        found = tmp_path_factory.mktemp("hosts")
        for host in (
            made_amd_host("a"),
            made_amd_host("b"),
            made_amd_host("c", qemu=(made_qemu(newest="7.1"),)),
            made_amd_host("d", tsc=3_000_000_000),
            made_amd_host("e", qemu=()),
        ):
            write(found, f"{host.name}.json", dump_host(host))
        write(found, "notes.txt", "not a host")
        return found

    def test_a_folder(self, hosts: Path, folder: Path) -> None:
        document = verdicts(folder / "line", "--from", str(hosts / "a.json"), "--to", str(hosts), code=1)
        assert {(one["answer"], *one["targets"]) for one in document["verdicts"]} == {
            ("yes", "a", "b"),
            ("no", "c"),
            ("no", "d"),
            ("unknown", "e"),
        }
        assert document["works"] == ["a", "b"]
        assert set(reasons(document)) == {("fails", "machine"), ("changes", "tsc-frequency"), ("unknown", "qemu")}

    def test_several_targets(self, hosts: Path, folder: Path) -> None:
        names = [str(hosts / f"{name}.json") for name in "ab"]
        done = check(folder / "line", "--from", names[0], "--to", names[0], "--to", names[1])
        assert done.stdout.endswith("yes: a, b\n\ntargets that work: a, b\n")

    def test_the_source_is_one(self, hosts: Path, folder: Path) -> None:
        done = check(folder / "line", "--from", str(hosts), "--to", DEBIAN_12, code=2)
        assert "holds 5 hosts" in done.stderr

    def test_a_kvm_without_hyperv(self, folder: Path) -> None:
        document = verdicts(folder / "line", "--from", DEBIAN_12, "--to", NO_HYPERV, code=1)
        assert ("fails", "kvm") in reasons(document)

    def test_another_kernel_and_qemu(self, folder: Path) -> None:
        assert verdicts(folder / "line", "--from", DEBIAN_12, "--to", DEBIAN_13)["works"] == ["debian-13"]
        back = verdicts("windows-11", "--from", DEBIAN_13, "--to", DEBIAN_12, code=1)
        assert {("fails", "machine"), ("fails", "tlbflush-ext"), ("changes", "cpu")} <= set(reasons(back))

    def test_a_profile_that_the_source_cannot_give(self, tmp_path: Path) -> None:
        path = write(tmp_path, "p.yaml", "version: 1\nname: p\nenlightenments: {evmcs: on}\n")
        done = check(path, *SAME, code=1)
        assert done.stdout == ""
        assert "evmcs: refused" in done.stderr

    @pytest.mark.parametrize(
        "words", [(), ("--from", DEBIAN_12), ("--to", "gone.json"), ("--from", "gone.json", "--to", DEBIAN_12)]
    )
    def test_what_is_missing(self, words: tuple[str, ...]) -> None:
        assert check("minimal", *words, code=2).stdout == ""

    def test_stdin_has_one_reader(self) -> None:
        assert "stdin can be read once" in check("-", "--from", "-", "--to", DEBIAN_12, code=2).stderr
        assert "stdin can be read once" in check("-", "--incoming", "-", *SAME, code=2).stderr


class TestIncoming:
    """What waits on the targets is configured otherwise."""

    @pytest.mark.parametrize(
        ("old", "new", "expected"),
        [
            ("hv_relaxed=on,", "", [("changes", "relaxed")]),
            (",hv_synic=on", "", [("fails", "synic")]),
            ("qemu64", "qemu64,hv_spinlocks=4096", [("changes", "spinlocks")]),
            ("pc-q35-7.2", "pc-q35-7.1", [("fails", "machine")]),
            ("qemu64", "qemu64,kvm=off", [("changes", "cpu.hidden")]),
            ("qemu64", "qemu64,tsc-frequency=5000000000", [("fails", "tsc-frequency"), ("lost", "tsc-frequency")]),
            ("-accel kvm", "-enable-kvm", []),
        ],
    )
    def test_differences(
        self, old: str, new: str, expected: list[tuple[str, str]], folder: Path, tmp_path: Path
    ) -> None:
        waiting = write(tmp_path, "waiting", LINE.replace(old, new))
        document = verdicts(folder / "line", *SAME, "--incoming", str(waiting), code=1 if expected else 0)
        assert sorted(reasons(document)) == sorted(expected)

    @pytest.mark.parametrize("name", ["p.yaml", "win.xml", "w.json", "nul"])
    def test_the_same_in_another_form_is_the_same(self, name: str, folder: Path) -> None:
        assert reasons(verdicts(folder / "line", *SAME, "--incoming", str(folder / name))) == []


def test_the_text_says_what_would_happen(tmp_path: Path) -> None:
    line = LINE.replace("qemu64,", "qemu64,hv_reenlightenment=on,hv_no_nonarch_coresharing=auto,")
    text = check(write(tmp_path, "g", line), "--from", DEBIAN_12, "--to", NO_HYPERV, code=1).stdout
    for said in ("refused at the source", "fails on the destination", "the guest is lost", "no: no-hyperv"):
        assert said in " ".join(text.split())


@pytest.mark.parametrize(("target", "code"), [(DEBIAN_12, 0), (NO_HYPERV, 1), ("gone", 2)])
def test_as_a_process(target: str, code: int) -> None:
    done = hvctl("check-migration", "windows-11", "--from", DEBIAN_12, "--to", target, code=code)
    assert bool(done.stdout) == (code < 2)
    assert bool(done.stderr) == (code == 2)


def test_help_names_every_kind_of_guest() -> None:
    shown = " ".join(inside("check-migration", "--help").stdout.split())
    for word in ("profile", "plan file", "domain's XML", "command line", "QMP socket", "process id", "URI#DOMAIN"):
        assert word in shown
