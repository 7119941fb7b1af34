"""`hvctl check-host` as a user meets it. What needs a KVM with Hyper-V is in tests/realkvm/test_probe.py."""

import json
import os
import re
from pathlib import Path

import pytest

from hvctl.errors import HostError, NoKvmError
from hvctl.host.kvm import probe_kvm
from tests.cli.run import hvctl
from tests.paths import HOSTS


def own_code() -> int:
    """What check-host has to answer on the machine that runs the tests: some have no KVM, or one without Hyper-V."""
    try:
        return 0 if probe_kvm("/dev/kvm").kvm.hyperv else 3
    except HostError:
        return 3


@pytest.mark.parametrize("form", ["text", "json"])
def test_this_machine(form: str) -> None:
    done = hvctl("check-host", "--no-qemu", "--format", form, code=own_code())
    assert "Traceback" not in done.stderr
    assert len(re.findall("^error:", done.stderr, re.MULTILINE)) == int(own_code() == 3)
    if form == "json" and done.stdout:
        assert json.loads(done.stdout)["format_version"] == 1


def test_a_profile_does_not_change_that_a_kvm_has_no_hyperv() -> None:
    # Without QEMU a profile is exit 3 too, for its own reason.
    done = hvctl("check-host", "--qemu", "/bin/true", "minimal", code=3)
    assert ("no usable QEMU" in done.stderr) == (own_code() == 0)


@pytest.mark.parametrize(
    ("make", "message", "hint"),
    [
        (lambda root: root.rmdir(), "no directory", "--root"),
        (lambda _: None, "this kernel offers no KVM", "modprobe"),
        (lambda root: (root / "dev").mkdir() or (root / "dev/kvm").touch(), "is not a KVM", "--root"),
        (lambda root: (root / "dev").mkdir() or (root / "dev/kvm").symlink_to("/dev/zero"), "is not a KVM", "--root"),
    ],
    ids=["no root", "no kvm", "a file", "another device"],
)
def test_each_failure_has_its_sentence(tmp_path: Path, make: object, message: str, hint: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    assert callable(make)
    make(root)
    done = hvctl("check-host", "--root", str(root), code=3)
    assert message in done.stderr
    assert hint in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    "words",
    [
        ("--qemu", "x", "--no-qemu"),
        ("--name", ""),
        ("--name", "a\nb"),
        ("--format", "yaml"),
        ("no-such-profile",),
        ("minimal", "--no-qemu"),
        ("--format", "nodefeature"),
        ("--format", "nodefeature", "--name", "Node 1"),
        ("--format", "nodefeature", "--name", "n" * 64),
        ("--format", "nodefeature", "--name", "node-1", "--nfd-group", "example.org"),
        ("--format", "nfd", "--nfd-group", "nfd.openshift.io"),
        ("--format", "nfd", "minimal"),
        ("--format", "nova-provider", "minimal"),
        ("--domcapabilities", "x", "--qemu", "y"),
        ("--domcapabilities", "no-such-file"),
    ],
)
def test_usage_errors(words: tuple[str, ...]) -> None:
    assert hvctl("check-host", *words, code=2).stdout == ""


@pytest.mark.parametrize("form", ["nfd", "nodefeature"])
def test_labels_of_this_machine(form: str, tmp_path: Path) -> None:
    path = tmp_path / "features"
    words = ("--no-qemu", "--format", form, "--name", "node-1")
    printed = hvctl("check-host", *words, code=own_code()).stdout
    hvctl("check-host", *words, "-o", str(path), code=own_code())
    assert printed == (path.read_text() if path.exists() else "")
    if path.exists():
        assert ("feature.node.kubernetes.io/hvctl-relaxed" in printed) is (own_code() == 0)


@pytest.mark.parametrize(("words", "who"), [((), "uuid: $COMPUTE_NODE"), (("--name", "node-1"), "name: node-1")])
def test_the_provider_file_of_this_machine(words: tuple[str, ...], who: str, tmp_path: Path) -> None:
    path = tmp_path / "provider.yaml"
    words = ("--no-qemu", "--format", "nova-provider", *words)
    printed = hvctl("check-host", *words, code=own_code()).stdout
    hvctl("check-host", *words, "-o", str(path), code=own_code())
    assert printed == (path.read_text() if path.exists() else "")
    assert not printed or f"    {who}\n" in printed


def test_the_group_of_openshift(tmp_path: Path) -> None:
    path = tmp_path / "node.yaml"
    words = ("--no-qemu", "--format", "nodefeature", "--name", "n" * 63, "-o", str(path))
    for more, group in (((), "nfd.k8s-sigs.io"), (("--nfd-group", "nfd.openshift.io"), "nfd.openshift.io")):
        hvctl("check-host", *words, *more, code=own_code())
        if path.exists():  # not without a KVM
            assert path.read_text().startswith(f"apiVersion: {group}/v1alpha1\nkind: NodeFeature\n")


def test_the_mistakes_of_all_profiles_are_told_at_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(f"version: 1\n{name}-unknown: 1\n")
    done = hvctl("check-host", str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"), code=2)
    assert "a.yaml:2:1" in done.stderr
    assert "b.yaml:2:1" in done.stderr


def test_no_heavy_import_without_qemu() -> None:
    done = hvctl("check-host", "--no-qemu", code=own_code(), PYTHONPROFILEIMPORTTIME="1")
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time")}
    assert "hvctl.host.kvm" in imported
    assert not imported & {"asyncio", "lxml", "yaml", "jinja2", "qemu", "subprocess", "pathlib", "shutil"}


def test_help_names_every_option() -> None:
    text = hvctl("check-host", "--help").stdout
    for option in ("--qemu", "--no-qemu", "--record", "--name", "--root", "--format", "--color"):
        assert option in text


def test_nothing_is_written_to_the_terminal_but_the_report() -> None:
    done = hvctl("check-host", "--qemu", "/bin/true", code=own_code())
    assert "\r" not in done.stderr
    assert "asking" not in done.stderr


def test_the_record_goes_to_stdout_alone() -> None:
    done = hvctl("check-host", "--no-qemu", "--record", "-", "--name", "n", code=own_code())
    if done.stdout:
        assert json.loads(done.stdout)["name"] == "n"


def test_a_record_that_cannot_be_written(tmp_path: Path) -> None:
    if os.path.exists("/dev/kvm"):
        done = hvctl("check-host", "--no-qemu", "--record", str(tmp_path / "missing/host.json"), code=2)
        assert "cannot be written" in done.stderr


@pytest.mark.parametrize(
    ("words", "instead"),
    [
        (("gen", "windows-11"), "--host FILE"),
        (("verify", "windows-11"), "--accel tcg"),
        (("launch", "windows-11"), "`hvctl gen PROFILE --host FILE`"),
        (("check-migration", "windows-11", "--to", str(HOSTS / "debian-13.json")), "--from FILE"),
        (("check-host",), "--connect URI"),
        (("bench",), "`hvctl explain`"),
    ],
)
def test_without_a_kvm_each_command_names_what_works_without(words: tuple[str, ...], instead: str) -> None:
    error = NoKvmError("there is no KVM", "modprobe kvm")
    assert error.within("schema").hint == "modprobe kvm"
    assert error.within(words[0]).exit_code == 3
    assert instead in error.within(words[0]).hint
    if own_code() == 3:
        assert instead in " ".join(hvctl(*words, code=3).stderr.split())
