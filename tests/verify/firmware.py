"""Guests of a few bytes: 64 KiB of firmware that run in real mode, mapped below 1 MiB and at the top of 4 GiB.

Each tells what it does through the port of QEMU's `-debugcon`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence

READY = b"R"

_CLI, _HLT = b"\xfa", b"\xf4"
_SAY_READY = b"\xb0" + READY + b"\xe6\xe9"  # mov al,'R'; out 0xe9,al
_PCI_ADDRESS, _PCI_DATA = 0xCF8, 0xCFC
# Function 3 of the PIIX4, device 1 on bus 0: power management. Registers: base address, and its enabling.
_PM_BASE, _PM_ENABLE = 0x80000B40, 0x80000B80
_PM1_STATUS, _PM1_ENABLE, _PM1_CONTROL = 0x600, 0x602, 0x604
_POWER_BUTTON, _SOFT_OFF = 0x100, 0x2000
# The first of the crash MSRs P0 to P4, and the one that notifies (linux:include/hyperv/hvgdk_mini.h).
_CRASH_P0, _CRASH_CTL, _NOTIFY = 0x40000100, 0x40000105, 1 << 63


def power_button() -> bytes:
    """A guest of machine `pc` that switches itself off when the power button is pressed."""
    code = _CLI + _pci(_PM_BASE, _PM1_STATUS | 1) + _pci(_PM_ENABLE, 1)
    code += _out16(_PM1_ENABLE, _POWER_BUTTON) + _SAY_READY
    code += b"\xba" + struct.pack("<H", _PM1_STATUS)  # mov dx,imm16
    code += b"\xed\xf6\xc4\x01\x74\xfa"  # in ax,dx; test ah,1; jz to the in
    return _image(code + _out16(_PM1_CONTROL, _SOFT_OFF) + _HLT)


def other_evmcs_version(image: bytes) -> bytes:
    """The probe guest with version 2 of the enlightened VMCS, as it is made with -DEVMCS_VERSION=2: in the instruction
    that stores the version, which is before the one that turns its use on.

    No compiler is needed for that, which is not everywhere.
    """
    changed, count = re.subn(rb"(?s)(\xc7\x05....)\x01(\0\0\0\xc6\x05....\x01)", b"\\g<1>\x02\\g<2>", image)
    assert count == 1
    return changed


def echo() -> bytes:
    """A guest that sends each byte of its first serial port to the debug console."""
    code = b"\xba\xfd\x03\xec\xa8\x01\x74\xfb"  # mov dx,0x3fd; in al,dx; test al,1; jz to the in
    code += b"\xba\xf8\x03\xec\xe6\xe9\xeb\xf0"  # mov dx,0x3f8; in al,dx; out 0xe9,al; jmp to the start
    return _image(_CLI + _SAY_READY + code)


def crash(parameters: Sequence[int]) -> bytes:
    """A guest that reports a crash with these five parameters through Hyper-V's crash MSRs."""
    code = b"".join(_wrmsr(_CRASH_P0 + position, value) for position, value in enumerate(parameters))
    return _image(_CLI + code + _wrmsr(_CRASH_CTL, _NOTIFY) + _HLT)


def unemulated() -> bytes:
    """A guest that KVM cannot run on: it stores x87's st(0) into ROM, and KVM's emulator, which has to do that, has no
    such instruction (linux:arch/x86/kvm/emulate.c, the table escape_d9)."""
    return _image(_CLI + b"\xb8\x00\xf0\x8e\xd8\xd9\x16\x00\x00" + _HLT)  # mov ax,0xf000; mov ds,ax; fst [0]


def pvpanic() -> bytes:
    """A guest that reports a crash to QEMU's device `pvpanic` with its first instructions."""
    return _image(b"\xb0\x01\xba\x05\x05\xee" + _HLT)  # mov al,1; mov dx,0x505; out dx,al


def _pci(register: int, value: int) -> bytes:
    return _out32(_PCI_ADDRESS, register) + _out32(_PCI_DATA, value)


def _out32(port: int, value: int) -> bytes:
    """mov eax,imm32; mov dx,imm16; out dx,eax"""
    return b"\x66\xb8" + struct.pack("<I", value) + b"\xba" + struct.pack("<H", port) + b"\x66\xef"


def _out16(port: int, value: int) -> bytes:
    """mov ax,imm16; mov dx,imm16; out dx,ax"""
    return b"\xb8" + struct.pack("<H", value) + b"\xba" + struct.pack("<H", port) + b"\xef"


def _wrmsr(msr: int, value: int) -> bytes:
    """mov ecx,imm32; mov eax,imm32; mov edx,imm32; wrmsr"""
    words = struct.pack("<I", msr), struct.pack("<I", value & 0xFFFFFFFF), struct.pack("<I", value >> 32)
    return b"\x66\xb9" + words[0] + b"\x66\xb8" + words[1] + b"\x66\xba" + words[2] + b"\x0f\x30"


def _image(code: bytes) -> bytes:
    """The code at f000:0000, and at the reset vector a far jump to it."""
    return code.ljust(0xFFF0, _HLT) + b"\xea\x00\x00\x00\xf0".ljust(16, _HLT)
