"""`hvctl gen --for incus`: what Incus appends to QEMU's command line is the whole plan, and what it loses is named."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from hvctl.catalog.incus import KEY, OWN_CPU
from hvctl.profile.source import shipped_names
from tests.cli.run import inside
from tests.paths import HOSTS

HOST = str(HOSTS / "debian-13.json")
POOLS = ("debian-12.json", "debian-13.json", "debian-12-intel.json")
# What Incus 6.0.4 gives QEMU by -readconfig and as words (driver_qemu_templates.go, driver_qemu.go), but for TCG.
CONFIG = """\
[machine]
graphics = "off"
type = "q35"
accel = "tcg"
usb = "off"

[boot-opts]
strict = "on"

[smp-opts]
cpus = "1"
"""
OWN = ("-S", "-cpu", "max,hv_passthrough", "-nographic", "-nodefaults", "-no-user-config", "-rtc", "base=utc")


def generate(*words: str, code: int = 0, host: str = HOST) -> subprocess.CompletedProcess[str]:
    return inside("gen", *words, "--for", "incus", "--host", host, code=code)


def raw(text: str) -> list[str]:
    """The words that Incus splits as a shell does."""
    return shlex.split(yaml.safe_load(text)["config"][KEY])


@pytest.mark.parametrize("profile", shipped_names())
def test_incus_lacks_nothing_of_a_plan(profile: str) -> None:
    for host in POOLS:
        done = generate(profile, host=str(HOSTS / host), code=0)
        words = inside("gen", profile, "--machine", "q35", "--host", str(HOSTS / host)).stdout
        assert raw(done.stdout) == shlex.split(words)
        assert set(yaml.safe_load(done.stdout)) == {"config", "description", "devices"}


def test_what_incus_itself_writes_is_named() -> None:
    done = generate("windows-11")
    comments = " ".join(line.lstrip("# ") for line in done.stdout.splitlines() if line.startswith("#"))
    for text in (" ".join(done.stderr.split()), comments):
        assert "QEMU takes the last -cpu, which is that of raw.qemu, and nothing of Incus's own" in text
        assert all(f"Incus's `{own.words}` ({own.when}) has no effect: {own.instead}" in text for own in OWN_CPU)


def test_who_obeys_a_note_does_not_read_it_again(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    text = "version: 1\nname: mine\nmigration: none\nextends: windows-11\ncpu: {features: {topoext: on, invtsc: on}}\n"
    path.write_text(text)
    done = generate(str(path))
    assert "topoext=on,invtsc=on" in raw(done.stdout)[3]
    assert "Incus's `hv_passthrough`" in done.stderr
    assert "topoext" not in done.stderr
    assert "invtsc" not in done.stderr


def test_the_machine_is_what_incus_makes() -> None:
    done = generate("windows-7")
    assert "not written: machine pc: Incus makes guests of type q35 only" in done.stderr
    assert "# not written: machine pc:" in done.stdout
    assert raw(done.stdout)[1] == "pc-q35-10.0,hpet=off"
    assert raw(generate("windows-11", "--machine", "pc-q35-9.2").stdout)[1] == "pc-q35-9.2,hpet=off"
    said = generate("windows-11", "--machine", "pc-i440fx-9.2", code=2).stderr
    assert "Incus makes guests of type q35 only" in said


def test_an_old_windows_gets_the_firmware_that_its_plan_assumes() -> None:
    done = generate("windows-7")
    config = yaml.safe_load(done.stdout)["config"]
    assert (config["security.csm"], config["security.secureboot"]) == ("true", "false")
    assert "an instance that was installed by UEFI cannot have this profile" in " ".join(done.stderr.split())
    assert "BIOS is assumed" not in done.stderr
    for other in ("windows-11", "windows-xp"):
        assert "security.csm" not in generate(other).stdout


def test_sizes() -> None:
    config = yaml.safe_load(generate("windows-11", "--memory", "8192", "--vcpus", "4").stdout)["config"]
    assert (config["limits.memory"], config["limits.cpu"]) == ("8192MiB", "4")


def test_json() -> None:
    found: Any = json.loads(generate("windows-7", "--format", "json").stdout)
    assert found["manifest"] == yaml.safe_load(generate("windows-7").stdout)
    assert found["left_out"] == ["machine pc: Incus makes guests of type q35 only, with their devices on PCIe"]


def test_a_refused_plan(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("version: 1\nname: mine\nenlightenments: {evmcs: on}\n")
    assert generate(str(path), code=1).stdout == ""
    assert json.loads(generate(str(path), "--format", "json", code=1).stdout)["manifest"] is None


@pytest.mark.parametrize("words", [("--name", "x"), ("--kind", "vm"), ("--fragment",), ("--lock", "x"), ("--diff",)])
def test_what_does_not_go_together(words: tuple[str, ...]) -> None:
    assert generate("windows-11", *words, code=2).stdout == ""


def test_qemu_takes_it_after_what_incus_writes(tmp_path: Path) -> None:
    """It keeps the rest of Incus's machine, and nothing of its -cpu."""
    path = tmp_path / "qemu.conf"
    path.write_text(CONFIG)
    # What QEMU sets without KVM, too; and no `host`.
    profile = tmp_path / "mine.yaml"
    profile.write_text("version: 1\nname: mine\nenlightenments: {relaxed: on, vapic: on}\n")
    words = raw(generate(str(profile), host=str(HOSTS / "debian-12.json")).stdout)
    words = [word.replace("host,", "max,", 1) for word in words]
    asked = [("/machine", name) for name in ("type", "hpet", "graphics", "usb")]
    asked += [("/machine/unattached/device[0]", name) for name in ("hv-relaxed", "hv-passthrough")]
    requests: list[Any] = [{"execute": "qmp_capabilities"}]
    requests += [{"execute": "qom-get", "arguments": {"path": at, "property": name}} for at, name in asked]
    lines = "".join(json.dumps(request) + "\n" for request in (*requests, {"execute": "quit"}))
    command = ["qemu-system-x86_64", *OWN, "-readconfig", str(path), "-qmp", "stdio", *words]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=60, check=True)
    replies = [json.loads(line) for line in done.stdout.splitlines()]
    values = [one["return"] for one in replies if "return" in one][1:-1]
    assert values == ["pc-q35-7.2-machine", False, False, False, True, False]
