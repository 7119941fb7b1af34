"""The configuration: where it is found, what it says, and every mistake in it."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest

from hvctl.cli.lint.files import _is_last, find_config
from tests.cli.in_process import Hvctl
from tests.paths import HOSTS

DOMAIN = """\
<domain type='kvm'>
  <name>guest</name>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
  <features><hyperv><relaxed state='on'/><vapic state='on'/><reset state='on'/></hyperv></features>
  <clock offset='utc'>
    <timer name='rtc' tickpolicy='catchup'/>
    <timer name='hpet' present='yes'/>
  </clock>
</domain>
"""


@pytest.fixture
def hvctl(capsys: pytest.CaptureFixture[str]) -> Hvctl:
    return Hvctl(capsys)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.xml").write_text(DOMAIN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rules(hvctl: Hvctl, *words: str, code: int = 1) -> list[str]:
    """The rules of what is found in sub/a.xml."""
    out = hvctl("lint", "sub/a.xml", "--format", "concise", "--fail-on", "info", *words, code=code).out
    return [line.split("[")[1].split("]")[0] for line in out.splitlines()]


EVERYTHING = ["no-stimer", "no-hypervclock", "reset-pointless", "hpet-on"]


@pytest.mark.usefixtures("folder")
def test_without_one(hvctl: Hvctl) -> None:
    assert sorted(rules(hvctl)) == sorted(EVERYTHING)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('ignore = ["reset-pointless", "no-stimer"]', ["no-hypervclock", "hpet-on"]),
        ('select = ["danger"]', ["reset-pointless"]),
        ('select = ["slow"]\nignore = ["hpet_on"]', ["no-stimer", "no-hypervclock"]),
        ('[paths."sub/"]\nignore = ["slow"]', ["reset-pointless"]),
        ('[paths."*.xml"]\nselect = ["hpet-on"]', ["hpet-on"]),
        ('[paths."other/*.xml"]\nignore = ["all"]', EVERYTHING),
        ('profile = "windows-11"', [*EVERYTHING, "clock-offset", "cpu-model-too-old"]),
        ('[paths."sub/a.xml"]\nprofile = "windows-10"', [*EVERYTHING, "clock-offset"]),
    ],
)
@pytest.mark.parametrize("name", ["hvctl.toml", "pyproject.toml"])
def test_what_it_says(hvctl: Hvctl, folder: Path, text: str, left: list[str], name: str) -> None:
    if name == "pyproject.toml":
        text = "[tool.hvctl.lint]\n" + text.replace("[paths", "[tool.hvctl.lint.paths")
    (folder / name).write_text(text + "\n")
    assert sorted(rules(hvctl)) == sorted(left)


def test_severities_change_the_exit_code(hvctl: Hvctl, folder: Path) -> None:
    (folder / "hvctl.toml").write_text('select = ["reset-pointless"]\n[severity]\nreset-pointless = "error"\n')
    out = hvctl("lint", "sub/a.xml", "--format", "concise", code=1).out
    assert out.startswith("sub/a.xml:4:61: error[reset-pointless]: ")


def test_hosts_are_beside_it(hvctl: Hvctl, folder: Path) -> None:
    (folder / "hosts").mkdir()
    (folder / "hosts" / "one.json").write_text((HOSTS / "debian-12.json").read_text())
    (folder / "hvctl.toml").write_text('hosts = ["hosts"]\nselect = ["recommended-missing"]\n')
    assert rules(hvctl) == ["recommended-missing"]


def test_the_command_line_comes_before_it(hvctl: Hvctl, folder: Path) -> None:
    (folder / "hvctl.toml").write_text('select = ["danger"]\n')
    assert rules(hvctl, "--select", "hpet-on,no-stimer") == ["no-stimer", "hpet-on"]
    assert len(rules(hvctl, "--no-config")) == len(EVERYTHING)


def test_the_nearest_counts_and_none_above_the_repository(hvctl: Hvctl, folder: Path) -> None:
    (folder / "hvctl.toml").write_text('select = ["danger"]\n')
    (folder / "sub" / ".git").mkdir()
    assert len(rules(hvctl)) == len(EVERYTHING)
    (folder / "sub" / "hvctl.toml").write_text('select = ["hpet-on"]\n')
    assert rules(hvctl) == ["hpet-on"]
    assert rules(hvctl, "--config", "hvctl.toml") == ["reset-pointless"]


def test_it_is_named(hvctl: Hvctl, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "hvctl.toml").write_text("ignore = ['all']\n")
    monkeypatch.chdir(folder / "sub")
    path = str(folder / "hvctl.toml")
    for words in ((), ("--format", "concise"), ("--format", "sarif"), ("--config", path)):
        assert hvctl("lint", "a.xml", *words).err.startswith(f"configuration: {path}")
    assert json.loads(hvctl("lint", "a.xml", "-q", "--format", "json").out)["configuration"] == path
    assert hvctl("lint", "a.xml", "-q").err == ""
    done = hvctl("lint", "a.xml", "--no-config", "--format", "json", code=1)
    assert (json.loads(done.out)["configuration"], done.err) == (None, "")


def give_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid():
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    else:
        os.chown(path, 1, 1, follow_symlinks=False)


@pytest.fixture
def home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is in no repository."""
    (folder / ".git").rmdir()
    monkeypatch.setenv("HOME", str(folder))
    (folder / "hvctl.toml").write_text("ignore = ['reset-pointless']\n")
    return folder


