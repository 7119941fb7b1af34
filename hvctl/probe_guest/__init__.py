"""The probe guest and the one that measures: sources, and the images built from them. PROTOCOL.md: what they print."""

import os

IMAGE, BENCH = "probe.bin", "bench.bin"
# QEMU takes firmware in multiples of 64 KiB, which it maps so that it ends at 4 GiB (qemu:hw/i386/x86.c,
# x86_bios_rom_init): the image is its end.
FIRMWARE_SIZE = 1 << 16
# Where a guest looks for what it is to do: the 4 bytes before the reset vector (layout.h, PARAMETER).
_PARAMETER = slice(-20, -16)
MAY_CRASH = 1  # of the probe guest: it reports a crash at its end (small.c)


def firmware(name: str = IMAGE) -> bytes:
    """An image as QEMU's -bios wants it."""
    with open(os.path.join(os.path.dirname(__file__), name), "rb") as stream:
        return stream.read().rjust(FIRMWARE_SIZE, b"\0")


def with_parameter(image: bytes, parameter: int) -> bytes:
    """An image with its 32-bit parameter."""
    changed = bytearray(image)
    changed[_PARAMETER] = parameter.to_bytes(4, "little")
    return bytes(changed)
