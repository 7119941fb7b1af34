"""What a run of the probe guest comes to: an observation, or an error that says why there is none."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from hvctl.errors import HostError, RefusedError
from hvctl.model.observation import LARGEST, Observation
from hvctl.run.relay import harmless
from hvctl.verify.probe_report import ReportError, is_complete, read_report
from hvctl.verify.probe_run import FINISHED, Ran

T = TypeVar("T")

SHOWN_LINES = 6
SHOWN_COLUMNS = 70
# As qemu_system_guest_panicked words it (qemu:softmmu/runstate.c).
_CRASH = re.compile(rb"HV crash parameters: \(((?:(?:0x)?[0-9a-f]{1,16} ?){5})\)")
_UNPROVED = "so nothing can be said of what this guest would see"


def refused(ran: Ran) -> bool:
    """Whether QEMU ended by itself before the guest printed anything: it says why on stderr."""
    return ran.status == 1 and not ran.output


def observe(ran: Ran, timeout: float) -> Observation:
    """The observation of a run of the probe guest that was given `timeout` seconds; raises as `finished`."""
    found = finished(ran, timeout, read_report)
    return found._replace(reset=ran.status == 0, crash=None if ran.log is None else _crash(ran.log))


def _crash(log: bytes) -> tuple[int, ...]:
    """The parameters of the crash that QEMU noted; empty where it did not."""
    match = _CRASH.search(log)
    return tuple(int(word, 16) for word in match[1].split()) if match else ()


def finished(ran: Ran, timeout: float, read: Callable[[bytes], T]) -> T:
    """What a guest reported in a run that was given `timeout` seconds; `read` makes it of what was printed.

    Raises:
        RefusedError: QEMU refuses the configuration.
        HostError: QEMU died, or the guest hung or printed something else than a report.
    """
    if ran.status is None:
        raise _unfinished(ran, timeout)
    if refused(ran):
        raise RefusedError("\n".join([*_said(ran), *_ending(ran)]))
    if ran.status < 0:
        raise HostError("\n".join([*_said(ran), *_ending(ran), _UNPROVED]))
    try:
        found = read(ran.output)
    except ReportError as error:
        told = f"the probe guest {error} (QEMU's exit status was {ran.status}), {_UNPROVED}"
        raise HostError("\n".join([*_said(ran), told])) from error
    if ran.status not in (0, FINISHED):
        raise HostError("\n".join([*_said(ran), *_ending(ran), _UNPROVED]))
    return found


def _unfinished(ran: Ran, timeout: float) -> HostError:
    if len(ran.output) > LARGEST:
        return HostError(f"the probe guest printed more than {LARGEST} bytes and was ended, {_UNPROVED}")
    if is_complete(ran.output):
        told = f"QEMU did not end within {timeout:g} s, though the probe guest has finished"
    else:
        told = f"the probe guest did not finish within {timeout:g} s, {_UNPROVED}"
    return HostError("\n".join([*_said(ran), told, *_last_words(ran)]), "--timeout gives it more time")


def _last_words(ran: Ran) -> list[str]:
    if not ran.output:
        return ["it has printed nothing"]
    lines = ran.output.rstrip(b"\n").rpartition(b"\n")[2]
    return [f"the last that it printed was: {harmless(lines.decode('ascii', 'replace'), SHOWN_COLUMNS)}"]


def _said(ran: Ran) -> list[str]:
    """What QEMU wrote, each line once: its errors, or its warnings where it has no other words."""
    unique = list(dict.fromkeys(ran.stderr))
    lines = [line for line in unique if "warning:" not in line] or unique
    half = SHOWN_LINES // 2
    return [*lines[:half], "(and more)", *lines[-half:]] if len(lines) > SHOWN_LINES else lines


def _ending(ran: Ran) -> tuple[str, ...]:
    from hvctl.run.ending import Ending, verdict

    assert ran.status is not None
    return verdict(Ending(ran.status, bool(ran.output), stderr=ran.stderr))
