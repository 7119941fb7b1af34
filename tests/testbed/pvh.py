"""A Linux kernel as an emulator without a boot loader starts it: unpacked in memory, entered by an option ROM.

The way in is Xen's boot protocol for PVH (xen:docs/misc/pvh.pandoc, xen:xen/include/public/arch-x86/hvm/start_info.h):
no decompression is emulated, which would take three quarters of a boot.
"""

import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.errors import BuildFailed, Missing, TestbedError

ROM = 0xD0000
INFO = 0x800000  # below where kernels are loaded
_PAGE = 0x1000
_MAGIC = 0x336EC578
_RAM, _RESERVED, _ACPI = 1, 2, 3
# What Bochs' BIOS keeps for its ACPI tables, at the end of memory.
_TABLES = 0x10000
_LOAD, _NOTE = 1, 4
_XEN_PHYS32_ENTRY = 18


@dataclass(frozen=True, slots=True)
class Image:
    """A kernel in memory: its bytes, the address of the first, and that of the PVH entry."""

    data: bytes
    address: int
    entry: int


def image(vmlinuz: bytes) -> Image:
    """The kernel in a bzImage whose payload is packed with zstd, as Debian's are."""
    # linux:Documentation/arch/x86/boot.rst, setup_sects, payload_offset and payload_length
    offset, length = struct.unpack_from("<II", vmlinuz, 0x248)
    begin = (vmlinuz[0x1F1] + 1) * 512 + offset
    if not shutil.which("zstd"):
        raise Missing("zstd", "zstd")
    # The last four bytes are the size of what is packed (linux:scripts/Makefile.lib, size_append).
    packed = vmlinuz[begin : begin + length - 4]
    done = subprocess.run(["zstd", "-dcq"], input=packed, capture_output=True, check=False)
    if done.returncode:
        raise TestbedError(f"the kernel cannot be unpacked: {done.stderr.decode(errors='replace').strip()}")
    return _loaded(done.stdout)


def _loaded(elf: bytes) -> Image:
    (table,) = struct.unpack_from("<Q", elf, 32)
    (count,) = struct.unpack_from("<H", elf, 56)
    headers = [struct.unpack_from("<IIQQQQQQ", elf, table + 56 * number) for number in range(count)]
    parts = [(physical, offset, size, room) for kind, _, offset, _, physical, size, room, _ in headers if kind == _LOAD]
    notes = [_entry(elf, offset, size) for kind, _, offset, _, _, size, _, _ in headers if kind == _NOTE]
    entry = next(filter(None, notes), None)
    if entry is None:
        raise TestbedError("the kernel has no PVH entry")
    base = min(physical for physical, *_ in parts)
    data = bytearray(max(physical + room for physical, _, _, room in parts) - base)
    for physical, offset, size, _ in parts:
        data[physical - base : physical - base + size] = elf[offset : offset + size]
    return Image(bytes(data), base, entry)


def _entry(elf: bytes, offset: int, size: int) -> int | None:
    """The address in the note XEN_ELFNOTE_PHYS32_ENTRY."""
    end = offset + size
    while offset < end:
        named, described, kind = struct.unpack_from("<III", elf, offset)
        name, at = elf[offset + 12 : offset + 12 + named], offset + 12 + _aligned(named, 4)
        if name == b"Xen\0" and kind == _XEN_PHYS32_ENTRY:
            return int(struct.unpack_from("<I", elf, at)[0])
        offset = at + _aligned(described, 4)
    return None


def start_info(memory: int, command_line: str, initramfs: int, size: int) -> bytes:
    """struct hvm_start_info and what it points at; the addresses are physical, `memory` and `size` in bytes."""
    modules, memory_map, words = INFO + 0x100, INFO + 0x200, INFO + 0x400
    tables = memory - _TABLES
    entries = (
        (0, 0x9FC00, _RAM),
        (0x9FC00, 0x400, _RESERVED),
        (0xE8000, 0x18000, _RESERVED),
        (0x100000, tables - 0x100000, _RAM),
        (tables, _TABLES, _ACPI),
        (0xFFFC0000, 0x40000, _RESERVED),
    )
    data = bytearray(_PAGE)
    struct.pack_into("<IIIIQQQQII", data, 0, _MAGIC, 1, 0, 1, modules, words, 0, memory_map, len(entries), 0)
    struct.pack_into("<QQQQ", data, modules - INFO, initramfs, size, 0, 0)
    for number, (address, length, kind) in enumerate(entries):
        struct.pack_into("<QQII", data, memory_map - INFO + 24 * number, address, length, kind, 0)
    text = command_line.encode() + b"\0"
    data[words - INFO : words - INFO + len(text)] = text
    if len(data) > _PAGE:
        raise TestbedError("the kernel's command line is too long")
    return bytes(data)


def boot_rom(entry: int, folder: Path) -> bytes:
    """The option ROM, assembled in `folder`."""
    source = Path(__file__).with_name("boot_rom.S")
    known = [f"--defsym={name}={value}" for name, value in (("ROM", ROM), ("INFO", INFO), ("ENTRY", entry))]
    done, linked = folder / "rom.o", folder / "rom.linked"
    for command in (
        ["as", "--32", *known, "-o", str(done), str(source)],
        ["ld", "-m", "elf_i386", "-Ttext", "0", "--oformat", "binary", "-o", str(linked), str(done)],
    ):
        ended = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
        if ended.returncode:
            raise BuildFailed(f"{command[0]} failed: {ended.stderr}")
    code = linked.read_bytes()[:511].ljust(511, b"\0")
    return code + bytes([-sum(code) & 255])


def _aligned(size: int, unit: int) -> int:
    return -(-size // unit) * unit
