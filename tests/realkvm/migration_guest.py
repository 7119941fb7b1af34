"""A guest of a few bytes that uses its enlightenments, and writes down what it sees of them for as long as it runs.

It turns on what leaf 0x40000003 offers when it starts, as Windows does, and goes on using it wherever it is moved. Its
notes lie in its memory, where QMP's `pmemsave` reads them: the debug port would cost an exit for every byte.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from hvctl.model.host import CpuidLeaf
from hvctl.probe_guest import FIRMWARE_SIZE

# Hyper-V's, KVM's, and of the processor what differs between CPU models.
LEAVES = (
    *(*range(0x40000000, 0x4000000B), 0x40000080, 0x40000081, 0x40000082, 0x40000100, 0x40000101),
    *(0, 1, 7, 0xD, 0x80000001, 0x80000002, 0x80000007, 0x80000008),
)
NOTES_ADDRESS = 0x10000
NOTES_SIZE = 0x40 + 16 * len(LEAVES)

# A guest in which another one runs nearly all the time, by VMX or SVM; where there is neither it goes on alone.
HYPERVISOR = Path(__file__).parent / "hypervisor" / "hypervisor.bin"
FAULTED = (1 << 64) - 1
# Offsets in the notes: loops made, sequence of the TSC page, messages of the timer, reference counter.
_TICKS, _SEQUENCE, _TIMER, _COUNTER, _LEAVES = 0, 4, 8, 16, 0x40
_NO_IDT = 0xF00
_TSC_PAGE, _HYPERCALL_PAGE, _ASSIST_PAGE, _EVENT_PAGE, _MESSAGE_PAGE = (0x1000 * number for number in range(1, 6))
_SINT = 2
_MESSAGE = _MESSAGE_PAGE + 256 * _SINT

_INTERFACE = 0x31237648  # "Hv#1"
# Bits of 0x40000003.EAX (linux:include/hyperv/hvgdk_mini.h), and one that the image decides.
_COUNTER_BIT, _SYNIC, _STIMER, _APIC, _HYPERCALL, _TSC, _REENLIGHTEN = (1 << bit for bit in (1, 2, 3, 4, 5, 9, 13))
_TIMER_PERIOD = 100_000  # of 100 ns
# Turns of an empty loop, some 20 ms in the testbed.
_PAUSE = 10_000_000

_GUEST_OS_ID, _HYPERCALL_MSR, _COUNTER_MSR, _TSC_MSR, _ASSIST_MSR = (
    *(0x40000000, 0x40000001),
    *(0x40000020, 0x40000021, 0x40000073),
)
_SCONTROL, _SIEFP, _SIMP, _EOM, _SINT0 = 0x40000080, 0x40000082, 0x40000083, 0x40000084, 0x40000090
_STIMER_CONFIG, _STIMER_COUNT, _REENLIGHTENMENT, _TSC_EMULATION = 0x400000B0, 0x400000B1, 0x40000106, 0x40000107
_APIC_BASE, _APIC_SPURIOUS = 0x1B, 0x80F


@dataclass(frozen=True, slots=True)
class Notes:
    """What the guest has written down.

    `ticks` counts its loops, `timer` the messages of its synthetic timer; `tsc_sequence` is the TSC page's, `counter`
    the reference counter in 100 ns; each is 0 without that enlightenment. `exits` counts the exits of the guest's own
    guest, `reason` is the last one's, as VMX or SVM has it, or FAULTED if it could not be entered.
    """

    ticks: int
    tsc_sequence: int
    timer: int
    exits: int
    counter: int
    reason: int
    leaves: tuple[CpuidLeaf, ...]


def read_notes(data: bytes) -> Notes:
    ticks, sequence, timer, exits, counter, reason = struct.unpack_from("<IIIIQQ", data)
    registers = struct.iter_unpack("<IIII", data[_LEAVES:])
    leaves = tuple(CpuidLeaf(leaf, *row) for leaf, row in zip(LEAVES, registers, strict=True))
    return Notes(ticks, sequence, timer, exits, counter, reason, leaves)


def hypervisor() -> bytes:
    """The firmware with the hypervisor at its end, and the leaves to look at in its beginning."""
    leaves = struct.pack(f"<{len(LEAVES) + 1}I", len(LEAVES), *LEAVES)
    return leaves + HYPERVISOR.read_bytes().rjust(FIRMWARE_SIZE - len(leaves), b"\0")


def image(*, reenlightened: bool = False) -> bytes:
    """The firmware, 64 KiB; `reenlightened` makes it ask for reenlightenment notifications, as nested Hyper-V does."""
    # cli; cld; mov ax,imm16; mov ds,ax. Without an IDT a fault ends the guest at once.
    code = b"\xfa\xfc\xb8" + struct.pack("<H", NOTES_ADDRESS >> 4) + b"\x8e\xd8"
    code += b"\x0f\x01\x1e" + struct.pack("<H", _NO_IDT)  # lidt [imm16]
    code += _fill_memory() + _offers() + _set_up(reenlightened)
    loop = _loop()
    code += loop + b"\xe9" + struct.pack("<h", -(len(loop) + 3))  # jmp
    return code.ljust(0xFFF0, b"\xf4") + b"\xea\x00\x00\x00\xf0".ljust(16, b"\xf4")


def _fill_memory() -> bytes:
    """More than a socket buffers, so that a source that still sends hears of a destination that is gone."""
    code = b"\x66\xb8\x5a\xa5\x5a\xa5"  # mov eax,imm32
    for segment in range(0x2000, 0xA000, 0x1000):
        code += b"\xbb" + struct.pack("<H", segment) + b"\x8e\xc3\x31\xff\xb9\x00\x40\xf3\x66\xab"
        # mov bx,imm16; mov es,bx; xor di,di; mov cx,0x4000; rep stosd
    return code


def _offers() -> bytes:
    """EBP becomes what EAX of leaf 0x40000003 offers, 0 without Hyper-V."""
    offers = _cpuid(0x40000003) + b"\x66\x89\xc5"  # mov ebp,eax
    code = b"\x66\x31\xed" + _cpuid(0x40000001)  # xor ebp,ebp
    code += b"\x66\x3d" + struct.pack("<I", _INTERFACE)  # cmp eax,imm32
    return code + b"\x0f\x85" + struct.pack("<h", len(offers)) + offers  # jnz


def _set_up(reenlightened: bool) -> bytes:
    code = _when(
        _HYPERCALL, _wrmsr(_GUEST_OS_ID, 0x8100 << 48) + _wrmsr(_HYPERCALL_MSR, NOTES_ADDRESS + _HYPERCALL_PAGE | 1)
    )
    code += _when(_TSC, _wrmsr(_TSC_MSR, NOTES_ADDRESS + _TSC_PAGE | 1))
    code += _when(_APIC, _wrmsr(_ASSIST_MSR, NOTES_ADDRESS + _ASSIST_PAGE | 1))
    # KVM delivers a message together with its interrupt, so the APIC has to take that; x2APIC is within reach here.
    apic = _wrmsr(_APIC_BASE, 0xFEE00D00) + _wrmsr(_APIC_SPURIOUS, 0x1FF)
    synic = _wrmsr(_SIEFP, NOTES_ADDRESS + _EVENT_PAGE | 1) + _wrmsr(_SIMP, NOTES_ADDRESS + _MESSAGE_PAGE | 1)
    code += _when(_SYNIC, apic + _wrmsr(_SCONTROL, 1) + synic + _wrmsr(_SINT0 + _SINT, 0x50))
    # Periodic, enabled by its count.
    timer = _wrmsr(_STIMER_CONFIG, _SINT << 16 | 0b1010) + _wrmsr(_STIMER_COUNT, _TIMER_PERIOD)
    code += _when(_STIMER, timer)
    if reenlightened:
        code += _when(_REENLIGHTEN, _wrmsr(_REENLIGHTENMENT, 1 << 16 | 0x51) + _wrmsr(_TSC_EMULATION, 1))
    return code


def _loop() -> bytes:
    code = b""
    for number, leaf in enumerate(LEAVES):
        place = _LEAVES + 16 * number
        code += _cpuid(leaf) + b"\x66\xa3" + struct.pack("<H", place)  # mov [imm16],eax
        for offset, move in ((4, b"\x1e"), (8, b"\x0e"), (12, b"\x16")):  # mov [imm16],ebx, ecx, edx
            code += b"\x66\x89" + move + struct.pack("<H", place + offset)
    code += _copy(_TSC_PAGE, _SEQUENCE)
    counter = _rdmsr(_COUNTER_MSR) + b"\x66\xa3" + struct.pack("<H", _COUNTER)
    code += _when(_COUNTER_BIT, counter + b"\x66\x89\x16" + struct.pack("<H", _COUNTER + 4))
    code += _when(_STIMER, _take_message())
    return code + _pause() + b"\x66\xff\x06" + struct.pack("<H", _TICKS)  # inc dword [imm16]


def _pause() -> bytes:
    """Keeps the exits few: with thousands a second the testbed's machine stood still now and then.

    Inferred, not seen: do_vmexit() of QEMU's TCG clears its bit of `interrupt_request` without the lock under which
    the timer sets another, so that an exit may swallow the machine's timer interrupt.
    """
    return b"\x66\xb9" + struct.pack("<I", _PAUSE) + b"\x66\x49\x75\xfc"  # mov ecx,imm32; dec ecx; jnz


def _take_message() -> bytes:
    """Counts a message of the timer and makes room for the next."""
    take = b"\x66\xff\x06" + struct.pack("<H", _TIMER)  # inc dword [imm16]
    take += b"\x66\xc7\x06" + struct.pack("<HI", _MESSAGE, 0) + _wrmsr(_EOM, 0)  # mov dword [imm16],0
    compare = b"\x66\x83\x3e" + struct.pack("<H", _MESSAGE) + b"\x00"  # cmp dword [imm16],0
    return compare + b"\x0f\x84" + struct.pack("<h", len(take)) + take  # jz


def _when(offer: int, code: bytes) -> bytes:
    """test ebp,imm32; jz over the code"""
    return b"\x66\xf7\xc5" + struct.pack("<I", offer) + b"\x0f\x84" + struct.pack("<h", len(code)) + code


def _cpuid(leaf: int) -> bytes:
    """mov eax,imm32; xor ecx,ecx; cpuid"""
    return b"\x66\xb8" + struct.pack("<I", leaf) + b"\x66\x31\xc9\x0f\xa2"


def _copy(source: int, target: int) -> bytes:
    """mov eax,[imm16]; mov [imm16],eax"""
    return b"\x66\xa1" + struct.pack("<H", source) + b"\x66\xa3" + struct.pack("<H", target)


def _rdmsr(msr: int) -> bytes:
    """mov ecx,imm32; rdmsr"""
    return b"\x66\xb9" + struct.pack("<I", msr) + b"\x0f\x32"


def _wrmsr(msr: int, value: int) -> bytes:
    """mov ecx,imm32; mov eax,imm32; mov edx,imm32; wrmsr"""
    words = struct.pack("<I", msr), struct.pack("<I", value & 0xFFFFFFFF), struct.pack("<I", value >> 32)
    return b"\x66\xb9" + words[0] + b"\x66\xb8" + words[1] + b"\x66\xba" + words[2] + b"\x0f\x30"
