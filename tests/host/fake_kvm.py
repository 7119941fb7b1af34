"""KVMs that cannot be had where the tests run, as fakes behind the `KvmDevice` boundary.

Each keeps account of its descriptors and answers in the kernel's own binary form.
"""

import errno
import os
import struct
from collections.abc import Iterable, Mapping

from hvctl.catalog.kvm import KVM_CAPS
from hvctl.host.kvm_device import API_VERSION, REQUESTS
from hvctl.model.host import CpuidLeaf

SYSTEM, VM, VCPU = 100, 200, 300
NAME_OF_REQUEST = {number: name for name, number in REQUESTS.items()}
NAME_OF_CAP = {number: name for name, number in KVM_CAPS.items()}
STIMER_DIRECT = CpuidLeaf(0x40000003, edx=1 << 19)


class FakeKvm:
    """A KVM of given capabilities, leaves and MSRs; `failing` maps an ioctl's name to the errno it ends in."""

    path = "/dev/fake-kvm"

    def __init__(
        self,
        caps: Mapping[str, int],
        leaves: Iterable[CpuidLeaf] = (),
        msrs: Iterable[int] = (),
        failing: Mapping[str, int] | None = None,
    ) -> None:
        self.caps = dict(caps)
        self.leaves = list(leaves)
        self.msrs = list(msrs)
        self.failing = dict(failing or {})
        self.asked: list[tuple[str, int]] = []
        self.opened: set[int] = set()
        self.irqchip = False
        self.evmcs = False

    def open(self) -> int:
        self.opened.add(SYSTEM)
        return SYSTEM

    def close(self, descriptor: int) -> None:
        self.opened.remove(descriptor)

    def ioctl(self, descriptor: int, request: int, argument: int | bytearray) -> int:
        name = NAME_OF_REQUEST[request]
        assert descriptor in self.opened
        self.asked.append((name, descriptor))
        if name in self.failing:
            raise OSError(self.failing[name], os.strerror(self.failing[name]))
        if isinstance(argument, bytearray):
            return self._fill(name, descriptor, argument)
        return self._answer(name, argument)

    def _answer(self, name: str, argument: int) -> int:
        match name:
            case "KVM_GET_API_VERSION":
                return API_VERSION
            case "KVM_CHECK_EXTENSION":
                return self.caps.get(NAME_OF_CAP[argument], 0)
            case "KVM_CREATE_VM":
                return self._new(VM)
            case "KVM_CREATE_VCPU":
                return self._new(VCPU)
            case "KVM_CREATE_IRQCHIP":
                self.irqchip = True
                return 0
            case "KVM_GET_TSC_KHZ":
                return 2_600_000
        raise AssertionError(name)

    def _new(self, descriptor: int) -> int:
        self.opened.add(descriptor)
        return descriptor

    def _fill(self, name: str, descriptor: int, buffer: bytearray) -> int:
        match name:
            case "KVM_GET_SUPPORTED_HV_CPUID":
                entries = [struct.pack("=10I", leaf.leaf, 0, 0, *leaf[1:], 0, 0, 0) for leaf in self._seen(descriptor)]
                return _give(buffer, 8, 40, entries)
            case "KVM_GET_MSR_INDEX_LIST":
                return _give(buffer, 4, 4, [struct.pack("=I", msr) for msr in self.msrs])
            case "KVM_ENABLE_CAP":
                cap, flags, address = struct.unpack_from("=IIQ", buffer)
                assert len(buffer) == 104
                assert (cap, flags) == (163, 0)
                assert address
                self.evmcs = True
                return 0
        raise AssertionError(name)

    def _seen(self, descriptor: int) -> list[CpuidLeaf]:
        assert descriptor == SYSTEM
        return self.leaves


class FakeVcpuOnlyKvm(FakeKvm):
    """A kernel from 5.0 to 5.10, on Intel with nested=1: only a vCPU answers, and it hides what is not set up."""

    def __init__(self, leaves: Iterable[CpuidLeaf], *, evmcs: bool) -> None:
        super().__init__(
            {
                "KVM_CAP_HYPERV": 1,
                "KVM_CAP_HYPERV_CPUID": 1,
                "KVM_CAP_HYPERV_ENLIGHTENED_VMCS": int(evmcs),
                "KVM_CAP_GET_TSC_KHZ": 1,
            },
            leaves,
        )

    def _seen(self, descriptor: int) -> list[CpuidLeaf]:
        assert descriptor == VCPU
        direct = [STIMER_DIRECT] if self.irqchip else []
        evmcs = [CpuidLeaf(0x40000004, eax=1 << 14)] if self.evmcs else []
        return [*self.leaves, *evmcs, *direct]


class FakeOldKernelKvm(FakeKvm):
    """A kernel before 5.0: there is no KVM_GET_SUPPORTED_HV_CPUID at all."""

    def __init__(self, caps: Mapping[str, int], msrs: Iterable[int]) -> None:
        super().__init__({"KVM_CAP_HYPERV": 1, **caps}, msrs=msrs)


class FakeInsatiableKvm(FakeKvm):
    """Answers E2BIG whatever it is given."""

    largest = 0

    def _fill(self, name: str, descriptor: int, buffer: bytearray) -> int:  # noqa: ARG002 - FakeKvm's
        self.largest = max(self.largest, len(buffer))
        raise OSError(errno.E2BIG, "too big")


def _give(buffer: bytearray, header: int, size: int, entries: list[bytes]) -> int:
    (room,) = struct.unpack_from("=I", buffer)
    assert len(buffer) == header + room * size
    if room < len(entries):
        raise OSError(errno.E2BIG, "too big")
    struct.pack_into("=I", buffer, 0, len(entries))
    content = b"".join(entries)
    buffer[header : header + len(content)] = content
    return 0
