"""The pytest plugin outside of L1: boots the worlds while the other tests run, then reports what came back."""

import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.testbed.batch import Batch
from tests.testbed.outcome import Outcome
from tests.testbed.process import interrupt_on_terminate
from tests.testbed.selection import LIMIT, NOWHERE, is_real, world_of

if TYPE_CHECKING:
    # The pytest of Debian 13 does not export it.
    from _pytest.terminal import TerminalReporter

DEFAULT_LIMIT = 900.0
# Worlds, as many as the cores of the machine that the tests' limits are made for. With three a migration that loses its
# guest was once refused in time, which it is not where both QEMUs have their share of a core.
AT_ONCE = 2


class Replay:
    """Takes the place of running the tests of tests/realkvm/ on this machine."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._batches: dict[str, Batch] = {}
        self._notes: list[tuple[str, str, str]] = []

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        nowhere = [item for item in items if is_real(item) and world_of(item) == NOWHERE]
        config.hook.pytest_deselected(items=nowhere)
        items[:] = [item for item in items if item not in nowhere]
        # Last, so that the other tests fill the time that the worlds need.
        items.sort(key=is_real)
        for item in filter(is_real, items):
            # They wait for their world, whose own limit ends that.
            item.add_marker(pytest.mark.timeout(0))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if session.config.option.collectonly:
            return
        real = [item for item in session.items if is_real(item)]
        at_once = threading.Semaphore(AT_ONCE)
        for name in dict.fromkeys(map(world_of, real)):
            nodeids = tuple(item.nodeid for item in real if world_of(item) == name)
            self._batches[name] = Batch(name, nodeids, self._limit, at_once)
            self._batches[name].start()
        if self._batches:
            interrupt_on_terminate()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        if not is_real(item):
            return None
        hook = item.ihook
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        hook.pytest_runtest_logreport(report=self._report(item))
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def pytest_sessionfinish(self) -> None:
        for batch in self._batches.values():
            batch.stop()

    def pytest_terminal_summary(self, terminalreporter: "TerminalReporter") -> None:
        if not self._batches:
            return
        terminalreporter.section("testbed")
        for name, batch in self._batches.items():
            terminalreporter.line(f"{name}: {_times(batch)}")
            for world, test, text in self._notes:
                if world == name:
                    terminalreporter.line(f"  {test}: {text}")

    def _report(self, item: pytest.Item) -> pytest.TestReport:
        world = world_of(item)
        batch = self._batches[world]
        outcome = batch.wait_for(item.nodeid)
        if outcome is None:
            text = f"no result came from the world {world}.\n{batch.take_trouble()}"
            return _report_of(item, Outcome(item.nodeid, "failed", "call", 0.0, text))
        test = item.nodeid.rpartition("/")[2]
        self._notes += [(world, test, text) for text in outcome.notes]
        return _report_of(item, outcome)


def make_replay() -> Replay:
    return Replay(float(os.environ.get(LIMIT, DEFAULT_LIMIT)))


@dataclass(frozen=True, slots=True)
class Crash:
    """What pytest's summary asks a failure for."""

    message: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A failure as pytest's terminal wants it: no str, which its summary would repeat as a whole."""

    text: str
    reprcrash: Crash

    def __str__(self) -> str:
        return self.text


def _shown(text: str, crash: str) -> Shown | None:
    return Shown(text, Crash(crash or text.partition("\n")[0])) if text else None


def _times(batch: Batch) -> str:
    booted = "did not boot" if batch.boot_seconds is None else f"booted in {batch.boot_seconds:.1f} s"
    return booted if batch.seconds is None else f"{booted}, {batch.seconds:.1f} s in all"


def _report_of(item: pytest.Item, outcome: Outcome) -> pytest.TestReport:
    """The outer report. What was skipped inside fails here: a real test that cannot run is no passed test."""
    skipped = outcome.outcome == "skipped" and outcome.wasxfail is None
    text = f"in L1, where every test has to run: {outcome.text}" if skipped else outcome.text
    result = "failed" if skipped else outcome.outcome
    # pytest types these as literals and its own objects; here they are words that came through a file.
    report = pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords=dict.fromkeys(item.keywords, 1),
        outcome=result,  # type: ignore[arg-type]
        longrepr=_shown(text, outcome.crash),  # type: ignore[arg-type]
        when=outcome.phase,  # type: ignore[arg-type]
        sections=list(outcome.sections),
        duration=outcome.duration,
        user_properties=list(outcome.properties),
    )
    if outcome.wasxfail is not None:
        report.wasxfail = outcome.wasxfail
    return report
