"""What is measured: boots of the measuring guest, its report, and the state of this host that it depends on.

The guests with and without enlightenments are booted in turn, so that whatever changes meets both. What they print is
described in hvctl/probe_guest/PROTOCOL.md.
"""

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from hvctl.bench.file import Boot, HostState, Series, Took
from hvctl.errors import HostError, HvctlError, RefusedError
from hvctl.host.hostfs import clean, read_host_files
from hvctl.model.host import Host
from hvctl.probe_guest import BENCH, firmware, with_parameter
from hvctl.verify.probe_report import ReportError, read_lines
from hvctl.verify.probe_run import finished, start

VERSION = "hvctl-bench 1"
FIELDS = {"cpus": "ww", "took": "wwnnnnn", "missing": "w", "lost": "w"}
TIMEOUT = 120.0
_LOOKS, _BETWEEN = 10, 0.05
_STEAL = 7  # linux:Documentation/filesystems/proc.rst, "/proc/stat": user nice system idle iowait irq softirq steal


class Setup(NamedTuple):
    """A kind of guest: QEMU's path and arguments, the number of vCPUs that they say, and what it is to measure.

    `set` is the platform whose set it has, empty for the profile's plan and without enlightenments.
    """

    argv: tuple[str, ...]
    enlightened: bool
    vcpus: int
    mask: int
    set: str = ""


class Measured(NamedTuple):
    """What all boots together say; `missing` are things that no guest has, `refused` sets with which the
    guest does not start or run to its end, and why."""

    series: tuple[Series, ...]
    missing: tuple[int, ...]
    refused: dict[str, str]


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

    A platform's set with which the guest does not start or run to its end is left out, and the reason kept.

    Raises:
        RefusedError, HostError: as `boot`.
    """
    values: dict[tuple[str, int, bool, int], list[float]] = {}
    missing: set[int] = set()
    refused: dict[str, str] = {}
    for run in range(runs):
        for setup in setups if run % 2 == 0 else reversed(setups):
            try:
                found = boot(setup) if setup.set not in refused else None
            except (RefusedError, HostError) as error:
                if not setup.set:
                    raise
                refused[setup.set] = first_sentence(error, setup.argv[0])
                found = None
            for took in found.took if found else ():
                values.setdefault((setup.set, took.id, setup.enlightened, setup.vcpus), []).append(took.each)
            missing.update(found.missing if found else ())
            progress()
    series = tuple(
        Series(number, enlightened, vcpus, tuple(cycles), name)
        for (name, number, enlightened, vcpus), cycles in sorted(values.items())
        if name not in refused
    )
    return Measured(series, tuple(sorted(missing - {one.id for one in series})), refused)


def first_sentence(error: HvctlError, program: str) -> str:
    """The first sentence of an error, without the program's name where it is QEMU's."""
    return error.message.partition("\n")[0].removeprefix(f"{os.path.basename(program)}: ")


def read_boot(data: bytes) -> Boot:
    """What a guest measured; any bytes are harmless.

    Raises:
        ReportError: it is no whole and intact report of this version, or says that the guest could not go on.
    """
    found = {
        name: [tuple(field or 0 for field in row) for row in rows]
        for name, rows in read_lines(data, VERSION, FIELDS).items()
    }
    if len(found.get("cpus", ())) != 1 or len(found.get("lost", ())) > 1:
        raise ReportError("does not say once how many vCPUs it has")
    wanted, started = found["cpus"][0]
    took = tuple(Took(row[0], row[1], row[2:]) for row in found.get("took", ()))
    if len({one.id for one in took}) != len(took) or not all(one.operations and all(one.cycles) for one in took):
        raise ReportError("measured a thing twice, or in no time")
    missing = tuple(row[0] for row in found.get("missing", ()))
    return Boot(wanted, started, took, missing, found["lost"][0][0] if "lost" in found else 0)


class Ticks(NamedTuple):
    """Clock ticks of all CPUs since the host's start: stolen by its own host, and all."""

    stolen: int
    all: int


def cpus() -> int:
    """The CPUs that this process may run on."""
    return len(os.sched_getaffinity(0))


def ticks() -> Ticks | None:
    """The counters now; None where there are none."""
    words = _first_line("/proc/stat").split()[1:9]
    if len(words) <= _STEAL or not all(word.isdecimal() for word in words):
        return None
    numbers = [int(word) for word in words]
    return Ticks(numbers[_STEAL], sum(numbers))


def steal(begin: Ticks | None, end: Ticks | None) -> float | None:
    """The percentage that was stolen in between."""
    if begin is None or end is None or end.all <= begin.all:
        return None
    return 100 * (end.stolen - begin.stolen) / (end.all - begin.all)


def load() -> float | None:
    """How many tasks beside this one run or wait for a CPU, on average of some looks; None where that is not known.

    The average that the kernel keeps of the last minute has what this program did in it, a measurement before this
    one too. What is running now has not: a task that sleeps is not counted (linux:kernel/sched/loadavg.c and
    fs/proc/stat.c).
    """
    found = []
    for _ in range(_LOOKS):
        time.sleep(_BETWEEN)
        with contextlib.suppress(OSError, ValueError), open("/proc/stat", encoding="ascii") as stream:
            found += [int(line.split()[1]) - 1 for line in stream if line.startswith("procs_running ")]
    return max(0.0, sum(found) / len(found)) if found else None


def state(host: Host) -> HostState:
    """This host as it is before a measurement."""
    governor = clean(_first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"))
    return HostState(
        cpus=cpus(),
        processor=host.hardware.model_name,
        kernel=host.kvm.release,
        qemu=host.qemu[0].version if host.qemu else None,
        clocksource=host.hardware.clocksource,
        governor=governor or None,
        load=load(),
        virtual=read_host_files("/").virtual,
    )


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as stream:
            return stream.readline(4096)
    except OSError:
        return ""
