"""Whether what a guest was announced also works: the evidence in the probe guest's observation, row by row.

Each check belongs to what the catalog's columns name: an MSR, a hypercall, or a CPUID bit by its name in QEMU. KVM
answers more than it announces (unless it enforces CPUID), so nothing here says that a function is absent.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from hvctl.catalog import kvm
from hvctl.catalog.types import Row
from hvctl.model.verification import Direct, Evidence, Message, Observation
from hvctl.text.problems import counted
from hvctl.verify.calls import ACCESS_DENIED, calls, ranges, registers, shown, status

# A write is all that the end-of-interrupt MSR is for: KVM refuses to read it (linux:arch/x86/kvm/lapic.c,
# kvm_lapic_reg_read).
WRITE_ONLY = (0x40000070,)
TSC_FREQUENCY, APIC_FREQUENCY = 0x40000022, 0x40000023
CRASH_NOTIFY = 1 << 63
# What the guest writes before it reports a crash (probe/small.c, CRASH_VALUE).
CRASH_PARAMETERS = tuple(0xC0DE0000 + msr for msr in range(0x40000100, 0x40000105))
TIMER_EXPIRED = 0x80000010  # TLFS, HvMessageTimerExpired
# By how much the page may differ from the counter: what KVM's own selftest allows, in 100 ns
# (linux:tools/testing/selftests/kvm/x86/hyperv_clock.c).
MOST_DRIFT = 100_000
# What a clock that is corrected over the network may run faster or slower than the TSC is well below this.
MOST_DEVIATION = 0.01
TICKS = 10_000  # of 100 ns in a millisecond


class Exits(NamedTuple):
    """Why a nested guest ends that reads an MSR, calls its hypervisor, halts, or has flushed, of which that is told."""

    msr: int
    call: int
    halt: int
    flushed: int


# AMD64 Architecture Programmer's Manual, volume 2, appendix C; Intel's SDM 3D, appendix C; the last ones: TLFS, "Direct
# Virtual Flush" (linux:arch/x86/include/asm/hyperv-tlfs.h, HV_SVM_EXITCODE_ENL, HV_VMX_SYNTHETIC_EXIT_REASON_*).
SVM = Exits(0x7C, 0x81, 0x78, 0xF000_0000)
VMX = Exits(31, 18, 12, 0x1000_0031)
VMX_CPUID = 10
_NO_HYPERVISOR = "not checked here: the guest's CPU has neither vmx nor svm, so it can run no guest of its own"
_NO_TIMER = Evidence(None, "no timer could be tried, since the SynIC could not be set up")


def evidence(row: Row, seen: Observation) -> tuple[Evidence, ...]:
    """All that was tried of an announced row; empty where there is nothing to try."""
    names = [name for bits in (*row.checks, *row.adds) for name in bits.names]
    tried = [msrs(row, seen), calls(row, seen), *(CHECKS[name](seen) for name in names if name in CHECKS)]
    return tuple(dict.fromkeys(found for found in tried if found is not None))


def enforced(rows: Sequence[Row], seen: Observation) -> Evidence:
    """Whether KVM refuses the MSRs of rows that are not announced."""
    numbers = [msr for row in rows for msr in _tried(row, seen)]
    if not numbers:
        return Evidence(None, "all that has an MSR is announced, so there is nothing to be refused")
    for msr in numbers:
        if _answers(msr, seen):
            return Evidence(False, f"MSR {msr:#x} answers, though CPUID does not announce it")
    return Evidence(True, f"{counted(len(numbers), 'MSR')} not announced by CPUID, and all refused")


def msrs(row: Row, seen: Observation) -> Evidence | None:
    """The row's MSRs answer, and read as what was written to them; None for a row without."""
    numbers = _tried(row, seen)
    if not numbers:
        return None
    for msr in numbers:
        if msr not in WRITE_ONLY and not _answers(msr, seen):
            return Evidence(False, f"MSR {msr:#x} cannot be read")
    for written in seen.written:
        if written.msr in numbers and written.after != written.value:
            return Evidence(
                False, f"MSR {written.msr:#x} was set to {written.value:#x} and gave {shown(written.after)}"
            )
    return Evidence(True, f"{len(numbers)} MSRs" if len(numbers) > 1 else f"MSR {numbers[0]:#x}")


def _tried(row: Row, seen: Observation) -> list[int]:
    numbers = [msr for first, last in row.msrs for msr in range(first, last + 1)]
    return [msr for msr in numbers if seen.run(msr) is not None]


def _answers(msr: int, seen: Observation) -> bool:
    return _value(msr, seen) is not None


def _value(msr: int, seen: Observation) -> int | None:
    run = seen.run(msr)
    return run.value if run else None


def _runtime(seen: Observation) -> Evidence | None:
    if seen.runtime is None:
        return None
    begin, end = seen.runtime
    if begin is None or end is None or end < begin:
        return Evidence(False, f"the run time went from {shown(begin)} to {shown(end)}")
    return None


