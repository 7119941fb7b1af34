"""`hvctl apply` on libvirt's own test driver: it defines, keeps, undoes, and overwrites nobody's changes."""

from __future__ import annotations

import os
import re
import resource
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest

from hvctl.cli import apply
from hvctl.cli.inputs import domains
from hvctl.errors import HostError
from hvctl.libvirt.applied import keep
from hvctl.text.files import base_directory
from tests.cli.in_process import Hvctl

TEST = "test:///default"
HOST = "tests/hosts/debian-12.json"
# The test driver's domains are of type `test`, and a KVM guest is what hvctl is for.
WITH = ("--connect", TEST, "--host", HOST, "--force")
UNDO = ("apply", "--undo", "test", "--connect", TEST)


@pytest.fixture
def hvctl(capsys: pytest.CaptureFixture[str]) -> Hvctl:
    return Hvctl(capsys)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "hvctl"


@pytest.fixture
def driver() -> Iterator[libvirt.virConnect]:
    """The test driver, which keeps what hvctl's own connection defines as long as this one is open."""
    connection = libvirt.open(TEST)
    yield connection
    connection.close()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`terminal(text)` makes stdin a terminal, at which a text is typed."""

    def typed(text: str) -> None:
        ours, theirs = os.openpty()
        os.write(ours, text.encode())
        monkeypatch.setattr("sys.stdin", os.fdopen(theirs))

    return typed


def xml(driver: libvirt.virConnect) -> str:
    flags = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE
    return str(driver.lookupByName("test").XMLDesc(flags))


def files(state: Path) -> list[str]:
    return sorted(path.name for path in state.rglob("*.xml"))


def change(driver: libvirt.virConnect, text: str = "<title>someone else was here</title>") -> None:
    """What another administrator does."""
    driver.defineXML(xml(driver).replace("  <memory ", f"  {text}\n  <memory ", 1))


def test_it_shows_the_difference_defines_and_says_how_to_go_back(
    hvctl: Hvctl, driver: libvirt.virConnect, state: Path
) -> None:
    before = xml(driver)
    done = hvctl("apply", "windows-10", "test", *WITH, "--yes")
    assert re.search(r"^\+ +<relaxed state='on'/>$", done.out, re.MULTILINE)
    assert re.search(r"^-  <clock offset='utc'/>$", done.out, re.MULTILINE)
    assert "redefined test; the previous definition is in" in done.err
    assert f"to go back: hvctl apply --undo test --connect {TEST}" in done.err
    assert "test is running: this takes effect at its next start; a reboot inside the guest is not" in done.err
    assert "<relaxed state='on'/>" in xml(driver)
    assert files(state) == ["0001-after.xml", "0001-before.xml"]
    (kept,) = state.rglob("0001-before.xml")
    assert kept.read_text() == before
    assert str(kept) in done.err
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    for folder in (kept.parent, kept.parent.parent, state):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_second_time_changes_nothing(hvctl: Hvctl, driver: libvirt.virConnect, state: Path) -> None:
    hvctl("apply", "windows-10", "test", *WITH, "--yes")
    after = xml(driver)
    for more in (("--yes",), ("--dry-run",)):
        done = hvctl("apply", "windows-10", "test", *WITH, *more)
        assert done.out == ""
        assert "test already matches profile windows-10" in done.err
    assert xml(driver) == after
    assert files(state) == ["0001-after.xml", "0001-before.xml"]


def test_a_dry_run_only_shows(hvctl: Hvctl, driver: libvirt.virConnect, state: Path) -> None:
    before = xml(driver)
    done = hvctl("apply", "windows-10", "test", *WITH, "--dry-run", code=1)
    assert "+      <relaxed state='on'/>" in done.out
    assert xml(driver) == before
    assert files(state) == []


def test_undo_puts_every_byte_back(hvctl: Hvctl, driver: libvirt.virConnect, state: Path) -> None:
    before = xml(driver)
    hvctl("apply", "windows-10", "test", *WITH, "--yes")
    look = hvctl(*UNDO, "--dry-run", code=1)
    assert "-      <relaxed state='on'/>" in look.out
    done = hvctl(*UNDO)
    assert done.out == look.out
    assert "test is defined as it was before" in done.err
    assert xml(driver) == before
    assert files(state) == []
    assert "there is nothing to undo" in hvctl(*UNDO, code=1).err


def test_undo_goes_back_step_by_step(hvctl: Hvctl, driver: libvirt.virConnect) -> None:
    steps = [xml(driver)]
    for profile in ("windows-10", "minimal", "windows-7"):
        hvctl("apply", profile, "test", *WITH, "--yes")
        steps.append(xml(driver))
    assert len(set(steps)) == 4
    for step in reversed(steps[:-1]):
        hvctl(*UNDO)
        assert xml(driver) == step


def test_undo_spares_what_someone_else_has_changed(hvctl: Hvctl, driver: libvirt.virConnect, state: Path) -> None:
    before = xml(driver)
    hvctl("apply", "windows-10", "test", *WITH, "--yes")
    change(driver)
    theirs = xml(driver)
    done = hvctl(*UNDO, code=1)
    assert "test was changed by someone else since hvctl did" in done.err
    assert xml(driver) == theirs
    assert "-  <title>someone else was here</title>" in hvctl(*UNDO, "--dry-run", code=1).out
    done = hvctl(*UNDO, "--yes")
    assert xml(driver) == before
    (lost,) = state.rglob("*-overwritten.xml")
    assert lost.read_text() == theirs
    assert str(lost) in done.err
    # The number is taken: what is kept is never written over.
    hvctl("apply", "minimal", "test", *WITH, "--yes")
    assert files(state) == ["0001-overwritten.xml", "0002-after.xml", "0002-before.xml"]


def test_undo_of_what_was_undone_by_hand(hvctl: Hvctl, driver: libvirt.virConnect, state: Path) -> None:
    before = xml(driver)
    hvctl("apply", "windows-10", "test", *WITH, "--yes")
    driver.defineXML(before)
    assert "test is as it was before: nothing to do" in hvctl(*UNDO).err
    assert files(state) == []


def test_undo_where_hvctl_was_killed_before_it_could_look(
    hvctl: Hvctl, driver: libvirt.virConnect, state: Path
) -> None:
    before = xml(driver)
    hvctl("apply", "windows-10", "test", *WITH, "--yes")
    next(state.rglob("0001-after.xml")).unlink()
    assert "was changed by someone else" in hvctl(*UNDO, code=1).err
    hvctl(*UNDO, "--yes")
    assert xml(driver) == before


@pytest.mark.parametrize("command", ["apply", "undo"])
def test_a_change_between_reading_and_defining_is_noticed(
    hvctl: Hvctl, driver: libvirt.virConnect, state: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    if command == "undo":
        hvctl("apply", "windows-10", "test", *WITH, "--yes")
    kept = files(state)
    real = domains.show_difference

    def changing(before: bytes, after: bytes, name: str) -> None:
        real(before, after, name)
        change(driver)

    monkeypatch.setattr(apply, "show_difference", changing)
    words = ("apply", "windows-10", "test", *WITH, "--yes") if command == "apply" else UNDO
    done = hvctl(*words, code=1)
    assert "test was changed by someone else meanwhile; nothing was overwritten" in done.err
    assert "<title>someone else was here</title>" in xml(driver)
    assert files(state) == kept


def test_an_undo_that_did_not_come_through_can_be_tried_again(
    hvctl: Hvctl, driver: libvirt.virConnect, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it would have overwritten was kept then, under the name that it would have now."""
    before = xml(driver)
    hvctl("apply", "windows-10", "test", *WITH, "--yes")
    change(driver)
    real = domains.replace

    def late(*words: Any, **options: Any) -> None:
        change(driver, "<description>and once more</description>")
        real(*words, **options)

    monkeypatch.setattr(apply, "replace", late)
    hvctl(*UNDO, "--yes", code=1)
    monkeypatch.setattr(apply, "replace", real)
    overwritten = xml(driver)
    hvctl(*UNDO, "--yes")
    assert xml(driver) == before
    assert files(state) == ["0001-overwritten.xml", "0002-overwritten.xml"]
    (kept,) = state.rglob("0002-overwritten.xml")
    assert kept.read_text() == overwritten


