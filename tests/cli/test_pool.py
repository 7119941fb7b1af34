"""`hvctl pool` as a user meets it."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from hvctl.host.host_file import dump_host
from tests.cli.run import hvctl
from tests.made_hosts import made_amd_host, made_intel_host, made_no_hyperv_host, made_qemu
from tests.paths import HOSTS, schema

SCHEMA = schema("pool")
DEBIAN = (str(HOSTS / "debian-12.json"), str(HOSTS / "debian-13.json"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of three host files: two alike, and one with an older QEMU."""
    hosts = tmp_path / "hosts"
    hosts.mkdir()
    old = made_amd_host("old", qemu=(made_qemu(newest="7.2", unknown=("hv-xmm-input",)),))
    for host in (made_amd_host("node1"), made_amd_host("node2"), old):
        (hosts / f"{host.name}.json").write_text(dump_host(host))
    (hosts / "README").write_text("not a host file")
    return hosts


def test_a_folder_is_its_host_files(folder: Path) -> None:
    done = hvctl("pool", str(folder))
    assert done.stdout == hvctl("pool", *(str(folder / f"{name}.json") for name in ("node1", "node2", "old"))).stdout
    assert done.stdout.startswith("3 hosts in 2 classes of equal facts\n\nA (2): node1, node2\n")
    assert "xmm-input: old, qemu: /usr/bin/qemu-system-x86_64 does not know" in done.stdout
    assert "machine types pc-q35-7.2, pc-i440fx-7.2" in done.stdout
    assert (done.stderr, "\x1b" in done.stdout) == ("", False)
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_every_form_goes_to_stdout_and_to_a_file(folder: Path, tmp_path: Path, form: str) -> None:
    words = ("pool", str(folder), "--format", form, "--without", "old", "--all-names")
    done = hvctl(*words)
    assert hvctl(*words, "-o", str(tmp_path / "out")).stdout == ""
    assert (tmp_path / "out").read_text() == done.stdout
    assert hvctl(*words, "-o", "-").stdout == done.stdout
    assert "\x1b" not in done.stdout
    if form == "json":
        jsonschema.validate(json.loads(done.stdout), SCHEMA)
        assert json.loads(done.stdout)["without"]["gained"]["qemu"] == ["xmm-input"]
    assert (form == "html") == done.stdout.startswith("<!DOCTYPE html>")


def test_recorded_hosts_are_a_pool() -> None:
    found = json.loads(hvctl("pool", *DEBIAN, "--format", "json").stdout)
    jsonschema.validate(found, SCHEMA)
    assert [group["id"] for group in found["classes"]] == ["A", "B"]
    assert [(one["id"], one["host"], one["layer"]) for one in found["common"]["qemu"]["removed"]][:2] == [
        ("tlbflush-direct", "debian-12", "kernel"),
        ("tlbflush-ext", "debian-12", "kernel"),
    ]


def test_colours_are_for_the_terminal(folder: Path, tmp_path: Path) -> None:
    assert "\x1b[31m" in hvctl("pool", str(folder), "--color", "always").stdout
    hvctl("pool", str(folder), "--color", "always", "-o", str(tmp_path / "out"))
    assert "\x1b" not in (tmp_path / "out").read_text()


def test_names_are_counted_after_the_twentieth(tmp_path: Path) -> None:
    for number in range(25):
        (tmp_path / f"{number:02}.json").write_text(dump_host(made_amd_host(f"node{number:02}")))
    few, every = (hvctl("pool", str(tmp_path), *words).stdout for words in ((), ("--all-names",)))
    assert "node19 and 5 more" in " ".join(few.split())
    assert "node24" not in few
    assert "node24" in every


@pytest.mark.parametrize("form", ["text", "json", "html"])
@pytest.mark.parametrize(
    "bad",
    [
        made_no_hyperv_host("bad"),
        made_amd_host("bad", qemu=()),
        made_amd_host("bad", qemu=(made_qemu()._replace(machines=()),)),
    ],
    ids=["no hyperv", "no qemu", "no machine type"],
)
def test_a_pool_without_any_plan_is_exit_code_1(folder: Path, bad: object, form: str) -> None:
    assert isinstance(bad, type(made_amd_host()))
    (folder / "bad.json").write_text(dump_host(bad))
    assert hvctl("pool", str(folder), "--format", form, "--without", "bad", code=1).stdout


def test_hosts_among_which_no_guest_moves_can_still_be_compared(tmp_path: Path) -> None:
    for host in (made_amd_host(), made_intel_host()):
        (tmp_path / f"{host.name}.json").write_text(dump_host(host))
    assert "but the processors are from AMD and Intel" in " ".join(hvctl("pool", str(tmp_path)).stdout.split())


def test_leaving_out_gains(folder: Path) -> None:
    done = hvctl("pool", str(folder), "--without", "old", "--without", "old")
    assert done.stdout.endswith(
        "Without old\n  gained: xmm-input\n  machine type pc-q35-10.0 instead of pc-q35-7.2\n"
        "  machine type pc-i440fx-10.0 instead of pc-i440fx-7.2\n"
    )
    assert hvctl("pool", str(folder), "--without", "node1").stdout.endswith(
        "Without node1\n  nothing would be gained\n"
    )


