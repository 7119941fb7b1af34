"""Boots a world, runs one command in it, demands the exit code that L1 writes: a crash looks like a power-off."""

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.testbed import bochs_machine, machine
from tests.testbed.errors import NoAnswer, Stopped
from tests.testbed.machine import Folder, Job
from tests.testbed.process import bound_to_us
from tests.testbed.world import World

POLL_SECONDS = 0.05
POWER_OFF_SECONDS = 20
TAIL_LINES = 25
DEATH = ("Kernel panic", "Oops: ", "BUG: ")

Sink = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Result:
    """How the command ended, what it wrote, and the seconds until it started and until L1 was gone."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    console: str
    boot_seconds: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Watch:
    """What a caller sees of a running L1: each part is called from the thread that called boot()."""

    started: Callable[[float], None] | None = None
    stdout: Sink | None = None
    stderr: Sink | None = None
    tick: Callable[[float], None] | None = None


class _Tail:
    """Follows a file that grows, and tells a sink."""

    def __init__(self, path: Path, sink: Sink | None) -> None:
        self._path = path
        self._sink = sink
        self._offset = 0

    def follow(self) -> None:
        if self._sink is None:
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            if data := file.read():
                self._offset += len(data)
                self._sink(data)


class _Run:
    """One running L1."""

    def __init__(
        self, folder: Folder, process: subprocess.Popen[bytes], refresh: Callable[[], None], watch: Watch
    ) -> None:
        self.folder = folder
        self._refresh = refresh
        self.process = process
        self.begin = time.monotonic()
        self.boot_seconds = 0.0
        self._watch = watch
        self._tails = (_Tail(folder.control / "stdout", watch.stdout), _Tail(folder.control / "stderr", watch.stderr))

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.begin

    def look(self) -> bool:
        """Tells the watch what is new; whether the command has ended."""
        self._refresh()
        if not self.boot_seconds and (self.folder.control / "started").exists():
            self.boot_seconds = self.seconds
            if self._watch.started:
                self._watch.started(self.boot_seconds)
        ended = (self.folder.control / "exit-code").exists()
        for tail in self._tails:
            tail.follow()
        if self._watch.tick:
            self._watch.tick(self.seconds)
        return ended

    def console(self) -> str:
        return _text(self.folder.console)

    def tails(self) -> str:
        """What is known of an L1 that gave no answer; of its console from where a dying kernel begins to say so."""
        console = _lines(self.console())
        deaths = (number for number, line in enumerate(console) if any(word in line for word in DEATH))
        parts = {
            "the emulator": _lines(_text(self.folder.complaints))[-TAIL_LINES:],
            "the console": console[next(deaths, -TAIL_LINES) :][:TAIL_LINES],
            "the command": _lines(_text(self.folder.control / "stdout"))[-TAIL_LINES:],
        }
        said = (f"; {name} said at last:\n" + "\n".join(lines) for name, lines in parts.items() if lines)
        return "".join(said) or "; nothing was said"


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def boot(
    world: World, job: Job, *, timeout: float = 600, watch: Watch | None = None, stop: threading.Event | None = None
) -> Result:
    """Runs `job` in `world`.

    Raises NoAnswer when L1 ends or `timeout` seconds pass before the command ends, and Stopped on `stop`.
    """
    with tempfile.TemporaryDirectory(prefix="hvctl-testbed-") as name:
        folder = Folder(Path(name).resolve())
        prepare = bochs_machine.prepare if world.processor else machine.prepare
        made = prepare(folder, world, job)
        with folder.complaints.open("wb") as complaints:
            process = subprocess.Popen(
                bound_to_us(made.command, "KILL"),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                env=os.environ | made.env,
            )
        try:
            run = _Run(folder, process, made.refresh, watch or Watch())
            _wait(run, world, timeout, stop or threading.Event())
            _wait_for_power_off(process)
            return _result(run)
        finally:
            process.kill()
            process.wait()


def _wait(run: _Run, world: World, timeout: float, stop: threading.Event) -> None:
    while not run.look():
        if stop.is_set():
            raise Stopped(f"{world.name}: stopped after {run.seconds:.0f} s")
        if run.seconds > timeout:
            raise NoAnswer(f"{world.name}: no end within {timeout:g} s{run.tails()}")
        # The exit code is written before QEMU ends, so look once more.
        if run.process.poll() is not None and not run.look():
            raise NoAnswer(f"{world.name}: L1 ended without an exit code{run.tails()}")
        time.sleep(POLL_SECONDS)


def _wait_for_power_off(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(POWER_OFF_SECONDS)
    except subprocess.TimeoutExpired:
        return  # The exit code is there; boot() ends the process.


def _result(run: _Run) -> Result:
    control = run.folder.control
    return Result(
        exit_code=int((control / "exit-code").read_text()),
        stdout=(control / "stdout").read_bytes(),
        stderr=(control / "stderr").read_bytes(),
        console=run.console(),
        boot_seconds=run.boot_seconds,
        seconds=run.seconds,
    )
