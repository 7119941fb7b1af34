"""L1 on an Intel processor that Bochs emulates: no shares there, so a root on a disk, and files in the initramfs."""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tests.testbed import cpio, pvh
from tests.testbed.apt import run
from tests.testbed.bochs import BIOS, VGA_BIOS, ready_bochs
from tests.testbed.cache import built, named
from tests.testbed.errors import BuildFailed, Missing, TestbedError
from tests.testbed.kernel import load_order
from tests.testbed.machine import Folder, Job, Machine, fill_control, initramfs
from tests.testbed.share import CONTROL, OUT
from tests.testbed.world import CHECKOUT, SELFTESTS, World, silent

MODULES = ("ata_piix", "sd_mod", "squashfs", "overlay", "kvm_intel")
MEMORY = 1536 << 20
# Instructions in a second of L1's, whose TSC counts them: Bochs' CPUID tells another frequency, which the kernel would
# believe.
SPEED = 250_000_000
# A disk's size is a multiple of Bochs' cylinders.
CYLINDER = 16 * 63 * 512
RESULTS = 130 * CYLINDER
SECTOR = 512
# What no test needs: it would be a gigabyte more.
LEFT_OUT = (
    *("boot/*", "usr/share/doc/*", "usr/share/man/*", "usr/share/locale/*", "usr/share/icons/*", "var/cache/*"),
    *("var/lib/apt/*", "usr/lib/firmware/*", "usr/lib/gcc/*", "usr/share/OVMF/*"),
    *(f"usr/lib/modules/*/kernel/{name}/*" for name in ("drivers/gpu", "drivers/net", "drivers/media", "sound", "fs")),
)
NOT_PACKED = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "fuzz")
_MIB = 1 << 20


