"""Tests against a real KVM: in the testbed they run; outside of it, it is booted and its results are replayed."""

from collections.abc import Callable

import pytest

from tests.testbed.recorder import NOTE, make_recorder, slow_down_hypothesis
from tests.testbed.replay import make_replay
from tests.testbed.selection import declare, parametrize
from tests.testbed.world import inside

Note = Callable[[str], None]


def pytest_configure(config: pytest.Config) -> None:
    declare(config)
    if inside():
        slow_down_hypothesis()
    config.pluginmanager.register(make_recorder() if inside() else make_replay(), "testbed")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    parametrize(metafunc)


@pytest.fixture(scope="session")
def testbed_world(request: pytest.FixtureRequest) -> str:
    """The world that the test runs in: `debian-12` or `debian-13`."""
    return str(request.param)


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Note:
    """`note(text)` shows a line in the outer run's summary: a seed, a count, a measured value."""

    def record(text: str) -> None:
        request.node.user_properties.append((NOTE, text))

    return record
