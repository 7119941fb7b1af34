"""What QEMU said is remembered where nobody but the caller can have a hand in it, and nowhere else."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from hvctl.host.probe import ask_first
from hvctl.model.host import Qemu
from tests.made_hosts import made_amd_host
from tests.run.running import fake_qemu

TRUE, REMEMBERED = "9.8.7", "1.2.3"


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "cache"
    path.mkdir(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(path))
    return path


def ask(path: str) -> Qemu:
    answer, notes = ask_first([path], made_amd_host())
    assert answer
    assert notes == ()
    return answer


def remember_otherwise(path: Path) -> None:
    path.write_text(path.read_text().replace(TRUE, REMEMBERED))


def test_it_is_asked_once(base: Path, tmp_path: Path) -> None:
    qemu = fake_qemu(tmp_path, "honest")
    assert ask(qemu).version == TRUE
    (kept,) = (base / "hvctl").iterdir()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (base / "hvctl", kept)] == [0o700, 0o600]
    remember_otherwise(kept)
    assert ask(qemu).version == REMEMBERED


def test_it_is_kept_below_a_directory_where_all_can_make_theirs(base: Path, tmp_path: Path) -> None:
    base.chmod(0o1777)
    ask(fake_qemu(tmp_path, "honest"))
    assert len(list((base / "hvctl").iterdir())) == 1


def give_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid():
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    else:
        os.chown(path, 1, 1, follow_symlinks=False)


def linked(base: Path) -> None:
    base.rename(base.with_name("target"))
    base.symlink_to("target")


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "another user's directory": (lambda _: None, "hvctl"),
    "another user's home": (lambda _: None, "."),
    "another user's file": (lambda _: None, "hvctl/*"),
    "a link of another user's": (linked, "."),
    "a directory of all": (lambda base: (base / "hvctl").chmod(0o1777), ""),
    "a directory of a group": (lambda base: (base / "hvctl").chmod(0o770), ""),
    "a directory that all can exchange": (lambda base: base.chmod(0o777), ""),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_others_can_have_written_is_not_believed(
    base: Path, tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    qemu = fake_qemu(tmp_path, "honest")
    ask(qemu)
    (kept,) = (base / "hvctl").iterdir()
    remember_otherwise(kept)
    make, foreign = CHANGES[change]
    make(base)
    if foreign:
        give_away(next(base.glob(foreign)) if foreign != "." else base, monkeypatch)
    before = kept.read_bytes()
    assert ask(qemu).version == TRUE
    if foreign != "hvctl/*":
        assert kept.read_bytes() == before
        assert list((base / "hvctl").iterdir()) == [kept]


def test_nothing_is_made_in_the_home_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with `sudo -E`: what root made there the user could not use."""
    qemu = fake_qemu(tmp_path, "honest")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    give_away(tmp_path / "home", monkeypatch)
    ask(qemu)
    assert list((tmp_path / "home").iterdir()) == []


def test_no_link_is_followed_when_it_is_written(base: Path, tmp_path: Path) -> None:
    qemu = fake_qemu(tmp_path, "honest")
    ask(qemu)
    (kept,) = (base / "hvctl").iterdir()
    content = kept.read_bytes()
    precious = tmp_path / "precious"
    for data in (b"precious", None):
        kept.unlink()
        kept.symlink_to(precious)
        precious.unlink(missing_ok=True)
        if data:
            precious.write_bytes(data)
        ask(qemu)
        assert (precious.read_bytes() if precious.exists() else None) == data
        assert (kept.is_symlink(), kept.read_bytes()) == (False, content)


def test_the_facts_are_those_of_the_binary_that_is_asked_for(base: Path, tmp_path: Path) -> None:
    qemu, other = fake_qemu(tmp_path, "honest"), tmp_path / "other"
    ask(qemu)
    (kept,) = (base / "hvctl").iterdir()
    remember_otherwise(kept)
    kept.write_text(kept.read_text().replace(f'"{qemu}"', f'"{other}"'))
    assert ask(qemu) == ask(qemu)._replace(path=qemu, version=TRUE)
