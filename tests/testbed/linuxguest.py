"""A Linux guest ("L2") that uses the enlightenments: a busybox that says what Linux made of them."""

from pathlib import Path

from tests.testbed import cpio
from tests.testbed.kernel import find_kernel, read_busybox

INIT = Path(__file__).with_name("linuxguest.sh")
# Some 8 s pass before the first line; `earlyprintk=serial,ttyS0` in front shows the kernel's own before that.
COMMAND_LINE = "console=ttyS0 quiet mitigations=off panic=-1"
MEMORY_MIB = 192


def make_initramfs(path: Path, root: Path = Path("/")) -> None:
    """Writes to `path` the initramfs of a guest that reports on its console, in lines that begin `guest: `, and ends.

    The busybox is that of `root`.
    """
    folders = tuple(cpio.folder(name) for name in ("bin", "dev", "proc", "sys"))
    programs = (cpio.program("bin/busybox", read_busybox(root)), cpio.program("init", INIT.read_bytes()))
    cpio.write(path, (*folders, *programs))


def boot_arguments(initramfs: Path, command_line: str = COMMAND_LINE, root: Path = Path("/")) -> list[str]:
    """QEMU's arguments for the guest, apart from the machine, the accelerator and the CPU; the kernel is `root`'s.

    The CPU needs `kvm=off`, else Linux takes KVM's own interface and leaves Hyper-V's alone; `q35`, `pc` and
    `microvm,pic=on,pit=on,rtc=on,isa-serial=on` all do, but without hv-time only the first two have a clock.
    """
    return [
        *("-m", str(MEMORY_MIB), "-kernel", str(find_kernel(root).image), "-initrd", str(initramfs)),
        *("-append", command_line, "-nodefaults", "-no-user-config", "-no-reboot"),
        *("-display", "none", "-serial", "stdio"),
    ]