def _counter(seen: Observation) -> Evidence | None:
    if seen.counter is None:
        return None
    if seen.counter.end <= seen.counter.begin:
        return Evidence(False, "the reference counter does not advance")
    return Evidence(True, "the counter runs")


def _tsc_page(seen: Observation) -> Evidence:
    page = seen.tsc_page
    if page is None:
        return Evidence(None, "the reference TSC page could not be set up")
    if page.sequence == 0:
        return Evidence(True, "the TSC page is not valid on this host (sequence 0): each read of the clock is an exit")
    drift = max(page.early, page.late)
    if page.back or drift > MOST_DRIFT:
        return Evidence(False, f"the TSC page went back {page.back} times, and is {drift / TICKS:.1f} ms off")
    return Evidence(True, "the TSC page agrees with it")


def _apic(seen: Observation) -> Evidence:
    apic = seen.apic
    if apic is None or apic.priority is None:
        return Evidence(False, "the APIC cannot be reached through MSRs")
    if apic.priority != 1:
        return Evidence(False, f"the task priority MSR was set to 0x10, and CR8 is {apic.priority:#x}")
    if not apic.arrived or not apic.serving:
        return Evidence(False, "an interrupt that was sent by the ICR MSR did not arrive")
    if apic.served:
        return Evidence(False, "the EOI MSR did not end the interrupt")
    return Evidence(True, "TPR, ICR and EOI")


def _indices(seen: Observation) -> Evidence:
    indices = [vcpu.vp_index for vcpu in seen.vcpus]
    if sorted(index for index in indices if index is not None) != list(range(len(indices))):
        return Evidence(False, f"the vCPUs' indices are {', '.join(map(shown, indices))}")
    return Evidence(True, "index 0" if len(indices) == 1 else f"indices 0 to {len(indices) - 1}")


def _reset(seen: Observation) -> Evidence:
    if seen.reset is None:
        return Evidence(None, "a reset was not tried")
    return Evidence(seen.reset, f"a write of 1 {'resets' if seen.reset else 'did not reset'} the guest")


def _message(seen: Observation) -> Evidence:
    for message in seen.messages:
        if message.arrived and (message.type, message.timer, message.off) != (TIMER_EXPIRED, 0, 0):
            told = f"a timer's message is of type {message.type:#x} and from timer {message.timer:#x}"
            return Evidence(False, f"{told}{_on(message, seen)}")
    return _fired(seen.messages, "message", seen)


def _direct(seen: Observation) -> Evidence:
    return _fired(seen.directs, "interrupt", seen)


def _fired(timers: Sequence[Message | Direct], what: str, seen: Observation) -> Evidence:
    """Whether every vCPU had its own."""
    if not timers:
        return _NO_TIMER
    for timer in timers:
        if not timer.arrived:
            told = "a timer cannot be armed" if timer.arrived is None else f"a timer's {what} did not come"
            return Evidence(False, f"{told}{_on(timer, seen)}")
    if len(timers) < len(seen.vcpus):
        return Evidence(False, f"only {len(timers)} of {counted(len(seen.vcpus), 'vCPU')} could try a timer")
    late = f"{max(timer.late for timer in timers) / TICKS:.1f} ms late"
    if len(timers) == 1:
        return Evidence(True, f"{_article(what)} came {late}")
    return Evidence(True, f"{_article(what)} on {counted(len(timers), 'vCPU')}, at most {late}")


def _on(timer: Message | Direct, seen: Observation) -> str:
    return f" on vCPU {timer.vcpu}" if len(seen.vcpus) > 1 else ""


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _frequencies(seen: Observation) -> Evidence | None:
    tsc, counter = _value(TSC_FREQUENCY, seen), seen.counter
    if not tsc or not _value(APIC_FREQUENCY, seen):
        return Evidence(False, "a frequency is 0, or cannot be read")
    if counter is None or counter.end <= counter.begin:
        return None
    # The counter is read somewhere between the two reads of the TSC around it: that bounds the frequency on both sides.
    passed = counter.end - counter.begin
    least, most = counter.end_before - counter.begin_after, counter.end_after - counter.begin_before
    if not least * (1 - MOST_DEVIATION) <= tsc * passed / (1000 * TICKS) <= most * (1 + MOST_DEVIATION):
        runs_at = (least + most) / 2 * 1000 * TICKS / passed
        return Evidence(False, f"the TSC is said to run at {tsc / 1e6:.0f} MHz, and runs at {runs_at / 1e6:.0f} MHz")
    return Evidence(True, f"TSC {tsc / 1e6:.0f} MHz, as measured")


def _crash(seen: Observation) -> Evidence:
    control = _value(kvm.HV_X64_MSR_CRASH_CTL, seen)
    if control is None or not control & CRASH_NOTIFY:
        return Evidence(False, f"the crash control MSR gives {shown(control)}")
    if seen.crash is None:
        return Evidence(True, "ready to report, which was not tried")
    if seen.crash != CRASH_PARAMETERS:
        told = f"with other parameters: {', '.join(map(hex, seen.crash))}" if seen.crash else "was not reported to QEMU"
        return Evidence(False, f"a crash {told}")
    return Evidence(True, "a crash was reported to QEMU, with its parameters")