def test_leaving_out_what_is_not_there(folder: Path) -> None:
    done = hvctl("pool", str(folder), "--without", "nod1", "--without", "old", "--without", "zzz", code=2)
    assert done.stdout == ""
    assert done.stderr == ("error: unknown host of the pool 'nod1' or 'zzz'\nhint: did you mean 'node1' for 'nod1'?\n")


def test_leaving_out_every_host(folder: Path) -> None:
    done = hvctl(
        "pool", str(folder), *(word for name in ("node1", "node2", "old") for word in ("--without", name)), code=2
    )
    assert done.stderr == "error: --without names every host of the pool\n"


@pytest.mark.parametrize(
    "words", [(), ("--format", "yaml", "x.json"), ("-", "-"), ("--without",), ("--no-such-option", "x.json")]
)
def test_usage_errors(words: tuple[str, ...]) -> None:
    done = hvctl("pool", *words, code=2)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_what_is_wrong_with_all_files_is_told_at_once(folder: Path) -> None:
    (folder / "bad.json").write_text('{"format_version": 2}')
    (folder / "cut.json").write_text(dump_host(made_amd_host())[:-10])
    (folder / "gone.json").symlink_to(folder / "nowhere")
    done = hvctl("pool", str(folder), "/no/such/file", code=2)
    assert done.stdout == ""
    assert f"{folder}/bad.json:1:20" in done.stderr
    assert f"{folder}/cut.json:" in done.stderr
    assert f"host file {folder}/gone.json cannot be read: no such file or directory" in done.stderr
    assert "host file /no/such/file cannot be read" in done.stderr
    assert "4 problems" in done.stderr
    assert "hvctl check-host --record" in done.stderr


def test_a_result_that_cannot_be_written(folder: Path) -> None:
    done = hvctl("pool", str(folder), "-o", str(folder / "no" / "such" / "folder"), code=2)
    assert "cannot be written" in done.stderr


def test_a_folder_without_host_files(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = hvctl("pool", str(tmp_path / "empty"), str(folder), code=2)
    assert f"{tmp_path}/empty: the directory holds no host files (*.json)" in done.stderr


def test_a_pipe_in_a_folder_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.json")
    (folder / "folder.json").mkdir()
    done = hvctl("pool", str(folder), code=2)
    assert f"{folder}/pipe.json: this is not a regular file" in done.stderr
    assert f"{folder}/folder.json: this is not a regular file" in done.stderr


def piped(*words: str, stdin: str = "", encoding: str = "utf-8") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "hvctl", "pool", *words],
        input=stdin.encode(),
        capture_output=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )


def test_a_host_from_stdin(folder: Path) -> None:
    done = piped("-", str(folder), stdin=dump_host(made_amd_host("piped")))
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"A (3): piped, node1, node2\n" in done.stdout
    assert b": the file ends in the middle of its JSON" in piped("-", stdin="{").stderr


def test_a_page_is_the_same_in_every_encoding(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(dump_host(made_amd_host("東京")))
    narrow, wide = (piped(str(tmp_path), "--format", "html", encoding=name) for name in ("latin-1", "utf-8"))
    assert (narrow.returncode, narrow.stdout) == (0, wide.stdout)


@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_names_of_files_reach_no_terminal_as_they_are(tmp_path: Path, form: str) -> None:
    nameless = dump_host(made_amd_host()._replace(name=None))
    for name in (b"a\x1b[31m.json", b"\xff.json"):
        (tmp_path / os.fsdecode(name)).write_text(nameless)
    done = piped(str(tmp_path), "--format", form)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\x1b" not in done.stdout
    assert b"udcff.json" in done.stdout


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of so many host files that a progress bar is worth it."""
    folder = tmp_path_factory.mktemp("many")
    text = dump_host(made_amd_host("node"))
    for number in range(500):
        (folder / f"{number:03}.json").write_text(text.replace('"node"', f'"node{number:03}"'))
    return folder


def on_a_terminal(*words: str) -> tuple[str, str]:
    """What hvctl says on stdout, a pipe, and on stderr, a terminal."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "hvctl", "pool", *words]
    running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=slave, text=True)
    os.close(slave)
    seen = b""
    # EIO: nobody has the other end open any more.
    with contextlib.suppress(OSError):
        while data := os.read(master, 65536):
            seen += data
    os.close(master)
    assert running.wait(60) == 0
    assert running.stdout
    with running.stdout:
        return running.stdout.read(), seen.decode()


def test_a_progress_bar_is_shown_on_a_terminal_only(many: Path, folder: Path) -> None:
    stdout, stderr = on_a_terminal(str(many))
    assert "reading host files" in stderr
    assert "500/500" in stderr
    plain = hvctl("pool", str(many))
    assert (plain.stdout, plain.stderr) == (stdout, "")
    assert plain.stdout.startswith("500 hosts in 1 class of equal facts")
    assert on_a_terminal("-q", str(many)) == (stdout, "")
    assert on_a_terminal(str(folder))[1] == ""


def test_without_stderr_there_is_no_bar(many: Path) -> None:
    words = [sys.executable, "-m", "hvctl", "pool", str(many)]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout.splitlines()[:1]) == (0, ["500 hosts in 1 class of equal facts"])
