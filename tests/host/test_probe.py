"""The whole host: provenance, notes, and what stops it."""

from pathlib import Path

import pytest

from hvctl.errors import HostError
from hvctl.host.probe import find_binaries, named_binaries, probe_host


def test_a_root_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(HostError) as raised:
        probe_host(str(tmp_path / "missing"))
    assert raised.value.message == f"no directory {tmp_path}/missing"
    assert raised.value.exit_code == 3


def test_a_root_without_kvm(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=f"there is no {tmp_path}/dev/kvm"):
        probe_host(str(tmp_path))


def test_kvm_is_taken_from_below_the_root(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/kvm").symlink_to("/dev/null")
    with pytest.raises(HostError, match="is not a KVM"):
        probe_host(str(tmp_path))


def script(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_path_comes_first_and_each_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    qemu = script(tmp_path / "a/qemu-system-x86_64")
    (tmp_path / "a/qemu-kvm").symlink_to(qemu)
    monkeypatch.setenv("PATH", str(tmp_path / "a"))
    found = find_binaries()
    assert found[0] == str(qemu)
    assert str(tmp_path / "a/qemu-kvm") not in found


def test_names_are_looked_up_and_paths_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    qemu = script(tmp_path / "bin/my-qemu")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.chdir(tmp_path)
    assert named_binaries(["my-qemu", "bin/my-qemu", "bin/other"]) == (str(qemu), str(tmp_path / "bin/other"))


def test_a_name_that_is_not_found_stays_to_be_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert named_binaries(["no-such-qemu"]) == (str(tmp_path / "no-such-qemu"),)