def _msr_bitmap(seen: Observation) -> Evidence:
    """The enlightened MSR bitmap of a hypervisor inside the guest."""
    nested, exits = seen.nested, _exits(seen)
    if nested is None:
        return _untried(seen)
    if nested.first != exits.call:
        return Evidence(None, f"not checked here: {_ended(nested.first)}")
    if nested.unchanged == exits.msr:
        return Evidence(False, "an MSR bitmap that is said to be unchanged is looked at all the same")
    if nested.unchanged != exits.call:
        return Evidence(False, f"with an MSR bitmap that is said to be unchanged {_ended(nested.unchanged)}")
    if nested.changed != exits.msr:
        return Evidence(False, "an MSR bitmap that is said to have changed is not looked at")
    return Evidence(True, "an MSR bitmap is looked at when it is said to have changed, and only then")


def _enlightened_vmcs(seen: Observation) -> Evidence:
    if seen.vmcs is None:
        return _untried(seen)
    if (seen.vmcs.cpuid, seen.vmcs.hlt) != (VMX_CPUID, VMX.halt):
        return Evidence(None, f"not checked here: with a plain VMCS {_ended(*seen.vmcs)}")
    if seen.evmcs is None or seen.evmcs.cpuid is None:
        return Evidence(False, "an enlightened VMCS is refused")
    if (seen.evmcs.cpuid, seen.evmcs.hlt) != (VMX_CPUID, VMX.halt):
        return Evidence(False, f"with an enlightened VMCS {_ended(seen.evmcs.cpuid, seen.evmcs.hlt)}")
    if seen.evmcs.clean != VMX_CPUID:
        return Evidence(False, "a field that is said to be clean is looked at all the same")
    return Evidence(True, "a nested guest runs by an enlightened VMCS, and clean fields are not looked at")


def _direct_flush(seen: Observation) -> Evidence:
    inner, exits = seen.inner, _exits(seen)
    if inner is None:
        return _untried(seen)
    if inner.exit is None and seen.evmcs is not None and seen.evmcs.cpuid is None:
        return Evidence(None, "not checked here: an enlightened VMCS is refused")
    if inner.exit == exits.call:
        return Evidence(False, "a nested guest's TLB flush goes to its hypervisor all the same")
    if inner.exit != exits.halt:
        return Evidence(False, f"at a TLB flush {_ended(inner.exit)}")
    if status(inner.result) == ACCESS_DENIED:
        return Evidence(False, "a nested guest's TLB flush is refused: CPUID announces none to its hypervisor itself")
    if status(inner.result):
        return Evidence(False, f"a nested guest's TLB flush gave {inner.result:#x}")
    if inner.told != exits.flushed:
        return Evidence(False, "its hypervisor is not notified of a nested guest's TLB flush, as it has asked")
    return Evidence(
        True, "a nested guest's TLB is flushed without its hypervisor, which is notified where it asks for that"
    )


def _exits(seen: Observation) -> Exits:
    return VMX if seen.vmcs is not None else SVM


def _untried(seen: Observation) -> Evidence:
    if seen.vmcs is not None:
        return Evidence(None, "not checked here: on Intel it needs an enlightened VMCS, which the guest does not have")
    return Evidence(None, _NO_HYPERVISOR)


def _ended(*reasons: int | None) -> str:
    """How a nested guest ended; exit reasons that are told in hexadecimal."""
    if None in reasons:
        return "a nested guest could not be started"
    return f"a nested guest ended with {' and '.join(f'{reason:#x}' for reason in reasons)}"


CHECKS: dict[str, Callable[[Observation], Evidence | None]] = {
    "HV_VP_RUNTIME_AVAILABLE": _runtime,
    "HV_TIME_REF_COUNT_AVAILABLE": _counter,
    "HV_REFERENCE_TSC_AVAILABLE": _tsc_page,
    "HV_APIC_ACCESS_AVAILABLE": _apic,
    "HV_VP_INDEX_AVAILABLE": _indices,
    "HV_RESET_AVAILABLE": _reset,
    "HV_SYNTIMERS_AVAILABLE": _message,
    "HV_STIMER_DIRECT_MODE_AVAILABLE": _direct,
    "HV_FREQUENCY_MSRS_AVAILABLE": _frequencies,
    "HV_GUEST_CRASH_MSR_AVAILABLE": _crash,
    "HV_EXT_GVA_RANGES_FLUSH_AVAILABLE": ranges,
    "HV_ENLIGHTENED_VMCS_RECOMMENDED": _enlightened_vmcs,
    "HV_NESTED_DIRECT_FLUSH": _direct_flush,
    "HV_NESTED_MSR_BITMAP": _msr_bitmap,
    "HV_HYPERCALL_XMM_INPUT_AVAILABLE": registers,
}
