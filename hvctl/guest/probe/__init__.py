"""The probe guest and the one that measures: sources, and the images built from them. PROTOCOL.md: what they print."""

from __future__ import annotations

import os

IMAGE, BENCH = "probe.bin", "bench.bin"
# QEMU takes firmware in multiples of 64 KiB, which it maps so that it ends at 4 GiB (qemu:hw/i386/x86.c,
# x86_bios_rom_init): the image is its end.
FIRMWARE_SIZE = 1 << 16


def firmware(name: str = IMAGE) -> bytes:
    """An image as QEMU's -bios wants it."""
    with open(os.path.join(os.path.dirname(__file__), name), "rb") as stream:
        return stream.read().rjust(FIRMWARE_SIZE, b"\0")
