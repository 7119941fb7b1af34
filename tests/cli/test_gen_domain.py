"""`hvctl gen PROFILE --domain FILE`."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hvctl.cli import gen
from hvctl.cli.inputs import plans
from tests.cli.run import hvctl, inside
from tests.paths import HOSTS

HOST = ("--host", str(HOSTS / "debian-12.json"))
DOMAIN = """\
<domain type='kvm'>
  <name>win</name>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
  <!-- keep me -->
  <features>
    <hyperv>
      <relaxed state='on'/>
      <reset state='on'/>
    </hyperv>
  </features>
  <cpu mode='host-passthrough'/>
</domain>
"""


@pytest.fixture
def domain(tmp_path: Path) -> Path:
    path = tmp_path / "win.xml"
    path.write_text(DOMAIN)
    path.chmod(0o640)
    return path


def test_the_edited_file_goes_to_stdout_and_the_old_one_stays(domain: Path) -> None:
    done = hvctl("gen", "windows-11", "--domain", str(domain), *HOST, "-q")
    assert "<!-- keep me -->" in done.stdout
    assert "<stimer state='on'>" in done.stdout
    assert "<reset" not in done.stdout
    assert domain.read_text() == DOMAIN


def test_what_is_removed_is_named_with_its_reason(domain: Path, tmp_path: Path) -> None:
    done = hvctl("gen", "windows-11", "--domain", str(domain), *HOST)
    said = "removed: reset: the profile does not name it; --keep-others keeps what the profile does not name"
    assert said in " ".join(done.stderr.split())
    assert "removed:" not in hvctl("gen", "windows-11", "--domain", str(domain), *HOST, "--keep-others").stderr
    (tmp_path / "own.yaml").write_text(
        "version: 1\nname: own\nguest: {os: windows-11}\nextends: minimal\n"
        "enlightenments:\n  # Windows resets well without.\n  reset: off\n"
    )
    own = hvctl("gen", str(tmp_path / "own.yaml"), "--domain", str(domain), *HOST)
    assert "removed: reset: Windows resets well without\n" in own.stderr


def test_when_it_takes_effect_is_said_of_a_file_that_changes(domain: Path) -> None:
    path = str(domain)
    for other, code in (((), 0), (("-o", f"{path}.new"), 0), (("--diff",), 1)):
        words = ("gen", "windows-11", "--domain", path, *HOST, *other)
        assert "a cold start (see `hvctl explain changes`)" in " ".join(hvctl(*words, code=code).stderr.split())
        assert not hvctl(*words, "-q", code=code).stderr
    words = ("gen", "windows-11", "--domain", path, "--in-place", *HOST)
    assert "a cold start (see `hvctl explain changes`)" in " ".join(hvctl(*words).stderr.split())
    assert "cold start" not in hvctl(*words).stderr
    assert "a reboot inside Windows is not enough" in " ".join(hvctl("explain", "changes").stdout.split())


def test_keep_others(domain: Path) -> None:
    assert "<reset state='on'/>" in hvctl("gen", "minimal", "--domain", str(domain), "--keep-others", *HOST).stdout


def test_a_cpu_that_libvirt_chooses_stays(domain: Path, tmp_path: Path) -> None:
    domain.write_text(DOMAIN.replace("host-passthrough", "host-model"))
    assert "<cpu mode='host-model'/>" in hvctl("gen", "windows-11", "--domain", str(domain), *HOST).stdout
    profile = tmp_path / "host.yaml"
    profile.write_text("version: 1\nname: mine\nextends: windows-11\ncpu: host\n")
    assert "<cpu mode='host-passthrough'/>" in hvctl("gen", str(profile), "--domain", str(domain), *HOST).stdout


def test_in_place_keeps_the_mode_and_does_nothing_twice(domain: Path) -> None:
    assert hvctl("gen", "windows-11", "--domain", str(domain), "--in-place", *HOST, "-q").stdout == ""
    once = domain.read_text()
    assert "hypervclock" in once
    assert stat.S_IMODE(domain.stat().st_mode) == 0o640
    before = domain.stat()
    hvctl("gen", "windows-11", "--domain", str(domain), "--in-place", *HOST, "-q")
    assert (domain.stat().st_ino, domain.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert os.listdir(domain.parent) == ["win.xml"]


def test_diff_is_a_patch_and_says_by_its_exit_code_whether_anything_would_change(domain: Path) -> None:
    done = hvctl("gen", "windows-11", "--domain", str(domain), "--diff", *HOST, "-q", code=1)
    assert domain.read_text() == DOMAIN
    subprocess.run(["patch", str(domain)], input=done.stdout, text=True, check=True, timeout=30, capture_output=True)
    assert domain.read_text() == hvctl("gen", "windows-11", "--domain", str(domain), *HOST, "-q").stdout
    assert hvctl("gen", "windows-11", "--domain", str(domain), "--diff", *HOST, "-q").stdout == ""


def test_from_stdin_and_into_a_file(domain: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.xml"
    command = [sys.executable, "-m", "hvctl", "gen", "windows-11", "--domain", "-", "-o", str(out), *HOST]
    subprocess.run(command, input=DOMAIN, text=True, check=True, timeout=60, capture_output=True)
    assert out.read_text() == hvctl("gen", "windows-11", "--domain", str(domain), *HOST).stdout


def test_a_full_disk_leaves_the_old_file_whole(domain: Path) -> None:
    command = [sys.executable, "-m", "hvctl", "gen", "windows-11", "--domain", str(domain), "--in-place", *HOST]
    limited = f"trap '' XFSZ; ulimit -f 0; exec {' '.join(command)}"
    done = subprocess.run(["sh", "-c", limited], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert f"{domain} cannot be written: File too large" in " ".join(done.stderr.split())
    assert domain.read_text() == DOMAIN
    assert os.listdir(domain.parent) == ["win.xml"]


def test_what_is_changed_meanwhile_is_not_overwritten(domain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = plans.say_plan

    def slow(*words: Any, **options: Any) -> None:
        domain.write_text("theirs")
        real(*words, **options)

    monkeypatch.setattr(gen, "say_plan", slow)
    done = inside("gen", "windows-11", "--domain", str(domain), "--in-place", *HOST, code=1)
    assert "cannot be written: it was changed by someone else meanwhile" in " ".join(done.stderr.split())
    assert domain.read_text() == "theirs"
    assert os.listdir(domain.parent) == ["win.xml"]


def test_a_pipe_that_nobody_reads(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = inside("gen", "minimal", "-o", str(tmp_path / "pipe"), *HOST, code=2)
    assert "cannot be written: nothing reads from it" in " ".join(done.stderr.split())


def test_dev_stdout_is_stdout(tmp_path: Path) -> None:
    """A file that is appended to keeps what it has."""
    log = tmp_path / "log"
    log.write_text("before\n")
    with log.open("a") as stream:
        command = [sys.executable, "-m", "hvctl", "gen", "minimal", "-o", "/dev/stdout", *HOST]
        subprocess.run(command, stdout=stream, stderr=subprocess.DEVNULL, check=True, timeout=60)
    assert log.read_text() == "before\n" + inside("gen", "minimal", *HOST).stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--domain", "FILE", "--in-place", "--diff"], "--in-place and --diff do not go together"),
        (["--domain", "FILE", "--in-place", "-o", "x"], "-o and --in-place do not go together"),
        (["--domain", "-", "--in-place"], "--in-place needs a file"),
        (["--domain", "FILE", "--name", "x"], "--name: not with --domain"),
        (["--domain", "FILE", "--qemu"], "--qemu: not with --domain"),
        (["--domain", "FILE", "--format", "json"], "--format json: not with --domain"),
        (["--in-place"], "--in-place: only with --domain"),
        (["--diff", "--keep-others"], "--diff and --keep-others: only with --domain"),
    ],
)
def test_what_does_not_go_together(domain: Path, words: list[str], said: str) -> None:
    done = hvctl("gen", "windows-11", *HOST, *(str(domain) if word == "FILE" else word for word in words), code=2)
    assert said in done.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<domain type='kvm'>", ":1:20"),
        (b"<!DOCTYPE domain [<!ENTITY a 'b'>]><domain type='kvm'/>", ":1:1"),
        (b"<domain type='qemu'/>", "--force"),
        (b"not XML", ":1:1"),
        (b"", "x.xml"),
        (b"<domain type='kvm'><features><hyperv><relaxed state='maybe'/></hyperv></features></domain>", ":1:47"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_and_the_file_stays(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "x.xml"
    path.write_bytes(content)
    done = hvctl("gen", "windows-11", "--domain", str(path), "--in-place", *HOST, code=2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert path.read_bytes() == content


def test_what_a_host_cannot_give_is_refused_and_the_file_stays(domain: Path, tmp_path: Path) -> None:
    profile = tmp_path / "p.yaml"
    profile.write_text("version: 1\nenlightenments: {tlbflush-ext: on}\n")
    done = hvctl("gen", str(profile), "--domain", str(domain), "--in-place", *HOST, code=1)
    assert "tlbflush-ext: refused" in done.stderr
    assert domain.read_text() == DOMAIN


def test_the_command_line_is_named_with_its_consequences(domain: Path, tmp_path: Path) -> None:
    profile = tmp_path / "p.yaml"
    profile.write_text("version: 1\nmigration: none\nenlightenments: {relaxed: on, enforce-cpuid: on}\n")
    assert "enforce-cpuid" in hvctl("gen", str(profile), "--domain", str(domain), *HOST, code=1).stderr
    done = hvctl("gen", str(profile), "--domain", str(domain), "--qemu-commandline", *HOST)
    assert "x86_64-cpu.hv-enforce-cpuid=on" in done.stdout
    assert "libvirt marks the domain as tainted" in " ".join(done.stderr.split())


SYNDBG = "version: 1\nname: mine\nmigration: none\nenlightenments: {relaxed: on, syndbg: %s}\n"
ARGUMENTS = """\
  <qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
    <qemu:arg value='-global'/>
    <qemu:arg value='x86_64-cpu.hv%ssyndbg=on'/>
  </qemu:commandline>
