"""The pytest plugin inside L1: runs the selected tests only, writes one line for each that ends."""

import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.testbed.outcome import Outcome
from tests.testbed.selection import RESULTS, SELECTED

NOTE = "testbed-note"
# `make oracle` gives its one test more.
TEST_SECONDS = int(os.environ.get("HVCTL_ORACLE_SECONDS", "240"))


class Recorder:
    """Writes to the out share; without one (pytest started by hand in L1) it changes nothing."""

    def __init__(self, out: Path | None) -> None:
        self._out = out
        self._reports: dict[str, list[pytest.TestReport]] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        if self._out is None:
            return
        selected = set((self._out / SELECTED).read_text().splitlines())
        others = [item for item in items if item.nodeid not in selected]
        items[:] = [item for item in items if item.nodeid in selected]
        config.hook.pytest_deselected(items=others)

    # Not `wrapper`, which Debian 12's pytest does not have.
    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None]:
        """A test that hangs fails alone, and does not take the results of those after it."""
        if self._out is not None:
            signal.signal(signal.SIGALRM, _too_long)
            signal.alarm(TEST_SECONDS)
        try:
            yield
        finally:
            signal.alarm(0)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._reports.setdefault(report.nodeid, []).append(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        reports = self._reports.pop(nodeid, [])
        if self._out is not None and reports:
            with (self._out / RESULTS).open("a") as file:
                file.write(summed_up(reports).line())


def _too_long(_number: int, _frame: object) -> None:
    pytest.fail(f"no end within {TEST_SECONDS} s")


def slow_down_hypothesis() -> None:
    """Hypothesis knows nothing of an emulated processor; examples that failed are told by the outer run, not kept."""
    from hypothesis import HealthCheck, settings

    settings.register_profile(
        "testbed", deadline=None, database=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("testbed")


def summed_up(reports: list[pytest.TestReport]) -> Outcome:
    """The reports of a test's phases as one: the first that did not pass decides, else that of the call."""
    bad = [report for report in reports if not report.passed]
    called = [report for report in reports if report.when == "call"]
    decisive = (bad or called or reports)[0]
    last = reports[-1]
    return Outcome(
        nodeid=decisive.nodeid,
        outcome=decisive.outcome,
        phase=decisive.when,
        duration=sum(report.duration for report in reports),
        text=_text(decisive),
        crash=_crash(decisive),
        wasxfail=getattr(decisive, "wasxfail", None),
        sections=tuple(last.sections),
        notes=tuple(str(value) for key, value in last.user_properties if key == NOTE),
        properties=tuple((key, value) for key, value in last.user_properties if key != NOTE),
    )


def _text(report: pytest.TestReport) -> str:
    """The failure as pytest shows it, or the reason of a skip, which pytest keeps as the third of a tuple."""
    if report.passed:
        return ""
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else report.longreprtext


def _crash(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message) if crash else ""


def make_recorder() -> Recorder:
    out = os.environ.get("HVCTL_TESTBED_OUT")
    here = Path(out) if out else None
    return Recorder(here if here and (here / SELECTED).exists() else None)
