"""Which QEMU binaries there are: on PATH, and where distributions put them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

_NAMES = ("qemu-system-x86_64", "qemu-kvm")
# RHEL, CentOS and SUSE keep it off the PATH.
_PLACES = ("/usr/bin/qemu-system-x86_64", "/usr/libexec/qemu-kvm", "/usr/bin/qemu-kvm", "/usr/lib/qemu-kvm")
# Debian's and Ubuntu's is a script around qemu-system-x86_64 that adds -enable-kvm: only if there is nothing else.
_LAST = "/usr/bin/kvm"


def find_binaries() -> tuple[str, ...]:
    """The absolute paths of the QEMU binaries to be found, the one to be used first in front, each file once."""
    found = [path for path in (*map(shutil.which, _NAMES), *_PLACES) if path and os.access(path, os.X_OK)]
    return _once(found) or _once([_LAST] if os.access(_LAST, os.X_OK) else [])


def named_binaries(names: Sequence[str]) -> tuple[str, ...]:
    """Absolute paths for what a user named; a name without a slash is looked up on PATH."""
    return _once([(None if "/" in name else shutil.which(name)) or name for name in names])


def _once(paths: Sequence[str]) -> tuple[str, ...]:
    by_file = {os.path.realpath(path): os.path.abspath(path) for path in reversed(paths)}
    return tuple(reversed(by_file.values()))