</domain>
"""


def test_what_stays_on_by_the_command_line_is_named(domain: Path, tmp_path: Path) -> None:
    profile = tmp_path / "mine.yaml"
    profile.write_text(SYNDBG % "off")
    domain.write_text(DOMAIN.replace("</domain>\n", ARGUMENTS % "-"))
    words = ("gen", str(profile), "--domain", str(domain), *HOST)
    done = hvctl(*words)
    assert "hv-syndbg=on" in done.stdout
    left = "note: syndbg stays on by <qemu:commandline>, of which hvctl takes nothing out"
    assert left in " ".join(done.stderr.split())
    profile.write_text("version: 1\nname: mine\nenlightenments: {relaxed: on}\n")
    assert left in " ".join(hvctl(*words).stderr.split())
    assert "syndbg" not in hvctl(*words, "--keep-others").stderr  # it is one of the others


def test_a_refusal_names_the_option_that_would_help(domain: Path, tmp_path: Path) -> None:
    profile = tmp_path / "mine.yaml"
    profile.write_text(SYNDBG % "on")
    said = hvctl("gen", str(profile), "--domain", str(domain), *HOST, code=1).stderr
    assert "hint: --qemu-commandline passes to QEMU what libvirt has no element for" in " ".join(said.split())
    assert "hint" not in hvctl("gen", str(profile), "--domain", str(domain), *HOST, "--qemu-commandline").stderr


def test_a_property_that_qemu_does_not_know_by_that_name(domain: Path) -> None:
    domain.write_text(DOMAIN.replace("</domain>\n", ARGUMENTS % "_"))
    said = hvctl("gen", "minimal", "--domain", str(domain), *HOST, code=2).stderr
    assert "QEMU knows no property hv_syndbg" in said
    assert "hint: write hv-syndbg" in said
    assert f"{domain}:14:" in said


def test_notes_fit_into_80_columns(domain: Path) -> None:
    domain.write_text(DOMAIN.replace("  <cpu mode='host-passthrough'/>\n", ""))
    said = hvctl("gen", "minimal", "--domain", str(domain), *HOST).stderr
    assert "the domain names no CPU" in said
    assert max(map(len, said.splitlines())) <= 80


HIDDEN = (
    DOMAIN.replace("<relaxed state='on'/>", "<relaxed state='off'/>")
    .replace("<reset state='on'/>", "")
    .replace("'host-passthrough'/>", "'host-passthrough'><feature policy='disable' name='hypervisor'/></cpu>")
)


def test_a_guest_that_is_hidden_on_purpose_gets_no_enlightenments_without_a_word(tmp_path: Path) -> None:
    path = tmp_path / "hidden.xml"
    path.write_text(HIDDEN)
    words = ("gen", "windows-11", "--domain", str(path), *HOST)
    refused = hvctl(*words, code=2)
    said = " ".join(refused.stderr.split())
    assert not refused.stdout
    assert "the CPU has no hypervisor bit" in said
    assert "remove <feature policy='disable' name='hypervisor'/> first" in said
    assert "<stimer state='on'>" in hvctl(*words, "--force").stdout
    path.write_text(HIDDEN.replace("<feature policy='disable' name='hypervisor'/>", ""))
    assert hvctl(*words).returncode == 0


LIBOSINFO = """\
  <metadata>
    <libosinfo:libosinfo xmlns:libosinfo="http://libosinfo.org/xmlns/libvirt/domain/1.0">
      <libosinfo:os id="http://microsoft.com/win/{}"/>
    </libosinfo:libosinfo>
  </metadata>
