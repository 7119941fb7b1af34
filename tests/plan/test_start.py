"""start: QEMU's refusals, in its own words (the texts were seen from QEMU 7.2 and 10.0)."""

from __future__ import annotations

import pytest

from hvctl.plan.start import predict_start
from tests.made_hosts import made_amd_host, made_no_hyperv_host, made_old_kernel_host

TIME = "clocksources (hv-time)"
SYNIC = "synthetic interrupt controller (hv-synic)"


@pytest.mark.parametrize(
    ("enabled", "message"),
    [
        ([], None),
        (["relaxed", "vapic"], None),
        (["synic"], f"Hyper-V {SYNIC} requires Hyper-V VP_INDEX MSR (hv-vpindex)"),
        (["stimer"], f"Hyper-V synthetic timers (hv-stimer) requires Hyper-V {TIME}"),
        (["stimer", "time"], f"Hyper-V synthetic timers (hv-stimer) requires Hyper-V {SYNIC}"),
        (["synic", "stimer"], f"Hyper-V synthetic timers (hv-stimer) requires Hyper-V {TIME}"),
        (["stimer", "time", "synic"], f"Hyper-V {SYNIC} requires Hyper-V VP_INDEX MSR (hv-vpindex)"),
        (["tlbflush-direct"], "Hyper-V direct TLB flush (hv-tlbflush-direct) requires Hyper-V virtual APIC (hv-vapic)"),
        (["evmcs"], "Hyper-V enlightened VMCS (hv-evmcs) is not supported by kernel"),
        (["evmcs", "stimer"], f"Hyper-V synthetic timers (hv-stimer) requires Hyper-V {TIME}"),
        (["vendor-id", "enforce-cpuid", "spinlocks"], None),
    ],
)
def test_the_message(enabled: list[str], message: str | None) -> None:
    found = predict_start(enabled, "pc-q35-10.0", made_amd_host())
    assert (found and found.message) == message


def test_old_machines_do_not_ask_for_the_vp_index() -> None:
    assert predict_start(["synic"], "pc-q35-3.0", made_amd_host()) is None
    assert predict_start(["stimer", "synic", "time"], "pc-i440fx-2.12", made_amd_host()) is None


def test_without_hyperv_nothing_is_supported() -> None:
    found = predict_start(["relaxed"], "pc-q35-10.0", made_no_hyperv_host())
    assert found
    assert found.missing is None


def test_an_old_kernel_cannot_tell() -> None:
    with pytest.raises(ValueError, match="cannot tell about xmm-input"):
        predict_start(["xmm-input"], "pc-q35-10.0", made_old_kernel_host())