def found(hvctl: Hvctl) -> tuple[int, str]:
    """How many findings there are, and what is said before them."""
    done = hvctl("lint", "sub/a.xml", "--format", "concise", "--fail-on", "never")
    return len(done.out.splitlines()), done.err


ALL = len(EVERYTHING)


def test_outside_a_repository_that_of_another_user_does_not_count(
    hvctl: Hvctl, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found(hvctl) == (ALL - 1, "configuration: hvctl.toml")
    (home / "sub" / "hvctl.toml").write_text("ignore = ['all']\n")
    assert found(hvctl) == (0, "configuration: sub/hvctl.toml")
    give_away(home / "sub" / "hvctl.toml", monkeypatch)
    note = f"note: sub/hvctl.toml is not used: {home}/sub/hvctl.toml belongs to another user; use it with --config"
    if os.geteuid() == 0:
        assert found(hvctl) == (ALL - 1, f"{note} configuration: hvctl.toml")
    else:
        assert found(hvctl)[1].startswith(note)
    assert rules(hvctl, "--config", "sub/hvctl.toml", code=0) == []


@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_where_all_can_write_none_counts(hvctl: Hvctl, home: Path, mode: int) -> None:
    (home / "sub" / "pyproject.toml").write_text("[tool.hvctl.lint]\nignore = ['all']\n")
    (home / "sub").chmod(mode)
    note = f"note: sub/pyproject.toml is not used: other users can write to {home}/sub; use it with --config"
    assert found(hvctl) == (ALL - 1, f"{note} configuration: hvctl.toml")


@pytest.mark.parametrize("link", [False, True])
def test_a_link_counts_as_who_made_it_and_where_it_leads(
    hvctl: Hvctl, home: Path, link: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "target").write_text("ignore = ['all']\n")
    (home / "sub" / "hvctl.toml").symlink_to("../target")
    assert found(hvctl)[0] == 0
    give_away(home / ("sub/hvctl.toml" if link else "target"), monkeypatch)
    assert found(hvctl)[0] > 0


def test_in_a_repository_everything_is_its_owners(hvctl: Hvctl, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".git").mkdir()
    (home / "sub" / "hvctl.toml").write_text("ignore = ['all']\n")
    (home / "sub").chmod(0o777)
    if os.geteuid() == 0:
        give_away(home / "sub" / "hvctl.toml", monkeypatch)
    assert found(hvctl) == (0, "configuration: sub/hvctl.toml")
    give_away(home / ".git", monkeypatch)
    assert "sub/hvctl.toml is not used" in found(hvctl)[1]


def test_mistakes_in_the_project_of_another_user_are_theirs(
    hvctl: Hvctl, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "sub" / "pyproject.toml").write_text("[")
    assert "this is not TOML" in hvctl("lint", "sub/a.xml", code=2).err
    give_away(home / "sub" / "pyproject.toml", monkeypatch)
    if os.geteuid() == 0:
        assert found(hvctl) == (ALL - 1, "configuration: hvctl.toml")


def test_the_search_ends_at_the_home_and_where_a_file_system_begins(
    hvctl: Hvctl, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "link").symlink_to("sub")
    monkeypatch.setenv("HOME", str(home / "link"))
    assert found(hvctl) == (ALL, "")
    assert find_config(["/proc/self/status"]) == (None, [])
    assert not _is_last("/proc/self")
    assert _is_last("/proc")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('selct = ["danger"]', "unknown key 'selct' --> hvctl.toml:1:1 | 1 | selct"),
        ('selct = ["danger"]', "hint: did you mean 'select'?"),
        ('[paths."a"]\nignre = []', "did you mean 'ignore'?"),
        ('ignore = ["hpet-onn"]', "unknown rule 'hpet-onn' --> hvctl.toml:1:12 |"),
        ('[severity]\nhpet = "error"', "unknown rule 'hpet'"),
        ('[severity]\nhpet-on = "bad"', "the severity of 'hpet-on' cannot be 'bad' --> hvctl.toml:2:1"),
        ('severity = "bad"', "severity is a table of rules"),
        ("[severity]\nhpet-on = [1]", "the severity of 'hpet-on' cannot be '[1]'"),
        ("select = 1", "select is a list of texts"),
        ("select = [1]", "select is a list of texts"),
        ("profile = 1", "profile is a text"),
        ("paths = 1", "paths is a table of tables"),
        ("= 1", "this is not TOML: invalid statement --> hvctl.toml:1:1 |"),
        ("ignore = [", "this is not TOML: invalid value --> hvctl.toml:2:1"),
        ('select = [\n  "hpet-on", "x"]', "unknown rule 'x' --> hvctl.toml:2:15 |"),
        ('severity = {hpet-on = "bad"}', "the severity of 'hpet-on' cannot be 'bad' --> hvctl.toml:1:13"),
        ('profile = "nothing"', "nothing"),
        ('hosts = ["nowhere.json"]', "nowhere.json"),
        ("select = " + "[" * 3000, "hvctl.toml"),
    ],
)
def test_every_mistake_is_told(hvctl: Hvctl, folder: Path, text: str, message: str) -> None:
    (folder / "hvctl.toml").write_text(text + "\n")
    assert message in hvctl("lint", "sub/a.xml", code=2).err


