"""`hvctl bench`: its command line; what it measures is in tests/realkvm."""

from __future__ import annotations

from pathlib import Path

import pytest

from hvctl.bench.compare import GROUPS
from tests.cli.run import hvctl
from tests.cli.test_verify import kvm_without_hyperv


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nosuch",), "nosuch"),
        (("--only", "clocks"), "did you mean 'clock' for 'clocks'?"),
        (("--only", "spin"), "they are clock, apic, tlbflush, ipi, timer, exit, nested"),
        (("--only", ","), "--only names nothing"),
        (("-o", "/nonexistent/page.html"), "cannot be written: there is no directory"),
        (("--runs", "0"), "not in the range"),
        (("--runs", "101"), "not in the range"),
        (("--vcpus", "65"), "not in the range"),
        (("--format", "xml"), "'xml' is not one of"),
        (("--compare", "/nonexistent.json"), "cannot be read"),
        (("-", "--compare", "-"), "stdin can be read once"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_command_line_is_exit_code_2(words: tuple[str, ...], told: str) -> None:
    done = hvctl("bench", *words, code=2)
    assert told in done.stderr
    assert done.stdout == ""


def test_what_is_no_measurement_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    old.write_text('{"format_version": 1}')
    assert '"kind" is missing' in hvctl("bench", "--compare", str(old), code=2).stderr


def test_help_names_every_group() -> None:
    said = " ".join(hvctl("bench", "--help").stdout.split())
    assert f"Only these: {', '.join(GROUPS)}." in said


@pytest.mark.skipif(not kvm_without_hyperv(), reason="needs a KVM without Hyper-V emulation")
def test_a_kvm_without_hyperv_is_exit_code_3() -> None:
    assert "no Hyper-V emulation" in hvctl("bench", "--runs", "1", code=3).stderr
