"""Hostile and odd files: never a traceback, never a wait, never much memory, and the files beside them are judged."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvctl.guest.syntax import COMMAND_LINE, DOMAIN
from hvctl.lint.engine import Job, choose, lint
from hvctl.lint.fixes import apply_fixes
from hvctl.lint.rule import all_rules
from hvctl.model.finding import Safety, Skipped
from hvctl.text.files import LARGEST_XML
from tests.cli.in_process import Hvctl
from tests.lint.odd_domains import odd_domains

JOB = Job(choose(all_rules()))
GOOD = "<domain type='kvm'><name>a</name><features><hyperv><reset state='on'/></hyperv></features></domain>"
MOST_MEGABYTES = 300
SECONDS = 20

LAUGHS = "<!DOCTYPE domain [<!ENTITY a 'ha'>" + "".join(
    f"<!ENTITY {char} '{f'&{before};' * 10}'>" for before, char in zip("abcdefgh", "bcdefghi", strict=True)
)
BROKEN: dict[str, tuple[str | bytes, str]] = {
    "laughs": (f"{LAUGHS}]><domain>&i;</domain>", "a document type declaration is refused"),
    "external": (
        "<!DOCTYPE domain [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><domain>&x;</domain>",
        "a document type declaration is refused",
    ),
    "doctype": ("<!DOCTYPE domain><domain/>", "a document type declaration is refused"),
    "deep": ("<a>" * 10_000 + "</a>" * 10_000, "nested more than 200 levels deep"),
    "nul": ("<domain>\0</domain>", "the character U+0000 is not allowed here"),
    "empty": ("", "the file is empty"),
    "text": ("hello", "this is not XML"),
    "open": ("<domain><features>", "the file ends inside <features>"),
    "latin-1": ("<domain>é</domain>".encode("latin-1"), "the byte 0xe9 is not UTF-8"),
    "encoding": ("<?xml version='1.0' encoding='nothing'?><domain/>", "unsupported or wrong encoding declaration"),
    "two": ("<domain/><domain/>", "content after the end of <domain>"),
    "duplicate": ("<domain type='kvm' type='kvm'/>", "duplicate attribute"),
}
FINE = {
    "utf-16": f"<?xml version='1.0' encoding='utf-16'?>{GOOD}".encode("utf-16"),
    "latin-1": f"<?xml version='1.0' encoding='iso-8859-1'?>{GOOD.replace('>a<', '>é<')}".encode("latin-1"),
    "bom": b"\xef\xbb\xbf" + GOOD.encode(),
    "crlf": GOOD.replace("><", ">\r\n<").encode(),
    "attribute": GOOD.replace("<name>", f"<name x='{'y' * (1 << 20)}'>").encode(),
    "state": GOOD.replace("state='on'", f"state='{'y' * (1 << 20)}'").encode(),
    "name": GOOD.replace("reset", "r" * (1 << 20)).encode(),
    "text": GOOD.replace(">a<", f">{'a' * (1 << 20)}<").encode(),
    "comment": GOOD.replace("<name>", f"<!-- hvctl: ignore[{'a' * (1 << 20)}] x --><name>").encode(),
    "reset": GOOD.replace("<reset state='on'/>", "<reset state='on'/>" * 20_000).encode(),
    "comments": GOOD.replace("<reset", "<!-- hvctl: ignore[reset-pointless] x -->" * 2000 + "<reset").encode(),
    "pairs": GOOD.replace(
        "<reset", "<!-- hvctl: ignore[hpet-on] x --><reset state='on'/>" * 20_000 + "<reset"
    ).encode(),
    "metadata": GOOD.replace(
        "<name>",
        "<metadata><h:guest xmlns:h='urn:hvctl:domain:1.0'>"
        + "<h:ignore rule='hpet-on' reason='x'/>" * 20_000
        + "</h:guest></metadata><name>",
    ).encode(),
    "devices": GOOD.replace("<name>", "<devices>" + "<disk a='b'/>" * 90_000 + "</devices><name>").encode(),
    "devices in devices": GOOD.replace("<name>", "<devices><devices><panic/></devices></devices><name>").encode(),
    "hidden": GOOD.replace("<name>", "<devices><x><![CDATA[</devices>]]></x></devices><name>").encode(),
    "hidden too": GOOD.replace("<name>", "<!--<devices>--><name>")
    .replace("</domain>", "<a><!--</devices>--></a></domain>")
    .encode(),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_is_not_well_formed_is_a_finding(name: str) -> None:
    text, message = BROKEN[name]
    data = text if isinstance(text, bytes) else text.encode()
    (finding,) = lint(data, "x", DOMAIN, JOB).findings
    assert finding.rule == "not-well-formed"
    assert message in finding.message
    assert finding.span.line == 1


@pytest.mark.parametrize("name", FINE)
def test_odd_files_are_judged(name: str) -> None:
    start = time.process_time()
    found = {one.rule for one in lint(FINE[name], "x", DOMAIN, JOB).findings}
    expected = {"state": "invalid-value", "name": "unknown-enlightenment", "comments": "unversioned-machine"}
    assert expected.get(name, "reset-pointless") in found
    assert all(len(one.message) < 1000 for one in lint(FINE[name], "x", DOMAIN, JOB).findings)
    assert time.process_time() - start < SECONDS


def measured(*words: str) -> tuple[int, float, float, str, str]:
    """Exit code, seconds, megabytes and output of one hvctl."""
    script = (
        "import json,resource,subprocess,sys,time\n"
        "t=time.perf_counter()\n"
        "d=subprocess.run(sys.argv[1:],capture_output=True,text=True,timeout=120)\n"
        "m=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss/1024\n"
        "print(json.dumps([d.returncode,time.perf_counter()-t,m,d.stdout,d.stderr]))"
    )
    command = [sys.executable, "-c", script, sys.executable, "-m", "hvctl", "lint", "--no-config", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=180)
    code, seconds, megabytes, out, err = json.loads(done.stdout)
    return code, seconds, megabytes, out, err


def test_no_file_stops_the_others(tmp_path: Path) -> None:
    """All of it in one folder, with what is no file at all."""
    for name, (text, _) in BROKEN.items():
        (tmp_path / f"broken {name}.xml").write_bytes(text if isinstance(text, bytes) else text.encode())
    for name, data in FINE.items():
        (tmp_path / f"fine {name}.xml").write_bytes(data)
    with (tmp_path / "huge.xml").open("wb") as stream:
        stream.truncate(100 << 20)
    (tmp_path / "elements.xml").write_bytes(b"<domain>" + b"<a/>" * (LARGEST_XML // 4 - 10) + b"</domain>")
    (tmp_path / "findings.xml").write_text(GOOD.replace("<reset state='on'/>", "<reset state='on'/>\n" * 90_000))
    (tmp_path / "binary.xml").write_bytes(os.urandom(100_000))
    (tmp_path / "dangling.xml").symlink_to("nowhere")
    (tmp_path / "self.xml").symlink_to("self.xml")
    (tmp_path / "loop").symlink_to(".")
    os.mkfifo(tmp_path / "pipe.xml")
    (tmp_path / "folder.xml").mkdir()
    (tmp_path / "zzz.xml").write_text(GOOD)
    code, seconds, megabytes, out, err = measured(str(tmp_path), "--format", "json")
    assert code == 1, err
    document = json.loads(out)
    unchecked = {Path(one["path"]).name: one["reason"] for one in document["unchecked"]}
    for name, count in ("findings.xml", 90_000), ("fine reset.xml", 20_000), ("fine pairs.xml", 20_000):
        found = re.fullmatch(
            r"only the first 1000 of its (\d+) findings are shown, and none is fixed", unchecked.pop(name)
        )
        assert found
        assert int(found[1]) >= count
    assert unchecked == {
        "huge.xml": "it is larger than 4 MiB",
        "elements.xml": "it has more than 100000 elements",
        "dangling.xml": "no such file or directory",
        "self.xml": "too many levels of symbolic links",
        "pipe.xml": "it is not a regular file; pass it on stdin, as `-`",
    }
    names = [Path(one["path"]).name for one in document["findings"]]
    assert len([name for name in names if name.startswith("broken")]) == len(BROKEN)
    assert names[-1] == "zzz.xml"
    assert {f"fine {name}.xml" for name in FINE} <= set(names)
    assert megabytes < MOST_MEGABYTES
    assert seconds < 120
    assert "Traceback" not in err


def test_a_file_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hvctl = Hvctl(capsys)
    assert "no such file or directory" in hvctl("lint", str(tmp_path / "a.xml"), code=1).out
    (tmp_path / "b.args").write_bytes(b"qemu-system-x86_64 -cpu 'host\n")
    assert "error[not-well-formed]: the quotation has no end" in hvctl("lint", str(tmp_path / "b.args"), code=1).out
    (tmp_path / "c.args").write_bytes(b"qemu-system-x86_64 -cpu host,hv_\xff,hv_stimer \\\n  -name \xe9\n")
    out = hvctl("lint", str(tmp_path / "c.args"), code=1).out
    assert "QEMU knows no property 'hv-\\udcff'" in out
    (tmp_path / "d.sh").write_text("echo hello\n")
    assert "it holds no QEMU command line" in hvctl("lint", str(tmp_path / "d.sh")).err


def test_what_is_too_long_for_a_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """To judge 16 MiB of them took minutes, and a gigabyte."""
    long = "qemu-system-x86_64 -cpu host,hv_stimer \\\n"
    (tmp_path / "a.args").write_text(long * 10_000)
    (tmp_path / "b.xml").write_text(long * 10_000)
    (tmp_path / "c.args").write_text(long * 100)
    out = Hvctl(capsys)("lint", str(tmp_path / "a.args"), "--format", "concise", code=1).out
    assert out.endswith("not checked: it is larger than 256 KiB\n")
    Hvctl(capsys)("lint", str(tmp_path / "b.xml"), "--qemu-args", "--format", "concise", code=1)
    assert "requirement-missing" in Hvctl(capsys)("lint", str(tmp_path / "c.args"), code=1).out


def test_a_file_with_too_many_findings_is_not_fixed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each of a hundred rounds would judge all of it."""
    path = tmp_path / "a.xml"
    path.write_text(GOOD.replace("<reset state='on'/>", "<reset state='on'/>" * 2000))
    before = path.read_bytes()
    out = Hvctl(capsys)("lint", str(path), "--no-config", "--unsafe-fixes", "--format", "concise", code=1).out
    assert len(out.splitlines()) == 1001
    assert out.endswith(" findings are shown, and none is fixed\n")
    assert path.read_bytes() == before


