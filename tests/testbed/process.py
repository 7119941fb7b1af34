"""Processes that end with us: the kernel ends them when the thread that started them is gone, even by kill -9."""

import shutil

from tests.testbed.errors import Missing


def bound_to_us(command: list[str], signal: str = "TERM") -> list[str]:
    """`command` run by setpriv, which sets PR_SET_PDEATHSIG and becomes the command: the process id stays."""
    if not shutil.which("setpriv"):
        raise Missing("setpriv", "util-linux")
    return ["setpriv", "--pdeathsig", signal, "--", *command]
