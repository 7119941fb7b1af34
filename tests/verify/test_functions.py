"""Whether what is announced works: everything that the probe guest tries, broken once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hvctl.catalog import BY_ID
from hvctl.model.verification import (
    Call,
    Evmcs,
    Flushed,
    Inner,
    MsrRun,
    Nested,
    Observation,
    Sent,
    Verdict,
    Verification,
    Written,
)
from hvctl.verify.compare import verify
from tests.made_observation import made_observation
from tests.verify.test_compare import EVERYTHING, found, leaves_of, wrong


def everything(change: Callable[[Observation], Observation]) -> Verification:
    """All that there is, asked for and announced, and an observation that a test has spoilt."""
    leaves = leaves_of(EVERYTHING)
    return verify(leaves, EVERYTHING, change(made_observation(leaves)))


def answer(msr: int, value: int | None) -> Callable[[Observation], Observation]:
    """One MSR gives another answer."""
    return lambda seen: seen._replace(
        msrs=tuple(MsrRun(run.first, run.last, value) if run.first == msr else run for run in seen.msrs)
    )


def result_of(code: int, result: int | None) -> Callable[[Observation], Observation]:
    """One hypercall gives another result."""

    def change(seen: Observation) -> Observation:
        return seen._replace(
            calls=tuple(call._replace(result=result) if call.code == code else call for call in seen.calls),
            sent=tuple(call._replace(result=result) if call.code == code else call for call in seen.sent),
            flushed=tuple(call._replace(result=result) if call.code == code else call for call in seen.flushed),
        )

    return change


def replaced(name: str, **fields: int | None) -> Callable[[Observation], Observation]:
    """One record of the observation with other fields."""
    return lambda seen: seen._replace(**{name: getattr(seen, name)._replace(**fields)})


def on_the_last(name: str, **fields: int | None) -> Callable[[Observation], Observation]:
    """The timer of the last vCPU with other fields."""

    def change(seen: Observation) -> Observation:
        *others, last = getattr(seen, name)
        changed: dict[str, Any] = {name: (*others, last._replace(**fields))}
        return seen._replace(**changed)

    return change


BROKEN: dict[str, tuple[Callable[[Observation], Observation], dict[str, str]]] = {
    "runtime faults": (answer(0x40000010, None), {"runtime": "MSR 0x40000010 cannot be read"}),
    "runtime goes back": (lambda seen: seen._replace(runtime=(9, 8)), {"runtime": "went from 0x9 to 0x8"}),
    "counter stands": (replaced("counter", end=1000), {"time": "does not advance"}),
    "page goes back": (replaced("tsc_page", back=3), {"time": "went back 3 times"}),
    "page is late": (replaced("tsc_page", late=200_000), {"time": "20.0 ms off"}),
    "page is early": (replaced("tsc_page", early=200_000), {"time": "20.0 ms off"}),
    "no priority": (replaced("apic", priority=0), {"vapic": "CR8 is 0x0"}),
    "no interrupt": (replaced("apic", arrived=0, serving=0), {"vapic": "did not arrive"}),
    "no end of interrupt": (replaced("apic", served=1), {"vapic": "EOI MSR did not end"}),
    "no APIC": (replaced("apic", priority=None), {"vapic": "cannot be reached"}),
    "no index": (
        lambda seen: seen._replace(vcpus=tuple(vcpu._replace(vp_index=None) for vcpu in seen.vcpus)),
        {"vpindex": "an exception, an exception"},
    ),
    "one index": (
        lambda seen: seen._replace(vcpus=tuple(vcpu._replace(vp_index=0) for vcpu in seen.vcpus)),
        {"vpindex": "are 0x0, 0x0"},
    ),
    "no reset": (lambda seen: seen._replace(reset=False), {"reset": "did not reset"}),
    "message page": (
        lambda seen: seen._replace(written=(*seen.written, Written(0x40000083, 1, None))),
        {"synic": "MSR 0x40000083 was set to 0x1 and gave an exception"},
    ),
    "timer unarmed": (on_the_last("messages", arrived=None), {"stimer": "cannot be armed on vCPU 1"}),
    "message lost": (on_the_last("messages", arrived=0), {"stimer": "message did not come on vCPU 1"}),
    "message of another": (on_the_last("messages", type=1), {"stimer": "type 0x1"}),
    "message of another time": (on_the_last("messages", off=1), {"stimer": "message is of type"}),
    "direct unarmed": (on_the_last("directs", arrived=None), {"stimer-direct": "cannot be armed"}),
    "direct lost": (on_the_last("directs", arrived=0), {"stimer-direct": "interrupt did not come"}),
    "one vCPU's timers alone": (
        lambda seen: seen._replace(messages=seen.messages[:1]),
        {"stimer": "only 1 of 2 vCPUs could try a timer"},
    ),
    "crash untold": (lambda seen: seen._replace(crash=()), {"crash": "was not reported to QEMU"}),
    "another crash": (lambda seen: seen._replace(crash=(1, 2, 3, 4, 5)), {"crash": "other parameters: 0x1, 0x2"}),
    "no frequency": (answer(0x40000022, 0), {"frequencies": "a frequency is 0"}),
    "no bus frequency": (answer(0x40000023, None), {"frequencies": "MSR 0x40000023 cannot be read"}),
    "kHz": (answer(0x40000022, 2_500_000), {"frequencies": "said to run at 2 MHz, and runs at 2500 MHz"}),
    "no notification": (answer(0x40000105, 0), {"crash": "gives 0x0"}),
    "crash parameter": (answer(0x40000102, None), {"crash": "MSR 0x40000102 cannot be read"}),
    "spin wait": (result_of(8, 3), {"spinlocks": "hypercall 0x8 gave 0x3"}),
    "post": (result_of(0x5C, 2), {"synic": "hypercall 0x5c gave 0x2"}),
    "signal": (result_of(0x5D, None), {"synic": "hypercall 0x5d gave an exception"}),
    "ipi refused": (result_of(0xB, 5), {"ipi": "hypercall 0xb gave 0x5"}),
    "ipi lost": (
        lambda seen: seen._replace(sent=(Sent(0xB, 1, 0, 2, 1),)),
        {"ipi": "hypercall 0xb reached 1 of 2 vCPUs"},
    ),
    "no registers": (
        lambda seen: seen._replace(sent=(*seen.sent, Sent(0x15, 1, None, 2, 0))),
        {"ipi": "hypercall 0x15 gave an exception", "xmm-input": "with input in registers, hypercall 0x15"},
    ),
    "flush refused": (result_of(0x13, 2), {"tlbflush": "hypercall 0x13 gave 0x2"}),
    "flush without effect": (
        lambda seen: seen._replace(
            flushed=tuple(call._replace(first=0) if call.code == 0x13 else call for call in seen.flushed)
        ),
        {"tlbflush": "after hypercall 0x13, 2 of 2 vCPUs read through an old mapping"},
    ),
    "no ranges": (
        lambda seen: seen._replace(flushed=tuple(call._replace(second=1) for call in seen.flushed)),
        {"tlbflush-ext": "hypercall 0x3 did not flush the second page"},
    ),
    "bitmap always read": (replaced("nested", unchanged=31), {"emsr-bitmap": "unchanged is looked at all the same"}),
    "bitmap refused": (
        replaced("nested", unchanged=None),
        {"emsr-bitmap": "said to be unchanged a nested guest could not be started"},
    ),
    "bitmap never read": (replaced("nested", changed=18), {"emsr-bitmap": "have changed is not looked at"}),
    "no assist page": (lambda seen: seen._replace(evmcs=None), {"evmcs": "an enlightened VMCS is refused"}),
    "another version": (
        replaced("evmcs", cpuid=None, hlt=None, clean=None),
        {"evmcs": "an enlightened VMCS is refused"},
    ),
    "an exit too many": (replaced("evmcs", hlt=31), {"evmcs": "a nested guest ended with 0xa and 0x1f"}),
    "no clean fields": (replaced("evmcs", clean=0x80000021), {"evmcs": "said to be clean is looked at all the same"}),
    "clean fields refused": (replaced("evmcs", clean=None), {"evmcs": "said to be clean is looked at all the same"}),
    "flush to the hypervisor": (replaced("inner", exit=18), {"tlbflush-direct": "goes to its hypervisor all the same"}),
    "flush ends otherwise": (replaced("inner", exit=None), {"tlbflush-direct": "could not be started"}),
    "flush fails": (replaced("inner", result=5), {"tlbflush-direct": "TLB flush gave 0x5"}),
    "flush denied": (replaced("inner", result=6), {"tlbflush-direct": "CPUID announces none to its hypervisor"}),
    "flush is not told": (replaced("inner", told=12), {"tlbflush-direct": "is not notified of"}),
    "reenlightenment": (answer(0x40000106, None), {"reenlightenment": "MSR 0x40000106 cannot be read"}),
    "debugger": (answer(0x400000F1, None), {"syndbg": "MSR 0x400000f1 cannot be read"}),
}


@pytest.mark.parametrize(("change", "told"), BROKEN.values(), ids=BROKEN)
def test_what_is_announced_and_does_not_work(
    change: Callable[[Observation], Observation], told: dict[str, str]
) -> None:
    result = everything(change)
    assert wrong(result) == set(told)
    assert not result.agrees
    for row_id, text in told.items():
        assert found(result, row_id).verdict is Verdict.BROKEN
        assert text in found(result, row_id).text


def test_every_row_that_can_work_can_be_broken() -> None:
    works = {finding.id for finding in everything(lambda seen: seen).findings if finding.verdict is Verdict.WORKS}
    assert works == {row_id for _, told in BROKEN.values() for row_id in told}


def test_without_the_hypercall_page_no_hypercall_works() -> None:
    for change in (
        lambda seen: seen._replace(calls=(Call(0x3FFF, None),), sent=(), flushed=()),
        lambda seen: seen._replace(page=0),
        lambda seen: seen._replace(calls=(Call(0x3FFF, 0),)),
    ):
        result = everything(change)
        assert result.interface.works is False
        assert {"tlbflush", "ipi", "synic", "spinlocks"} <= wrong(result)
        assert not result.agrees


def test_what_was_not_tried_is_unchecked_and_no_error() -> None:
    bare = Observation(2, made_observation(leaves_of(EVERYTHING)).vcpus, ())
    result = everything(lambda _seen: bare)
    assert result.interface.works is None
    assert wrong(result) == {"vapic", "frequencies", "crash"}  # these need no set-up, and are always tried
    assert found(result, "stimer").verdict is Verdict.UNCHECKED


def test_a_tsc_page_that_is_not_valid_works_and_is_told() -> None:
    finding = found(everything(replaced("tsc_page", sequence=0)), "time")
    assert finding.verdict is Verdict.WORKS
    assert "not valid on this host" in finding.text


@pytest.mark.parametrize(
    ("nested", "text"),
    [(None, "not checked here: on Intel it needs"), (Nested(0x80000021, 18, 31), "ended with 0x80000021")],
)
def test_an_msr_bitmap_that_could_not_be_tried(nested: Nested | None, text: str) -> None:
    finding = found(everything(lambda seen: seen._replace(nested=nested)), "emsr-bitmap")
    assert finding.verdict is Verdict.UNCHECKED
    assert text in finding.text


NESTED = ("evmcs", "emsr-bitmap", "tlbflush-direct")


def test_a_cpu_that_can_run_no_guest_tries_none() -> None:
    result = everything(lambda seen: seen._replace(vmcs=None, evmcs=None, nested=None, inner=None))
    for row_id in NESTED:
        assert found(result, row_id).verdict is Verdict.UNCHECKED
        assert "neither vmx nor svm" in found(result, row_id).text


def test_where_a_plain_vmcs_does_not_work_an_enlightened_one_is_not_judged() -> None:
    finding = found(everything(replaced("vmcs", cpuid=None)), "evmcs")
    assert (finding.verdict, finding.text) == (
        Verdict.UNCHECKED,
        "not checked here: with a plain VMCS a nested guest could not be started",
    )


def test_what_needs_an_enlightened_vmcs_is_not_judged_where_that_is_refused() -> None:
    refused = Evmcs(None, None, None), Nested(None, None, None), Inner(None, 0, None)
    result = everything(lambda seen: seen._replace(evmcs=refused[0], nested=refused[1], inner=refused[2]))
    assert wrong(result) == {"evmcs"}
    for row_id in ("emsr-bitmap", "tlbflush-direct"):
        assert found(result, row_id).verdict is Verdict.UNCHECKED


def test_amds_exit_codes() -> None:
    nested, inner = Nested(0x81, 0x81, 0x7C), Inner(0x78, 0, 0xF0000000)
    result = everything(lambda seen: seen._replace(vmcs=None, evmcs=None, nested=nested, inner=inner))
    assert {row_id: found(result, row_id).verdict for row_id in NESTED} == {
        "evmcs": Verdict.UNCHECKED,
        "emsr-bitmap": Verdict.WORKS,
        "tlbflush-direct": Verdict.WORKS,
    }


def test_a_call_that_is_closed_to_the_guest_tells_nothing_of_its_input() -> None:
    closed = [Flushed(2, 1, 6, 2, 2, 0, 0)]
    both = everything(lambda seen: seen._replace(flushed=(*closed, *seen.flushed[1:])))
    assert found(both, "xmm-input").verdict is Verdict.WORKS
    alone = everything(lambda seen: seen._replace(flushed=(*closed, *seen.flushed[1:]), sent=seen.sent[:2]))
    assert found(alone, "xmm-input").verdict is Verdict.UNCHECKED


@pytest.mark.parametrize("row_id", ["vpindex", "time", "synic", "crash"])
def test_enforcing_refuses_what_is_not_announced(row_id: str) -> None:
    asked = {"relaxed": None, "enforce-cpuid": None}
    leaves = leaves_of(asked)
    seen = made_observation(leaves)
    refusing = seen._replace(msrs=tuple(run._replace(value=None) for run in seen.msrs))
    result = verify(leaves, asked, refusing)
    assert found(result, "enforce-cpuid").verdict is Verdict.WORKS
    open_one = next(first for first, _ in BY_ID[row_id].msrs)
    result = verify(leaves, asked, answer(open_one, 0)(refusing))
    assert found(result, "enforce-cpuid").verdict is Verdict.BROKEN
    assert f"MSR {open_one:#x} answers" in found(result, "enforce-cpuid").text
