"""What is said of an end, and with which code hvctl leaves."""

from __future__ import annotations

import signal

import pytest

from hvctl.run.crash import Crash
from hvctl.run.ending import Ending, verdict


@pytest.mark.parametrize(
    ("ending", "code", "said"),
    [
        (Ending(0, True), 0, ()),
        (Ending(0, True, (Crash(None),)), 1, ()),
        (Ending(33, True), 1, ("QEMU ended with exit status 33",)),
        (Ending(1, False), 1, ("QEMU refused to start (exit status 1)",)),
        (Ending(-signal.SIGSEGV, True), 1, ("QEMU was killed by SIGSEGV: a fault of its own",)),
        (Ending(-signal.SIGKILL, True), 1, ("QEMU was killed by SIGKILL: a signal from outside",)),
        (Ending(-signal.SIGKILL, True, killed=True), 1, ("QEMU was killed by SIGKILL: hvctl, since it did not quit",)),
        (Ending(-99, True), 1, ("QEMU was killed by signal 99: a signal from outside",)),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_verdict(ending: Ending, code: int, said: tuple[str, ...]) -> None:
    assert (ending.exit_code, verdict(ending)) == (code, said)


def test_a_refusal_is_explained() -> None:
    line = "qemu-system-x86_64: kernel doesn't allow setting HyperV VP_INDEX"
    assert len(verdict(Ending(1, False, stderr=(line,)))) > 1
    assert len(verdict(Ending(1, True, stderr=(line,)))) == 1
