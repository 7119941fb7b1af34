"""A plan put into an object: it says what the plan says, twice the same, and keeps every line that is not decided."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest
import yaml

from hvctl import api
from hvctl.errors import InputError
from hvctl.guest.kubevirt.crd import NEWEST, platform
from hvctl.guest.kubevirt.edit import edit_machine, find_machine
from hvctl.guest.kubevirt.manifest import Options
from hvctl.guest.kubevirt.reader import read_machine
from hvctl.host.host_file import read_host
from hvctl.profile.source import shipped_names
from tests.cli.run import inside
from tests.lint.test_kubevirt import PREFERENCE, machine
from tests.paths import HOSTS, RULE_CASES

HOST = read_host(str(HOSTS / "debian-13.json"))
PLANS = {
    (name, preference): api.resolve(api.load_profile(name), [HOST], platform=platform(NEWEST, preference=preference))
    for name in shipped_names()
    for preference in (False, True)
}
ALONE = PREFERENCE.removeprefix("---\n").replace("{HYPERV}", "{relaxed: {}, reset: {}}")
BLOCK = """\
# mine
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata:
  name: win11   # its name
spec:
  template:
    spec:
      domain:
        # of the clock
        clock:
          timer:
            hpet: {present: true}
          timezone: Europe/Berlin  # there
        cpu:
          cores: 4
          features:
            - name: vmx
              policy: optional
        features:
          acpi: {}
          hyperv:
            relaxed: {}
            spinlocks:
              spinlocks: 4096   # few
            reset: {}
            evmcs:
              enabled: true
        devices: {}
"""
TEXTS = {
    "block": BLOCK,
    "crlf": BLOCK.replace("\n", "\r\n"),
    "flow": machine("relaxed: {}, evmcs: {}"),
    "bare": BLOCK[: BLOCK.index("        # of")] + "        devices: {}\n",
    "preference": ALONE,
    **{
        path.parent.name: path.read_text()
        for path in sorted(RULE_CASES.glob("kubevirt-*/fires.yaml"))
        if "hidden" not in path.parent.name and "passthrough" not in path.parent.name
    },
}


def put(text: str, profile: str, *, keep_others: bool = False) -> str:
    found = find_machine(text, "x")
    plan = PLANS[profile, found.homes[0].is_preference]
    return edit_machine(found, plan, Options(), keep_others=keep_others).text


@pytest.mark.parametrize("profile", shipped_names())
@pytest.mark.parametrize("name", TEXTS)
def test_it_says_what_the_plan_says(name: str, profile: str) -> None:
    text = TEXTS[name]
    preference = name == "preference"
    plan = PLANS[profile, preference]
    if plan.refusals:
        return
    after = put(text, profile)
    found = read_machine(after, "x")
    enabled = {decision.id: decision.value for decision in plan.enabled()}
    on = {row_id: value for row_id, value in found.enabled().items() if row_id not in found.implied}
    assert on == enabled
    assert put(after, profile) == after, "a second time changes something"
    before, then = yaml.safe_load(text), yaml.safe_load(after)
    assert list(then) == list(before)
    if "\r\n" in text:
        assert "\n" not in after.replace("\r\n", "")


def test_every_line_that_is_not_decided_stays() -> None:
    difference = difflib.ndiff(BLOCK.splitlines(), put(BLOCK, "windows-11").splitlines())
    gone = [line[2:].strip() for line in difference if line[0] == "-"]
    # That evmcs was enabled is now the next one's line.
    assert gone == ["hpet: {present: true}", "relaxed: {}", "spinlocks: 4096   # few", "reset: {}", "evmcs:"]


def test_others_are_kept_where_that_is_asked() -> None:
    after = read_machine(put(BLOCK, "minimal", keep_others=True), "x")
    assert {"reset", "evmcs"} <= after.on.keys()


def test_the_command(tmp_path: Path) -> None:
    path = tmp_path / "vm.yaml"
    path.write_text(BLOCK)
    words = ("gen", "windows-11", "--for", "kubevirt", "--host", str(HOSTS / "debian-13.json"), "--into", str(path))
    done = inside(*words, "--diff", code=1)
    assert "+            hyperv:\n" in done.stdout
    assert "removed: reset, evmcs: the profile does not name it" in done.stderr
    assert path.read_text() == BLOCK
    assert "kubectl apply" in inside(*words, "--in-place").stderr
    after = path.read_text()
    assert after == put(BLOCK, "windows-11")
    assert inside(*words, "--diff").stdout == ""
    zone = inside(*words, "--timezone", "Asia/Tokyo").stdout
    assert "timezone: Asia/Tokyo  # there" in zone


def test_the_cpu_is_left_to_an_instance_type() -> None:
    text = BLOCK.replace("spec:\n", "spec:\n  instancetype: {name: u1.medium}\n", 1).replace("          cores: 4\n", "")
    plan = PLANS["nested-hyperv", False]._replace(refusals=())
    plan = plan._replace(cpu=plan.cpu._replace(features=(("vmx", True),)))
    edited = edit_machine(find_machine(text, "x"), plan, Options())
    assert "policy: optional" in edited.text
    assert "cpu.features: the CPU is the instance type's" in edited.lost


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\n", "no VirtualMachine with a domain"),
        (f"{machine()}---\n{machine()}", "more than one guest"),
        (machine().replace("vpindex: {}", "vpindex: {<<: {enabled: true}}"), "aliases or parameters"),
        (machine().replace("vpindex: {}", "vpindex: {enabled: maybe}"), "true or false"),
        ("a: [", "not YAML"),
    ],
)
def test_what_is_not_edited(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        find_machine(text, "x")
