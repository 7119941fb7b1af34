"""A few bytes of firmware that print CPUID leaves through the debug console, and leave by isa-debug-exit.

The image is 64 KiB: it is mapped at the top of 4 GiB, where the processor starts, and below 1 MiB, where it goes on.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

from hvctl.model.host import CpuidLeaf

LEAVES = (*range(0x40000000, 0x4000000B), 0x40000080, 0x40000081, 0x40000082, 0x40000100)
DEBUG_PORT = 0x402
EXIT_STATUS = 33  # isa-debug-exit: (0x10 << 1) | 1

_CPUID = b"\x66\x31\xc9\x0f\xa2"  # xor ecx,ecx; cpuid
_SAVE = b"\x66\x89\xcf\x66\x89\xd5"  # mov edi,ecx; mov ebp,edx: DX is needed for the port
_TO_EAX = {"ebx": b"\x66\x89\xd8", "edi": b"\x66\x89\xf8", "ebp": b"\x66\x89\xe8"}
_PRINT_BYTE = b"\xee\x66\xc1\xe8\x08"  # out dx,al; shr eax,8
_PORT = b"\xba" + struct.pack("<H", DEBUG_PORT)  # mov dx,imm16
_EXIT = b"\xb0\x10\xe6\xf4\xf4"  # mov al,0x10; out 0xf4,al; hlt


def image() -> bytes:
    """The firmware: for each of LEAVES it prints EAX, EBX, ECX and EDX, little-endian."""
    code = b"\xfa"  # cli
    for leaf in LEAVES:
        code += b"\x66\xb8" + struct.pack("<I", leaf) + _CPUID + _SAVE + _PORT  # mov eax,imm32
        code += _PRINT_BYTE * 4 + b"".join(move + _PRINT_BYTE * 4 for move in _TO_EAX.values())
    code += _EXIT
    jump = b"\xea\x00\x00\x00\xf0"  # jmp f000:0000
    return code.ljust(0xFFF0, b"\xf4") + jump.ljust(16, b"\xf4")


def seen_leaves(qemu: str, arguments: Sequence[str], folder: Path) -> dict[int, CpuidLeaf]:
    """Run the firmware with these QEMU arguments (machine, accelerator, CPU) and return what CPUID answered."""
    firmware, output = folder / "cpuid.bin", folder / "cpuid.out"
    firmware.write_bytes(image())
    words = [qemu, *arguments, "-bios", str(firmware), "-nodefaults", "-display", "none", "-no-reboot"]
    words += [
        "-chardev",
        f"file,id=leaves,path={output}",
        "-device",
        f"isa-debugcon,iobase={DEBUG_PORT},chardev=leaves",
    ]
    words += ["-device", "isa-debug-exit,iobase=0xf4,iosize=1"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == EXIT_STATUS, done.stderr
    numbers = struct.unpack(f"<{4 * len(LEAVES)}I", output.read_bytes())
    rows = zip(LEAVES, zip(*[iter(numbers)] * 4, strict=True), strict=True)
    return {leaf: CpuidLeaf(leaf, *registers) for leaf, registers in rows}