@dataclass(slots=True)
class Results:
    """What inside.py has written to a disk, brought into the folders where it would be if it were shared."""

    disk: Path
    folders: dict[str, Path]
    at: int = field(default=0, init=False)

    def refresh(self) -> None:
        with self.disk.open("rb") as disk:
            while True:
                disk.seek(self.at)
                head = disk.read(SECTOR).rstrip(b"\0")
                if not head:
                    return
                said = json.loads(head)
                data = disk.read(said["size"])
                folder, _, name = said["name"].partition("/")
                path = self.folders[folder] / PurePosixPath(name).name
                with path.open("r+b" if path.exists() else "wb") as file:
                    file.seek(said["start"])
                    file.truncate()
                    file.write(data)
                self.at += SECTOR + -(-len(data) // SECTOR) * SECTOR


def prepare(folder: Folder, world: World, job: Job) -> Machine:
    """Writes what L1 boots from into `folder`."""
    assert world.processor, "else QEMU emulates it"
    bochs = ready_bochs(silent, threading.Event())
    disk = folder.path / "root"
    # Bochs writes a lock beside the name that it is given.
    disk.symlink_to(ready_disk(world.root))
    results = Results(folder.path / "results", {"control": folder.control, "out": job.out or folder.path})
    with results.disk.open("wb") as file:
        file.truncate(RESULTS)
    fill_control(folder.control, world, job, "/dev/sdb")
    packed = pack(folder, world, job)
    kernel = pvh.image(world.kernel.image.read_bytes())
    modules = load_order(world.kernel, MODULES)
    entries = initramfs(world, modules, {"kvm_intel.ko": world.processor.parameters}, "sda disk")
    cpio.write(folder.initramfs, (*entries, *cpio.tree(packed, "packed")))
    size = folder.initramfs.stat().st_size
    address = -(-(kernel.address + len(kernel.data) + 32 * _MIB) // (16 * _MIB)) * 16 * _MIB
    if address + size > MEMORY // 2:
        raise TestbedError(f"the initramfs has {size >> 20} MiB, which is too much")
    words = f"console=ttyS0,115200 panic=-1 mitigations=off nokaslr tsc=reliable no_timer_check quiet {_clock()}"
    images = {
        pvh.INFO: ("info", pvh.start_info(MEMORY, words, address, size)),
        kernel.address: ("kernel", kernel.data),
        pvh.ROM: ("rom", pvh.boot_rom(kernel.entry, folder.path)),
    }
    for name, data in images.values():
        (folder.path / name).write_bytes(data)
    folder.console.touch()
    settings = folder.path / "bochsrc"
    settings.write_text(_settings(folder, world.processor.model, kernel.address, address))
    return Machine(
        ["nice", "-n", "5", str(bochs), "-q", "-f", str(settings)], {"BXSHARE": str(BIOS.parent)}, results.refresh
    )


def _clock() -> str:
    return f"tsc_early_khz={SPEED // 1000}"


def _settings(folder: Folder, model: str, kernel: int, initramfs: int) -> str:
    path = folder.path
    return f"""config_interface: textconfig
display_library: nogui
romimage: file={BIOS}
vgaromimage: file={VGA_BIOS}
optromimage1: file={path}/rom, address={pvh.ROM:#x}
optramimage1: file={path}/kernel, address={kernel:#x}
optramimage2: file={folder.initramfs}, address={initramfs:#x}
optramimage3: file={path}/info, address={pvh.INFO:#x}
cpu: model={model}, count=1, ips={SPEED}, reset_on_triple_fault=0, ignore_bad_msrs=1
memory: guest={MEMORY >> 20}, host={MEMORY >> 20}, block_size=8192
clock: sync=none, time0=utc
boot: disk
ata0-master: type=disk, mode=flat, path={path}/root
ata0-slave: type=disk, mode=flat, path={path}/results
com1: enabled=1, mode=file, dev={folder.console}
log: {path}/log
panic: action=fatal
error: action=report
info: action=ignore
debug: action=ignore
pci: enabled=1, chipset=i440fx
"""


def pack(folder: Folder, world: World, job: Job) -> Path:
    """A folder with the checkout and the job's folders, each at its path, and all Python in it compiled: to compile a
    module takes ten times as long as to import it, and a hundred times as long in Bochs."""
    packed = folder.path / "packed"
    shutil.copytree(folder.control, packed / CONTROL.relative_to("/"))
    if job.out:
        shutil.copytree(job.out, packed / OUT.relative_to("/"))
    for share in world.beside:
        if share.target in (PurePosixPath(CHECKOUT), SELFTESTS):
            shutil.copytree(share.source, packed / share.target.relative_to("/"), ignore=NOT_PACKED)
    done = subprocess.run(
        [*python_of(world.root), "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(packed)],
        env={"PYTHONHOME": str(world.root / "usr")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildFailed(f"Python of {world.name} cannot compile the checkout: {done.stdout}{done.stderr}")
    return packed


def python_of(root: Path) -> list[str]:
    """A command that runs the Python of another system here, with that system's libraries."""
    libraries = root / "usr/lib/x86_64-linux-gnu"
    return [str(libraries / "ld-linux-x86-64.so.2"), "--library-path", str(libraries), str(root / "usr/bin/python3")]


def ready_disk(root: Path, say: Callable[[str], None] = silent) -> Path:
    """A tree as a disk with squashfs, not compressed: to unpack it would take the emulator long."""
    if not shutil.which("mksquashfs"):
        raise Missing("mksquashfs", "squashfs-tools")

    def build(part: Path) -> Path:
        say(f"{root.name}: making a disk of it, once")
        return _make_disk(root, part)

    return built(named(f"{root.name}-disk", *LEFT_OUT), build)


def _make_disk(root: Path, part: Path) -> Path:
    disk = part / "disk"
    plain = ("-noI", "-noD", "-noF", "-noX", "-no-duplicates", "-no-progress", "-all-root")
    run(["mksquashfs", str(root), str(disk), *plain, "-wildcards", "-e", *LEFT_OUT], part, threading.Event())
    os.truncate(disk, -(-disk.stat().st_size // CYLINDER) * CYLINDER)
    return disk
