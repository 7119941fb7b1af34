"""`hvctl explain`."""

from __future__ import annotations

import json

import pytest

from hvctl.catalog import ROWS
from hvctl.catalog.types import Row
from tests.cli.run import hvctl


def test_without_a_name_all_rows_are_listed() -> None:
    lines = hvctl("explain").stdout.splitlines()
    assert [line.split()[0] for line in lines] == [row.id for row in ROWS]
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
def test_every_row_has_a_page_with_its_facts(row: Row) -> None:
    from hvctl.report.explain import text

    page = text(row)
    flat = " ".join(page.split())
    assert page.startswith(f"{row.id}: {row.title}\n")
    assert all(known.name.replace("-", "_") in flat for known in row.properties)
    assert all(source in page for source in row.sources)
    assert all(needed in flat for needed in row.requires)
    assert all(name in flat for bits in row.checks for name in bits.names)
    assert " ".join(row.does.split()) in flat


@pytest.mark.parametrize("name", ["hv_stimer_direct", "stimer/direct", "STIMER-DIRECT", "hv-stimer-direct"])
def test_any_name_will_do(name: str) -> None:
    assert hvctl("explain", name).stdout.startswith("stimer-direct: ")


def test_json() -> None:
    answer = json.loads(hvctl("explain", "hypervclock", "--format", "json").stdout)
    (entry,) = answer["enlightenments"]
    assert entry["id"] == "time"
    assert entry["required_by"] == ["stimer"]


def test_a_word_of_guest_uses_is_explained() -> None:
    assert "465" in hvctl("explain", "gpu-passthrough").stdout
    assert "evmcs" in hvctl("explain", "vbs").stdout


def test_unknown_names_are_errors_with_suggestions() -> None:
    done = hvctl("explain", "stimmer", "relaxed", code=2)
    assert done.stdout == ""
    assert "did you mean 'stimer'" in done.stderr
