"""The script of docs/cloudstack.md in Debian's Groovy, called as CloudStack's agent calls it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hvctl import api
from hvctl.host.host_file import read_host
from tests.cli.run import inside
from tests.guest.filters.pages import HERE, HOST, block, write_program
from tests.platforms.tools import in_debian

# apache/cloudstack plugins/hypervisors/kvm, LibvirtKvmAgentHook.java, handle(): a method of the script's value is
# called by its name.
AGENT = """
def logger = new Object() { void warn(text) { System.err.println("WARN " + text) } }
def hook = new GroovyScriptEngine("/mnt").run("hook.groovy", new Binding())
def made = hook.invokeMethod("transform", [logger, new File("/mnt/given.xml").text] as Object[])
new File("/mnt/made.xml").text = made == null ? "null" : made
"""
# There is no Python of the checkout in that Debian: what hvctl gives is made before, and its input and words are kept.
HVCTL = '#!/bin/sh\nprintf "%s\\n" "$*" >/mnt/words\ncat >/mnt/stdin\ncat /mnt/stdout\necho a note >&2\nexit CODE\n'


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "hook.groovy").write_text(block("cloudstack.md", "groovy"))
    (tmp_path / "agent.groovy").write_text(AGENT)
    shutil.copy(HERE / "cloudstack.xml", tmp_path / "given.xml")
    return tmp_path


def transform(place: Path, code: int = 0) -> str:
    write_program(place / "hvctl", HVCTL.replace("CODE", str(code)))
    done = in_debian("groovy agent.groovy", place)
    assert done.returncode == 0, done.stderr
    assert ("WARN hvctl: a note" in done.stderr) is (place / "words").exists()
    return (place / "made.xml").read_text()


def test_the_agent_gets_a_domain_with_the_profile(place: Path) -> None:
    words = ("gen", "windows-11", "--host", str(HOST), "--domain")
    (place / "stdout").write_text(inside(*words, str(HERE / "cloudstack.xml")).stdout)
    made = transform(place)
    assert (place / "words").read_text() == f"{' '.join(words)} -\n"
    assert (place / "stdin").read_text() == (HERE / "cloudstack.xml").read_text()
    assert made == (place / "stdout").read_text()
    guest = api.read_text(made).guest
    assert guest is not None
    plan = api.resolve(api.load_profile("windows-11"), [read_host(str(HOST))], libvirt=True)
    assert guest.enabled() == {one.id: one.value for one in plan.enabled()}


def test_the_agent_keeps_its_own_where_hvctl_refuses(place: Path) -> None:
    (place / "stdout").write_text("")
    assert transform(place, code=1) == "null"


def test_the_agent_keeps_its_own_of_other_guests(place: Path) -> None:
    (place / "given.xml").write_text("<domain type='kvm'/>")
    assert transform(place) == "null"
    assert not (place / "words").exists()
