"""What L1 and the Linux guest boot from, out of a root: the kernel, its modules in the order to load them, busybox."""

import lzma
import re
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.errors import Missing

MODULE_SUFFIXES = ("", ".xz")


@dataclass(frozen=True, slots=True)
class Kernel:
    """One installed kernel: its version, its image and the folder of its modules."""

    version: str
    image: Path
    modules: Path


@dataclass(frozen=True, slots=True)
class Module:
    """A kernel module's file name without compression, and its bytes as insmod takes them."""

    name: str
    data: bytes


def find_kernel(root: Path = Path("/")) -> Kernel:
    """The newest kernel of `root` that has 9p and kvm_amd; the cloud image has no 9p."""
    kernels = [kernel for folder in (root / "usr/lib/modules").glob("*") if (kernel := _usable(root, folder))]
    if not kernels:
        raise Missing("a Debian kernel with the modules 9p and kvm_amd", "linux-image-amd64")
    return max(kernels, key=_age)


def read_busybox(root: Path = Path("/")) -> bytes:
    """The static busybox, the only program of either initramfs."""
    return (root / "usr/bin/busybox").read_bytes()


def load_order(kernel: Kernel, names: tuple[str, ...]) -> tuple[Module, ...]:
    """The modules `names` and all they need, each after what it needs; what is built in is left out."""
    needs = _dependencies(kernel)
    paths: list[str] = []
    for name in names:
        path = next((known for known in needs if _stem(known) == name), None)
        if path is not None:
            # modules.dep lists the needs of a module from the last to load to the first.
            paths += [need for need in (*reversed(needs[path]), path) if need not in paths]
        elif name not in _built_in(kernel):
            raise Missing(f"the module {name} of kernel {kernel.version}", "linux-image-amd64")
    return tuple(Module(f"{_stem(path)}.ko", _content(kernel.modules / path)) for path in paths)


def _usable(root: Path, folder: Path) -> Kernel | None:
    # From Debian's 7.x kernels on the image lies beside the modules.
    images = (root / "boot" / f"vmlinuz-{folder.name}", folder / "vmlinuz")
    image = next((path for path in images if path.is_file()), None)
    wanted = ("kernel/fs/9p/9p.ko", "kernel/arch/x86/kvm/kvm-amd.ko")
    if image is None or not all(_present(folder / path) for path in wanted):
        return None
    return Kernel(folder.name, image, folder)


def _present(module: Path) -> bool:
    return any(module.with_name(module.name + suffix).is_file() for suffix in MODULE_SUFFIXES)


def _age(kernel: Kernel) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", kernel.version))


def _dependencies(kernel: Kernel) -> dict[str, tuple[str, ...]]:
    lines = (kernel.modules / "modules.dep").read_text().splitlines()
    pairs = (line.partition(":") for line in lines)
    return {path: tuple(needs.split()) for path, _, needs in pairs}


def _built_in(kernel: Kernel) -> set[str]:
    return {_stem(line) for line in (kernel.modules / "modules.builtin").read_text().splitlines()}


def _stem(path: str) -> str:
    return path.rpartition("/")[2].partition(".ko")[0].replace("-", "_")


def _content(path: Path) -> bytes:
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data
