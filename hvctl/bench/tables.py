"""What is measured, and what is compared with what: one table for each question, its first row the ordinary way.

The numbers are those of hvctl/probe_guest/bench.h. Groups are what `--only` takes; two of them are named after the
catalog's rows, whose hypercalls they measure.
"""

from __future__ import annotations

from typing import NamedTuple

from hvctl.catalog import ROWS


class Entry(NamedTuple):
    """A thing that is measured, in a guest with or without enlightenments."""

    id: int
    enlightened: bool
    title: str


class Table(NamedTuple):
    """One question. With `many` it is asked for each number of vCPUs."""

    group: str
    title: str
    entries: tuple[Entry, ...]
    many: bool = False


def _named_after(hypercall: str) -> str:
    return next(row.id for row in ROWS if hypercall in row.hypercalls)


_SEND = _named_after("HVCALL_SEND_IPI")
_FLUSH = _named_after("HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE")

# The bits of the parameter that the guest gets.
GROUPS = {"clock": 1, "apic": 2, _FLUSH: 32, _SEND: 16, "timer": 8, "exit": 4}
SINGLE = ("clock", "apic", "timer", "exit")

TABLES = (
    Table(
        "clock",
        "reading the clock",
        (
            Entry(0x13, False, "ACPI PM timer"),
            Entry(0x14, False, "HPET"),
            Entry(0x12, True, "reference counter MSR"),
            Entry(0x11, True, "reference TSC page"),
            Entry(0x10, False, "RDTSC alone"),
        ),
    ),
    Table(
        "apic",
        "an interrupt to itself and its end",
        (
            Entry(0x20, False, "APIC in memory"),
            Entry(0x21, True, "MSRs"),
            Entry(0x22, True, "MSR, VP assist page"),
        ),
    ),
    Table(
        "apic",
        "setting the task priority",
        (
            Entry(0x23, False, "APIC in memory"),
            Entry(0x24, True, "MSR"),
            Entry(0x25, False, "CR8"),
        ),
    ),
    Table(
        _FLUSH,
        "flushing the TLBs of busy vCPUs",
        (Entry(0x60, False, "interrupts"), Entry(0x61, True, "hypercall")),
        many=True,
    ),
    Table(
        _SEND,
        "interrupting busy vCPUs, until all answered",
        (Entry(0x50, False, "APIC"), Entry(0x51, True, "hypercall")),
        many=True,
    ),
    Table(
        "timer",
        "arming a timer",
        (
            Entry(0x40, False, "APIC, one-shot"),
            Entry(0x41, False, "TSC deadline"),
            Entry(0x42, True, "synthetic timer"),
        ),
    ),
    Table(
        "exit",
        "an exit by CPUID",
        (Entry(0x30, False, "without enlightenments"), Entry(0x30, True, "with enlightenments")),
    ),
    Table(
        "exit",
        "an exit by reading an MSR",
        (Entry(0x31, False, "without enlightenments"), Entry(0x31, True, "with enlightenments")),
    ),
)


def mask(groups: tuple[str, ...]) -> int:
    """The guest's parameter for these groups."""
    return sum(GROUPS[group] for group in groups)
