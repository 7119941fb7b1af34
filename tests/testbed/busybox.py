"""Debian's static busybox, the only program of the initramfs of L1 and of the Linux guest."""

from pathlib import Path

from tests.testbed.errors import Missing

PLACES = ("usr/bin/busybox", "bin/busybox")


def read_busybox(root: Path = Path("/")) -> bytes:
    for place in PLACES:
        if (root / place).is_file():
            data = (root / place).read_bytes()
            # The package "busybox" has the same file linked to libc, which an initramfs lacks.
            if b"/ld-linux-x86-64.so.2\0" not in data:
                return data
    raise Missing("a static busybox", "busybox-static")
