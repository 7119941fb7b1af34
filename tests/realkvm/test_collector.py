"""The collector against the real KVM, QEMU and libvirt: its record, decoded, is check-host's, byte for byte."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hvctl.errors import NO_QMP
from tests.paths import COLLECTOR
from tests.realkvm.real import hvctl

pytestmark = pytest.mark.world("amd", "intel")


def collected(path: Path, *words: str) -> Path:
    with path.open("wb") as stream:
        subprocess.run([sys.executable, str(COLLECTOR), *words], stdout=stream, check=True, timeout=120)
    return path


def both(folder: Path, *words: str) -> tuple[str, str]:
    """The host file that this machine's own check-host writes, and the one of the collector's record."""
    raw = collected(folder / "raw.json", *words)
    for _ in range(4):
        hvctl("check-host", *words, "--record", str(folder / "own.json"))
        own = (folder / "own.json").read_text()
        if "gave no answer within 10 seconds" not in own:  # hvctl is less patient, and this machine may be busy
            break
    hvctl("check-host", "--raw", str(raw), "--record", str(folder / "decoded.json"))
    return own, (folder / "decoded.json").read_text()


@pytest.mark.parametrize("words", [(), ("--name", "node1", "--no-qemu"), ("--qemu", "/bin/true")], ids=" ".join)
def test_decoded_it_is_what_check_host_records(words: tuple[str, ...], tmp_path: Path) -> None:
    own, decoded = both(tmp_path, *words)
    assert decoded == own


def test_a_qemu_that_dies_of_kvm_and_one_that_is_none(tmp_path: Path) -> None:
    dying = tmp_path / "dies-of-kvm"
    dying.write_text(
        '#!/bin/sh\ncase "$*" in *-accel\\ kvm*) echo no, not this >&2; exit 7;; esac\nexec qemu-system-x86_64 "$@"\n'
    )
    dying.chmod(0o755)
    own, decoded = both(tmp_path, "--qemu", str(dying), "--qemu", "/nonexistent/qemu", "--qemu", "qemu-system-x86_64")
    assert decoded == own
    notes = json.loads(own)["notes"]
    assert any("it ended (exit code 7): no, not this" in note for note in notes)
    assert any("it cannot be started: No such file or directory" in note for note in notes)


@pytest.mark.parametrize(
    "words", [("gen", "minimal"), ("launch", "minimal", "--dry-run"), ("verify", "minimal"), ("bench",)]
)
def test_without_qmp_what_asks_qemu_says_so(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text('import sys\nsys.modules["qemu"] = None\n')
    paths = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": paths, "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "hvctl", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert done.returncode == 3, done.stderr
    assert done.stderr.startswith(f"error: {NO_QMP}\n")
    raw = collected(tmp_path / "raw.json")
    if words[0] == "gen":  # the remedy
        again = [*command, "--host", str(raw)]
        assert subprocess.run(again, capture_output=True, env=environment, timeout=120, check=False).returncode == 0


def test_a_second_record_is_the_same_and_a_profile_is_resolved_for_it(tmp_path: Path) -> None:
    first, second = (collected(tmp_path / f"{name}.json") for name in ("first", "second"))
    assert first.read_text() == second.read_text()
    hvctl("gen", "windows-11", "--host", str(first))
    assert "2 hosts in 1 class" in hvctl("pool", str(first), str(second)).stdout
