"""support: what each layer of one host says of a row."""

from __future__ import annotations

import pytest

from hvctl.catalog import BY_ID
from hvctl.model.host import Host
from hvctl.model.plan import Layer
from hvctl.plan.support import State, support, verdict
from tests.made_hosts import (
    made_amd_host,
    made_intel_host,
    made_kvm,
    made_libvirt,
    made_no_hyperv_host,
    made_old_kernel_host,
    made_qemu,
)


def states(host: Host, row_id: str) -> dict[Layer, State]:
    return {answer.layer: answer.state for answer in support(host, BY_ID[row_id], host.qemu[0])}


def without_cap(name: str, value: int | None) -> Host:
    """A host whose KVM answers `value` for a capability; None: it was not asked."""
    caps = [(cap, answer) for cap, answer in made_kvm().caps if cap != name]
    return made_amd_host(kvm=made_kvm()._replace(caps=(*caps, *([] if value is None else [(name, value)]))))


@pytest.mark.parametrize(
    ("host", "row_id", "layer", "state"),
    [
        (made_amd_host(), "relaxed", Layer.KERNEL, State.YES),
        (made_no_hyperv_host(), "relaxed", Layer.KERNEL, State.NO),
        (made_no_hyperv_host(), "vendor-id", Layer.KERNEL, State.NO),
        (made_old_kernel_host(), "xmm-input", Layer.KERNEL, State.UNKNOWN),
        (made_old_kernel_host(), "stimer", Layer.KERNEL, State.YES),
        (without_cap("KVM_CAP_HYPERV_VP_INDEX", 0), "vpindex", Layer.KERNEL, State.NO),
        (without_cap("KVM_CAP_HYPERV_VP_INDEX", None), "vpindex", Layer.KERNEL, State.UNKNOWN),
        # Both bits of a pair are needed.
        (made_amd_host(kvm=made_kvm(features=0xAAFF & ~(1 << 9))), "time", Layer.KERNEL, State.NO),
        (made_intel_host(), "evmcs", Layer.KERNEL, State.YES),
        (made_intel_host(nested=False), "evmcs", Layer.KERNEL, State.NO),
        (made_amd_host(), "evmcs", Layer.HARDWARE, State.NO),
        (made_amd_host(), "avic", Layer.HARDWARE, State.NO),
        (made_intel_host(), "avic", Layer.HARDWARE, State.YES),
        (made_amd_host(qemu=(made_qemu(unknown=("hv-xmm-input",)),)), "xmm-input", Layer.QEMU, State.NO),
        (made_amd_host(), "enforce-cpuid", Layer.LIBVIRT, State.NO),
        (made_amd_host(libvirt=None), "relaxed", Layer.LIBVIRT, State.UNKNOWN),
        (made_amd_host(libvirt=made_libvirt(without=("relaxed",))), "relaxed", Layer.LIBVIRT, State.NO),
    ],
)
def test_a_layer(host: Host, row_id: str, layer: Layer, state: State) -> None:
    assert states(host, row_id)[layer] is state


def test_no_qemu_is_unknown() -> None:
    host = made_amd_host()
    assert verdict(support(host, BY_ID["relaxed"], None)).layer is Layer.QEMU


def test_the_verdict_is_the_first_no_before_any_unknown() -> None:
    host = made_amd_host(libvirt=None)
    answers = support(host, BY_ID["avic"], None)
    assert verdict(answers).layer is Layer.HARDWARE
    assert verdict(support(host, BY_ID["relaxed"], host.qemu[0])).state is State.YES
    assert verdict(support(host, BY_ID["relaxed"], host.qemu[0]), libvirt=True).state is State.UNKNOWN
