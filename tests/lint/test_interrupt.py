"""Signals while many files are judged by several processes: the real command, and what is left of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

SECONDS = 60
CHILD = "<spinlocks state='on' retries='1'/>\n"
DOMAIN = f"<domain type='kvm'><features><hyperv>\n{CHILD * 200}</hyperv></features></domain>\n"
FIXABLE = "<domain type='kvm'><features><hyperv>\n<vapic state='on'/><ipi state='on'/>\n</hyperv></features></domain>\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """More files than can be judged before the test sends its signal."""
    first = tmp_path / "0.xml"
    first.write_text(DOMAIN)
    for number in range(1, 20_000):
        os.link(first, tmp_path / f"{number}.xml")
    return tmp_path


def children(process: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []


def gone(process: int) -> bool:
    """Whether a process has ended, waited for or not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.01)


# A terminal sends it to all processes of the group, `kill` to the first alone.
@pytest.mark.parametrize(
    ("send", "number", "ended"),
    [
        (os.killpg, signal.SIGINT, (130, "\ninterrupted\n")),
        (os.kill, signal.SIGINT, (130, "\ninterrupted\n")),
        (os.kill, signal.SIGTERM, (-signal.SIGTERM, "")),
    ],
    ids=["terminal", "interrupt", "terminate"],
)
def test_nothing_is_left(
    folder: Path, send: Callable[[int, int], None], number: signal.Signals, ended: tuple[int, str]
) -> None:
    command = [sys.executable, "-m", "hvctl", "lint", str(folder), "--jobs", "2", "--format", "concise", "--no-config"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True, text=True
    ) as process:
        wait_for(lambda: len(children(process.pid)) == 2)
        workers = children(process.pid)
        time.sleep(0.2)
        send(process.pid, number)
        _, said = process.communicate(timeout=SECONDS)
    assert (process.returncode, said) == ended
    wait_for(lambda: all(gone(worker) for worker in workers))


def test_a_worker_that_is_killed_is_told(folder: Path) -> None:
    """As by the kernel, when memory runs out; nothing waits for what that worker was doing."""
    command = [sys.executable, "-m", "hvctl", "lint", str(folder), "--jobs", "2", "--format", "concise", "--no-config"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: len(children(process.pid)) == 2)
        time.sleep(0.2)
        os.kill(children(process.pid)[0], signal.SIGKILL)
        _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 3
    assert "a process that judged files was killed" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("moment", range(6))
def test_no_temporary_file_is_left_by_fixes(tmp_path: Path, moment: int) -> None:
    """Every file is as it was, or fixed; whichever process wrote."""
    for number in range(400):
        (tmp_path / f"{number}.xml").write_text(FIXABLE)
    command = [sys.executable, "-m", "hvctl", "lint", str(tmp_path), "--jobs", "2", "--fix", "--no-config", "-q"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_for(
            lambda: process.poll() is not None or any(path.read_text() != FIXABLE for path in tmp_path.glob("*.xml"))
        )
        workers = children(process.pid)
        time.sleep(moment * 0.013)
        process.terminate()
        assert process.wait(SECONDS) in (-signal.SIGTERM, 0, 1)
    wait_for(lambda: all(map(gone, workers)))
    assert {path.suffix for path in tmp_path.iterdir()} == {".xml"}
    assert len({path.read_text() for path in tmp_path.iterdir()}) <= 2
