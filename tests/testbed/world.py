"""The worlds: a root, its newest kernel and the Python that the project's code runs on there."""

import os
import sys
import sysconfig
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tests.testbed.errors import Missing, TestbedError
from tests.testbed.kernel import Kernel, find_kernel
from tests.testbed.share import CONTROL, Share, covered, outermost
from tests.testbed.tree import DEBIAN_13, ready_tree

CHECKOUT = Path(__file__).resolve().parents[2]
INSIDE = "HVCTL_TESTBED"
NAMES = ("debian-12", "debian-13")
SYSTEM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


def inside() -> str | None:
    """The world that this runs in, or None on a machine outside of the testbed."""
    return os.environ.get(INSIDE)


def silent(_text: str) -> None:
    """Progress that nobody looks at."""


@dataclass(frozen=True, slots=True)
class World:
    """What L1 is made of: `root` on this machine, its kernel, and as paths in L1 the Python and what it needs."""

    name: str
    root: Path
    kernel: Kernel
    python: PurePosixPath
    folders: tuple[Path, ...]
    path: tuple[str, ...]
    pythonpath: tuple[str, ...] = ()

    def shares(self) -> tuple[Share, ...]:
        """The root, and what the root does not show or a tmpfs covers."""
        own = (folder for folder in self.folders if self.root != Path("/") or covered(folder))
        tagged = (
            Share(f"share{number}", folder, PurePosixPath(folder))
            for number, folder in enumerate(outermost(tuple(own)))
        )
        return (Share("root", self.root, PurePosixPath("/")), *tagged)


def find_world(name: str, say: Callable[[str], None] = silent, stop: threading.Event | None = None) -> World:
    """The world `name`; its root is built first if need be: `say` is told, `stop` ends that."""
    match name:
        case "debian-12":
            return _this_machine()
        case "debian-13":
            return _tree_of_debian_13(say, stop or threading.Event())
        case _:
            raise TestbedError(f"no world {name!r}", f"the worlds are {', '.join(NAMES)}")


def _this_machine() -> World:
    """The machine's own packages; the Python is the one that runs this, in its virtual environment."""
    if not Path("/etc/debian_version").exists():
        raise Missing("Debian: the world debian-12 is this machine's own packages", "linux-image-amd64")
    base = Path(sys.base_prefix)
    folders = (CHECKOUT, Path(sys.prefix), base, Path(sys.executable).resolve().parent)
    scripts = sysconfig.get_path("scripts")
    return World(
        name="debian-12",
        root=Path("/"),
        kernel=find_kernel(),
        python=PurePosixPath(sys.executable),
        folders=folders,
        path=(scripts, *SYSTEM_PATH),
    )


def _tree_of_debian_13(say: Callable[[str], None], stop: threading.Event) -> World:
    """Debian's packages for everything; of the virtual environment only what Debian does not have."""
    root = ready_tree(DEBIAN_13, CHECKOUT / ".testbed", say, stop)
    return World(
        name="debian-13",
        root=root,
        kernel=find_kernel(root),
        python=PurePosixPath("/usr/bin/python3"),
        folders=(CHECKOUT, Path(sysconfig.get_path("purelib"))),
        path=(str(CONTROL / "bin"), *SYSTEM_PATH),
        pythonpath=(str(CHECKOUT), str(CONTROL / "python")),
    )
