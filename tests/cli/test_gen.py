"""`hvctl gen`, as a process or by the same door."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from hvctl.api import this_host
from hvctl.cli import run
from hvctl.errors import HostError
from tests.cli.run import hvctl
from tests.made_hosts import made_amd_host
from tests.paths import HOSTS

DEBIAN_12 = str(HOSTS / "debian-12.json")
DEBIAN_13 = str(HOSTS / "debian-13.json")


def test_the_line_is_quoted_for_the_shell(tmp_path: Path) -> None:
    profile = tmp_path / "p.yaml"
    profile.write_text("version: 1\nname: p\nenlightenments: {relaxed: on, vendor-id: a $b}\n")
    done = hvctl("gen", str(profile), "--host", DEBIAN_12)
    assert done.stdout.count("\n") == 1
    echoed = subprocess.run(
        ["sh", "-c", f"printf '%s\\n' {done.stdout}"], capture_output=True, text=True, check=True, timeout=10
    )
    assert echoed.stdout.splitlines() == shlex.split(done.stdout)
    assert "hv_vendor_id=a $b" in shlex.split(done.stdout)[3]


def test_null_separated_arguments_for_xargs() -> None:
    line = shlex.split(hvctl("gen", "windows-11", "--host", DEBIAN_12).stdout)
    assert hvctl("gen", "windows-11", "--host", DEBIAN_12, "-0").stdout == "".join(f"{word}\0" for word in line)


@pytest.mark.parametrize("words", [["--libvirt"], ["--both"], ["--format", "json"]])
def test_null_goes_with_the_line_only(words: list[str]) -> None:
    assert "-0 goes with" in hvctl("gen", "windows-11", "--host", DEBIAN_12, "-0", *words, code=2).stderr


def test_what_was_preferred_and_is_left_out_is_said_on_stderr() -> None:
    done = hvctl("gen", "windows-11", "--host", DEBIAN_12)
    assert "tlbflush-direct: left out: KVM does not report HV_NESTED_DIRECT_FLUSH (debian-12," in " ".join(
        done.stderr.split()
    )
    assert max(len(line) for line in done.stderr.splitlines()) <= 80
    assert hvctl("gen", "windows-11", "--host", DEBIAN_12, "-q").stderr == ""


def test_explain_has_every_decision_with_the_reason_of_the_profile(tmp_path: Path) -> None:
    done = hvctl("gen", "windows-11", "--host", DEBIAN_12, "--explain")
    assert "relaxed: on: No CLOCK_WATCHDOG_TIMEOUT when a vCPU" in done.stderr
    assert "reset: off: the profile does not name it (profile)" in done.stderr
    assert "[40-43]" not in done.stderr
    (tmp_path / "own.yaml").write_text(
        "version: 1\nname: own\nguest: {os: windows-11}\nenlightenments:\n  relaxed: on\n"
        "  # We had bug checks,\n  # see ticket 4711.\n  vapic: off\n  # Fast.\n  time: prefer\n"
    )
    own = hvctl("gen", str(tmp_path / "own.yaml"), "--host", DEBIAN_12, "--explain")
    assert "relaxed: on: asked for (profile: on)\n" in own.stderr
    assert "vapic: off: We had bug checks, see ticket 4711 (profile: off)\n" in own.stderr
    assert "time: on: Fast (profile: prefer)\n" in own.stderr
    assert "machine: pc-q35-7.2" in done.stderr
    assert "migration: nothing in this plan prevents" in done.stderr


def test_json_has_plan_arguments_and_leaves() -> None:
    answer = json.loads(hvctl("gen", "windows-11", "--host", DEBIAN_12, "--format", "json").stdout)
    assert list(answer) == ["format_version", "plan", "argv", "xml", "leaves"]
    assert answer["argv"] == shlex.split(hvctl("gen", "windows-11", "--host", DEBIAN_12).stdout)
    assert answer["xml"] is None
    assert answer["leaves"][0]["leaf"] == "0x40000000"
    assert {"id", "state", "value", "reason", "host", "layer"} <= set(answer["plan"]["decisions"][0])


def test_json_of_a_refused_profile_says_so_and_has_no_arguments(tmp_path: Path) -> None:
    profile = tmp_path / "p.yaml"
    profile.write_text("version: 1\nname: p\nenlightenments: {tlbflush-ext: on}\n")
    done = hvctl("gen", str(profile), "--host", DEBIAN_12, "--format", "json", code=1)
    answer = json.loads(done.stdout)
    assert answer["argv"] is None
    assert [one["id"] for one in answer["plan"]["refusals"]] == ["tlbflush-ext"]


def test_a_refusal_names_the_host_the_layer_and_the_remedy(tmp_path: Path) -> None:
    profile = tmp_path / "p.yaml"
    profile.write_text("version: 1\nname: p\nenlightenments: {tlbflush-ext: on}\n")
    done = hvctl("gen", str(profile), "--host", DEBIAN_12, code=1)
    assert done.stdout == ""
    assert "(debian-12," in done.stderr
    assert "Linux 6.2" in " ".join(done.stderr.split())


def test_both_prints_what_both_can() -> None:
    done = hvctl("gen", "windows-11", "--host", DEBIAN_12, "--both")
    line, _, xml = done.stdout.partition("\n")
    assert xml.startswith("<domain")
    assert "hv_emsr_bitmap" not in line  # libvirt 9.0 has no element for it
    assert "hv_emsr_bitmap" in hvctl("gen", "windows-11", "--host", DEBIAN_12).stdout


def test_a_pool_is_resolved_for_all_of_its_hosts(tmp_path: Path) -> None:
    profile = tmp_path / "p.yaml"
    profile.write_text("version: 1\nname: p\nextends: windows-10\ncpu: qemu64\n")
    done = hvctl("gen", str(profile), "--host", DEBIAN_13, "--host", DEBIAN_12)
    assert done.stdout.startswith("-machine pc-q35-7.2,")
    assert "hv_tlbflush_ext" not in done.stdout


def test_cpu_host_is_refused_for_hosts_that_differ() -> None:
    done = hvctl("gen", "windows-10", "--host", DEBIAN_13, "--host", DEBIAN_12, code=1)
    assert "cpu: refused: CPU model host" in done.stderr
    assert "`cpu: " in " ".join(done.stderr.split())  # wherever the line is broken


def test_windows_11_gets_no_model_on_which_it_does_not_boot(tmp_path: Path) -> None:
    """The hosts have no better one in common than qemu64."""
    done = hvctl("gen", "windows-11", "--host", DEBIAN_13, "--host", DEBIAN_12, code=1)
    assert "`cpu: {model: qemu64, features: {sse4.2: on, popcnt: on}}`" in done.stderr
    profile = tmp_path / "p.yaml"
    profile.write_text("version: 1\nextends: windows-11\ncpu: qemu64\n")
    said = " ".join(hvctl("gen", str(profile), "--host", DEBIAN_12, code=1).stderr.split())
    assert "Windows 11 does not boot on CPU model qemu64, which lacks sse4.2 and popcnt" in said
    assert "write `cpu: host` in the profile" in said
    profile.write_text("version: 1\nextends: windows-11\ncpu: {features: {popcnt: off}}\n")
    said = " ".join(hvctl("gen", str(profile), "--host", DEBIAN_12, code=1).stderr.split())
    assert "Windows 11 does not boot without popcnt, which is off (guest); leave `popcnt: off` out" in said
    for more in ("guest: {os: windows-11-23h2}\n", "cpu: {model: qemu64, features: {sse4.2: on, popcnt: on}}\n"):
        profile.write_text("version: 1\nextends: windows-11\n" + ("cpu: qemu64\n" if "os:" in more else "") + more)
        hvctl("gen", str(profile), "--host", DEBIAN_12)


def test_vcpus_are_the_cores_of_one_socket(tmp_path: Path) -> None:
    lock = tmp_path / "plan.json"
    words = ("--libvirt", "--vcpus", "6", "--host", DEBIAN_12)
    text = hvctl("gen", "windows-11", *words, "--lock", str(lock)).stdout
    assert "<vcpu>6</vcpu>" in text
    assert '<topology sockets="1" cores="6" threads="1"/>' in text
    assert hvctl("gen", "--locked", str(lock), "--libvirt", "--host", DEBIAN_12).stdout == text
    assert "only with" in hvctl("gen", "windows-11", "--vcpus", "6", "--host", DEBIAN_12, code=2).stderr


def test_what_uses_no_enlightenment_gets_none_and_is_told_why() -> None:
    for name in ("windows-xp", "windows-server-2003"):
        done = hvctl("gen", name, "--host", DEBIAN_12)
        assert "hv_" not in done.stdout
        assert "looks for no hypervisor" in done.stderr


def test_a_kvm_without_hyperv_refuses() -> None:
    assert "no Hyper-V emulation" in hvctl("gen", "windows-11", "--host", str(HOSTS / "no-hyperv.json"), code=1).stderr


def test_output_goes_into_a_file_that_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.xml"
    path.write_text("old")
    path.chmod(0o640)
    assert hvctl("gen", "windows-11", "--host", DEBIAN_12, "--libvirt", "-o", str(path)).stdout == ""
    assert path.read_text().startswith("<domain")
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_output_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    done = hvctl("gen", "windows-11", "--host", DEBIAN_12, "-o", str(tmp_path / "no" / "such"), code=2)
    assert "cannot be written" in done.stderr


def test_name_memory_and_fragment() -> None:
    whole = hvctl("gen", "windows-11", "--host", DEBIAN_12, "--libvirt", "--name", "a&b", "--memory", "512").stdout
    assert "<name>a&amp;b</name>" in whole
    assert '<memory unit="MiB">512</memory>' in whole
    assert "<name>" not in hvctl("gen", "windows-11", "--host", DEBIAN_12, "--libvirt", "--fragment").stdout


def test_the_machine_option() -> None:
    done = hvctl("gen", "windows-11", "--host", DEBIAN_12, "--machine", "pc-q35-6.2")
    assert "-machine pc-q35-6.2" in done.stdout
    assert "no machine type pc-q35-99.9" in hvctl(
        "gen", "windows-11", "--host", DEBIAN_12, "--machine", "pc-q35-99.9", code=1
    ).stderr.replace("\n    ", " ")


def test_the_same_input_gives_the_same_bytes() -> None:
    first = hvctl("gen", "all", "--host", DEBIAN_12, "--format", "json").stdout
    assert hvctl("gen", "all", "--host", DEBIAN_12, "--format", "json").stdout == first


@pytest.mark.parametrize("words", [["windows-12"], ["windows-11", "--host", "/nonexistent"], ["--nope"], []])
def test_wrong_input_is_exit_2_and_no_traceback(words: list[str]) -> None:
    done = hvctl("gen", *words, code=2)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["a\x01b", os.fsdecode(b"\xff\xfe"), "a/b", ""])
def test_a_name_is_printable_and_no_path(name: str) -> None:
    done = hvctl("gen", "minimal", "--libvirt", "--host", DEBIAN_12, "--name", name, code=2)
    assert (done.stdout, done.stderr) == ("", "error: --name is one printable line without '/', and not empty\n")


def test_a_loop_of_links_is_a_clear_error(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    done = hvctl("gen", "minimal", "--host", DEBIAN_12, "-o", str(loop), code=2)
    assert "cannot be written: Too many levels of symbolic links" in " ".join(done.stderr.split())
    assert loop.is_symlink()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--qemu", "--libvirt", "--both"], "--qemu and --libvirt and --both do not go together"),
        (["--fragment"], "--fragment: only with --libvirt or --both"),
        (["--name", "a", "--qemu"], "--name: only with"),
        (["--memory", "4096"], "--memory: only with"),
        (["--libvirt", "--memory", "16777217"], "not in the range"),
        (["--machine", ""], "--machine cannot be ''"),
        (["--machine", "microvm"], "--machine cannot be 'microvm'"),
        (["--machine", "pc-q35-9.1,smm=on"], "--machine cannot be"),
        (["--host", "-", "--host", "-"], "stdin can be read once"),
        (["--qemu-binary", "qemu-system-x86_64"], "--host and --qemu-binary do not go together"),
    ],
)
def test_options_that_contradict_or_do_nothing_are_refused(words: list[str], message: str) -> None:
    assert message in hvctl("gen", "minimal", "--host", DEBIAN_12, *words, code=2).stderr


def test_stdin_has_one_reader() -> None:
    assert "stdin can be read once" in hvctl("gen", "-", "--host", "-", code=2).stderr


def test_the_largest_memory_and_a_family_of_machines() -> None:
    words = ["--libvirt", "--memory", "16777216", "--machine", "q35"]
    assert '<memory unit="MiB">16777216<' in hvctl("gen", "minimal", "--host", DEBIAN_12, *words).stdout


@pytest.mark.parametrize("option", ["--qemu", "--qemu-binary"])
def test_where_no_qemu_is_found_the_commands_own_option_is_named(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hvctl.host.probe.probe_host", lambda **_: made_amd_host())
    with pytest.raises(HostError) as raised:
        this_host(["/nonexistent/qemu"], libvirt=False, option=option)
    assert raised.value.hint == f"install qemu-system-x86, or name a binary with {option}"


def test_the_named_binary_is_the_one_that_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("hvctl.host.probe.probe_host", lambda **_: made_amd_host())
    assert run(["gen", "minimal", "--qemu-binary", "/nonexistent/qemu"]) == 3
    shown = " ".join(capsys.readouterr().err.split())
    assert "/nonexistent/qemu" in shown
    assert shown.endswith("name a binary with --qemu-binary")
