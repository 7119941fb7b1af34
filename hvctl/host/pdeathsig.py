"""A child that cannot outlive hvctl."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable

PR_SET_PDEATHSIG = 1  # linux:include/uapi/linux/prctl.h


def die_with_parent() -> Callable[[], None]:
    """What a child calls between fork and exec, to be killed when the thread that started it ends.

    The signal outlives exec (prctl(2)), but a parent that died before is not told of: then the child has another parent
    already. Nothing is imported and no lock taken after the fork.
    """
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def setup() -> None:
        prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return setup
