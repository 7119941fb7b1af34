"""Every rule on files of its own: one that fires, one that does not, the whole terminal output, and the fixed file.

`HVCTL_GOLDEN=write` writes the outputs and the fixed files anew; look at the difference.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from hvctl.lint.rule import Rule, all_rules, find_rule
from tests.cli.run import hvctl
from tests.paths import ROOT

FOLDER = ROOT / "tests" / "rules"
WRITE = os.environ.get("HVCTL_GOLDEN") == "write"
SECTIONS = ["What it does", "Why it matters", "Example", "Use instead", "Fix safety", "Sources"]
every_rule = pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.id)


def file_of(rule: Rule, stem: str) -> Path:
    endings = (".xml", ".sh", ".yaml", ".conf")
    (found,) = [path for path in (FOLDER / rule.id).glob(f"{stem}.*") if path.suffix in endings]
    return found


def options(rule: Rule) -> list[str]:
    path = FOLDER / rule.id / "options"
    return path.read_text().split() if path.exists() else []


def lint(rule: Rule, path: Path, *words: str, code: int = 0) -> str:
    """What is printed, with paths as from the folder of the rule."""
    selected = ["--select", f"{rule.id},not-well-formed", "--fail-on", "info"]
    done = hvctl("lint", str(path), "--no-config", *selected, *options(rule), *words, code=code)
    return done.stdout.replace(f"{path.parent}/", "")


def golden(path: Path, text: str) -> None:
    if WRITE:
        path.write_text(text)
    assert path.read_text() == text


@every_rule
def test_it_fires(rule: Rule) -> None:
    text = lint(rule, file_of(rule, "fires"), code=1)
    golden(FOLDER / rule.id / "expected.txt", text)
    assert f"[{rule.id}]" in text


@every_rule
def test_it_is_quiet(rule: Rule) -> None:
    assert lint(rule, file_of(rule, "quiet")) == ""


@every_rule
def test_the_fix(rule: Rule, tmp_path: Path) -> None:
    source = file_of(rule, "fires")
    path = tmp_path / source.name
    shutil.copy(source, path)
    expected = FOLDER / rule.id / f"fixed{source.suffix}"
    has = " = fix: " in (FOLDER / rule.id / "expected.txt").read_text()
    if not has:
        assert not expected.exists()
        return
    lint(rule, path, "--unsafe-fixes")
    golden(expected, path.read_text())


@every_rule
def test_only_what_is_safe_is_mended_by_default(rule: Rule, tmp_path: Path) -> None:
    source = file_of(rule, "fires")
    path = tmp_path / source.name
    shutil.copy(source, path)
    safe = " = fix: --fix " in (FOLDER / rule.id / "expected.txt").read_text()
    lint(rule, path, "--fix", code=0 if safe else 1)
    assert (path.read_bytes() != source.read_bytes()) is safe


@every_rule
def test_the_page_is_whole(rule: Rule) -> None:
    assert rule.page.startswith(f"{rule.summary}.\n"), "the first line is one sentence"
    assert list(rule.sections) == SECTIONS
    assert rule.why.endswith((".", "!"))
    assert all(line.startswith(("- ", "  ")) for line in rule.sections["Sources"].split("\n"))
    assert len(rule.blocks("Example")) == len(rule.blocks("Use instead")) == 1


@every_rule
def test_the_examples_of_the_page_are_the_files(rule: Rule) -> None:
    """So that what the page says is what is tested."""
    for heading, stem in (("Example", "fires"), ("Use instead", "quiet")):
        ((_, text),) = rule.blocks(heading)
        lines = [line.strip() for line in text.splitlines()]
        file = [line.strip() for line in file_of(rule, stem).read_text().splitlines()]
        assert [line for line in lines if line not in file] == []


def test_there_is_no_folder_without_a_rule() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(rule.id for rule in all_rules())


def test_a_rule_is_found_by_its_name() -> None:
    assert all(find_rule(rule.id.upper().replace("-", "_")) is rule for rule in all_rules())
    assert find_rule("nothing") is None


def define(text: str, folder: Path) -> str:
    """What the test driver of the installed libvirt makes of a domain: its XML, or the reason why not."""
    text = text.replace("type='kvm'", "type='test'", 1).replace("<os>", "<memory>4096</memory><os>", 1)
    path = folder / "domain.xml"
    path.write_text(text)
    virsh = ["virsh", "-q", "-c", "test:///default", f"define {path}; dumpxml windows"]
    done = subprocess.run(virsh, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def test_libvirt_takes_the_last_of_what_is_repeated(tmp_path: Path) -> None:
    path = FOLDER / "repeated-element" / "fires.xml"
    assert "<vpindex state='on'/>" in define(path.read_text(), tmp_path)
    one, two = "<stimer state='on'><direct state='on'/></stimer>", "<stimer state='on'/>"
    said = define(path.read_text().replace("<vpindex state='off'/>", one + two), tmp_path)
    assert "<direct state='on'/>" in said, "children of the one that does not count are read"


@pytest.mark.parametrize("stem", ["quiet"])
def test_what_the_pages_advise_is_a_domain_that_libvirt_takes(stem: str, tmp_path: Path) -> None:
    files = [file_of(rule, stem) for rule in all_rules()]
    for path in [path for path in files if path.suffix == ".xml"]:
        text = path.read_text()
        if "mode='passthrough'" in text or "xmlns:qemu" in text or "emsr_bitmap" in text or "xmm_input" in text:
            continue  # newer than Debian 12's libvirt, or not the test driver's
        text = text.replace("type='kvm'", "type='test'", 1).replace("<os>", "<memory>4096</memory><os>", 1)
        copy = tmp_path / "domain.xml"
        copy.write_text(text)
        done = subprocess.run(
            ["virsh", "-q", "-c", "test:///default", "define", str(copy)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, (path, done.stderr)
