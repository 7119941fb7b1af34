"""`hvctl diagnose`: the whole output on real text, JSON by its schema, exit codes, and text of any kind."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.cli.run import hvctl, inside
from tests.paths import ROOT, schema

LOG = (ROOT / "tests" / "logs" / "stimer-without-time.log").read_text()
FIXTURES = yaml.safe_load((ROOT / "tests" / "catalog" / "messages.yaml").read_text())
DOMAIN = """\
<domain type='kvm'>
  <name>win11</name>
  <os><type arch='x86_64' machine='pc-q35-10.0'>hvm</type></os>
  <features><hyperv mode='passthrough'/></features>
  <clock offset='localtime'/>
</domain>
"""


def diagnose(folder: Path, text: str | bytes, *words: str, code: int | None = 0) -> str:
    path = folder / "a.log"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape"))
    return inside("diagnose", *words, str(path), code=code).stdout.replace(str(folder), "")


def told(folder: Path, text: str | bytes, code: int | None = 0) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(diagnose(folder, text, "--format", "json", code=code))
    jsonschema.validate(document, schema("diagnose"))
    return document


def test_a_log_of_libvirt(tmp_path: Path) -> None:
    shown = diagnose(tmp_path, LOG)
    assert shown.startswith(
        """\
qemu[requirement-missing]: Hyper-V synthetic timers (hv-stimer) requires Hyper-V clocksources (hv-time)
  --> /a.log:33:49
   |
33 | …01:34:01.817139Z qemu-system-x86_64: Hyper-V synthetic timers (hv-stimer)…
   |                                       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
   = cause: stimer (synthetic timers) is on, and QEMU requires time with it.
            QEMU names only the first requirement that is missing: stimer
            requires vpindex, time and synic in all.
   = remedy: Turn on vpindex, time and synic, or leave stimer out; `hvctl lint`
             shows what to write.
   = source: qemu:target/i386/kvm/kvm.c:1496-1526
   = see: `hvctl explain stimer`, `hvctl explain time`

error[stimer-without-hypervclock]: hv-stimer is on and needs hv-time, which is not there
  --> /a.log:14:51
   |
14 | -cpu host,migratable=on,hv-vpindex=on,hv-synic=on,hv-stimer=on \\
   |                                                   ^^^^^^^^^^^^
   = why: QEMU refuses to start the guest, and the missing element is far from
          `<hyperv>`, in `<clock>`.
   = instead: write hv-time=on in -cpu

