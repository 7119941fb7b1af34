"""Boots of the measuring guest: with and without enlightenments in turn, so that whatever changes meets both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from hvctl.bench.boot_report import read_boot
from hvctl.errors import HostError
from hvctl.model.bench import Boot, Series
from hvctl.probe_guest import BENCH, firmware, with_parameter
from hvctl.verify.outcome import finished
from hvctl.verify.probe_run import start

TIMEOUT = 120.0


class Setup(NamedTuple):
    """A kind of guest: QEMU's path and arguments, the number of vCPUs that they say, and what it is to measure."""

    argv: tuple[str, ...]
    enlightened: bool
    vcpus: int
    mask: int


class Measured(NamedTuple):
    """What all boots together say; `missing` are things that no guest has."""

    series: tuple[Series, ...]
    missing: tuple[int, ...]


def boot(setup: Setup) -> Boot:
    """One boot.

    Raises:
        RefusedError: QEMU refuses the configuration.
        HostError: QEMU died, the guest hung or printed something else than a report, or a vCPU did not answer.
    """
    with start(setup.argv, with_parameter(firmware(BENCH), setup.mask)) as guest:
        ran = guest.finish(TIMEOUT)
    found = finished(ran, TIMEOUT, read_boot)
    if found.vcpus < setup.vcpus or found.lost:
        raise HostError(
            f"of {setup.vcpus} vCPUs {found.vcpus} started, and {found.lost} answers did not come in time",
            "this host is too busy for so many vCPUs: use fewer, or measure when it has less to do",
        )
    return found


def measure(setups: Sequence[Setup], runs: int, progress: Callable[[], None]) -> Measured:
    """Boot every kind of guest once in each run; every other run goes the other way round.

    Raises:
        RefusedError, HostError: as `boot`.
    """
    values: dict[tuple[int, bool, int], list[float]] = {}
    missing: set[int] = set()
    for run in range(runs):
        for setup in setups if run % 2 == 0 else reversed(setups):
            found = boot(setup)
            missing.update(found.missing)
            for took in found.took:
                values.setdefault((took.id, setup.enlightened, setup.vcpus), []).append(took.each)
            progress()
    series = tuple(Series(*key, tuple(cycles)) for key, cycles in sorted(values.items()))
    return Measured(series, tuple(sorted(missing - {one.id for one in series})))