def test_all_mistakes_at_once(hvctl: Hvctl, folder: Path) -> None:
    (folder / "hvctl.toml").write_text("selct = []\nfoo = 1\nprofile = 2\nignore = ['a', 'b']\n")
    assert hvctl("lint", "sub/a.xml", code=2).err.endswith("5 problems")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool]\nhvctl = 3", "tool.hvctl is a table --> pyproject.toml:2:1"),
        ("[tool.hvctl]\nlint = 3", "tool.hvctl.lint is a table --> pyproject.toml:2:1"),
        ("[tool.hvctl]\nselect = []", "tool.hvctl has no 'select' --> pyproject.toml:2:1"),
        ("[tool.hvctl.lintt]", "tool.hvctl has no 'lintt' --> pyproject.toml:1:13"),
    ],
)
def test_what_a_project_says_elsewhere_is_not_passed_over(hvctl: Hvctl, folder: Path, text: str, message: str) -> None:
    (folder / "pyproject.toml").write_text(text + "\n")
    assert message in hvctl("lint", "sub/a.xml", code=2).err


def test_a_rule_counts_more_than_its_group(hvctl: Hvctl, folder: Path) -> None:
    (folder / "hvctl.toml").write_text("[severity]\nHPET_ON = 'info'\nslow = 'error'\nall = 'warning'\n")
    out = hvctl("lint", "sub/a.xml", "--format", "concise", code=1).out
    found = {line.split("[")[1].split("]")[0]: line.split(": ")[1].split("[")[0] for line in out.splitlines()}
    assert found == {"hpet-on": "info", "no-stimer": "error", "no-hypervclock": "error", "reset-pointless": "warning"}


def test_stdin_has_the_configuration_of_the_file_it_is_named_after(
    hvctl: Hvctl, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "sub" / "hvctl.toml").write_text('select = ["hpet-on"]\n')
    data = (folder / "sub" / "a.xml").read_bytes()
    for words, count in ([], len(EVERYTHING)), (["--stdin-filename", "sub/a.xml"], 1):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        out = hvctl("lint", "-", *words, "--format", "concise", code=1).out
        assert len(out.splitlines()) == count


def test_the_current_folder_is_gone(hvctl: Hvctl, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "gone").mkdir()
    monkeypatch.chdir(folder / "gone")
    (folder / "gone").rmdir()
    assert "cannot find the current directory" in hvctl("lint", "../sub/a.xml", code=2).err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name a PATH, or a libvirt with --connect"),
        (["a.xml", "--connect", "test:///default"], "PATH and --connect do not go together"),
        (["-", "--fix"], "--fix needs files"),
        (["a.xml", "--fix", "--unsafe-fixes"], "--fix and --unsafe-fixes do not go together"),
        (["a.xml", "--select", "nothing"], "unknown rule 'nothing'"),
        (["a.xml", "--config", "nowhere.toml"], "nowhere.toml cannot be read: no such file or directory"),
        (["a.xml", "--diff", "--format", "json"], "--diff has a form of its own"),
        (["a.xml", "--host", "nowhere.json"], "nowhere.json"),
        (["a.xml", "--profile", "windows-13"], "windows-13"),
        (["-", "-"], "stdin can be read once only"),
        (["a.xml", "--jobs", "0"], "--jobs"),
        (["a.xml", "--jobs", "100000"], "--jobs"),
        (["a.xml", "--select", "foo,slow,bar"], "unknown rule 'foo' or 'bar'"),
        (["sub/a.xml", "-o", "./sub/a.xml"], "sub/a.xml is read, and the result would take its place"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_call_that_makes_no_sense(hvctl: Hvctl, words: list[str], message: str) -> None:
    assert message in hvctl("lint", *words, code=2).err


@pytest.mark.usefixtures("folder")
def test_the_domains_of_a_libvirt(hvctl: Hvctl) -> None:
    assert hvctl("lint", "--connect", "test:///default", "--no-config").err.endswith("1 file: nothing found")
    # Its domains are XML, whatever the files that are named.
    words = ("lint", "--connect", "test:///default", "--no-config", "--qemu-args")
    assert hvctl(*words).err.endswith("1 file: nothing found")
    hvctl("lint", "--connect", "nothing:///there", "--no-config", code=3)
