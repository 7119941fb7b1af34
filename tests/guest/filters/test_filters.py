"""The scripts of docs/opennebula.md and docs/ovirt.md, run as those platforms run them; docs/virt-install.md is
tried in tests/realkvm/, docs/cloudstack.md in tests/platforms/."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from hvctl import api
from hvctl.host.host_file import read_host
from tests.guest.filters.pages import HERE, HOST, block, write_hvctl, write_program
from tests.paths import ROOT

OWN_SCRIPT = '#!/bin/sh\nprintf "%s\\n" "$*" >"$OUT/arguments"\ncat >"$OUT/domain"\necho a-uuid\nexit 0\n'


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_hvctl(tmp_path)
    return tmp_path


def run(place: Path, words: list[str], text: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{place}:{os.environ['PATH']}", "OUT": str(place), **more}
    return subprocess.run(words, input=text, text=True, capture_output=True, env=environment, timeout=60, check=False)


def judge(before: str, after: str) -> None:
    """The profile is in it, and the rest as it was."""
    guest = api.read_text(after).guest
    assert guest is not None
    plan = api.resolve(api.load_profile("windows-11"), [read_host(str(HOST))], libvirt=True)
    on = {one.id: one.value for one in plan.enabled()}
    assert guest.enabled() == on
    changed = {line.strip() for line in before.splitlines()} - {line.strip() for line in after.splitlines()}
    words = ("spinlocks", "<clock", "<cpu", "<domain")
    assert all(any(word in line for word in words) for line in changed), changed


def test_opennebula_deploys_a_domain_with_the_profile(place: Path) -> None:
    write_program(place / "deploy", block("opennebula.md"))
    write_program(place / "deploy.opennebula", OWN_SCRIPT)
    before = (HERE / "opennebula.xml").read_text()
    done = run(place, [str(place / "deploy"), "/var/lib/one/datastores/0/42/deployment.0", "host", "42"], before)
    assert (done.returncode, done.stdout) == (0, "a-uuid\n"), done.stderr
    assert (place / "arguments").read_text() == "/var/lib/one/datastores/0/42/deployment.0 host 42\n"
    judge(before, (place / "domain").read_text())


def test_opennebula_deploys_others_as_they_are(place: Path) -> None:
    write_program(place / "deploy", block("opennebula.md"))
    write_program(place / "deploy.opennebula", OWN_SCRIPT.replace("exit 0", "exit 7"))
    before = (HERE / "opennebula.xml").read_text().replace("hyperv>", "kvm>")
    assert run(place, [str(place / "deploy"), "x"], before).returncode == 7
    assert (place / "domain").read_text() == before


def test_opennebula_deploys_nothing_that_is_refused(place: Path) -> None:
    write_program(place / "deploy", block("opennebula.md").replace("gen windows-11", "gen windows-13"))
    write_program(place / "deploy.opennebula", OWN_SCRIPT)
    done = run(place, [str(place / "deploy"), "x"], (HERE / "opennebula.xml").read_text())
    assert done.returncode == 1
    assert "no profile" in done.stderr
    assert not (place / "domain").exists()


def test_ovirt_starts_a_domain_with_the_profile(place: Path) -> None:
    write_program(place / "hook", block("ovirt.md"))
    path = place / "domxml"
    shutil.copy(HERE / "ovirt.xml", path)
    done = run(place, [str(place / "hook")], _hook_domxml=str(path), hvctl="windows-11")
    assert done.returncode == 0, done.stderr
    after = path.read_text()
    judge((HERE / "ovirt.xml").read_text(), after)
    assert '<clock offset="variable" adjustment="3600"><timer name="hypervclock"' in after


@pytest.mark.parametrize(("profile", "code"), [("", 0), ("windows-13", 2)])
def test_ovirt_leaves_others_and_what_is_refused(profile: str, code: int, place: Path) -> None:
    write_program(place / "hook", block("ovirt.md"))
    path = place / "domxml"
    shutil.copy(HERE / "ovirt.xml", path)
    more = {"hvctl": profile} if profile else {}
    assert run(place, [str(place / "hook")], _hook_domxml=str(path), **more).returncode == code
    assert path.read_text() == (HERE / "ovirt.xml").read_text()


def test_several_devices_of_a_domain_are_edited(tmp_path: Path) -> None:
    """Libvirt takes all of them, and a panic device is looked for in each."""
    profile = tmp_path / "x.yaml"
    profile.write_text("version: 1\nname: x\nenlightenments: {crash: on, relaxed: on}\n")
    text = b"<domain type='kvm'><devices/><devices><panic model='hyperv'/></devices></domain>"
    edited = api.edit_domain(text, api.load_profile(str(profile)), [read_host(str(HOST))])
    assert edited.after.count(b"<panic") == 1
    one = api.edit_domain(
        text.replace(b"<panic model='hyperv'/>", b""), api.load_profile(str(profile)), [read_host(str(HOST))]
    )
    assert b"<devices>\n" in one.after or b"<devices><panic" in one.after
    assert one.after.count(b"<panic") == 1


def test_each_page_says_what_was_tried() -> None:
    for name in ("virt-install", "opennebula", "ovirt", "cloudstack"):
        text = (ROOT / "docs" / f"{name}.md").read_text()
        assert "\nTried: " in text
        assert "\nWhat goes: " in text
