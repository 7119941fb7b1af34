"""PID 1 of L1 once its root is laid out: runs the command, carries out its output and exit code, switches off.

Where there is no file system of the outer machine's, what is written goes to a disk as it grows, file after file: a
sector that says in JSON which file, from which offset and how many bytes, and then those, up to the end of a sector.
"""

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
SECTOR = 512
CARRY_SECONDS = 1
# Of the control folder; of the other one all files.
CARRIED = ("started", "stdout", "stderr", "exit-code")


def main() -> None:
    job = json.loads((CONTROL / "job.json").read_text())
    for folder in job["folders"]:
        Path(folder).mkdir(parents=True, exist_ok=True)
    (CONTROL / "started").touch()
    carrier = Carrier(job["disk"], Path(job["out"])) if job["disk"] else None
    if carrier:
        threading.Thread(target=carrier.carry_on, daemon=True).start()
    code = run(job["command"], job["cwd"], job["env"])
    os.sync()
    (CONTROL / "exit-code.part").write_text(f"{code}\n")
    (CONTROL / "exit-code.part").rename(CONTROL / "exit-code")
    if carrier:
        carrier.carry()
    switch_off()


class Carrier:
    """Writes what files have gained to a disk."""

    def __init__(self, disk: str, out: Path) -> None:
        self._disk = os.open(disk, os.O_WRONLY | os.O_DSYNC)
        self._out = out
        self._at = 0
        # Inode and size: a file that takes the place of another one is carried as a whole.
        self._carried: dict[Path, tuple[int, int]] = {}
        self._alone = threading.Lock()

    def carry_on(self) -> None:
        while True:
            self.carry()
            time.sleep(CARRY_SECONDS)

    def carry(self) -> None:
        with self._alone:
            for path in self._out.glob("*"):
                self._follow(path, f"out/{path.name}")
            for name in CARRIED:  # the exit code last: with it all is there
                self._follow(CONTROL / name, f"control/{name}")

    def _follow(self, path: Path, name: str) -> None:
        if not path.is_file():
            return
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            inode, done = self._carried.get(path, (0, 0))
            if (inode, done) == (status.st_ino, status.st_size):
                return
            start = done if inode == status.st_ino and done <= status.st_size else 0
            file.seek(start)
            data = file.read()
        head = json.dumps({"name": name, "start": start, "size": len(data)}).encode().ljust(SECTOR, b"\0")
        whole = data.ljust(-(-len(data) // SECTOR) * SECTOR, b"\0")
        # The head last: who finds it finds all that it speaks of.
        os.pwrite(self._disk, whole, self._at + SECTOR)
        os.pwrite(self._disk, head, self._at)
        self._at += SECTOR + len(whole)
        self._carried[path] = status.st_ino, start + len(data)


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
