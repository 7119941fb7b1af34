"""What QEMU said is remembered, and forgotten when anything that it depends on changes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hvctl.host.probe import ask_first
from tests.realkvm.real import QEMU, this_host

pytestmark = pytest.mark.world("debian-12")


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache file after the first question."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert ask() == this_host().qemu[0]
    (path,) = (tmp_path / "hvctl").iterdir()
    return path


def ask() -> object:
    path = shutil.which(QEMU)
    assert path
    answer, notes = ask_first([path], this_host()._replace(qemu=()))
    assert not notes
    return answer


def test_the_second_answer_is_the_remembered_one(cached: Path) -> None:
    version = this_host().qemu[0].version
    cached.write_text(cached.read_text().replace(f'"version": "{version}"', '"version": "remembered"', 1))
    assert ask() == this_host().qemu[0]._replace(version="remembered")


@pytest.mark.parametrize("damage", ["another key", "truncated", "not UTF-8"])
def test_what_is_odd_is_asked_anew(cached: Path, damage: str) -> None:
    content = cached.read_bytes()
    marked = content.replace(b'"version": "', b'"version": "odd', 1)
    odd = {"another key": b"x" + marked, "truncated": marked[:-20], "not UTF-8": marked + b"\xff"}[damage]
    cached.write_bytes(odd)
    assert ask() == this_host().qemu[0]
    assert cached.read_bytes() == content
