"""Tests against the programs of platforms, run by `make platforms`. What they need is built, or they fail."""

import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.kubevirt_crds import NEW, OLD, served
from tests.platforms.cluster import Cluster, running
from tests.platforms.crd_server import place, ready_programs
from tests.platforms.incus import TREE, Incus, daemon
from tests.testbed.tree import ready_tree

if TYPE_CHECKING:
    # The pytest of Debian 13 does not export it.
    from _pytest.terminal import TerminalReporter


@pytest.fixture(scope="session")
def programs() -> Path:
    return ready_programs(print, threading.Event())


@pytest.fixture(scope="session")
def newest(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A server with KubeVirt's newest API that is known."""
    with _serving(programs, tmp_path_factory.mktemp("newest"), NEW) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def older(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One with an older API."""
    with _serving(programs, tmp_path_factory.mktemp("older"), OLD) as cluster:
        yield cluster


@contextmanager
def _serving(programs: Path, folder: Path, version: str) -> Iterator[Cluster]:
    with running(programs, folder) as cluster:
        cluster.define(served(version))
        yield cluster


@pytest.fixture(scope="session")
def incus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Incus]:
    with daemon(ready_tree(TREE, print, threading.Event()), tmp_path_factory.mktemp("incus")) as running_daemon:
        yield running_daemon


def pytest_terminal_summary(terminalreporter: "TerminalReporter") -> None:
    """Which tests ran, and what with: sid moves."""
    terminalreporter.section("platforms")
    for outcome in ("passed", "failed", "error"):
        ran = Counter(one.nodeid.partition("[")[0] for one in terminalreporter.stats.get(outcome, ()))
        for name, count in ran.items():
            terminalreporter.line(f"{count:4} {outcome}: {name}")
    terminalreporter.line(f"with {', '.join(_versions())}")


def _versions() -> Iterator[str]:
    written, packages = place() / "versions", TREE.place / "var/lib/dpkg/status"
    if written.exists():
        yield from written.read_text().replace("\t", " ").splitlines()
    if packages.exists():
        for name, version in re.findall(r"^Package: (incus-base)\n(?:.+\n)*?Version: (.+)", packages.read_text(), re.M):
            yield f"{name} {version}"