def test_what_libvirt_made_of_it_cannot_be_kept(
    hvctl: Hvctl, driver: libvirt.virConnect, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is defined all the same, and that is what is said."""
    before = xml(driver)
    real = domains.replace

    def full(*words: Any, **options: Any) -> None:
        real(*words, **options)
        (folder,) = (path.parent for path in state.rglob("0001-before.xml"))
        (folder / "0001-after.xml").mkdir()

    monkeypatch.setattr(apply, "replace", full)
    done = hvctl("apply", "windows-10", "test", *WITH, "--yes")
    said = " ".join(done.err.split())
    assert "note: what libvirt has made of it is not kept, so that --undo will need --yes" in said
    assert "redefined test; the previous definition is in" in said
    assert "nothing was changed" not in said
    assert xml(driver) != before


def test_the_terminal_is_asked(hvctl: Hvctl, driver: libvirt.virConnect, terminal: Callable[[str], None]) -> None:
    before = xml(driver)
    for answer in ("n\n", "\n"):
        terminal(answer)
        done = hvctl("apply", "windows-10", "test", *WITH, code=1)
        assert "+      <relaxed state='on'/>" in done.out
        assert "Apply this change to test? [y/N]" in done.err
        assert "nothing was changed" in done.err
        assert xml(driver) == before
    terminal("y\n")
    hvctl("apply", "windows-10", "test", *WITH)
    assert xml(driver) != before


def test_a_change_while_the_terminal_is_asked_is_noticed(
    hvctl: Hvctl, driver: libvirt.virConnect, terminal: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = apply.click.confirm  # type: ignore[attr-defined]

    def slow(text: str, *, err: bool) -> bool:
        change(driver)
        return bool(real(text, err=err))

    monkeypatch.setattr(apply.click, "confirm", slow)  # type: ignore[attr-defined]
    terminal("y\n")
    assert "changed by someone else meanwhile" in hvctl("apply", "windows-10", "test", *WITH, code=1).err
    assert "<title>" in xml(driver)


def test_without_a_terminal_nobody_is_asked(hvctl: Hvctl, driver: libvirt.virConnect) -> None:
    before = xml(driver)
    with open(os.devnull) as nothing, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", nothing)
        done = hvctl("apply", "windows-10", "test", *WITH, code=2)
    assert "cannot ask for confirmation: stdin is not a terminal" in done.err
    assert "--yes" in done.err
    assert done.out == ""
    assert xml(driver) == before


def test_passwords_are_kept_and_not_shown(hvctl: Hvctl, driver: libvirt.virConnect, state: Path) -> None:
    graphics = "<graphics type='vnc' port='5900' passwd='s3cret&amp;'/>"
    driver.defineXML(xml(driver).replace("<devices>", f"<devices>{graphics}", 1).replace("<clock", "<on_crash>", 0))
    assert "s3cret" in xml(driver)
    before = xml(driver)
    done = hvctl("apply", "windows-10", "test", *WITH, "--yes")
    assert "s3cret" not in done.out + done.err
    assert "s3cret" in xml(driver)
    (kept,) = state.rglob("0001-before.xml")
    assert "s3cret" in kept.read_text()
    hvctl(*UNDO)
    assert xml(driver) == before


def test_passwords_are_masked_where_they_are_beside_a_change(capsys: pytest.CaptureFixture[str]) -> None:
    domains.show_difference(b"<graphics passwd='s3cret'/>\n<a/>\n", b"<graphics passwd='s3cret'/>\n<b/>\n", "win11")
    out = capsys.readouterr().out
    assert " <graphics passwd='***'/>\n-<a/>\n+<b/>\n" in out


def test_libvirt_checks_the_new_definition(hvctl: Hvctl, driver: libvirt.virConnect, state: Path) -> None:
    before = xml(driver)
    # An element that a libvirt knows which can do more than this one.
    words = ("--connect", TEST, "--host", "tests/hosts/debian-13.json", "--force", "--yes")
    if "emsr_bitmap" in Path("/usr/share/libvirt/schemas/domaincommon.rng").read_text():
        pytest.skip("this libvirt knows all that the recorded one does")
    done = hvctl("apply", "windows-11", "test", *words, code=1)
    assert "libvirt refuses the new definition of test: " in done.err
    assert xml(driver) == before
    assert files(state) == []


def test_where_the_old_definition_cannot_be_kept_nothing_is_changed(
    hvctl: Hvctl, driver: libvirt.virConnect, tmp_path: Path
) -> None:
    before = xml(driver)
    (tmp_path / "state").write_text("a file where a folder should be")
    done = hvctl("apply", "windows-10", "test", *WITH, "--yes", code=3)
    assert "the old definitions in" in done.err
    assert xml(driver) == before
    (tmp_path / "state").unlink()
    (tmp_path / "state").symlink_to("/proc")
    done = hvctl("apply", "windows-10", "test", *WITH, "--yes", code=3)
    assert "the definition cannot be kept" in done.err
    assert xml(driver) == before


@pytest.mark.parametrize("place", ["state", "state/hvctl"])
@pytest.mark.parametrize("change", ["another user's", "of all"])
def test_where_others_can_write_nothing_is_kept_and_nothing_believed(
    hvctl: Hvctl, driver: libvirt.virConnect, state: Path, monkeypatch: pytest.MonkeyPatch, place: str, change: str
) -> None:
    hvctl("apply", "windows-10", "test", *WITH, "--yes")
    before, kept = xml(driver), files(state)
    folder = state if "/" in place else state.parent
    why = f"other users can write to {folder}"
    if change == "of all":
        folder.chmod(0o777)
    else:
        why = "belongs to another user"
        if os.geteuid():
            monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        else:
            os.chown(folder, 1, 1)
    for words in (("apply", "minimal", "test", *WITH, "--yes"), UNDO):
        done = hvctl(*words, code=3)
        assert f"{state} is no safe place for old definitions: " in done.err
        assert why in done.err
        assert (xml(driver), files(state)) == (before, kept)


def test_nothing_is_made_in_the_home_of_another_user(
    hvctl: Hvctl, driver: libvirt.virConnect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with `sudo -E`: what root made there the user could not use."""
    before = xml(driver)
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    if os.geteuid():
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    else:
        os.chown(tmp_path / "home", 1, 1)
    assert f"{tmp_path}/home belongs to another user" in hvctl("apply", "minimal", "test", *WITH, "--yes", code=3).err
    assert xml(driver) == before
    assert list((tmp_path / "home").iterdir()) == []


def other_kind(make: Callable[[Path], None]) -> Callable[[Path, str], None]:
    def exchange(path: Path, _: str) -> None:
        path.unlink()
        make(path)

    return exchange


DAMAGES: dict[str, Callable[[Path, str], object]] = {
    "empty": lambda path, _: path.write_bytes(b""),
    "not UTF-8": lambda path, text: path.write_text(text.replace("<name>", "<!-- \xff --><name>"), "latin-1"),
    "latin-1": lambda path, text: path.write_text(
        f"<?xml version='1.0' encoding='iso-8859-1'?><!-- \xff -->{text}", "latin-1"
    ),
    "cut": lambda path, text: path.write_text(text[:200]),
    "no domain": lambda path, _: path.write_text("<network/>"),
    "of another domain": lambda path, text: path.write_text(re.sub("<uuid>.{8}", "<uuid>00000000", text)),
    "without UUID": lambda path, text: path.write_text(re.sub("<uuid>.*</uuid>", "", text)),
    "pipe": other_kind(os.mkfifo),
    "directory": other_kind(os.mkdir),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_definition_is_passed_over_and_named(
    hvctl: Hvctl, driver: libvirt.virConnect, state: Path, damage: str
) -> None:
    """As of a full disk: the newest file was written before the domain was changed, and 0001 is whole."""
    before = xml(driver)
    hvctl("apply", "windows-10", "test", *WITH, "--yes")
    after = xml(driver)
    (first,) = state.rglob("0001-before.xml")
    second = first.with_name("0002-before.xml")
    second.touch()
    DAMAGES[damage](second, before)
    done = hvctl(*UNDO)
    assert "is damaged and passed over:" in " ".join(done.err.split())
    assert second.name in "".join(done.err.split())
    assert xml(driver) == before
    assert files(state) == ["0002-before.xml"]
    # The only one: nothing is defined.
    driver.defineXML(after)
    done = hvctl(*UNDO, code=1)
    assert "there is nothing to undo" in done.err
    assert second.name in "".join(done.err.split())
    assert xml(driver) == after
    driver.defineXML(before)  # an error may keep hvctl's connection, and so this domain, beyond the test


@pytest.mark.parametrize("damage", ["empty", "pipe"])
def test_undo_where_what_libvirt_made_of_it_is_damaged(
    hvctl: Hvctl, driver: libvirt.virConnect, state: Path, damage: str
) -> None:
    before = xml(driver)
    hvctl("apply", "windows-10", "test", *WITH, "--yes")
    DAMAGES[damage](next(state.rglob("0001-after.xml")), before)
    assert "was changed by someone else" in hvctl(*UNDO, code=1).err
    hvctl(*UNDO, "--yes")
    assert xml(driver) == before


def test_a_full_disk_keeps_nothing_by_halves(hvctl: Hvctl, driver: libvirt.virConnect, state: Path) -> None:
    before = xml(driver)
    old, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, old[1]))
    try:
        done = hvctl("apply", "windows-10", "test", *WITH, "--yes", code=3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    assert "the definition cannot be kept" in done.err
    assert xml(driver) == before
    assert [path for path in state.rglob("*") if path.is_file()] == []
    hvctl("apply", "windows-10", "test", *WITH, "--yes")
    hvctl(*UNDO)
    assert xml(driver) == before


def test_the_state_folder_of_the_home(hvctl: Hvctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = libvirt.open(TEST)
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "relative/path"):
        monkeypatch.setenv("XDG_STATE_HOME", value)
        hvctl("apply", "windows-10", "test", *WITH, "--yes")
        assert len(files(tmp_path / ".local" / "state" / "hvctl")) == 2
        hvctl(*UNDO)
    connection.close()


@pytest.mark.usefixtures("driver")
def test_metadata_and_what_else_there_is(hvctl: Hvctl) -> None:
    hvctl("apply", "windows-10", "test", *WITH, "--yes", "--metadata")
    out = hvctl("show", "test", "--connect", TEST, "--inactive").out
    assert "applied windows-10: the same" in out
    hvctl("apply", "windows-7", "test", *WITH, "--yes", "--keep-others")
    out = hvctl("show", "test", "--connect", TEST, "--inactive").out
    assert "applied windows-10: the same" in out


def test_a_transient_domain_has_no_definition(hvctl: Hvctl, driver: libvirt.virConnect) -> None:
    driver.lookupByName("test").undefine()
    assert "test is transient" in hvctl("apply", "windows-10", "test", *WITH, "--yes", code=1).err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("windows-10",), 2, "write hvctl apply PROFILE DOMAIN"),
        (("windows-10", "a", "b"), 2, "write hvctl apply PROFILE DOMAIN"),
        (("--undo",), 2, "write hvctl apply --undo DOMAIN"),
        (("--undo", "windows-10", "test"), 2, "write hvctl apply --undo DOMAIN"),
        (("--undo", "test", "--host", HOST), 2, "--undo puts a definition back as it was"),
        (("--undo", "test", "--metadata"), 2, "--undo puts a definition back as it was"),
        (("nosuch", "test", "--yes"), 2, "nosuch"),
        (("windows-10", "nosuch", "--yes", "--host", HOST), 3, "test:///default has no domain nosuch"),
        (("windows-10", "test", "--yes", "--host", HOST), 2, "of type test, not kvm"),
        (("--undo", "test"), 1, "there is nothing to undo"),
    ],
)
def test_mistakes(hvctl: Hvctl, words: tuple[str, ...], code: int, message: str) -> None:
    assert message in hvctl("apply", *words, "--connect", TEST, code=code).err


def test_without_any_home_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No HOME, and no entry in the password file: found by torture, as exit code 70."""
    for name in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    with pytest.raises(HostError, match="there is no home directory"):
        keep("test:///default", "6695eb01-f6a4-8304-79aa-97f2502e193f", b"<domain/>")


def test_a_home_that_is_not_there_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "gone"))
    with pytest.raises(HostError, match="there is no home directory"):
        keep("test:///default", "6695eb01-f6a4-8304-79aa-97f2502e193f", b"<domain/>")
    assert base_directory("XDG_CACHE_HOME_THAT_IS_NOT_SET", ".cache") is None
    assert list(tmp_path.iterdir()) == []
