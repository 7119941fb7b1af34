"""`hvctl gen --for nova|packer|vagrant`: what a platform cannot say follows the state, or is named."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hvctl import api
from hvctl.catalog import BY_ID, ROWS
from hvctl.catalog.nova import GIVEN, GIVEN_HIDDEN, trait_of
from hvctl.catalog.vagrant import FEATURES, TIMERS
from hvctl.host.host_file import read_host
from hvctl.profile.source import shipped_names
from hvctl.report.labels import traits
from tests.cli.run import inside
from tests.paths import HOSTS

POOLS = ("debian-12.json", "debian-13.json", "debian-12-intel.json")
HOST = str(HOSTS / "debian-13.json")
PROFILE = "version: 1\nname: x\nguest: {os: windows-10}\nmigration: none\n"
in_each_pool = pytest.mark.parametrize("host", POOLS)
of_each_profile = pytest.mark.parametrize("name", shipped_names())


def written(platform: str, profile: str, *more: str, host: str = HOST, code: int | None = 0) -> Any:
    words = ("gen", profile, "--for", platform, "--host", host, "--format", "json", *more)
    return json.loads(inside(*words, code=code).stdout)


def on(found: Any) -> dict[str, Any]:
    return {one["id"]: one["value"] for one in found["plan"]["decisions"] if one["state"] == "on"}


def refused(found: Any) -> dict[str, str]:
    return {one["id"]: one["layer"] for one in found["plan"]["refusals"]}


@pytest.fixture
def profile(tmp_path: Path) -> Any:
    def write(text: str) -> str:
        path = tmp_path / "x.yaml"
        path.write_text(PROFILE + text)
        return str(path)

    return write


# Nova.


@in_each_pool
@of_each_profile
def test_a_plan_for_nova_is_what_nova_gives(name: str, host: str) -> None:
    found = written("nova", name, host=str(HOSTS / host), code=None)
    if found["image"] is None:
        assert found["plan"]["refusals"]
        return
    windows = found["image"].get("os_type") == "windows"
    assert on(found) == ({member.id: member.value for member in GIVEN} if windows else {})


def test_a_shell_runs_the_commands_for_nova(tmp_path: Path) -> None:
    fake = tmp_path / "openstack"
    fake.write_text('#!/bin/sh\nprintf "<%s>" "$@"\necho\n')
    fake.chmod(0o755)
    commands = inside("gen", "windows-11", "--for", "nova", "--host", HOST, "--select", "traits").stdout
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "IMAGE": "my image", "FLAVOR": "f"}
    done = subprocess.run(["sh", "-eu"], input=commands, text=True, capture_output=True, env=environment, check=True)
    given = {member.id for member in GIVEN}
    image = ("os_type=windows", "hw_machine_type=pc-q35-10.0", "hw_time_hpet=false")
    flavor = (f"trait:{trait_of(row.id)}=required" for row in ROWS if row.id in given)
    assert done.stdout.splitlines() == [
        f"<image><set>{''.join(f'<--property><{one}>' for one in image)}<my image>",
        f"<flavor><set>{''.join(f'<--property><{one}>' for one in flavor)}<f>",
    ]
    assert commands.endswith("# [libvirt]\n# cpu_mode = host-passthrough\n")


def test_what_nova_cannot_say_is_named(profile: Any) -> None:
    path = profile(
        "cpu: {model: SandyBridge, hidden: on, features: {invtsc: on, vmx: on, smep: off}}\n"
        "clock: {offset: utc, timers: {rtc: delay, pit: discard, hpet: off}}\n"
        "enlightenments: {spinlocks: 4096, time: on, stimer: prefer}\n"
    )
    done = inside("gen", path, "--for", "nova", "--host", str(HOSTS / "debian-12-intel.json"), code=None)
    for sentence in (
        "stimer: left out: nova has no switch for it (nova)",
        "not written: spinlocks 4096: nova writes 8191",
        "not written: clock utc: nova writes localtime",
        "not written: rtc delay: nova writes catchup",
        "not written: pit discard: nova writes delay",
        "note: nova turns on relaxed, vapic, vpindex, runtime, synic, reset, vendor-id, ",
    ):
        assert sentence in " ".join(done.stderr.split())
    found = written("nova", path, "--select", "traits", host=str(HOSTS / "debian-12-intel.json"))
    assert found["image"]["img_hide_hypervisor_id"] == "true"
    assert on(found)[GIVEN_HIDDEN[0].id] == GIVEN_HIDDEN[0].value
    assert found["flavor"]["trait:HW_CPU_X86_VMX"] == "required"
    assert found["nova_conf"]["libvirt"] == {
        "cpu_mode": "custom",
        "cpu_models": "SandyBridge",
        "cpu_model_extra_flags": "+invtsc, +vmx, -smep",
    }
    assert len(found["left_out"]) == 4


def test_nova_refuses_what_it_cannot_turn_off_or_on(profile: Any) -> None:
    path = profile("enlightenments: {time: on, stimer: on, tlbflush: off}\n")
    done = inside("gen", path, "--for", "nova", "--host", HOST, code=1)
    assert "stimer: refused: nova has no switch for it (nova)" in done.stderr
    assert "tlbflush: refused: nova turns it on for every guest with os_type=windows" in done.stderr
    assert "leave it out of the profile" in done.stderr
    found = written("nova", path, code=1)
    assert refused(found) == {"stimer": "nova", "tlbflush": "nova"}
    assert (found["image"], found["left_out"]) == (None, [])
    # Who does what is advised gets the commands.
    inside("gen", profile("enlightenments: {time: on}\n"), "--for", "nova", "--host", HOST)


def test_a_host_that_lacks_what_nova_gives_is_refused(profile: Any, tmp_path: Path) -> None:
    """QEMU would not start there, whatever the profile says."""
    lacking = json.loads(Path(HOST).read_text())
    lacking["kvm"]["leaves"]["0x40000004"]["eax"] = "0x00000000"
    path = tmp_path / "host.json"
    path.write_text(json.dumps(lacking))
    done = inside("gen", profile("enlightenments: {time: on}\n"), "--for", "nova", "--host", str(path), code=1)
    assert "; nova turns it on for every guest with os_type=windows (" in " ".join(done.stderr.split())


@pytest.mark.parametrize("name", ["debian-12", "debian-13", "debian-12-intel"])
def test_a_node_has_the_traits_that_a_plan_for_it_selects(name: str) -> None:
    path = HOSTS / f"{name}.json"
    found = written("nova", "windows-11", "--select", "traits", host=str(path))
    assert {key.removeprefix("trait:") for key in found["flavor"]} <= set(traits(read_host(str(path))))


# Packer.


@in_each_pool
@of_each_profile
def test_packer_s_arguments_are_qemu_s(name: str, host: str) -> None:
    done = inside("gen", name, "--for", "packer", "--host", str(HOSTS / host), code=None)
    if done.returncode:
        return
    found = json.loads(done.stdout)
    assert list(found) == ["qemuargs"]
    words = [word for pair in found["qemuargs"] for word in pair]
    assert words[1].endswith(",accel=kvm")
    words[1] = words[1].removesuffix(",accel=kvm")
    plan = api.check(api.resolve(api.load_profile(name), [read_host(str(HOSTS / host))]))
    assert tuple(words) == api.arguments(plan)
    guest = api.read_text(" ".join(f"'{word}'" for word in ("qemu-system-x86_64", *words[2:], "-accel", "kvm"))).guest
    assert guest is not None
    assert set(guest.enabled()) == {one.id for one in plan.enabled()}


def test_packer_renders_no_template_of_a_value(profile: Any) -> None:
    path = profile("enlightenments: {vendor-id: {state: on, value: 'a{{b}}'}, relaxed: on}\n")
    done = inside("gen", path, "--for", "packer", "--host", HOST, code=2)
    assert done.stdout == ""
    assert "error: packer takes {{ in -cpu host," in done.stderr


# Vagrant.


@in_each_pool
@of_each_profile
def test_a_vagrantfile_has_a_line_for_each_that_is_on(name: str, host: str) -> None:
    found = written("vagrant", name, host=str(HOSTS / host), code=None)
    if found["vagrantfile"] is None:
        assert found["plan"]["refusals"]
        return
    names = {line.split('"')[1] for line in found["vagrantfile"] if "hyperv_feature" in line}
    assert names == {FEATURES[row_id] for row_id in on(found) if row_id in FEATURES}
    assert set(on(found)) <= {*FEATURES, *TIMERS}


def test_what_a_vagrantfile_cannot_say_is_named(profile: Any) -> None:
    path = profile("cpu: {features: {invtsc: on}}\nenlightenments: {stimer-direct: prefer, crash: prefer, time: on}\n")
    done = inside("gen", path, "--for", "vagrant", "--host", HOST)
    for row_id in ("stimer-direct", "crash"):
        assert f"{row_id}: left out: vagrant-libvirt has no option that can write it" in done.stderr
    assert "not written: CPU features invtsc: vagrant-libvirt takes them only beside a named CPU model" in " ".join(
        done.stderr.split()
    )
    demanded = profile("enlightenments: {stimer-direct: on, stimer: on, synic: on, vpindex: on, time: on}\n")
    assert refused(written("vagrant", demanded, code=1)) == {"stimer-direct": "vagrant"}


def test_a_named_model_has_its_features_in_a_vagrantfile(profile: Any) -> None:
    path = profile("cpu: {model: SandyBridge, hidden: on, features: {invtsc: on, smep: off}}\n")
    lines = written("vagrant", path, host=str(HOSTS / "debian-12-intel.json"))["vagrantfile"]
    assert lines[1:7] == [
        'libvirt.cpu_mode = "custom"',
        'libvirt.cpu_model = "SandyBridge"',
        'libvirt.cpu_fallback = "forbid"',
        'libvirt.cpu_feature name: "invtsc", policy: "require"',
        'libvirt.cpu_feature name: "smep", policy: "disable"',
        "libvirt.kvm_hidden = true",
    ]


# All three.


@pytest.mark.parametrize("platform", ["nova", "packer", "vagrant"])
@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--name", "x", "--memory", "1", "--vcpus", "2"), "--name and --memory and --vcpus: not with --for {}"),
        (("--into", "x"), "--into: only with --for kubevirt"),
        (("--diff",), "--diff: only with --into"),
        (("--lock", "x"), "--lock: not with --for {}"),
    ],
)
def test_options_that_a_platform_has_not(platform: str, words: tuple[str, ...], error: str) -> None:
    done = inside("gen", "minimal", "--for", platform, "--host", HOST, *words, code=2)
    assert f"error: {error.format(platform)}" in done.stderr


def test_each_platform_selects_by_its_own() -> None:
    for platform, word in (("nova", "nfd"), ("kubevirt", "traits")):
        done = inside("gen", "windows-11", "--for", platform, "--select", word, "--host", HOST, code=2)
        assert f"error: --select {word}: not with --for {platform}" in done.stderr
    done = inside("gen", "windows-11", "--for", "packer", "--select", "none", "--host", HOST, code=2)
    assert "error: --select: only with --for kubevirt or nova" in done.stderr


def test_the_tables_name_rows() -> None:
    for row_id in (*FEATURES, *TIMERS, *(member.id for member in (*GIVEN, *GIVEN_HIDDEN))):
        assert row_id in BY_ID
