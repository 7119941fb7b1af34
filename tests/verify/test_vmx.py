"""What of VMX an enlightened VMCS takes away, by the MSRs of two guests."""

from __future__ import annotations

import pytest

from hvctl.cli.verify import _vmx_controls
from hvctl.cli.verify.subject import Subject
from hvctl.model.verification import MsrRun, Observation
from hvctl.verify.probe_report import read_report
from hvctl.verify.probe_run import start
from hvctl.verify.vmx import controls, is_limited, limits
from tests.made_observation import made_observation, printed
from tests.verify.test_compare import EVERYTHING, leaves_of

# The pin-based controls, true and not: bits 1, 2 and 4 are reserved, and 1.
PINS = (0x48D, 0xFF_0000_0016)
FUNCTIONS = (0x491, 1)
QEMU = "qemu-system-x86_64"
PIN_NAMES = (
    "PIN_BASED_EXT_INTR_MASK",
    "PIN_BASED_NMI_EXITING",
    "PIN_BASED_VIRTUAL_NMIS",
    "PIN_BASED_VMX_PREEMPTION_TIMER",
    "PIN_BASED_POSTED_INTR",
)


def guest(*msrs: tuple[int, int | None], enlightened: bool = True) -> Observation:
    """One that has these of VMX's MSRs, with all enlightenments or without any."""
    seen = made_observation(leaves_of(EVERYTHING) if enlightened else ())
    return seen._replace(msrs=(*(MsrRun(msr, msr, value) for msr, value in msrs), *seen.msrs))


def test_what_may_be_turned_on_has_its_name() -> None:
    assert controls(guest((0x48D, 0x3F_0000_0016))) == PIN_NAMES[:3]
    assert controls(guest(FUNCTIONS)) == ("VMX_VMFUNC_EPTP_SWITCHING",)
    assert controls(guest((0x48B, 1 << 61), (0x491, 2))) == ("bit 29 of MSR 0x48b", "bit 1 of MSR 0x491")


@pytest.mark.parametrize("msrs", [(), ((0x48D, None),), ((0x48D, 0x16_0000_0016),)], ids=["none", "fault", "reserved"])
def test_a_guest_without_vmx_has_none(msrs: tuple[tuple[int, int | None], ...]) -> None:
    assert controls(guest(*msrs)) == ()
    assert not is_limited(guest(*msrs))


def test_only_a_guest_with_an_enlightened_vmcs_is_limited() -> None:
    assert is_limited(guest(PINS))
    assert not is_limited(guest(PINS, enlightened=False))


def test_what_is_lost() -> None:
    found = limits(guest((0x48D, 0x3F_0000_0016)), guest(PINS, FUNCTIONS, enlightened=False))
    assert found is not None
    assert (found.id, found.limited, found.without) == (
        "evmcs",
        PIN_NAMES[:3],
        (*PIN_NAMES, "VMX_VMFUNC_EPTP_SWITCHING"),
    )
    assert found.lost == (*PIN_NAMES[3:], "VMX_VMFUNC_EPTP_SWITCHING")


def test_a_second_guest_that_has_one_too_or_no_vmx_shows_nothing() -> None:
    assert limits(guest(PINS), guest(PINS)) is None
    assert limits(guest(PINS), guest(enlightened=False)) is None


def test_a_second_guest_that_does_not_run_costs_only_the_list() -> None:
    argv = (QEMU, "-accel", "tcg", "-cpu", "nosuch")
    found, told = _vmx_controls(Subject("", argv, (), tuple, "tcg", start), guest(PINS), 30)
    assert found is None
    (sentence,) = told
    assert sentence.startswith("hidden VMX controls are not listed")
    assert sentence.endswith("did not run: qemu-system-x86_64: unable to find CPU model 'nosuch'")


def test_the_msrs_are_read_from_the_report() -> None:
    assert controls(read_report(printed(guest(PINS)))) == PIN_NAMES
