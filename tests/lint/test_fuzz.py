"""What fuzzing found, and the files of every rule as its first inputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lint.fuzz.target import one_input
from tests.paths import RULE_CASES

CORPUS = sorted((Path(__file__).parent / "fuzz" / "corpus").iterdir())
RULES = sorted(path for path in (RULE_CASES).rglob("*") if path.suffix in (".xml", ".sh"))


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_what_was_found(path: Path) -> None:
    one_input(path.read_bytes())


@pytest.mark.parametrize("path", RULES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_files_of_rules(path: Path) -> None:
    for first in range(2):
        one_input(bytes([2 * first + (path.suffix == ".sh")]) + path.read_bytes())
