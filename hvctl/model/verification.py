"""What the probe guest saw of its hypervisor, and how that compares with what was asked for.

The lines that an observation is read from are described in hvctl/probe_guest/PROTOCOL.md, in whose order it is. An
answer is None where the processor raised an exception instead of giving one.
"""

from enum import StrEnum
from typing import NamedTuple

from hvctl.model.host import CpuidLeaf

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


class Vmcs(NamedTuple):
    """Why a nested guest ended by its CPUID, and then by its HLT, with a plain VMCS: VMX's exit reasons; None: it did
    not start."""

    cpuid: int | None
    hlt: int | None


class Evmcs(NamedTuple):
    """The same with an enlightened VMCS, and after it was resumed with nonsense in a field said to be `clean`."""

    cpuid: int | None
    hlt: int | None
    clean: int | None


class Nested(NamedTuple):
    """Why a nested guest ended in three runs, by VMX's exit reasons or SVM's exit codes; None: it did not start.

    In the first one the MSR that it reads is not intercepted; then it is, in a bitmap that is said to be `unchanged`,
    and in the same one when it is said to have `changed`.
    """

    first: int | None
    unchanged: int | None
    changed: int | None


class Inner(NamedTuple):
    """Why a nested guest ended that had the TLB flushed by a hypercall, and then halts, and the hypercall's `result`;
    `told` is the same where its hypervisor wants to hear of the flush after it."""

    exit: int | None
    result: int
    told: int | None


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
    vmcs: Vmcs | None = None
    evmcs: Evmcs | None = None
    nested: Nested | None = None
    inner: Inner | None = None
    reset: bool | None = None
    crash: tuple[int, ...] | None = None

    def run(self, msr: int) -> MsrRun | None:
        """The answer of an MSR at the start; None where it was not tried."""
        return next((run for run in self.msrs if run.first <= msr <= run.last), None)


class Evidence(NamedTuple):
    """One thing that was tried. `works` is None where it could not be judged; `text` says what was found."""

    works: bool | None
    text: str


class Verdict(StrEnum):
    """What became of one row."""

    WORKS = "works"
    """Announced, tried, and it works."""
    THERE = "there"
    """Announced; it is advice or a name, and there is nothing to try."""
    UNCHECKED = "unchecked"
    """Announced, or asked for; whether it works could not be tried."""
    MISSING = "missing"
    """Asked for and not announced: dropped without a word."""
    BROKEN = "broken"
    """Announced, and it does not work."""
    EXTRA = "extra"
    """Announced, and nobody asked for it."""
    REFUSED = "refused"
    """Asked for, and QEMU refuses to start with it; it was left out for this run."""
    OFF = "off"
    """Neither asked for nor announced."""


WRONG = (Verdict.MISSING, Verdict.BROKEN, Verdict.EXTRA, Verdict.REFUSED)


class Finding(NamedTuple):
    """One row of the catalog."""

    id: str
    asked: bool
    verdict: Verdict
    text: str


class Difference(NamedTuple):
    """One register of a leaf that is not as predicted; `seen` is what the vCPUs in `vcpus` have in common."""

    leaf: int
    register: str
    expected: int
    seen: int
    vcpus: tuple[int, ...]


class VmxControls(NamedTuple):
    """The names of the VMX controls that a hypervisor inside the guest has `limited` by the row `id`, and `without`."""

    id: str
    limited: tuple[str, ...]
    without: tuple[str, ...]

    @property
    def lost(self) -> tuple[str, ...]:
        """Those that the row hides."""
        return tuple(name for name in self.without if name not in self.limited)


class Verification(NamedTuple):
    """The whole comparison.

    `wanted` vCPUs were configured, `vcpus` were looked at. `leaves` are those that were compared, as predicted.
    `kvm_features` is KVM's own leaf as the first vCPU saw it, which is never compared; None where it is hidden.
    `hyperv` is whether every vCPU sees the interface of Hyper-V. `interface` is about the hypercall page. `vmx` is None
    where it was not looked at, or nothing limits it.
    """

    wanted: int
    vcpus: int
    leaves: tuple[CpuidLeaf, ...]
    kvm_features: CpuidLeaf | None
    differences: tuple[Difference, ...]
    hyperv: bool
    interface: Evidence
    findings: tuple[Finding, ...]
    vmx: VmxControls | None = None

    @property
    def agrees(self) -> bool:
        """Whether all is as promised, as far as it could be checked."""
        wrong = any(finding.verdict in WRONG for finding in self.findings)
        started = self.vcpus == min(self.wanted, MOST_VCPUS)
        return started and not wrong and not self.differences and self.interface.works is not False
