"""Debian systems, each unpacked once into this user's cache, which all clones share: the worlds, and bare machines."""

import os
import platform
import re
import shutil
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.cache import built, named
from tests.testbed.errors import BuildFailed, Missing
from tests.testbed.process import bound_to_us, contained, run_logged

BUILD_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Tree:
    """A release and the packages that it holds besides apt's."""

    name: str
    suite: str
    packages: tuple[str, ...]

    @property
    def place(self) -> Path:
        """Where it is: the name holds what was asked for, so that a change makes another tree."""
        return named(self.name, self.suite, *self.packages)


# What `make demo` needs.
_BASE = (
    "linux-image-amd64",
    "qemu-system-x86",
    "busybox-static",
    "python3",
    "python3-click",
    "python3-jinja2",
    "python3-lxml",
    "python3-yaml",
)
_TESTS = (
    *_BASE,
    "libvirt-daemon",
    "libvirt-daemon-driver-qemu",
    "libvirt-clients",
    "binutils",
    "gcc",
    "libc6-dev",
    "iproute2",
    "procps",
    "python3-hypothesis",
    "python3-jsonschema",
    "python3-libvirt",
    "python3-pytest",
)
# For the README's Windows 11 installation.
_WINDOWS = ("ovmf", "swtpm", "swtpm-tools", "qemu-utils", "virtinst")
DEMO = Tree("demo", "bookworm", _BASE)
DEBIAN_12 = Tree("debian-12", "bookworm", (*_TESTS, *_WINDOWS))
DEBIAN_13 = Tree("debian-13", "trixie", _TESTS)


def ready_tree(tree: Tree, say: Callable[[str], None], stop: threading.Event) -> Path:
    """The root directory of `tree`, built unless it is there."""

    def build(part: Path) -> Path:
        say(f"{tree.name}: unpacking Debian with mmdebstrap, about a minute, once")
        return unpack(tree, part, stop)

    return built(tree.place, build)


def unpack(tree: Tree, part: Path, stop: threading.Event) -> Path:
    """The root directory of `tree`, made in `part`, where something is built."""
    root = part / "root"
    for folder in (root, part / "tmp"):
        folder.mkdir()
    packed = part / "root.tar"
    # By way of an archive, so that a user who is not root owns, and can remove, what is unpacked.
    _run([*_mmdebstrap(tree), tree.suite, str(packed), *mirror()], part, stop)
    _run(["tar", "-xf", str(packed), "-C", str(root), "--exclude=./dev/*"], part, stop)
    packed.unlink()
    return root


def _mmdebstrap(tree: Tree) -> list[str]:
    if not shutil.which("mmdebstrap"):
        raise Missing("mmdebstrap", "mmdebstrap")
    return [
        "mmdebstrap",
        "--variant=apt",
        f"--include={','.join(tree.packages)}",
        *(f"--aptopt={option}" for option in apt_options()),
    ]


def apt_options() -> list[str]:
    """How this machine's apt reaches its mirror (proxies, certificates): the apt of a tree does not read that."""
    done = _asked(["apt-config", "dump", "Acquire"])
    kept = ("Acquire::http::", "Acquire::https::", "Acquire::Retries")
    # A mirror that keeps an older state of the release has an expired Release file.
    return [
        'Acquire::Check-Valid-Until "false"',
        *(line.rstrip(";") for line in done.splitlines() if line.startswith(kept)),
    ]


def mirror() -> list[str]:
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
    root = os.geteuid() == 0
    if root:
        # Else a build that is killed leaves apt running and directories mounted. Who is not root has mmdebstrap's own
        # namespaces, whose users may not see `part`.
        environment["TMPDIR"] = str(part / "tmp")
    log = part / "log"
    # Without namespaces of ours mmdebstrap cleans up when it is asked to end.
    code = run_logged(
        bound_to_us(contained(command) if root else command, "KILL" if root else "TERM"),
        log,
        environment,
        seconds=BUILD_SECONDS,
        stop=stop,
    )
    if code:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise BuildFailed(f"{command[0]} failed with status {code}:\n{tail}", f"all of it: {log}")
