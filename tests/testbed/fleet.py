"""`make fleet`: the collector under every Python from 3.6 that this machine has, and Debian 11's; all print the same.

The Pythons are those on PATH, those of pyenv, and the one of a bare Debian 11, which runs by its own loader and C
library beside this machine's kernel, KVM and QEMU. What the first records is decoded, and compared with what `hvctl
check-host` records.
"""

import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.testbed.errors import TestbedError
from tests.testbed.process import interrupt_on_terminate
from tests.testbed.tree import Tree, ready_tree
from tests.testbed.world import CHECKOUT

COLLECTOR = CHECKOUT / "hvctl" / "data" / "hvctl-collect"
OLDEST = (3, 6)
SECONDS = 120
DEBIAN_11 = Tree("python-bullseye", "bullseye", ("python3",))
_ASK = "import sys; print('%d.%d.%d' % sys.version_info[:3])"


class Python(NamedTuple):
    """One to run the collector under: its version, where it is, and the words that start it."""

    version: str
    place: str
    words: tuple[str, ...]


def pythons() -> Iterator[Python]:
    """Those on PATH and of pyenv, each once."""
    folders = [*os.environ.get("PATH", "").split(os.pathsep), *map(str, _pyenv().glob("versions/*/bin"))]
    seen = set()
    for path in (Path(folder) / name for folder in folders for name in _names(folder)):
        real = path.resolve()
        # A shim of pyenv's starts another one, which is found by itself.
        if real not in seen and "shims" not in real.parts and os.access(real, os.X_OK):
            seen.add(real)
            yield from _usable((str(path),), str(path))


def _pyenv() -> Path:
    return Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")


def _names(folder: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if re.fullmatch(r"python3(\.\d+)?", name))
    except OSError:
        return []


def debian_11() -> list[Python]:
    """The one of a bare Debian 11."""
    root = ready_tree(DEBIAN_11, lambda text: print(f"fleet: {text}", flush=True), threading.Event())
    libraries = [root / "lib/x86_64-linux-gnu", root / "usr/lib/x86_64-linux-gnu"]
    (loader,) = libraries[0].glob("ld-*.*.so")
    words = (str(loader), "--library-path", ":".join(map(str, libraries)), str(root / "usr/bin/python3.9"))
    found = list(_usable(words, "Debian 11"))
    if not found:
        raise TestbedError("its Python does not run", f"try it: {' '.join(words)}")
    return found


def _usable(words: tuple[str, ...], place: str) -> Iterator[Python]:
    done = subprocess.run(
        [*words, "-I", "-S", "-c", _ASK], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    version = done.stdout.strip()
    if done.returncode == 0 and tuple(map(int, version.split(".")[:2])) >= OLDEST:
        yield Python(version, place, words)


def record(python: Python) -> bytes:
    """What the collector prints under it; raises TestbedError where it fails."""
    command = [*python.words, "-I", "-S", "-W", "error", str(COLLECTOR), "--name", "fleet"]
    done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
    # 3: this machine has no KVM that can be asked, which is recorded.
    if done.returncode not in (0, 3) or b"Traceback" in done.stderr:
        raise TestbedError(f"exit code {done.returncode}: {done.stderr.decode(errors='replace')[-2000:]}")
    return done.stdout


def check(found: list[Python]) -> int:
    """Run all, and compare; the number of those that differ or fail."""
    first, failures = record(found[0]), 0
    for python in found:
        try:
            said = "the same record" if record(python) == first else "ANOTHER RECORD"
        except TestbedError as error:
            said = f"FAILED: {error}"
        failures += said != "the same record"
        print(f"Python {python.version:8} {python.place}: {said}", flush=True)
    said = _decoded(first)
    print(f"decoded: {said}", flush=True)
    return failures + (said == "NOT what check-host records")


def _decoded(raw: bytes) -> str:
    """Whether hvctl makes of the record what it records itself."""
    with tempfile.TemporaryDirectory() as name:
        paths = [Path(name) / file for file in ("raw", "decoded", "own")]
        paths[0].write_bytes(raw)
        for words in (("--raw", paths[0], "--record", paths[1]), ("--name", "fleet", "--record", paths[2])):
            command = [sys.executable, "-m", "hvctl", "check-host", *map(str, words)]
            subprocess.run(command, cwd=CHECKOUT, capture_output=True, timeout=SECONDS, check=False)
        if not paths[2].exists():
            return "this machine has no KVM to be asked: nothing to compare with"
        same = paths[1].exists() and paths[1].read_bytes() == paths[2].read_bytes()
    return "what check-host records, byte for byte" if same else "NOT what check-host records"


def main() -> int:
    """Exit code 1 if any differs or fails."""
    interrupt_on_terminate()
    found = sorted(pythons(), key=lambda python: tuple(map(int, python.version.split("."))))
    try:
        found += debian_11()
    except (TestbedError, OSError, subprocess.SubprocessError) as error:
        print(f"fleet: Debian 11: {error}", flush=True)
        return 3
    failures = check(found)
    print(f"{len(found)} Pythons ran, from {found[0].version}; {failures} failures", flush=True)
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
