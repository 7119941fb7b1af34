"""The worlds: Debian's own packages, with another world's root beside them where a test runs a program of it."""

import os
import sysconfig
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tests.testbed.errors import TestbedError
from tests.testbed.kernel import Kernel, find_kernel
from tests.testbed.share import Share, outermost
from tests.testbed.tree import DEBIAN_12, DEBIAN_13, DEMO, Tree, ready_tree

CHECKOUT = Path(__file__).resolve().parents[2]
INSIDE = "HVCTL_TESTBED"
# The Python of every world, whatever runs this: of the virtual environment only what Debian does not have.
PYTHON = "/usr/bin/python3"
NAMES = (DEBIAN_12.name, DEBIAN_13.name)
# Where the root of Debian 13 is in the world debian-12.
NEWER = PurePosixPath("/run/testbed/debian-13")
WORLDS: dict[str, tuple[Tree, dict[PurePosixPath, Tree]]] = {
    DEMO.name: (DEMO, {}),
    DEBIAN_12.name: (DEBIAN_12, {NEWER: DEBIAN_13}),
    DEBIAN_13.name: (DEBIAN_13, {}),
}


def inside() -> str | None:
    """The world that this runs in, or None on a machine outside of the testbed."""
    return os.environ.get(INSIDE)


def silent(_text: str) -> None:
    """Progress that nobody looks at."""


@dataclass(frozen=True, slots=True)
class World:
    """What L1 is made of: a root on this machine, its kernel, and what is seen beside them."""

    name: str
    root: Path
    kernel: Kernel
    beside: tuple[Share, ...]

    def shares(self) -> tuple[Share, ...]:
        return (Share("root", self.root, PurePosixPath("/")), *self.beside)


def find_world(name: str, say: Callable[[str], None] = silent, stop: threading.Event | None = None) -> World:
    """The world `name`; its trees are built first if need be: `say` is told, `stop` ends that."""
    if name not in WORLDS:
        raise TestbedError(f"no world {name!r}", f"the worlds are {', '.join(WORLDS)}")
    tree, others = WORLDS[name]
    ready = {target: ready_tree(other, say, stop or threading.Event()) for target, other in others.items()}
    root = ready_tree(tree, say, stop or threading.Event())
    own = {PurePosixPath(path): path for path in outermost((CHECKOUT, Path(sysconfig.get_path("purelib"))))}
    beside = (Share(f"share{n}", source, target) for n, (target, source) in enumerate((own | ready).items()))
    return World(name, root, find_kernel(root), tuple(beside))
