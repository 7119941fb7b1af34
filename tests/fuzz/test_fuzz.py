"""What fuzzing found, and what each reader is first given; atheris itself is run by `make fuzz`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.readers import LONGEST, READERS

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*/*"))


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_was_found(path: Path) -> None:
    READERS[path.parent.name].read(path.read_bytes())


@pytest.mark.parametrize("name", READERS)
def test_what_a_reader_is_first_given(name: str) -> None:
    for data in READERS[name].seeds():
        if len(data) <= LONGEST:
            READERS[name].read(data)
