"""The state of this host that measurements depend on, from /proc and /sys."""

from __future__ import annotations

import os
from typing import NamedTuple

from hvctl.host.hostfs import clean, read_host_files
from hvctl.model.bench import HostState
from hvctl.model.host import Host

_STEAL = 7  # linux:Documentation/filesystems/proc.rst, "/proc/stat": user nice system idle iowait irq softirq steal


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


def state(host: Host) -> HostState:
    """This host as it is before a measurement."""
    load = _first_line("/proc/loadavg").partition(" ")[0]
    governor = clean(_first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"))
    return HostState(
        cpus=cpus(),
        processor=host.hardware.model_name,
        kernel=host.kvm.release,
        qemu=host.qemu[0].version if host.qemu else None,
        clocksource=host.hardware.clocksource,
        governor=governor or None,
        load=float(load) if load.replace(".", "", 1).isdecimal() else None,
        virtual=read_host_files("/").virtual,
    )


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as stream:
            return stream.readline(4096)
    except OSError:
        return ""
