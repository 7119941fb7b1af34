"""The worlds: Debian's own packages, with another world's root beside them where a test runs a program of it."""

import os
import sysconfig
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import NamedTuple

from tests.testbed.errors import TestbedError
from tests.testbed.kernel import Kernel, find_kernel
from tests.testbed.selftests import SOURCES, ready_selftests
from tests.testbed.share import Share, outermost
from tests.testbed.tree import DEBIAN_12, DEBIAN_13, DEMO, Tree, ready_tree

CHECKOUT = Path(__file__).resolve().parents[2]
INSIDE = "HVCTL_TESTBED"
# The Python of every world, whatever runs this: of the virtual environment only what Debian does not have.
PYTHON = "/usr/bin/python3"
CHOSEN = "HVCTL_WORLDS"
# Set where KVM's selftests are run, too.
WITH_SELFTESTS = "HVCTL_SELFTESTS"
SELFTESTS = PurePosixPath("/run/testbed/selftests")
AMD = (DEBIAN_12.name, DEBIAN_13.name)
# Where the root of Debian 13 is in the world debian-12.
NEWER = PurePosixPath("/run/testbed/debian-13")


@dataclass(frozen=True, slots=True)
class Processor:
    """An Intel processor that Bochs emulates, by its name there, and the parameters of kvm_intel."""

    model: str
    parameters: str


class Plan(NamedTuple):
    """Of what a world is made: its root, other roots by where they are seen, and the processor, if it is Intel's."""

    tree: Tree
    beside: Mapping[PurePosixPath, Tree] = MappingProxyType({})
    processor: Processor | None = None


# APICv and TSC scaling; the second model has no APICv, the third neither.
PROCESSORS = {
    "intel": Processor("corei7_skylake_x", "nested=1 enable_apicv=1"),
    "intel-no-apicv": Processor("corei7_skylake_x", "nested=1 enable_apicv=0"),
    "intel-not-nested": Processor("corei7_skylake_x", "nested=0 enable_apicv=1"),
    "intel-neither": Processor("corei7_skylake_x", "nested=0 enable_apicv=0"),
    "intel-cannonlake": Processor("corei3_cnl", "nested=1"),
    "intel-broadwell": Processor("broadwell_ult", "nested=1"),
}
INTEL = tuple(f"{tree.name}-{name}" for tree in (DEBIAN_12, DEBIAN_13) for name in PROCESSORS)
GROUPS = {"amd": AMD, "intel": INTEL}
WORLDS: dict[str, Plan] = {
    DEMO.name: Plan(DEMO),
    DEBIAN_12.name: Plan(DEBIAN_12, {NEWER: DEBIAN_13}),
    DEBIAN_13.name: Plan(DEBIAN_13),
    **{
        f"{tree.name}-{name}": Plan(tree, processor=processor)
        for tree in (DEBIAN_12, DEBIAN_13)
        for name, processor in PROCESSORS.items()
    },
}


def chosen() -> tuple[str, ...]:
    """The worlds that tests run in: both of AMD's and one of Intel's, or what the environment says, by names of worlds
    or groups.

    Raises:
        TestbedError: it has another name.
    """
    said = os.environ.get(CHOSEN)
    if not said:
        return (*AMD, INTEL[0])
    return members(said.split(","))


def members(names: Iterable[str]) -> tuple[str, ...]:
    """The worlds of names of worlds and groups; raises TestbedError for another name."""
    found = [name for word in names for name in GROUPS.get(word, (word,))]
    if unknown := [name for name in found if name not in WORLDS]:
        raise TestbedError(f"no world {', '.join(unknown)}", f"the worlds are {', '.join((*WORLDS, *GROUPS))}")
    return tuple(dict.fromkeys(found))


def inside() -> str | None:
    """The world that this runs in, or None on a machine outside of the testbed."""
    return os.environ.get(INSIDE)


def silent(_text: str) -> None:
    """Progress that nobody looks at."""


@dataclass(frozen=True, slots=True)
class World:
    """What L1 is made of: a root on this machine, its kernel, what is seen beside them, and the processor where it is
    Intel's: QEMU's is AMD's."""

    name: str
    root: Path
    kernel: Kernel
    beside: tuple[Share, ...]
    processor: Processor | None = None

    def shares(self) -> tuple[Share, ...]:
        return (Share("root", self.root, PurePosixPath("/")), *self.beside)


def find_world(name: str, say: Callable[[str], None] = silent, stop: threading.Event | None = None) -> World:
    """The world `name`; its trees are built first if need be: `say` is told, `stop` ends that."""
    members([name])
    plan = WORLDS[name]
    ready = {target: ready_tree(other, say, stop or threading.Event()) for target, other in plan.beside.items()}
    root = ready_tree(plan.tree, say, stop or threading.Event())
    if os.environ.get(WITH_SELFTESTS) and plan.tree.name in SOURCES:
        ready[SELFTESTS] = ready_selftests(plan.tree.name, say, stop or threading.Event())
    own = {PurePosixPath(path): path for path in outermost((CHECKOUT, Path(sysconfig.get_path("purelib"))))}
    beside = (Share(f"share{n}", source, target) for n, (target, source) in enumerate((own | ready).items()))
    return World(name, root, find_kernel(root), tuple(beside), plan.processor)
