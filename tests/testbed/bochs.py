"""Bochs, which emulates Intel's VMX as no other emulator does: built once from Debian's source, corrected.

Debian's own binary is a debugger's, three times as slow, and has the faults below.
"""

import os
import re
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.apt import fetch_source, run
from tests.testbed.cache import built, named
from tests.testbed.errors import BuildFailed, Missing

SUITE = "trixie"
BIOS = Path("/usr/share/bochs/BIOS-bochs-latest")
VGA_BIOS = Path("/usr/share/vgabios/vgabios.bin")
# One processor, and none of what slows it down: no debugger, no instrumentation, no window.
OPTIONS = (
    *("--enable-cpu-level=6", "--enable-x86-64", "--enable-vmx=2", "--enable-avx", "--enable-evex", "--enable-amx"),
    *("--enable-cet", "--enable-protection-keys", "--enable-pci", "--enable-long-phy-address", "--disable-a20-pin"),
    *("--enable-all-optimizations", "--enable-repeat-speedups", "--enable-fast-function-calls"),
    *("--enable-handlers-chaining", "--enable-trace-linking", "--disable-large-ramfile"),
    *("--with-nogui", "--without-x11", "--disable-plugins", "--disable-docbook"),
)
FLAGS = "-O3"
PROGRAMS = {"g++": "g++", "make": "make", "apt-get": "apt", "tar": "tar"}


@dataclass(frozen=True, slots=True)
class Correction:
    """What is wrong in a file of the source, the expression that finds it, once, and what takes its place."""

    fault: str
    path: str
    found: str
    instead: str


CORRECTIONS = (
    Correction(
        "A posted-interrupt descriptor is aligned to 64 bytes (SDM 3C, 26.2.1.1), not to a page: KVM's first entry with"
        " APICv failed with hardware error 0x7.",
        "cpu/vmx.cc",
        r"! IsValidPageAlignedPhyAddr\(vm->pid_addr\)",
        "(vm->pid_addr & 63) != 0 || ! IsValidPhyAddr(vm->pid_addr)",
    ),
    Correction(
        "An exit while a virtual interrupt is delivered names that interrupt (SDM 3C, 27.2.4): without it the second"
        " vCPU died under APICv.",
        "cpu/vapic.cc",
        r"(?<=\n)(?=    BX_INSTR_HWINTERRUPT\(BX_CPU_ID, vector,)",
        "    vm->idt_vector_info = vector | (BX_EXTERNAL_INTERRUPT << 8);\n    vm->idt_vector_error_code = 0;\n",
    ),
    Correction(
        "A virtual interrupt that is masked waits.",
        "cpu/event.cc",
        r"is_pending(?=\(BX_EVENT_PENDING_VMX_VIRTUAL_INTR\))",
        "is_unmasked_event_pending",
    ),
    Correction(
        "External-interrupt exiting does not depend on the guest's IF (SDM 3C, 26.2): a guest that was entered with IF"
        " clear was never interrupted. KVM's selftest hyperv_clock found it.",
        "cpu/vmx.cc",
        r"(?<=BX_CPU_THIS_PTR in_vmx_guest = true;\n)",
        "  handleInterruptMaskChange();\n",
    ),
    Correction(
        "A halted processor, if it is the only one, has nothing to do before the next timer.",
        "cpu/event.cc",
        r"(?<=BX_TICKN\()10(?=\);)",
        "bx_pc_system.getNumCpuTicksLeftNextEvent()",
    ),
    Correction(
        "A file that is larger than a block of memory is read block by block.",
        "memory/misc_mem.cc",
        r"(?<=BX_MEM_THIS get_vector\(offset\), )size(?=\);)",
        "BX_MEM_THIS block_size - offset % BX_MEM_THIS block_size < size"
        " ? BX_MEM_THIS block_size - offset % BX_MEM_THIS block_size : size",
    ),
)


def place() -> Path:
    """Where the program is: the name holds what it is made of, but for the source, which a release does not change."""
    return named("bochs", SUITE, FLAGS, *OPTIONS, *(f"{one.path} {one.found} {one.instead}" for one in CORRECTIONS))


def ready_bochs(say: Callable[[str], None], stop: threading.Event) -> Path:
    """The program, built unless it is there."""
    for needed, package in ((BIOS, "bochsbios"), (VGA_BIOS, "vgabios")):
        if not needed.exists():
            raise Missing(str(needed), package)

    def build(part: Path) -> Path:
        say("bochs: building the emulator of an Intel processor, some minutes, once")
        return _build(part, stop)

    return built(place(), build)


def _build(part: Path, stop: threading.Event) -> Path:
    for program, package in PROGRAMS.items():
        if not shutil.which(program):
            raise Missing(program, package)
    packed = fetch_source("bochs", SUITE, part, stop)
    source = part / "source"
    source.mkdir()
    run(["tar", "-xf", str(packed), "-C", str(source), "--strip-components=1"], part, stop)
    correct(source)
    run(["./configure", *OPTIONS, f"CXXFLAGS={FLAGS}", f"CFLAGS={FLAGS}"], part, stop, source)
    run(["make", f"--jobs={len(os.sched_getaffinity(0))}"], part, stop, source)
    return source / "bochs"


def correct(source: Path) -> None:
    """Apply the corrections; raises BuildFailed where the source is not what they were written for."""
    for one in CORRECTIONS:
        path = source / one.path
        text = path.read_text("latin-1")
        places = list(re.finditer(one.found, text))
        if len(places) != 1:
            raise BuildFailed(f"{one.path} of Bochs has {len(places)} places for a correction, not 1: {one.fault}")
        path.write_text(text[: places[0].start()] + one.instead + text[places[0].end() :], "latin-1")
