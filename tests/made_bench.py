"""Measurements that nobody made: figures as of a host of today, in as many runs as a test wants."""

from __future__ import annotations

from hvctl.bench.compare import GROUPS, TABLES
from hvctl.bench.file import PLAN, Bench, HostState, Series, SetGuest
from hvctl.bench.sets import COMPARED

HOST = HostState(8, "Made EPYC", "6.12.0", "10.0.13", "tsc", "performance", 0.1, 0.0, False)
PLAN_ROWS = (
    "relaxed",
    "vapic",
    "spinlocks",
    "vpindex",
    "time",
    "synic",
    "stimer",
    "stimer-direct",
    "tlbflush",
    "ipi",
    "emsr-bitmap",
)
# TSC cycles at 2.5 GHz.
CYCLES = {
    0x10: 25.0,
    0x11: 60.0,
    0x12: 2500.0,
    0x13: 5200.0,
    0x14: 6100.0,
    0x20: 4000.0,
    0x21: 2600.0,
    0x22: 1900.0,
    0x23: 1500.0,
    0x24: 1400.0,
    0x25: 30.0,
    0x30: 1250.0,
    0x31: 1300.0,
    0x40: 1700.0,
    0x41: 1500.0,
    0x42: 1550.0,
    0x50: 9000.0,
    0x51: 7000.0,
    0x60: 12000.0,
    0x61: 5000.0,
    0x70: 22000.0,
    0x71: 23000.0,
    0x72: 24000.0,
    0x73: 25000.0,
    0x74: 15000.0,
    0x75: 16000.0,
    0x76: 17000.0,
    0x77: 18000.0,
    0x78: 14000.0,
    0x79: 15000.0,
    0x7A: 16000.0,
    0x7B: 17000.0,
    0x80: 30000.0,
    0x81: 26000.0,
    0x84: 22000.0,
    0x85: 17000.0,
    0x88: 21000.0,
    0x89: 16000.0,
    0x8C: 2500.0,
}


def made_bench(*, runs: int = 7, factor: float = 1.0, host: HostState = HOST, groups: tuple[str, ...] = ()) -> Bench:
    """All of the tables (or of some groups), each run a little slower than the one before."""
    asked = groups or tuple(GROUPS)
    series = [
        Series(entry.id, entry.enlightened, vcpus, cycles(entry.id, runs, factor))
        for table in TABLES
        if table.group in asked
        for vcpus in ((8, 16, 32) if table.many else (8,))
        for entry in table.entries
    ]
    return Bench("windows-11", asked, runs, 2_500_000_000, host, tuple(series))


def cycles(number: int, runs: int, factor: float) -> tuple[float, ...]:
    """One value for each run, in thousandths as files have them."""
    return tuple(round(factor * CYCLES[number] * (1 + run / 100), 3) for run in range(runs))


def made_sets(*, runs: int = 7) -> Bench:
    """A plan, a set without timers of its own, one that is the plan, one that QEMU refuses, and no enlightenments."""
    groups = tuple(group for group in GROUPS if group in COMPARED)
    plain = made_bench(runs=runs, groups=groups)
    lacks = {0x42, 0x74, 0x75, 0x76, 0x78, 0x79, 0x7A}
    ids = sorted({(one.id, one.vcpus) for one in plain.series} - {(number, 8) for number in lacks})
    theirs = [Series(number, True, vcpus, cycles(number, runs, 1.0), "nova") for number, vcpus in ids]
    plan = tuple((row_id, "8191" if row_id == "spinlocks" else None) for row_id in PLAN_ROWS)
    less = tuple(row for row in plan if row[0] not in ("stimer", "stimer-direct", "emsr-bitmap"))
    sets = (
        SetGuest(PLAN, plan),
        SetGuest("nova", (*less, ("reset", None))),
        SetGuest("ovirt", plan, same_as=PLAN),
        SetGuest("proxmox", (*plan, ("evmcs", None)), refused="Hyper-V enlightened VMCS is not supported by kernel"),
        SetGuest("none", ()),
    )
    return plain._replace(series=(*plain.series, *theirs), release="windows-11", sets=sets)
