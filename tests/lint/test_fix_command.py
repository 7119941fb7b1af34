"""--fix, --unsafe-fixes and --diff on files."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hvctl.lint import fixes
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
--- a/guest.xml
+++ b/guest.xml
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


def test_an_empty_patch_beside_findings_says_why(hvctl: Hvctl, tmp_path: Path) -> None:
    path = tmp_path / "two.args"
    path.write_text("kvm -cpu host,hv_relaxed -machine pc-q35-7.2 -cpu host\n")
    done = hvctl("lint", str(path), "--no-config", "--select", "replaced-cpu", "--fix", "--diff", code=1)
    assert (done.out, done.err) == ("", "not fixed by this patch: 1 file: 1 error")


def test_fix_writes_what_is_safe_and_tells_the_rest(hvctl: Hvctl, path: Path) -> None:
    path.chmod(0o640)
    done = hvctl("lint", "guest.xml", *RULES, "--fix")
    assert path.read_text() == SAFE
    assert path.stat().st_mode & 0o777 == 0o640
    assert "info[reset-pointless]" in done.out
    assert done.err.endswith("fixed: 1 1 file: 1 info; --unsafe-fixes fixes 1")


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
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_broken_file_is_not_touched(hvctl: Hvctl, path: Path) -> None:
    path.write_text(DOMAIN + "<")
    hvctl("lint", "guest.xml", "--no-config", "--unsafe-fixes", code=1)
    assert path.read_text() == DOMAIN + "<"


ENCODINGS = {
    "crlf.xml": DOMAIN.replace("\n", "\r\n").encode(),
    "bom.xml": b"\xef\xbb\xbf" + DOMAIN.encode(),
    "latin-1.xml": b"<?xml version='1.0' encoding='iso-8859-1'?>\n" + DOMAIN.replace("ours", "é").encode("latin-1"),
    "no line end.xml": DOMAIN.removesuffix("\n</domain>\n").encode() + b"</domain>",
    "other lines.xml": DOMAIN.replace("ours", "\x85\u2028").encode(),
}
NAMES = (b"a\n+++ x.xml", b'"q"\\.xml', b"\xff.xml", "é.xml".encode(), b"sub/a.xml")


# GNU patch 2.8 refuses a name with a line end.
@pytest.mark.parametrize(
    ("program", "names"), [(["git", "apply"], NAMES), (["patch", "-p1", "--quiet"], NAMES[1:])], ids=["git", "patch"]
)
def test_a_diff_is_a_patch(tmp_path: Path, program: list[str], names: tuple[bytes, ...]) -> None:
    """What git or patch makes of it are the bytes that --fix writes, whatever the file and its name."""
    for folder in ("patched", "fixed"):
        (tmp_path / folder / "sub").mkdir(parents=True)
        files = {os.fsencode(name): data for name, data in ENCODINGS.items()} | dict.fromkeys(names, DOMAIN.encode())
        for name, data in files.items():
            with open(os.fsencode(tmp_path / folder) + b"/" + name, "wb") as stream:
                stream.write(data)
    words = [sys.executable, "-m", "hvctl", "lint", ".", *RULES]
    shown = subprocess.run([*words, "--diff"], cwd=tmp_path / "patched", capture_output=True, check=False)
    assert shown.returncode == 1, shown.stderr
    subprocess.run(program, cwd=tmp_path / "patched", input=shown.stdout, check=True, capture_output=True)
    subprocess.run([*words, "--fix"], cwd=tmp_path / "fixed", check=True, capture_output=True)
    compared = subprocess.run(["diff", "-r", "patched", "fixed"], cwd=tmp_path, capture_output=True, check=False)
    assert (compared.returncode, compared.stdout) == (0, b"")
    assert "<vpindex" in (tmp_path / "patched" / "sub" / "a.xml").read_text()


def test_a_diff_names_a_file_as_from_here(hvctl: Hvctl, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hvctl("lint", str(path), *RULES, "--diff", code=1).out == DIFF
    (path.parent / "elsewhere").mkdir()
    monkeypatch.chdir(path.parent / "elsewhere")
    assert hvctl("lint", str(path), *RULES, "--diff", code=1).out.startswith(f"--- {path}\n+++ {path}\n")


def test_a_file_that_cannot_be_written_keeps_its_findings(hvctl: Hvctl, path: Path) -> None:
    """To write it would part it from its other name."""
    os.link(path, path.with_name("other"))
    done = hvctl("lint", "guest.xml", *RULES, "--fix", "--format", "concise", code=1)
    assert "error[requirement-missing]" in done.out
    assert "guest.xml: not checked: it cannot be written: it has 2 hard links" in done.out
    assert path.read_text() == DOMAIN
    assert path.samefile(path.with_name("other"))


def test_a_long_name(hvctl: Hvctl, path: Path) -> None:
    """The name of the temporary file beside it has room."""
    name = "a" * 251 + ".xml"
    path.rename(path.with_name(name))
    hvctl("lint", name, *RULES, "--fix")
    assert path.with_name(name).read_text() != DOMAIN


def test_a_file_that_is_changed_meanwhile(hvctl: Hvctl, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = fixes.apply_fixes

    def slow(*words: Any) -> fixes.FixResult:
        path.write_text(DOMAIN + "<!-- theirs -->")
        return real(*words)

    monkeypatch.setattr(fixes, "apply_fixes", slow)
    done = hvctl("lint", "guest.xml", *RULES, "--fix", "--format", "concise", code=1)
    assert "guest.xml: not checked: it cannot be written: it was changed by someone else meanwhile" in done.out
    assert path.read_text() == DOMAIN + "<!-- theirs -->"
