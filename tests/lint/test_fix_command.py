"""--fix, --unsafe-fixes and --diff on files."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from tests.cli.in_process import Hvctl

DOMAIN = """\
<domain type='kvm'>
  <os><type machine='pc-q35-7.2'/></os>
  <features><hyperv>
    <vapic state='on'/>
    <ipi state='on'/>  <!-- ours -->
    <reset state='on'/>
  </hyperv></features>
</domain>
"""
SAFE = DOMAIN.replace("<vapic state='on'/>\n", "<vapic state='on'/>\n    <vpindex state='on'/>\n")
DIFF = """\
--- guest.xml (before)
+++ guest.xml (after)
@@ -2,6 +2,7 @@
   <os><type machine='pc-q35-7.2'/></os>
   <features><hyperv>
     <vapic state='on'/>
+    <vpindex state='on'/>
     <ipi state='on'/>  <!-- ours -->
     <reset state='on'/>
   </hyperv></features>
"""
RULES = ("--no-config", "--select", "requirement-missing,reset-pointless")


@pytest.fixture
def hvctl(capsys: pytest.CaptureFixture[str]) -> Hvctl:
    return Hvctl(capsys)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "guest.xml").write_text(DOMAIN)
    return tmp_path / "guest.xml"


def test_fix_writes_what_is_safe_and_tells_the_rest(hvctl: Hvctl, path: Path) -> None:
    path.chmod(0o640)
    done = hvctl("lint", "guest.xml", *RULES, "--fix")
    assert path.read_text() == SAFE
    assert path.stat().st_mode & 0o777 == 0o640
    assert "info[reset-pointless]" in done.out
    assert done.err.endswith("mended: 1 1 file: 1 info; --unsafe-fixes mends 1")


def test_unsafe_fixes_are_both(hvctl: Hvctl, path: Path) -> None:
    hvctl("lint", "guest.xml", *RULES, "--unsafe-fixes")
    assert path.read_text() == SAFE.replace("    <reset state='on'/>\n", "")


def test_diff_shows_and_writes_nothing(hvctl: Hvctl, path: Path) -> None:
    assert hvctl("lint", "guest.xml", *RULES, "--diff", code=1).out == DIFF
    assert hvctl("lint", "guest.xml", *RULES, "--fix", "--diff", code=1).out == DIFF
    unsafe = hvctl("lint", "guest.xml", *RULES, "--unsafe-fixes", "--diff", code=1).out
    assert "-    <reset state='on'/>" in unsafe
    assert path.read_text() == DOMAIN
    hvctl("lint", "guest.xml", *RULES, "--fix")
    assert hvctl("lint", "guest.xml", *RULES, "--diff").out == ""


def test_diff_of_stdin(hvctl: Hvctl, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    done = hvctl("lint", "-", *RULES, "--diff", "--stdin-filename", "guest.xml", code=1)
    assert done.out == DIFF


def test_a_link_stays_one(hvctl: Hvctl, path: Path) -> None:
    link = path.with_name("link.xml")
    link.symlink_to("guest.xml")
    hvctl("lint", "link.xml", *RULES, "--fix")
    assert link.is_symlink()
    assert path.read_text() == SAFE


def test_a_file_that_is_clean_is_not_touched(hvctl: Hvctl, path: Path) -> None:
    path.write_text(SAFE)
    before = path.stat()
    hvctl("lint", "guest.xml", *RULES, "--fix")
    assert path.stat() == before


def test_a_broken_file_is_not_touched(hvctl: Hvctl, path: Path) -> None:
    path.write_text(DOMAIN + "<")
    hvctl("lint", "guest.xml", "--no-config", "--unsafe-fixes", code=1)
    assert path.read_text() == DOMAIN + "<"
