"""What the tests of tests/realkvm/ and their replay agree on: mark, fixture, names in the environment and files."""

import os
from pathlib import Path
from typing import Protocol

import pytest

from tests.testbed.errors import TestbedError
from tests.testbed.world import AMD, SELFTESTS, WITH_SELFTESTS, chosen, inside, members

FOLDER = Path(__file__).resolve().parents[1] / "realkvm"
FIXTURE = "testbed_world"
LIMIT = "HVCTL_TESTBED_LIMIT"
# In the out share.
SELECTED = "selected"
RESULTS = "results.jsonl"
# The world of a test that none of the chosen ones is for.
NOWHERE = "nowhere"


class HasPath(Protocol):
    @property
    def path(self) -> Path: ...


def is_real(item: HasPath) -> bool:
    return item.path.is_relative_to(FOLDER)


def declare(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "world(name, ...): worlds or groups of them that a test of tests/realkvm runs in; amd without it"
    )
    config.addinivalue_line("markers", "selftests: a test of tests/realkvm that runs where KVM's selftests are built")


def parametrize(metafunc: pytest.Metafunc) -> None:
    """One test for each world, inside only for the world it is; so the ids are the same on both sides."""
    marks = [name for mark in metafunc.definition.iter_markers("world") for name in mark.args]
    try:
        allowed, wanted = members(marks) or AMD, chosen()
    except TestbedError as error:
        raise pytest.UsageError(f"{metafunc.definition.nodeid}: {error}") from error
    here = inside()
    built = Path(SELFTESTS).exists() if here else os.environ.get(WITH_SELFTESTS)
    if any(metafunc.definition.iter_markers("selftests")) and not built:
        wanted = ()
    worlds = [name for name in wanted if name in allowed and here in (None, name)]
    metafunc.fixturenames.append(FIXTURE)
    metafunc.parametrize(FIXTURE, worlds or [NOWHERE], indirect=True, scope="session")


def world_of(item: pytest.Item) -> str:
    """The world that `parametrize` gave to `item`."""
    callspec = getattr(item, "callspec", None)
    return str(callspec.params[FIXTURE]) if callspec else AMD[0]
