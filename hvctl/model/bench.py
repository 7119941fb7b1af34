"""What the measuring guest took for things that an enlightenment makes cheaper."""

from statistics import median
from typing import NamedTuple


class Took(NamedTuple):
    """One thing in one boot: its number, the operations of a batch, and the TSC cycles of each batch."""

    id: int
    operations: int
    cycles: tuple[int, ...]

    @property
    def each(self) -> float:
        """The cycles of one operation: the middle of the batches."""
        return median(self.cycles) / self.operations


class Boot(NamedTuple):
    """One boot. `missing` is what this guest has not; `lost` answers of other vCPUs did not come in time."""

    wanted: int
    vcpus: int
    took: tuple[Took, ...]
    missing: tuple[int, ...] = ()
    lost: int = 0


class Series(NamedTuple):
    """One thing in one kind of guest, with so many vCPUs: the cycles of an operation, one value for each run."""

    id: int
    enlightened: bool
    vcpus: int
    cycles: tuple[float, ...]


class HostState(NamedTuple):
    """What the measurements depend on beside KVM. None is unknown.

    `load` is the average of the last minute at the start, `steal` the percentage of time that this host's own host
    took from it meanwhile. `virtual` is whether this host is a virtual machine itself.
    """

    cpus: int
    processor: str | None = None
    kernel: str | None = None
    qemu: str | None = None
    clocksource: str | None = None
    governor: str | None = None
    load: float | None = None
    steal: float | None = None
    virtual: bool | None = None


class Bench(NamedTuple):
    """All of it. `tsc_hz` turns cycles into time, None where it is not known. `groups` are those asked for."""

    guest: str
    groups: tuple[str, ...]
    runs: int
    tsc_hz: int | None
    host: HostState
    series: tuple[Series, ...]
    missing: tuple[int, ...] = ()