def test_a_file_that_vanishes(tmp_path: Path) -> None:
    """Between the listing of its folder and its turn."""
    from hvctl.cli.lint.files import File, find_files, read_file
    from hvctl.text.files import UnreadableError

    path = tmp_path / "a.xml"
    path.write_text(GOOD)
    (found,) = find_files([str(tmp_path)], "")
    path.unlink()
    assert isinstance(found, File)
    with pytest.raises(UnreadableError, match="no such file or directory"):
        read_file(found)


def test_names_that_a_terminal_would_obey(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a\x1b[2J\n.xml"
    path.write_text(GOOD)
    for form in ("text", "concise", "github", "junit", "json", "sarif"):
        out = Hvctl(capsys)("lint", str(path), "--format", form, "--fail-on", "never").out
        assert "\x1b" not in out
        # In the log of a job on GitHub such a line would be an order.
        assert not any(line.startswith((".xml", "::set-env")) for line in out.splitlines())
    other = tmp_path / "a\n::set-env name=A::b.xml"
    other.write_text("<other/>")
    done = Hvctl(capsys)("lint", str(other), str(tmp_path / "no\x1b\nwhere.xml"), "--format", "concise", code=1)
    assert "/a\\n::set-env name=A::b.xml: its root is <other>" in done.err
    assert "/no\\x1b\\nwhere.xml: not checked: " in done.out
    encoded = os.fsencode(tmp_path) + b"/\xff.xml"
    with open(encoded, "wb") as stream:
        stream.write(GOOD.encode())
    for form in ("text", "concise", "github", "junit", "json", "sarif"):
        Hvctl(capsys)("lint", os.fsdecode(encoded), "--format", form, "--fail-on", "never")


def test_a_document_of_another_type_is_passed_over() -> None:
    page = b"<!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0 Strict//EN' 'http://www.w3.org/x.dtd'><html><br></html>"
    assert lint(page, "x", DOMAIN, JOB).note == "it has a document type declaration, and no <domain>"
    assert lint(page.replace(b"<br>", b"<domain/>"), "x", DOMAIN, JOB).findings


@given(st.binary(max_size=300))
def test_any_bytes_are_judged(data: bytes) -> None:
    for kind in (DOMAIN, COMMAND_LINE):
        lint(data, "x", kind, JOB)
        apply_fixes(data, "x", kind, JOB, tuple(Safety))


@given(odd_domains(), st.data())
def test_damaged_domains_are_judged(data: bytes, draw: st.DataObject) -> None:
    for _ in range(draw.draw(st.integers(1, 3))):
        at = draw.draw(st.integers(0, len(data)))
        length = draw.draw(st.integers(0, 20))
        piece = draw.draw(
            st.sampled_from([b"", b"<", b">", b"'", b"<!--", b"-->", b"<![CDATA[", b"<devices>", b"</devices>"])
        )
        data = data[:at] + piece + data[at + length :]
    lint(data, "x", DOMAIN, JOB)
    apply_fixes(data, "x", DOMAIN, JOB, tuple(Safety))


WORDS = [
    "qemu-system-x86_64",
    "-cpu",
    "host",
    ",",
    "hv_stimer",
    "hv-passthrough",
    "-hv-evmcs",
    "=",
    "on",
    "'",
    '"',
    "\\",
]
WORDS += [
    " ",
    "\n",
    "$x",
    "-global",
    "x86_64-cpu.hv-ipi=on",
    "-M",
    "q35",
    "hpet=off",
    "-rtc",
    "base=utc",
    "#",
    ";",
    "\0",
    "é",
]


@given(st.lists(st.sampled_from(WORDS), max_size=25).map("".join))
def test_any_command_line_is_judged(text: str) -> None:
    lint(text.encode(), "x", COMMAND_LINE, JOB)
    apply_fixes(text.encode(), "x", COMMAND_LINE, JOB, tuple(Safety))


def test_what_a_shell_hides_is_skipped_and_not_found_to_be_right() -> None:
    result = lint(b"qemu-system-x86_64 ${args[@]}", "x", COMMAND_LINE, Job(choose(all_rules())))
    assert Skipped("requirement-missing", "what a shell puts for ${args[@]} is not known") in result.skipped
