"""The whole host: provenance, notes, and what stops it."""

import os
from pathlib import Path

import pytest

from hvctl.errors import HostError
from hvctl.host.probe import emulator_of_file, find_binaries, named_binaries, probe_host


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


def test_a_program_that_only_the_caller_can_write_is_named_by_its_real_path(tmp_path: Path) -> None:
    qemu = script(tmp_path / "own/bin/qemu")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    script(tmp_path / "shared/own/qemu")
    (tmp_path / "shared/link").symlink_to(qemu)
    for named, real in (("own/bin/qemu", qemu), ("shared/link", qemu), ("shared/own/qemu", None)):
        assert emulator_of_file(f"{tmp_path}/{named}", "") == str(real or tmp_path / named)


@pytest.mark.parametrize(
    ("named", "changed", "mode", "why"),
    [
        ("bin/qemu", None, 0, "is not an absolute path"),
        ("qemu-system-x86_64", None, 0, "is not an absolute path"),
        ("{folder}/bin/other", None, 0, "is not on this machine"),
        ("{folder}/bin/qemu\0", None, 0, "is not on this machine"),
        ("{folder}/bin", None, 0, "is not a file"),
        ("{folder}/bin/qemu", "bin/qemu", 0o775, "other users can write to {folder}/bin/qemu"),
        ("{folder}/bin/qemu", "bin/qemu", 0o757, "other users can write to {folder}/bin/qemu"),
        ("{folder}/bin/qemu", "bin", 0o777, "other users can write to {folder}/bin"),
        ("{folder}/bin/qemu", "bin", 0o1777, "other users can write to {folder}/bin"),
        ("{folder}/bin/qemu", ".", 0o770, "other users can write to {folder}"),
        ("{folder}/bin/../link", "bin", 0o777, "other users can write to {folder}/bin"),
    ],
)
def test_a_program_that_others_can_have_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, changed: str | None, mode: int, why: str
) -> None:
    (tmp_path / "link").symlink_to(script(tmp_path / "bin/qemu"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    if changed:
        (tmp_path / changed).chmod(mode)
    with pytest.raises(HostError) as raised:
        emulator_of_file(named.format(folder=tmp_path), "do that")
    assert raised.value.message.endswith(why.format(folder=tmp_path))
    assert raised.value.hint == "do that"


@pytest.mark.parametrize("foreign", ["bin/qemu", "bin"])
def test_a_program_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, foreign: str) -> None:
    script(tmp_path / "bin/qemu")
    if os.geteuid():
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    else:
        os.chown(tmp_path / foreign, 1, 1)
    with pytest.raises(HostError, match="belongs to another user"):
        emulator_of_file(f"{tmp_path}/bin/qemu", "")
