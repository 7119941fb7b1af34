"""`hvctl collector` and `check-host --raw` as a user meets them, and the README's folder of records."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.run import hvctl
from tests.paths import COLLECTOR, HOSTS, RECORDS, ROOT

RECORD = str(RECORDS / "debian-13.json")


def test_it_writes_the_file_that_is_shipped(tmp_path: Path) -> None:
    path = tmp_path / "collect"
    assert hvctl("collector").stdout == COLLECTOR.read_text() == hvctl("collector", "-o", "-").stdout
    assert hvctl("collector", "-o", str(path)).stdout == ""
    assert path.read_text() == COLLECTOR.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
    path.write_text("an older one")
    path.chmod(0o600)
    hvctl("collector", "-o", str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
    mode = os.stat("/dev/null").st_mode
    hvctl("collector", "-o", "/dev/null")
    assert os.stat("/dev/null").st_mode == mode
    assert "cannot be written" in hvctl("collector", "-o", str(tmp_path / "missing/collect"), code=2).stderr


def test_a_record_comes_through_stdin_once() -> None:
    command = [sys.executable, "-m", "hvctl", "check-host", "--raw", "-", "--record", "-"]
    done = subprocess.run(command, input=Path(RECORD).read_bytes(), capture_output=True, timeout=60, check=True)
    assert b'"name": "debian-13"' in done.stdout
    assert "a single input may be -" in hvctl("check-host", "-", "--raw", "-", code=2).stderr


def test_a_record_becomes_the_host_file(tmp_path: Path) -> None:
    made = tmp_path / "made.json"
    done = hvctl("check-host", "windows-11", "--raw", RECORD, "--record", str(made))
    assert "profile windows-11: yes" in done.stdout
    recorded = re.sub(r'"tsc_hz": \d+', "", (HOSTS / "debian-13.json").read_text())
    assert re.sub(r'"tsc_hz": \d+', "", made.read_text()) == recorded
    hvctl("check-host", "--raw", str(made), code=2)
    assert '"name": "other"' in hvctl("check-host", "--raw", RECORD, "--name", "other", "--record", "-").stdout


@pytest.mark.parametrize("more", [("--no-qemu",), ("--qemu", "x"), ("--root", "/"), ("--connect", "test:///default")])
def test_a_record_has_all_the_answers(more: tuple[str, ...]) -> None:
    assert "--raw does not go with" in hvctl("check-host", "--raw", RECORD, *more, code=2).stderr


@pytest.mark.parametrize(
    "words",
    [
        ("gen", "windows-11", "--host", RECORD),
        ("lint", str(ROOT / "tests/rules/not-kvm/quiet.xml"), "--no-config", "--fail-on", "never", "--host", RECORD),
        ("verify", "windows-11", "--dry-run", "--host", RECORD),
        ("check-migration", "windows-11", "--from", RECORD, "--to", str(HOSTS / "debian-13.json")),
        ("pool", RECORD, str(HOSTS / "debian-13.json"), str(RECORDS / "debian-12.json")),
    ],
    ids=lambda words: words[0],
)
def test_a_record_is_taken_where_a_host_file_is(words: tuple[str, ...]) -> None:
    as_hosts = [word.replace("/records/", "/hosts/") for word in words]
    own, other = hvctl(*words), hvctl(*as_hosts)
    # The frequency is not the same.
    without = [re.sub(r"\d{4}\.\d{3} MHz|\d{10}", "", done.stdout + done.stderr) for done in (own, other)]
    if words[0] != "pool":  # the same host twice has another name
        assert without[0] == without[1]


def test_the_readme_s_folder_of_records(tmp_path: Path) -> None:
    """Its loop, with an ssh that runs the command here; this machine's KVM may have no Hyper-V, or be none."""
    section = (ROOT / "README.md").read_text().partition("### A folder of records\n")[2].partition("\n## ")[0]
    script = "".join(line[4:] for line in section.splitlines(keepends=True) if line.startswith("    "))
    assert "ssh root@$node python3 - --name $node" in script
    commands = {"ssh": 'shift\nexec "$@"', "hvctl": f'exec "{sys.executable}" -m hvctl "$@"'}
    (tmp_path / "bin").mkdir()
    for name, body in commands.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["sh", "-c", f"hvctl collector -o hvctl-collect\n{script}"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert len(list((tmp_path / "records").glob("node?.json"))) == 3
    assert "3 hosts in 1 class" in done.stdout or "/dev/kvm" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