"""


def of_release(short: str, *, uefi: bool = False) -> str:
    text = DOMAIN.replace("  <os>", f"{LIBOSINFO.format(short)}  <os>")
    return text.replace("  <os>", "  <vcpu>4</vcpu>\n  <os firmware='efi'>") if uefi else text


def put(path: Path, profile: str, *words: str, code: int = 0) -> tuple[str, str]:
    done = hvctl("gen", profile, "--domain", str(path), *HOST, *words, code=code)
    return done.stdout, " ".join(done.stderr.split())


def test_the_domains_own_release_decides_what_is_used(tmp_path: Path) -> None:
    path = tmp_path / "w7.xml"
    path.write_text(of_release("7"))
    text, said = put(path, "windows-11")
    right, quiet = put(path, "windows-7")
    assert "<synic" not in text
    assert "<stimer" not in text
    assert "profile windows-7 is for it" in said
    assert "is for it" not in quiet
    assert "<vapic state='on'/>" in right
    path.write_text(of_release("8"))
    assert "is for it" not in put(path, "windows-8.1")[1]
    path.write_text(of_release("10"))
    assert "<stimer" in put(path, "windows-11")[0]


@pytest.mark.parametrize("profile", ["windows-10", "windows-7", "minimal"])
def test_the_release_that_hangs_is_named(tmp_path: Path, profile: str) -> None:
    path = tmp_path / "w7.xml"
    path.write_text(of_release("7", uefi=True))
    text, said = put(path, profile, "--explain")
    assert "<hyperv" not in text
    assert "it hangs Windows 7" in said
    assert "Windows 7 hangs at a black screen" in said
    assert "hangs Windows 10" not in said
    path.write_text(DOMAIN.replace("<name>win<", "<name>win7<").replace("<os>", "<vcpu>4</vcpu><os firmware='efi'>"))
    assert "Windows 7 hangs at a black screen" in put(path, profile)[1]


def test_what_to_write_for_a_cpu_on_which_the_guest_does_not_boot(tmp_path: Path) -> None:
    path = tmp_path / "w.xml"
    path.write_text(of_release("2k25").replace("<cpu mode='host-passthrough'/>", "<cpu><model>qemu64</model></cpu>"))
    said = put(path, "windows-server-2025")[1]
    assert "does not boot on CPU model qemu64, which lacks sse4.2 and popcnt; write `cpu: host` in the profile" in said
    said = put(path, "windows-server-2025", "--host", str(HOSTS / "debian-13.json"))[1]
    assert "write `cpu: {model: qemu64, features: {sse4.2: on, popcnt: on}}` in the profile: every host can" in said
