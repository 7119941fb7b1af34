"""What goes with --connect and what does not, and how failures end. What needs a KVM is in tests/realkvm."""

from __future__ import annotations

from pathlib import Path

import pytest

from hvctl.libvirt.connection import connected
from tests.cli.in_process import Hvctl
from tests.libvirt.libvirt_server import serving

TEST = "test:///default"


@pytest.fixture
def hvctl(capsys: pytest.CaptureFixture[str]) -> Hvctl:
    return Hvctl(capsys)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("check-host", "--connect", TEST, "--qemu", "/bin/true"), "--connect does not go with --qemu, --no-qemu and"),
        (("check-host", "--connect", TEST, "--no-qemu"), "--connect does not go with"),
        (("check-host", "--connect", TEST, "--root", "/"), "--connect does not go with"),
        (("check-host", "--timeout", "3"), "--timeout: only with --connect"),
        (("launch", "minimal", "--domain", "a"), "--domain: only with --connect"),
        (("launch", "minimal", "--keep-others"), "--keep-others: only with --connect"),
        (("launch", "minimal", "--qemu-commandline"), "--qemu-commandline: only with --connect"),
        (("launch", "minimal", "--connect", TEST), "--domain FILE|NAME"),
        (("launch", "--connect", TEST, "--domain", "a"), "--domain FILE|NAME"),
        (("launch", "minimal", "--connect", TEST, "--domain", "a", "--", "-m", "4G"), "arguments of QEMU's: not with"),
        (("launch", "minimal", "--connect", TEST, "--domain", "a", "--qemu", "/q"), "--qemu: not with --connect"),
        (("launch", "minimal", "--connect", TEST, "--domain", "a", "--exec"), "--exec: not with --connect"),
        (("launch", "minimal", "--connect", TEST, "--domain", "a", "--name", "n"), "--name: not with --connect"),
        (("launch", "--connect", TEST, "--domain", "a", "--locked", "l"), "--locked: not with --connect"),
        (("launch", "-", "--connect", TEST, "--domain", "-"), "stdin can be read once only"),
        (("check-host", "--connect", TEST, "--timeout", "0"), "not in the range"),
        (("check-host", "--connect", ""), "--connect is empty"),
        (("show", "--connect", " "), "--connect is empty"),
        (("launch", "minimal", "--connect", TEST, "--domain", "./none.xml"), "./none.xml cannot be read"),
        (("launch", "minimal", "--connect", TEST, "--domain", "/"), "/ cannot be read: it is a directory"),
    ],
)
def test_what_does_not_go_together(hvctl: Hvctl, words: tuple[str, ...], message: str) -> None:
    assert message in hvctl(*words, code=2).err


def test_a_driver_without_domain_capabilities(hvctl: Hvctl) -> None:
    """In libvirt 9.0; later the test driver has them, and says that it can start nothing by KVM."""
    err = hvctl("check-host", "--connect", TEST, code=3).err
    assert "domain capabilities: this function is not supported" in err or "no KVM guests of x86_64" in err


@pytest.mark.parametrize(
    "words",
    [("check-host",), ("show",), ("apply", "minimal", "win11", "--yes"), ("launch", "minimal", "--domain", "win11")],
    ids=lambda words: words[0],
)
def test_no_daemon_and_a_silent_one(hvctl: Hvctl, tmp_path: Path, words: tuple[str, ...]) -> None:
    gone = f"qemu+unix:///system?socket={tmp_path / 'none'}"
    assert "libvirt cannot be reached" in hvctl(*words, "--connect", gone, code=3).err
    with serving(tmp_path, {}) as uri:
        err = hvctl(*words, "--connect", uri, "--timeout", "0.3", code=3).err
    assert "no answer within 0.3 s: the connection" in err
    assert "--timeout SECONDS" in err


def test_a_domain_of_a_libvirt_as_a_guest(hvctl: Hvctl) -> None:
    host = "tests/hosts/debian-12.json"
    done = hvctl("check-migration", f"{TEST}#test", "--from", host, "--to", host, code=1)
    assert done.out.startswith("test, from debian-12")
    assert (
        "has no domain nosuch" in hvctl("check-migration", f"{TEST}#nosuch", "--from", host, "--to", host, code=3).err
    )


def test_the_default_uri_is_the_users(hvctl: Hvctl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", TEST)
    assert hvctl("show").out.splitlines()[1].startswith("test ")


def test_launch_refuses_a_domain_that_is_no_kvm_guest(hvctl: Hvctl) -> None:
    words = ("launch", "minimal", "--connect", TEST, "--domain", "test", "--also-host", "tests/hosts/debian-12.json")
    err = hvctl(*words, code=2).err
    assert "of type test, not kvm" in err
    assert "--force" not in err  # launch has no such option
    assert "has no domain nosuch" in hvctl(*words[:-3], "nosuch", *words[-2:], code=3).err


def test_launch_prints_the_xml_of_a_dry_run(hvctl: Hvctl, tmp_path: Path) -> None:
    path = tmp_path / "guest.xml"
    path.write_text("<domain type='kvm'>\n  <name>g</name>\n  <os>\n    <type>hvm</type>\n  </os>\n</domain>\n")
    words = ("--connect", TEST, "--domain", str(path), "--also-host", "tests/hosts/debian-12.json")
    out = hvctl("launch", "minimal", *words, "--dry-run").out
    assert "<relaxed state='on'/>" in out
    with connected(TEST) as connection:
        assert [domain.name for domain in connection.domains()] == ["test"]
