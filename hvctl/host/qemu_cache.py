"""What a QEMU binary said, remembered until the binary, the kernel or KVM's answers change.

Asking QEMU costs two starts of it; gen and launch need the answer every time. check-host always asks anew. The answer
is kept as a host file under XDG_CACHE_HOME, behind a line that names all it depends on; whatever is odd about that file
makes it worthless and no error.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from hvctl import __version__
from hvctl.errors import HvctlError
from hvctl.host.host_file import dump_host, load_host
from hvctl.model.host import Host, Qemu

LARGEST = 1 << 20


def ask_first(paths: Sequence[str], host: Host) -> tuple[Qemu | None, tuple[str, ...]]:
    """The first of these binaries that is a QEMU, and notes on those before it.

    Args:
        paths: absolute paths, the preferred one first.
        host: this machine, without QEMU: what the answer with KVM depends on.
    """
    notes: list[str] = []
    for path in paths:
        key = _key(path, host)
        qemu = _read(path, key)
        if qemu is None:
            from hvctl.host.qemu import probe_qemus

            answers = probe_qemus([path])
            notes += answers.notes
            qemu = answers.qemu[0] if answers.qemu else None
            # An answer that lacks what KVM should have told may be better next time.
            if qemu and qemu.expansion is not None:
                _write(path, key, host._replace(qemu=(qemu,)))
        if qemu:
            return qemu, tuple(notes)
    return None, tuple(notes)


def _key(path: str, host: Host) -> str:
    """One line with all that decides the answer: hvctl, the file, the kernel, KVM and the processor."""
    try:
        real = os.path.realpath(path)
        status = os.stat(real)
    except OSError:
        return ""
    file = (real, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return repr((__version__, file, host.kvm, host.hardware._replace(tsc_hz=None))).replace("\n", " ")


def _place(path: str) -> str | None:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    if not os.path.isabs(base):
        return None
    return os.path.join(base, "hvctl", "qemu" + path.replace("%", "%25").replace("/", "%"))


def _read(path: str, key: str) -> Qemu | None:
    place = _place(path)
    if not place or not key:
        return None
    try:
        with open(place, "rb") as stream:
            if os.fstat(stream.fileno()).st_uid != os.geteuid():
                return None
            text = stream.read(LARGEST + 1).decode()
        first, _, rest = text.partition("\n")
        return load_host(rest, place).qemu[0] if first == key and len(text) <= LARGEST else None
    except (OSError, ValueError, HvctlError, IndexError):
        return None


def _write(path: str, key: str, host: Host) -> None:

    from hvctl.text.files import replace

    place = _place(path)
    if not place or not key:
        return
    try:
        os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
        replace(place, f"{key}\n{dump_host(host)}".encode())
    except OSError:
        return  # a cache that cannot be written is only slow
