"""`hvctl gen --for proxmox`: the section and the command, what neither can say, and what does not go together."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from hvctl.profile.source import shipped_names
from tests.cli.run import inside
from tests.paths import HOSTS

HOST, INTEL = str(HOSTS / "debian-13.json"), str(HOSTS / "debian-13-intel.json")
PROFILE = "version: 1\nname: mine\nguest: {os: windows-11}\nenlightenments: {relaxed: on, time: on"


def generate(*words: str, host: str = HOST, code: int = 0) -> tuple[str, str]:
    """stdout, and stderr as one line."""
    done = inside("gen", *words, "--for", "proxmox", "--host", host, code=code)
    return done.stdout, " ".join(done.stderr.split())


def mine(tmp_path: Path, rest: str) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(f"{PROFILE}{rest}")
    return str(path)


def test_only_the_difference_where_the_machine_is_named() -> None:
    out, err = generate("windows-11", "--vmid", "100", "--machine", "pc-q35-9.2+pve1")
    assert out == (
        "# Append this to /etc/pve/virtual-guest/cpu-models.conf, remove any -cpu from args: of the guest, and run:\n"
        "# qm set 100 --cpu custom-hvctl-windows-11 --ostype win11 --localtime 1 --tdf 1 --machine pc-q35-9.2+pve1\n"
        "\n"
        "cpu-model: hvctl-windows-11\n"
        "    reported-model host\n"
        "    flags +hv-stimer-direct;+hv-frequencies;+hv-tlbflush;+hv-tlbflush-direct;+hv-tlbflush-ext;"
        "+hv-emsr-bitmap;+hv-xmm-input;-hv-reset\n"
        "\n"
    )
    assert "not written: PIT policy delay: Proxmox VE writes discard" in err


def test_every_flag_where_the_machine_is_open() -> None:
    out, _ = generate("windows-11")
    assert "+hv-relaxed;+hv-vapic;" in out
    assert "qm set VMID --cpu custom-hvctl-windows-11 --ostype win11 --localtime 1 --tdf 1\n" in out


def test_no_section_where_cpu_takes_all_of_it(tmp_path: Path) -> None:
    rest = ", vapic: on, spinlocks: 8191, vpindex: on, runtime: on, synic: on, stimer: on, ipi: on, reset: on"
    out, _ = generate(mine(tmp_path, f"{rest}, tlbflush: on}}\n"), "--machine", "pc-q35-9.2", "--vmid", "7000")
    assert out == (
        "# Remove any -cpu from args: of the guest:\n"
        "qm set 7000 --cpu host,flags=+hv-tlbflush --ostype win11 --localtime 1 --tdf 1 --machine pc-q35-9.2\n"
    )


def test_what_flags_cannot_say_follows_the_state(tmp_path: Path) -> None:
    _, err = generate(mine(tmp_path, ", version-id: {state: prefer, value: 10.0.14393}}\n"))
    assert "version-id: left out: Proxmox VE's flags take no value (proxmox); --how args writes it" in err
    out, err = generate(mine(tmp_path, ", version-id: {state: on, value: 10.0.14393}}\n"), code=1)
    assert out == ""
    assert "version-id: refused: Proxmox VE's flags take no value (proxmox); --how args writes it" in err
    out, _ = generate(mine(tmp_path, ", version-id: {state: on, value: 10.0.14393}}\n"), "--how", "args")
    assert "hv_version_id_major=10" in out


def test_what_else_is_refused(tmp_path: Path) -> None:
    for rest, said in (
        ("}\ntsc-frequency: auto\n", "tsc-frequency: refused: Proxmox VE's flags take no value (proxmox)"),
        (
            "}\ncpu: {model: qemu64-v1, features: {sse4.2: on, popcnt: on}}\n",
            "cpu: refused: Proxmox VE is not known to have a CPU model qemu64-v1 (proxmox)",
        ),
    ):
        path = mine(tmp_path, rest)
        assert said in generate(path, code=1)[1]
        assert "\nqm set VMID --args " in generate(path, "--how", "args")[0]


def test_what_needs_a_fixed_tsc_is_had_in_two_ways(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"{PROFILE}, reenlightenment: prefer, frequencies: on}}\n")
    _, err = generate(str(path))
    assert "reenlightenment: left out: without tsc-frequency a migration can lose the guest, and Proxmox VE's" in err
    assert "write `migration: none` if the guest never migrates, or `tsc-frequency: auto` and --how args" in err
    path.write_text(f"migration: none\n{PROFILE}, reenlightenment: on, frequencies: on}}\n")
    assert "+hv-reenlightenment" in generate(str(path))[0]
    path.write_text(f"tsc-frequency: auto\n{PROFILE}, reenlightenment: on, frequencies: on}}\n")
    out, _ = generate(str(path), "--how", "args")
    assert "hv_reenlightenment=on" in out
    assert ",tsc-frequency=" in out


def test_a_vendor_id(tmp_path: Path) -> None:
    out, _ = generate(mine(tmp_path, ", frequencies: on, vendor-id: {state: on, value: Other12}}\n"))
    assert "    hv-vendor-id Other12\n" in out
    _, err = generate(mine(tmp_path, ", vendor-id: {state: on, value: Other 12}}\n"), code=1)
    assert "hv-vendor-id of Proxmox VE takes 1 to 12 letters and digits (proxmox)" in err
    _, err = generate(mine(tmp_path, ", vendor-id: {state: prefer, value: Other12}}\n"), "--ostype", "l26")
    assert "vendor-id: left out: Proxmox VE does not write it with ostype l26 (proxmox)" in err


def test_values_and_timers_that_proxmox_chooses_are_named(tmp_path: Path) -> None:
    rest = ", spinlocks: 4095}\nclock: {timers: {hpet: on, pit: discard, rtc: delay}, offset: utc}\n"
    out, err = generate(mine(tmp_path, rest))
    assert "not written: hv_spinlocks=0xfff: Proxmox VE writes 0x1fff" in err
    assert "not written: HPET on: Proxmox VE leaves it off" in err
    assert "PIT" not in err
    assert "--localtime 0 --tdf 0" in out
    _, err = generate(mine(tmp_path, "}\n"))
    assert "not written: without hv-spinlocks: Proxmox VE always writes it" in err
    out, err = generate(mine(tmp_path, rest), "--how", "args")
    assert "hv_spinlocks=0xfff,hv_time=on -machine hpet=on" in out
    assert "not written" not in err


def test_a_graphics_card() -> None:
    out, err = generate("windows-11", "--uses", "gpu")
    assert "--cpu custom-hvctl-windows-11,hidden=0 " in out
    assert "not written: no hv-vendor-id: Proxmox VE writes proxmox with x-vga=1" in err


def test_firmware_that_hangs_windows_7() -> None:
    out, err = generate("windows-7", "--bios", "ovmf")
    assert out.splitlines()[1:] == ["qm set VMID --cpu host --ostype win7 --localtime 1 --tdf 1 --bios ovmf"]
    assert "note: Windows 7 hangs at a black screen with UEFI" in err
    assert "+hv-relaxed" in generate("windows-7", "--bios", "seabios")[0]
    assert "BIOS is assumed" in generate("windows-7")[1]


def test_what_is_assumed_of_the_ostype_is_reported() -> None:
    assert "note: ostype other is assumed: profile minimal names no operating system" in generate("minimal")[1]
    assert "ostype" not in generate("minimal", "--ostype", "win11")[1]
    _, err = generate("windows-server-2022", "--ostype", "win10")
    assert "profile windows-server-2022 is for Windows Server 2022, whose ostype is win11, not win10" in err


def test_the_name_of_the_model(tmp_path: Path) -> None:
    assert "cpu-model: fast_1\n" in generate("windows-11", "--name", "fast_1")[0]
    path = tmp_path / "a.yaml"
    path.write_text("version: 1\nname: v8.1\nguest: {os: windows-11}\nenlightenments: {relaxed: on, frequencies: on}\n")
    assert "cpu-model: hvctl-v8-1\n" in generate(str(path))[0]


def test_a_profile_that_names_a_machine_type(tmp_path: Path) -> None:
    out, _ = generate(mine(tmp_path, "}\nmachine: pc-q35-9.2\n"))
    assert "--machine pc-q35-9.2\n" in out
    assert "+hv-relaxed" not in out


def test_machine_types() -> None:
    old, _ = generate("windows-11", "--machine", "pc-q35-2.12+pve0")
    assert "+hv-ipi" in old
    assert old.splitlines()[1].endswith(" --machine pc-q35-2.12+pve0")
    family, _ = generate("windows-11", "--machine", "q35")
    assert "+hv-relaxed" in family
    assert family.splitlines()[1].endswith(" --machine q35")
    assert (
        "QEMU /usr/bin/qemu-system-x86_64 has no machine type pc-q35-99.0"
        in generate("windows-11", "--machine", "pc-q35-99.0+pve1", code=1)[1]
    )


@pytest.mark.parametrize("how", ["custom-model", "args"])
@pytest.mark.parametrize("profile", shipped_names())
def test_json_says_the_same(profile: str, how: str) -> None:
    for host in (HOST, INTEL):
        done = inside("gen", profile, "--for", "proxmox", "--how", how, "--host", host, "--format", "json", code=None)
        said = json.loads(done.stdout)
        assert (said["argv"], said["xml"]) == (None, None)
        assert bool(said["plan"]["refusals"]) == (said["command"] is None) == (done.returncode == 1)
        if said["command"] is not None:
            out, err = generate(profile, "--how", how, host=host)
            assert shlex.join(said["command"]) in out
            assert (said["section"] or "") in out
            assert all(f"not written: {sentence}" in err for sentence in said["left_out"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--libvirt",), "--for does not go with"),
        (("--into", "a.yaml"), "--into: only with --for kubevirt"),
        (("--kind", "vm"), "--kind: only with --for kubevirt"),
        (("--memory", "10", "--vcpus", "2"), "--memory and --vcpus: not with --for proxmox"),
        (("--domain", "a.xml"), "--domain: not with --for proxmox"),
        (("--diff",), "--diff: only with --into"),
        (("--vmid", "99"), "99 is not in the range"),
        (("--ostype", "win12"), "'win12' is not one of"),
        (("--name", "custom-a"), "no CPU model can have the name 'custom-a'"),
        (("--how", "args", "--name", "a"), "--name: not with --how args"),
        (("--name", "a b"), "no CPU model can have the name 'a b'"),
        (("--machine", "pc-q35-9.2+pve"), "--machine cannot be 'pc-q35-9.2+pve'"),
    ],
)
def test_what_does_not_go_together(words: tuple[str, ...], said: str) -> None:
    assert said in generate("windows-11", *words, code=2)[1]


def test_its_options_are_for_proxmox_only() -> None:
    for words in (("--ostype", "win11"), ("--bios", "ovmf"), ("--vmid", "100"), ("--how", "args")):
        done = inside("gen", "windows-11", "--host", HOST, *words, code=2)
        assert f"{words[0]}: only with --for proxmox" in done.stderr