"""
    )
    assert " ".join(shown.split()).endswith("/a.log: 9 lines are not known: 1-7, 32, 34")


def test_json(tmp_path: Path) -> None:
    document = told(tmp_path, LOG)
    assert list(document) == ["format_version", "messages", "findings", "unknown"]
    (message,) = document["messages"]
    assert list(message) == ["line", "id", "layer", "cause", "remedy", "source"]
    assert (message["line"], message["id"], message["layer"]) == (33, "requirement-missing", "qemu")
    assert document["findings"][0]["rule"] == "stimer-without-hypervclock"
    assert (document["findings"][0]["line"], document["findings"][0]["fix"]) == (14, None)
    assert document["unknown"] == [*range(1, 8), 32, 34]


def test_a_domain_beside_a_message(tmp_path: Path) -> None:
    said = "error: cannot migrate domain: 'hv-passthrough' CPU flag prevents migration, use explicit set\n" + DOMAIN
    document = told(tmp_path, said)
    assert [one["id"] for one in document["messages"]] == ["flag-blocks-migration"]
    assert document["findings"][0]["rule"] == "passthrough-blocks-migration"
    assert document["findings"][0]["line"] == 5
    assert document["unknown"] == []


def test_a_sentence_from_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"high idle CPU")))
    shown = inside("diagnose").stdout
    assert shown.startswith("symptom[high-idle-cpu]: high idle CPU\n --> <stdin>:1:1\n")


@pytest.mark.parametrize("text", ["", "\n", "hello", "An error occurred.\nwe don't know"])
def test_nothing_known(tmp_path: Path, text: str) -> None:
    shown = diagnose(tmp_path, text, code=1)
    said = " ".join(shown.split())
    assert "nothing is known of this text. Looked for were" in said
    assert "a QEMU command line; and a domain XML" in said
    document = told(tmp_path, text, code=1)
    lines = [line for line, said in enumerate(text.split("\n"), 1) if said]
    assert (document["messages"], document["findings"], document["unknown"]) == ([], [], lines)


def test_a_guest_without_a_fault_is_said_to_be_checked(tmp_path: Path) -> None:
    shown = diagnose(tmp_path, (ROOT / "tests" / "golden" / "windows-11" / "debian-12.xml").read_text())
    assert " ".join(shown.split()).endswith("/a.log: 1 guest is checked: nothing found")


def test_the_examples_of_the_readme() -> None:
    lines = [line.strip() for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("    echo ")]
    assert lines
    for line in lines:
        words = f"{sys.executable} -m hvctl diagnose"
        done = subprocess.run(
            ["sh", "-c", line.replace("hvctl diagnose", words)], capture_output=True, text=True, timeout=60, check=True
        )
        assert done.stdout.startswith("symptom[")


def test_a_guest_alone_is_something(tmp_path: Path) -> None:
    assert told(tmp_path, DOMAIN)["findings"]
    assert told(tmp_path, "$ qemu-system-x86_64 -accel kvm -cpu host,hv_stimer\n")["findings"]


def test_a_command_line_of_many_starts_is_told_once(tmp_path: Path) -> None:
    once, thrice = told(tmp_path, LOG), told(tmp_path, LOG * 3)
    rules = [finding["rule"] for finding in once["findings"]]
    assert [finding["rule"] for finding in thrice["findings"]] == rules
    assert thrice["findings"][0]["line"] > once["findings"][0]["line"]
    assert len(thrice["messages"]) == 1
    assert "on 3 lines; this is the first" in diagnose(tmp_path, LOG * 3)


@pytest.mark.parametrize("fixture", FIXTURES, ids=[f"{at}-{one['id']}" for at, one in enumerate(FIXTURES)])
def test_each_message_is_told(tmp_path: Path, fixture: dict[str, Any]) -> None:
    document = told(tmp_path, fixture["text"])
    assert fixture["id"] in [one["id"] for one in document["messages"]]
    shown = diagnose(tmp_path, fixture["text"])
    assert max(len(line) for line in shown.splitlines() if line.lstrip().startswith("=")) <= 82


def test_what_a_terminal_obeys_is_escaped(tmp_path: Path) -> None:
    shown = diagnose(
        tmp_path, "\x1b[2JHyper-V enlightened VMCS (hv-evmcs) is not supported by kernel \x9b31m\x07\u202e"
    )
    assert not set("\x1b\x9b\x07\u202e") & set(shown)


def test_colours(tmp_path: Path) -> None:
    assert "\x1b[1;35mqemu[" in diagnose(tmp_path, LOG, "--color", "always")


@pytest.mark.parametrize(
    "data",
    [
        bytes(range(256)) * 40,
        random.Random(1).randbytes(100_000),
        b"<domain>" * 1000,
        b"<domain></domain>" * 300,
        b"<domain type='kvm'><features><hyperv><stimer state='on'/></hyperv></features>" + b"</domain>" * 50,
        b"qemu-system-x86_64 -cpu 'host",
        b"qemu-system-x86_64 -cpu host,hv_stimer \\\n" * 200,
        b"\xff\xfe" + "kernel doesn't allow setting HyperV VP_INDEX".encode("utf-16-le"),
        b"<domain\xff\n></domain>",
        b"x" * 500_000,
    ],
    ids=range(10),
)
def test_hostile_text(tmp_path: Path, data: bytes) -> None:
    for words in ((), ("--format", "json")):
        path = tmp_path / "a"
        path.write_bytes(data)
        done = inside("diagnose", *words, str(path), code=None)
        assert done.returncode in (0, 1)
        assert "Traceback" not in done.stderr


def test_too_much_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * ((4 << 20) + 1))
    assert "it is larger than 4 MiB" in hvctl("diagnose", str(tmp_path / "a"), code=2).stderr


def test_many_unknown_lines_are_counted(tmp_path: Path) -> None:
    said = "nothing that anybody knows\n" * 3000
    assert len(told(tmp_path, said, code=1)["unknown"]) == 1000
    path = tmp_path / "a.log"
    assert (
        "only the first 1000 of 3000 unknown lines" in inside("diagnose", "--format", "json", str(path), code=1).stderr
    )


# Suppressions are about a file, and what is not well-formed may have no end.
OWN = {"suppression-unused", "suppression-without-reason", "not-well-formed"}
CASES = [path for path in (ROOT / "tests" / "rules").glob("*/fires.xml") if path.parent.name not in OWN]


@pytest.mark.parametrize("path", sorted(CASES), ids=lambda path: path.parent.name)
def test_whatever_lint_finds_is_found_in_other_text(tmp_path: Path, path: Path) -> None:
    """The same findings at the same columns, two lines further down, as lint has for the file itself."""
    said = path.read_text()
    alone = json.loads(inside("lint", "--no-config", "--format", "json", str(path), code=None).stdout)["findings"]
    among = told(tmp_path, f"A\n\n{said}B\n")["findings"]
    keys = ("rule", "message", "column")
    assert {(*(one[key] for key in keys), one["line"]) for one in among} == {
        (*(one[key] for key in keys), one["line"] + 2) for one in alone
    }


def test_findings_without_a_message_keep_errors_first(tmp_path: Path) -> None:
    severities = [finding["severity"] for finding in told(tmp_path, LOG.partition("-msg")[0])["findings"]]
    assert severities == sorted(severities, key=("error", "warning", "info").index)


def test_a_domain_without_an_end_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a\n<domain type='kvm'>\n<name>a</name>\n")
    assert "a domain XML begins in line 2 and has no end" in inside("diagnose", str(tmp_path / "a"), code=1).stderr
