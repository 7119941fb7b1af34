"""The root of a world that is not this machine: a Debian release, unpacked once into the checkout's cache."""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.errors import BuildFailed, Missing, Stopped
from tests.testbed.process import bound_to_us, contained, end

BUILD_SECONDS = 900
POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Tree:
    """A release and the packages that its root holds besides apt's."""

    name: str
    suite: str
    packages: tuple[str, ...]

    def stamp(self) -> str:
        text = "\n".join((self.suite, *self.packages))
        return hashlib.sha256(text.encode()).hexdigest()[:12]


DEBIAN_13 = Tree(
    name="debian-13",
    suite="trixie",
    packages=(
        "linux-image-amd64",
        "qemu-system-x86",
        "libvirt-daemon",
        "libvirt-daemon-driver-qemu",
        "libvirt-clients",
        "busybox-static",
        "binutils",
        "gcc",
        "libc6-dev",
        "iproute2",
        "procps",
        "python3",
        "python3-click",
        "python3-hypothesis",
        "python3-jinja2",
        "python3-jsonschema",
        "python3-libvirt",
        "python3-lxml",
        "python3-pytest",
        "python3-rich",
        "python3-yaml",
    ),
)


def ready_tree(tree: Tree, cache: Path, say: Callable[[str], None], stop: threading.Event) -> Path:
    """The folder of `tree` in `cache`, built unless it is there. The name holds the stamp, a rename makes it whole."""
    place = cache / f"{tree.name}-{tree.stamp()}"
    if not place.is_dir():
        cache.mkdir(exist_ok=True)
        with _only_one(cache / f"{tree.name}.lock"):
            if not place.is_dir():
                _remove_older(tree, cache)
                say(f"{tree.name}: building the root with mmdebstrap, about two minutes, once")
                _build(tree, cache / f"{tree.name}.part", place, stop)
    return place


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove_older(tree: Tree, cache: Path) -> None:
    """Trees of other package lists and what a build that was cut short left."""
    for left in (*cache.glob(f"{tree.name}-*"), *cache.glob(f"{tree.name}.part*")):
        shutil.rmtree(left)


def _build(tree: Tree, part: Path, place: Path, stop: threading.Event) -> None:
    root = part / "root"
    for folder in (part, root, part / "tmp"):
        folder.mkdir()
    packed = part / "root.tar"
    # By way of an archive, so that a user who is not root owns, and can remove, what is unpacked.
    _run([*_mmdebstrap(tree), tree.suite, str(packed), *_mirror()], part, stop)
    _run(["tar", "-xf", str(packed), "-C", str(root), "--exclude=./dev/*"], part, stop)
    root.rename(place)
    shutil.rmtree(part)


def _mmdebstrap(tree: Tree) -> list[str]:
    if not shutil.which("mmdebstrap"):
        raise Missing("mmdebstrap", "mmdebstrap")
    # A mirror that keeps an older state of the release has an expired Release file.
    options = ['Acquire::Check-Valid-Until "false"', *_machine_options()]
    return [
        "mmdebstrap",
        "--variant=apt",
        f"--include={','.join(tree.packages)}",
        *(f"--aptopt={option}" for option in options),
    ]


def _machine_options() -> list[str]:
    """How this machine's apt reaches its mirror (proxies, certificates): mmdebstrap's own apt does not read it."""
    done = _asked(["apt-config", "dump", "Acquire"])
    kept = ("Acquire::http::", "Acquire::https::", "Acquire::Retries")
    return [line.rstrip(";") for line in done.splitlines() if line.startswith(kept)]


def _mirror() -> list[str]:
    """The Debian mirror of this machine's apt, or nothing, which is mmdebstrap's default."""
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    # apt knows the origin of what it has lists of; without lists the first source of the release has to do.
    targets = _asked(["apt-get", "indextargets", "--format", "$(ORIGIN) $(RELEASE) $(SITE)"])
    sites = re.findall(rf"^Debian {codename} (\S+)$", targets, re.MULTILINE)
    if not sites:
        sites = re.findall(
            rf"^'(\S+)/dists/{codename}/InRelease'", _asked(["apt-get", "--print-uris", "update"]), re.MULTILINE
        )
    return [site for site in sites if site.startswith(("http://", "https://", "file:"))][:1]


def _asked(command: list[str]) -> str:
    try:
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _run(command: list[str], part: Path, stop: threading.Event) -> None:
    # INITRD=No: the hook of initramfs-tools would spend a minute on an initrd that nothing boots.
    environment = os.environ | {"INITRD": "No", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    if os.geteuid() == 0:
        # Else a build that is killed leaves apt running and folders mounted. Who is not root has mmdebstrap's own
        # namespaces, whose users may not see `part`.
        command = contained(command)
        environment["TMPDIR"] = str(part / "tmp")
    log = part / "log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            bound_to_us(command, "KILL" if os.geteuid() == 0 else "TERM"),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env=environment,
        )
    try:
        _wait(process, stop)
    finally:
        # mmdebstrap cleans up when it is asked to end.
        end(process)
    if process.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise BuildFailed(f"{command[0]} failed with status {process.returncode}:\n{tail}", f"all of it: {log}")


def _wait(process: subprocess.Popen[bytes], stop: threading.Event) -> None:
    deadline = time.monotonic() + BUILD_SECONDS
    while process.poll() is None:
        if stop.is_set():
            raise Stopped("stopped while building a root")
        if time.monotonic() > deadline:
            raise BuildFailed(f"building a root took longer than {BUILD_SECONDS} s")
        time.sleep(POLL_SECONDS)
