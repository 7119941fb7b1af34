"""What the probe guest saw of its hypervisor: the content of one report, in its own order.

The lines that these records are read from are described in hvctl/probe_guest/PROTOCOL.md. An answer is None where the
processor raised an exception instead of giving one.
"""

from typing import NamedTuple

from hvctl.model.cpuid import CpuidLeaf

MOST_VCPUS = 64  # that the probe guest looks at
LARGEST = 1 << 17  # bytes of a report: 64 vCPUs that differ in every leaf need half of it


class Vcpu(NamedTuple):
    """One vCPU in the order of its start: its APIC id, its index as Hyper-V counts, its CPUID leaves by number."""

    number: int
    apic_id: int
    vp_index: int | None
    leaves: tuple[CpuidLeaf, ...]


class MsrRun(NamedTuple):
    """The MSRs from `first` to `last` all gave the same answer before anything was set up."""

    first: int
    last: int
    value: int | None


class Written(NamedTuple):
    """An MSR was written; `after` is what it read as then."""

    msr: int
    value: int
    after: int | None


class Call(NamedTuple):
    """A hypercall that changes nothing, and its result."""

    code: int
    result: int | None


class Sent(NamedTuple):
    """An interrupt that was sent to `targets` vCPUs by one hypercall; `arrived` of them got it.

    `fast` is 1 where the input was in registers, else 0.
    """

    code: int
    fast: int
    result: int | None
    targets: int
    arrived: int


class Flushed(NamedTuple):
    """Two pages were mapped elsewhere, then `targets` vCPUs were made to flush by one hypercall.

    `before` saw the old first page just before, `first` and `second` see the new pages after it.
    """

    code: int
    fast: int
    result: int | None
    targets: int
    before: int
    first: int
    second: int


class Counter(NamedTuple):
    """The reference counter (100 ns) at two moments 2 ms apart, and the TSC just before and just after each read."""

    begin: int
    begin_before: int
    begin_after: int
    end: int
    end_before: int
    end_after: int


class TscPage(NamedTuple):
    """The reference TSC page: how often its time went `back`, and how far it left the counter's interval (100 ns)."""

    sequence: int
    scale: int
    offset: int
    back: int
    early: int
    late: int


class Apic(NamedTuple):
    """The APIC through MSRs: CR8 after the task priority was written, whether an interrupt to itself arrived.

    `serving` and `served` are whether it was in service before and after the end of interrupt.
    """

    priority: int | None
    arrived: int
    serving: int
    served: int


class Message(NamedTuple):
    """A timer's message to a vCPU: whether it could be armed (None: no) and came, how late (100 ns), what stood in it.

    `off` is how far the message's expiration time is from the one that was asked for, modulo 2**64.
    """

    vcpu: int
    arrived: int | None
    late: int
    type: int
    timer: int
    off: int


class Direct(NamedTuple):
    """A timer that raises an interrupt itself: as in Message."""

    vcpu: int
    arrived: int | None
    late: int


class Nested(NamedTuple):
    """Why a guest of the guest's own ended, by SVM's exit codes, in three runs.

    In the first one the MSR that it reads is not intercepted; then it is, in a bitmap that is said to be `unchanged`,
    and in the same one when it is said to have `changed`.
    """

    first: int
    unchanged: int
    changed: int


class Observation(NamedTuple):
    """One report. What the guest does not try, since its CPUID does not announce it, is None or missing.

    `wanted` vCPUs were configured. `page` are the first 8 bytes of the hypercall page. `runtime` is the VP run time
    (100 ns) at two moments. `reset` is whether the reset MSR ended the guest, None where that was not tried. `crash`
    are the parameters of the crash that QEMU told of, none where it told of none; None where that was not tried.
    """

    wanted: int
    vcpus: tuple[Vcpu, ...]
    msrs: tuple[MsrRun, ...]
    written: tuple[Written, ...] = ()
    page: int | None = None
    calls: tuple[Call, ...] = ()
    counter: Counter | None = None
    tsc_page: TscPage | None = None
    runtime: tuple[int | None, int | None] | None = None
    apic: Apic | None = None
    messages: tuple[Message, ...] = ()
    directs: tuple[Direct, ...] = ()
    sent: tuple[Sent, ...] = ()
    flushed: tuple[Flushed, ...] = ()
    nested: Nested | None = None
    reset: bool | None = None
    crash: tuple[int, ...] | None = None

    def run(self, msr: int) -> MsrRun | None:
        """The answer of an MSR at the start; None where it was not tried."""
        return next((run for run in self.msrs if run.first <= msr <= run.last), None)
