"""`make demo`: hvctl on a real KVM with Hyper-V, this machine's own or an emulated one's, and a guest that uses it."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from tests.testbed.boot import Watch, boot
from tests.testbed.errors import TestbedError
from tests.testbed.linuxguest import boot_arguments, make_initramfs
from tests.testbed.machine import Job
from tests.testbed.process import bound_to_us, end, interrupt_on_terminate
from tests.testbed.progress import Progress, copier
from tests.testbed.tree import DEMO, ready_tree
from tests.testbed.world import PYTHON, find_world, inside

PROFILE = Path(__file__).with_name("demo-profile.yaml")
LIMIT_SECONDS = 300
COMMAND_SECONDS = 150
# What the guest has to say for the demo to have shown anything.
PROOF = ("Hyper-V: privilege flags", "clock source hyperv_clocksource_tsc_page")

# linux/kvm.h
KVM_CHECK_EXTENSION = 0xAE03
KVM_CAP_HYPERV = 44


def main() -> int:
    interrupt_on_terminate()
    lack = why_not_here()
    try:
        return elsewhere(lack) if lack and not inside() else show()
    except TestbedError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 130


def why_not_here() -> str:
    """Why this machine's KVM does not do; empty if it emulates Hyper-V."""
    try:
        device = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        return f"/dev/kvm: {error.strerror}"
    try:
        emulated = fcntl.ioctl(device, KVM_CHECK_EXTENSION, KVM_CAP_HYPERV) > 0
    finally:
        os.close(device)
    return "" if emulated else "the KVM of its kernel does not emulate Hyper-V"


def elsewhere(lack: str) -> int:
    """Runs the same script in a machine that QEMU emulates."""
    print(f"On this machine hvctl's guests cannot run: {lack}.")
    print("So QEMU's TCG emulates one here that has such a KVM. Everything is slow there: about a minute.", flush=True)
    progress = Progress("demo", sys.stderr.isatty())
    world = find_world(DEMO.name, progress.say)
    job = Job((PYTHON, "-m", "tests.testbed.demo"), env=appearance())
    watch = Watch(progress.started, copier(sys.stdout.buffer), copier(sys.stderr.buffer), progress.tick)
    return boot(world, job, timeout=LIMIT_SECONDS, watch=watch).exit_code


def appearance() -> tuple[tuple[str, str], ...]:
    """What L1, which has no terminal, has to know of this one."""
    if not sys.stdout.isatty():
        return ()
    colour = () if "NO_COLOR" in os.environ else (("FORCE_COLOR", "1"),)
    return (("COLUMNS", str(shutil.get_terminal_size().columns)), *colour)


def show() -> int:
    """The commands of the demo, each printed before it runs; the first that fails ends it."""
    said = ""
    root = Path("/") if inside() else ready_tree(DEMO, print, threading.Event())
    with tempfile.TemporaryDirectory(prefix="hvctl-demo-") as folder:
        initramfs = Path(folder) / "initramfs"
        make_initramfs(initramfs, root)
        for title, command, shown in commands(initramfs, root):
            print(f"\n# {title}\n$ hvctl {' '.join(shown)}", flush=True)
            code, said = run(command)
            if code:
                print(f"demo: hvctl ended with {code}", file=sys.stderr)
                return code
    if missing := [words for words in PROOF if words not in said]:
        print(f"demo: the guest did not say: {'; '.join(missing)}", file=sys.stderr)
        return 1
    print("\nThe guest's own words: it runs on Hyper-V, and its clock is the reference TSC page.")
    return 0


def commands(initramfs: Path, root: Path) -> tuple[tuple[str, list[str], list[str]], ...]:
    """Title, arguments, and the arguments as shown: those of the guest's kernel would hide the rest."""
    launch = ["launch", str(PROFILE), "--", *boot_arguments(initramfs, root=root)]
    brief = ["launch", PROFILE.name, "--", "-kernel", "vmlinuz", "-initrd", "initramfs", "..."]
    plain = (
        ("What this host's kernel, QEMU and libvirt give", ["check-host"]),
        ("The QEMU arguments for Windows 11, checked against this host", ["gen", "windows-11", "--qemu"]),
        ("The same for libvirt", ["gen", "windows-11", "--libvirt"]),
    )
    return (
        *((title, words, words) for title, words in plain),
        ("A Linux guest, which says what it found (15 s)", launch, brief),
    )


def run(arguments: list[str]) -> tuple[int, str]:
    """The exit code and what was said, which is printed as it comes."""
    # The environment's own hvctl, whatever PATH says.
    command = [sys.executable, "-m", "hvctl", *arguments]
    said = []
    with subprocess.Popen(
        bound_to_us(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        watchdog = threading.Timer(COMMAND_SECONDS, process.terminate)
        watchdog.start()
        try:
            for line in process.stdout or ():
                print(line, end="", flush=True)
                said.append(line)
        finally:
            watchdog.cancel()
            end(process)
    return process.returncode, "".join(said)


if __name__ == "__main__":
    sys.exit(main())
