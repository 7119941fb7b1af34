"""Processes that end with us: the kernel ends them when the thread that started them is gone, even by kill -9."""

import shutil
import signal as signals
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from tests.testbed.errors import Missing, Stopped, TestbedError

POLL_SECONDS = 0.2


def interrupt_on_terminate() -> None:
    """SIGTERM as Ctrl-C, so that what is started and written is cleaned up; once, as timeout(1) sends it twice."""

    def interrupt(_number: int, _frame: object) -> None:
        signals.signal(signals.SIGTERM, signals.SIG_IGN)
        raise KeyboardInterrupt

    if signals.getsignal(signals.SIGTERM) is signals.SIG_DFL:
        signals.signal(signals.SIGTERM, interrupt)


def bound_to_us(command: list[str], signal: str = "TERM") -> list[str]:
    """`command` run by setpriv, which sets PR_SET_PDEATHSIG and becomes the command: the process id stays."""
    if not shutil.which("setpriv"):
        raise Missing("setpriv", "util-linux")
    return ["setpriv", "--pdeathsig", signal, "--", *command]


def contained(command: list[str]) -> list[str]:
    """`command` of root's in process and mount namespaces of its own: with it go all it started and mounted."""
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--", *command]


def end(process: subprocess.Popen[bytes] | subprocess.Popen[str], patience: float = 20) -> None:
    """Asks a process to end, and ends it when it does not within `patience` seconds; nothing if it has ended."""
    process.terminate()
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run_logged(
    command: list[str],
    log: Path,
    environment: Mapping[str, str],
    *,
    seconds: float,
    stop: threading.Event,
    folder: Path | None = None,
) -> int:
    """The exit code of a command whose output goes to `log`; it is ended on `stop`, and after so many seconds."""
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, env=environment, cwd=folder
        )
    deadline = time.monotonic() + seconds
    try:
        while process.poll() is None:
            if stop.is_set():
                raise Stopped("stopped")
            if time.monotonic() > deadline:
                raise TestbedError(f"no end within {seconds:g} s", f"its output: {log}")
            time.sleep(POLL_SECONDS)
    finally:
        end(process)
    return process.returncode
