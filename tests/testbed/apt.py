"""Packages and sources of a Debian release, whatever this machine's own is: by apt, which checks their signatures."""

import os
import threading
from pathlib import Path

from tests.testbed.errors import BuildFailed, TestbedError
from tests.testbed.process import bound_to_us, run_logged
from tests.testbed.tree import mirror

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SECONDS = 1800


def fetch_source(name: str, suite: str, part: Path, stop: threading.Event) -> Path:
    """The packed upstream source of a package, in `part`."""
    apt = _apt("deb-src", suite, part, stop)
    run([*apt, "source", "--download-only", "--tar-only", name], part, stop)
    (found,) = part.glob(f"{name}_*.orig.tar.*")
    return found


def fetch_package(name: str, suite: str, part: Path, stop: threading.Event) -> Path:
    """A package, in `part`."""
    apt = _apt("deb", suite, part, stop)
    run([*apt, "download", name], part, stop)
    (found,) = part.glob(f"{name}_*.deb")
    return found


def _apt(kind: str, suite: str, part: Path, stop: threading.Event) -> list[str]:
    """apt-get with lists of its own, brought up to date: most machines have none of sources, or of other releases."""
    sites = mirror()
    if not sites:
        raise TestbedError("packages come from Debian, and apt knows no mirror of Debian here")
    for folder in ("lists/partial", "cache/archives/partial"):
        (part / folder).mkdir(parents=True)
    (part / "sources.list").write_text(f"{kind} [signed-by={KEYRING}] {sites[0]} {suite} main\n")
    settings = {
        "Dir::Etc::SourceList": part / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": part / "lists",
        "Dir::Cache": part / "cache",
        # A mirror that keeps an older state of the release has an expired Release file.
        "Acquire::Check-Valid-Until": "false",
        "APT::Sandbox::User": "",
    }
    apt = ["apt-get", *(f"--option={name}={value}" for name, value in settings.items())]
    run([*apt, "update"], part, stop)
    return apt


def run(command: list[str], part: Path, stop: threading.Event, folder: Path | None = None) -> None:
    """A command of a build in `part`, or in another folder; raises BuildFailed with the end of what it said."""
    log = part / "log"
    code = run_logged(bound_to_us(command), log, os.environ, seconds=SECONDS, stop=stop, folder=folder or part)
    if code:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise BuildFailed(f"{command[0]} failed with status {code}:\n{tail}", f"all of it: {log}")
