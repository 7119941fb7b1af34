"""L1: what it is made of on this machine, as files and QEMU's arguments."""

import functools
import json
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from tests.testbed import cpio
from tests.testbed.errors import Missing
from tests.testbed.kernel import Module, load_order, read_busybox
from tests.testbed.share import CONTROL, OUT, Share
from tests.testbed.world import CHECKOUT, INSIDE, PYTHON, World

HERE = Path(__file__).resolve().parent
QEMU = "qemu-system-x86_64"
MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay", "kvm_amd")
# What TCG emulates in QEMU 10.0 and not in 7.2, by query-cpu-model-expansion of `max`. Without it, and with 7.2's
# family, each QEMU emulates the processor that the hosts in tests/hosts were recorded on.
NEWER_FEATURES = (
    *("3dnowprefetch", "cmp-legacy", "cmpccxadd", "fsrc", "fsrm", "fsrs", "fzrm", "rdpid", "rdseed", "sha-ni"),
    *("wbnoinvd", "x2apic", "xsaveerptr"),
)
PARAMETERS = {"kvm_amd.ko": "nested=1"}
# The machine's own, and those that come of its TSC.
_CLOCK = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
_STEADY = ("tsc\n", "kvm-clock\n", "hyperv_clocksource_tsc_page\n")
HOME = "/tmp/home"
# What the worlds' Python takes from the virtual environment.
PURE_PYTHON = ("qemu", "qemu_qmp-*.dist-info", "qemu.qmp-*.dist-info", "hvctl-*.dist-info")
PATH = (str(CONTROL / "bin"), "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
ENTRY = f"""#!{PYTHON}
from runpy import run_module

run_module("hvctl", run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True, slots=True)
class Job:
    """One command for L1: `out` is the writable share, `env` comes on top of what every command gets."""

    command: tuple[str, ...]
    out: Path | None = None
    env: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of one run on this machine."""

    path: Path

    @property
    def console(self) -> Path:
        return self.path / "console"

    @property
    def complaints(self) -> Path:
        """What QEMU says on stderr."""
        return self.path / "complaints"

    @property
    def initramfs(self) -> Path:
        return self.path / "initramfs"

    @property
    def control(self) -> Path:
        return self.path / "control"


class Machine(NamedTuple):
    """L1 before it starts: the emulator's command, variables of its own, and what brings its files up to date."""

    command: list[str]
    env: Mapping[str, str] = MappingProxyType({})
    refresh: Callable[[], None] = lambda: None


def prepare(folder: Folder, world: World, job: Job) -> Machine:
    """Writes what L1 boots from into `folder`."""
    if not shutil.which(QEMU):
        raise Missing(QEMU, "qemu-system-x86")
    shares = _shares(folder, world, job)
    modules = load_order(world.kernel, MODULES)
    mounted = tuple(share for share in shares if share.tag != "root")
    cpio.write(folder.initramfs, initramfs(world, modules, PARAMETERS, "root share", mounted))
    fill_control(folder.control, world, job)
    return Machine(_arguments(folder, world, shares))


def _shares(folder: Folder, world: World, job: Job) -> tuple[Share, ...]:
    out = (Share("out", job.out.resolve(), OUT, writable=True),) if job.out else ()
    return (*world.shares(), Share("control", folder.control, CONTROL, writable=True), *out)


def initramfs(
    world: World, modules: tuple[Module, ...], parameters: Mapping[str, str], root: str, shares: tuple[Share, ...] = ()
) -> tuple[cpio.Entry, ...]:
    """What init.sh needs: the modules with their parameters, the root's tag and kind, and what is mounted on it."""
    order = "".join(f"{module.name} {parameters.get(module.name, '')}\n" for module in modules)
    return (
        *(cpio.folder(name) for name in ("bin", "dev", "proc", "sys", "modules")),
        cpio.program("bin/busybox", read_busybox(world.root)),
        cpio.program("init", (HERE / "init.sh").read_bytes()),
        *(cpio.Entry(f"modules/{module.name}", module.data) for module in modules),
        cpio.Entry("modules/order", order.encode()),
        cpio.Entry("base", f"{root}\n".encode()),
        cpio.Entry("shares", "".join(share.line() for share in shares).encode()),
        cpio.Entry("python", f"{PYTHON}\n".encode()),
    )


def fill_control(control: Path, world: World, job: Job, disk: str | None = None) -> None:
    """Writes the folder that carries the job in; `disk` is what its output is written to where that is no share."""
    control.mkdir()
    for name in ("stdout", "stderr"):
        (control / name).touch()
    shutil.copy(HERE / "inside.py", control)
    (control / "job.json").write_text(json.dumps(_job(world, job, disk)))
    (control / "bin").mkdir()
    (control / "bin/hvctl").write_text(ENTRY)
    (control / "bin/hvctl").chmod(0o755)
    (control / "python").mkdir()
    for pattern in PURE_PYTHON:
        for found in Path(sysconfig.get_path("purelib")).glob(pattern):
            (control / "python" / found.name).symlink_to(found)


def _job(world: World, job: Job, disk: str | None) -> dict[str, object]:
    return {
        "command": job.command,
        "cwd": str(CHECKOUT),
        "env": _environment(world, job),
        "folders": [HOME, str(OUT)],
        "out": str(OUT),
        "disk": disk,
    }


def _environment(world: World, job: Job) -> dict[str, str]:
    environment = {
        "HOME": HOME,
        INSIDE: world.name,
        "LANG": "C.UTF-8",
        "PATH": ":".join(PATH),
        "PYTHONPATH": f"{CHECKOUT}:{CONTROL / 'python'}",
        "TERM": "dumb",
    }
    if job.out:
        environment["HVCTL_TESTBED_OUT"] = str(OUT)
    return environment | dict(job.env)


@functools.cache
def emulated_cpu() -> str:
    """The value of -cpu; a QEMU refuses names of features that it does not know."""
    known = subprocess.run([QEMU, "-cpu", "help"], check=True, capture_output=True, text=True).stdout.split()
    off = [f"{name}=off" for name in NEWER_FEATURES if name in known]
    return ",".join(["max,+svm,family=15,model=107,stepping=1", *off])


def _arguments(folder: Folder, world: World, shares: tuple[Share, ...]) -> list[str]:
    console = str(folder.console).replace(",", ",,")
    return [
        QEMU,
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        # One processor: with two, newer kernels die of "Oops: int3" under the TCG of QEMU 7.2.
        *("-machine", "pc", "-accel", "tcg", "-cpu", emulated_cpu(), "-smp", "1", "-m", "3G"),
        *("-kernel", str(world.kernel.image), "-initrd", str(folder.initramfs)),
        *("-append", f"console=ttyS0 panic=-1 mitigations=off quiet {_clocks()}"),
        *("-chardev", f"file,id=console,path={console}", "-serial", "chardev:console"),
        *(argument for share in shares for argument in share.arguments()),
    ]


def _clocks() -> str:
    """Parameters by which a kernel takes its clocks on trust, as it does in KVM.

    Emulated timers are late on a busy machine. By them a kernel panics ("IO-APIC + timer doesn't work!"), takes a TSC
    of 2.6 GHz for one of 338 MHz, or for an unstable one, with which KVM has no TSC page. TCG's TSC is the machine's.
    """
    bogomips = re.search(r"^bogomips\s*:\s*([0-9]+)\.([0-9]{2})$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    # Linux counts delays by the TSC: bogomips are twice its MHz (lpj_fine in linux:arch/x86/kernel/tsc.c).
    if bogomips is None or _CLOCK.read_text() not in _STEADY:
        return "no_timer_check tsc=reliable"
    return f"no_timer_check tsc=reliable tsc_early_khz={int(''.join(bogomips.groups())) * 5}"
