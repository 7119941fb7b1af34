"""Whether hypercalls work that a guest was announced: the evidence in the probe guest's observation."""

from collections.abc import Sequence

from hvctl.catalog.types import Row
from hvctl.model.verification import Call, Evidence, Flushed, Observation, Sent
from hvctl.text.problems import counted

AnyCall = Call | Sent | Flushed


# TLFS, "HV_HYPERCALL_CODE"; linux:include/hyperv/hvgdk_mini.h
CODES = {
    "HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE": 0x02,
    "HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST": 0x03,
    "HVCALL_NOTIFY_LONG_SPIN_WAIT": 0x08,
    "HVCALL_SEND_IPI": 0x0B,
    "HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX": 0x13,
    "HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST_EX": 0x14,
    "HVCALL_SEND_IPI_EX": 0x15,
    "HVCALL_POST_MESSAGE": 0x5C,
    "HVCALL_SIGNAL_EVENT": 0x5D,
}
NO_CALL = 0x3FFF
# TLFS, "HV_STATUS": the low 16 bits of a result.
INVALID_CODE, ACCESS_DENIED, INVALID_CONNECTION = 2, 6, 0x12
# To a connection that does not exist: that it does not is QEMU's answer, so the call has arrived.
EXPECTED = {0x5C: INVALID_CONNECTION, 0x5D: INVALID_CONNECTION, NO_CALL: INVALID_CODE}
LISTS = (0x03, 0x14)
# Its input fits into the general registers.
SMALL = 0x0B


def interface(seen: Observation) -> Evidence:
    """The hypercall page, which every hypercall goes through."""
    answers = [call.result for call in seen.calls if call.code == NO_CALL]
    if seen.page is None or not answers:
        return Evidence(None, "the hypercall page could not be set up")
    if not seen.page or answers[0] is None or status(answers[0]) != INVALID_CODE:
        return Evidence(False, f"the hypercall page does not work: a call that does not exist gave {shown(answers[0])}")
    return Evidence(True, "the hypercall page works")


def calls(row: Row, seen: Observation) -> Evidence | None:
    """The row's hypercalls succeed, and reach every vCPU that they are for; None for a row without."""
    if not row.hypercalls:
        return None
    if not interface(seen).works:
        return interface(seen)
    codes = [CODES[name] for name in row.hypercalls if name in CODES]
    tried = [call for call in _all(seen) if call.code in codes]
    if not tried:
        return Evidence(None, "no hypercall could be tried")
    for call in tried:
        if trouble := _trouble(call):
            return Evidence(False, trouble)
    reach = f" on {counted(len(seen.vcpus), 'vCPU')}" if any(isinstance(call, Sent | Flushed) for call in tried) else ""
    return Evidence(True, f"{counted(len({call.code for call in tried}), 'hypercall')}{reach}")


def ranges(seen: Observation) -> Evidence:
    """A flush of a list takes ranges of pages."""
    lists = [call for call in seen.flushed if call.code in LISTS]
    for call in lists:
        if call.second != call.targets:
            return Evidence(False, f"hypercall {call.code:#x} did not flush the second page of a range of two")
    return Evidence(True, "ranges of two pages are flushed") if lists else Evidence(None, "no flush could be tried")


def registers(seen: Observation) -> Evidence:
    """Hypercall input in XMM registers is taken."""
    tried = [call for call in _addressed(seen) if call.fast and call.code != SMALL and not _closed(call)]
    if not tried:
        return Evidence(None, "no call that takes such input is open to the guest")
    for call in tried:
        if trouble := _trouble(call):
            return Evidence(False, f"with input in registers, {trouble}")
    return Evidence(True, counted(len(tried), "hypercall"))


def _closed(call: Sent | Flushed) -> bool:
    """The guest tries one even where it is not announced; KVM refuses that only where it enforces CPUID."""
    return call.result is not None and status(call.result) == ACCESS_DENIED


def _addressed(seen: Observation) -> Sequence[Sent | Flushed]:
    found: list[Sent | Flushed] = [*seen.sent, *seen.flushed]
    return found


def _all(seen: Observation) -> Sequence[AnyCall]:
    found: list[AnyCall] = [*seen.calls, *_addressed(seen)]
    return found


def _trouble(call: AnyCall) -> str:
    """What is wrong with a call; empty if nothing is."""
    if call.result is None or status(call.result) != EXPECTED.get(call.code, 0):
        return f"hypercall {call.code:#x} gave {shown(call.result)}"
    if isinstance(call, Sent) and call.arrived != call.targets:
        return f"hypercall {call.code:#x} reached {call.arrived} of {call.targets} vCPUs"
    if isinstance(call, Flushed) and call.first != call.targets:
        stale = call.targets - call.first
        return f"after hypercall {call.code:#x}, {stale} of {call.targets} vCPUs read through an old mapping"
    return ""


def status(result: int) -> int:
    """What a hypercall's result says of its success; 0 is success (TLFS, "Hypercall Result Value")."""
    return result & 0xFFFF


def shown(value: int | None) -> str:
    """An answer: a number, or that there was an exception in its place."""
    return "an exception" if value is None else f"{value:#x}"
