"""PID 1 of L1 once its root is laid out: runs the command, carries out its output and exit code, switches off."""

import json
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import IO

CONTROL = Path("/run/testbed/control")
# How long the output of a daemon that outlives the command is still listened to.
DRAIN_SECONDS = 0.5
NOT_FOUND = 127


def main() -> None:
    job = json.loads((CONTROL / "job.json").read_text())
    for folder in job["folders"]:
        Path(folder).mkdir(parents=True, exist_ok=True)
    (CONTROL / "started").touch()
    code = run(job["command"], job["cwd"], job["env"])
    os.sync()
    (CONTROL / "exit-code.part").write_text(f"{code}\n")
    (CONTROL / "exit-code.part").rename(CONTROL / "exit-code")
    switch_off()


def run(command: list[str], cwd: str, env: dict[str, str]) -> int:
    """The command's exit code as a shell tells it: 128 and the number for a signal."""
    # PID 1 looks the program up in its own PATH.
    os.environ["PATH"] = env["PATH"]
    try:
        child = subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        (CONTROL / "stderr").write_text(f"{command[0]}: {error.strerror}\n")
        return NOT_FOUND
    pumps = [pump(child.stdout, "stdout"), pump(child.stderr, "stderr")]
    code = reap_until(child.pid)
    for thread in pumps:
        thread.join(DRAIN_SECONDS)
    return code if code >= 0 else 128 - code


def pump(source: IO[bytes] | None, name: str) -> threading.Thread:
    """Copies what comes at once. A pipe, since a file would be cut by a program that opens /dev/stderr to write."""

    def copy() -> None:
        assert source is not None
        with (CONTROL / name).open("ab", buffering=0) as sink:
            while data := os.read(source.fileno(), 1 << 16):
                sink.write(data)

    thread = threading.Thread(target=copy, daemon=True)
    thread.start()
    return thread


def reap_until(pid: int) -> int:
    """Waits as PID 1 has to, for every orphan, until `pid` ends; a signal is negative."""
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            return os.waitstatus_to_exitcode(status)


def switch_off() -> None:
    Path("/proc/sysrq-trigger").write_text("o")
    time.sleep(60)


if __name__ == "__main__":
    main()
