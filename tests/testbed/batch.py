"""One world's batch of tests: boots it in a thread, runs pytest there, hands over each result as it comes."""

import os
import tempfile
import threading
import time
from pathlib import Path

from tests.testbed.boot import Watch, boot
from tests.testbed.errors import TestbedError
from tests.testbed.machine import Job
from tests.testbed.outcome import Outcome, parse
from tests.testbed.selection import RESULTS, SELECTED
from tests.testbed.world import PYTHON, find_world

INNER_PYTEST = (
    "-m",
    "pytest",
    "-p",
    "no:cacheprovider",
    "-o",
    "addopts=",
    # The recorder has a limit of its own, which makes a test fail and lets the others go on.
    "-o",
    "timeout=0",
    "--import-mode=importlib",
    "--strict-markers",
    "-v",
)
# What the tests take from the environment (a seed, a count) passes into L1; what the testbed sets there does not.
PASSED = "HVCTL_"
OWN = "HVCTL_TESTBED"
TAIL_CHARACTERS = 3000


class Batch:
    """The tests `nodeids` of one world; `wait_for` blocks until the result of one is there or cannot come any more."""

    def __init__(self, world: str, nodeids: tuple[str, ...], limit: float, at_once: threading.Semaphore) -> None:
        """`at_once` lets in as many worlds as may run at a time."""
        self.world = world
        self.boot_seconds: float | None = None
        self.seconds: float | None = None
        self.trouble = ""
        self._nodeids = nodeids
        self._limit = limit
        self._at_once = at_once
        self._outcomes: dict[str, Outcome] = {}
        self._news = threading.Condition()
        self._over = False
        self._stop = threading.Event()
        # A daemon: if nobody calls `stop`, the kernel ends QEMU when the thread is gone.
        self._thread = threading.Thread(target=self._work, name=f"testbed-{world}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)

    def wait_for(self, nodeid: str) -> Outcome | None:
        with self._news:
            self._news.wait_for(lambda: nodeid in self._outcomes or self._over)
            return self._outcomes.get(nodeid)

    def take_trouble(self) -> str:
        """Why results are missing: in full for the first that asks."""
        trouble, self.trouble = self.trouble, "The reason stands with the first such test."
        return trouble

    def _work(self) -> None:
        begin = time.monotonic()
        try:
            with self._at_once:
                begin = time.monotonic()
                if not self._stop.is_set():
                    self._run()
        except TestbedError as error:
            self.trouble = str(error)
        except Exception as error:  # whatever it is, the tests that wait have to hear of it
            self.trouble = f"{type(error).__name__}: {error}"
        finally:
            self.seconds = time.monotonic() - begin
            with self._news:
                self._over = True
                self._news.notify_all()

    def _run(self) -> None:
        world = find_world(self.world, stop=self._stop)
        with tempfile.TemporaryDirectory(prefix="hvctl-realkvm-") as name:
            out = Path(name)
            (out / SELECTED).write_text("".join(f"{nodeid}\n" for nodeid in self._nodeids))
            (out / RESULTS).touch()
            reader = _Reader(out / RESULTS)
            # Not the whole folder: what is not read is not rewritten either, which takes an emulator its time.
            files = dict.fromkeys(nodeid.partition("::")[0] for nodeid in self._nodeids)
            job = Job((PYTHON, *INNER_PYTEST, *files), out=out, env=_environment())
            watch = Watch(started=self._started, tick=lambda _seconds: self._take(reader.lines()))
            result = boot(world, job, timeout=self._limit, watch=watch, stop=self._stop)
            self._take(reader.lines())
            said = (result.stdout + result.stderr).decode(errors="replace")
            self.trouble = f"{self.world}: pytest in L1 ended with {result.exit_code}:\n{said[-TAIL_CHARACTERS:]}"

    def _started(self, seconds: float) -> None:
        self.boot_seconds = seconds

    def _take(self, lines: list[str]) -> None:
        with self._news:
            for line in lines:
                outcome = parse(line)
                self._outcomes[outcome.nodeid] = outcome
            self._news.notify_all()


def _environment() -> tuple[tuple[str, str], ...]:
    passed = (
        (name, value) for name, value in os.environ.items() if name.startswith(PASSED) and not name.startswith(OWN)
    )
    # With CI set pytest shortens no comparison.
    return (("CI", "true"), *sorted(passed))


class _Reader:
    """The whole lines that a file has gained since the last look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def lines(self) -> list[str]:
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        return whole.decode().splitlines()
