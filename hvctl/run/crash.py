"""A guest's crash: its crash MSRs as QEMU's event GUEST_PANICKED carries them (qemu:qapi/run-state.json), and its name.

The bug checks are the commonest of Microsoft's Bug Check Code Reference:
https://learn.microsoft.com/windows-hardware/drivers/debugger/bug-check-code-reference2
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

ARGUMENTS = ("arg1", "arg2", "arg3", "arg4", "arg5")
MASK = (1 << 64) - 1
# A Linux guest writes its Hyper-V guest id into the second MSR: an open-source system, and of these Linux
# (linux:drivers/hv/hv_common.c hyperv_report_panic, include/asm-generic/hyperv-tlfs.h HV_LINUX_VENDOR_ID 0x8100).
LINUX_GUEST_ID = 0x8100
# The minidump variants of a bug check are its code with this bit set (Bug Check Code Reference, 0x1000007E).
MINIDUMP = 0x10000000
# Windows maps nothing in the first 64 KiB, and a 32-bit kernel starts at 2 GiB: a value below these is no address
# at all, or no kernel address where the reference says that the parameter is a code.
NO_ADDRESS = 0x10000
NO_KERNEL_ADDRESS = 0x80000000


class Crash(NamedTuple):
    """A guest's crash. `parameters` are the five crash MSRs P0 to P4, or None where the guest gave none."""

    parameters: tuple[int, ...] | None


def read_event(event: Mapping[str, object]) -> Crash:
    """The crash in a GUEST_PANICKED event; whatever has another shape is a crash without parameters."""
    data = event.get("data")
    info = data.get("info") if isinstance(data, dict) else None
    if not isinstance(info, dict) or info.get("type") != "hyper-v":
        return Crash(None)
    values = [info.get(name) for name in ARGUMENTS]
    if any(type(value) is not int for value in values):
        return Crash(None)
    return Crash(tuple(value & MASK for value in values if isinstance(value, int)))


def signature(crash: Crash) -> str:
    """A short name that the same crash has at each boot, and others have not; empty without parameters.

    The bug check code as eight hexadecimal digits, then those of its parameters that tell what went wrong, in
    hexadecimal: `0000009F-3`. Addresses are `x`, since Windows loads its kernel elsewhere at each boot, and so are
    parameters that Microsoft's reference describes as anything but the kind of failure; `x` at the end is left out. A
    crash of a Linux guest is LINUX and its error code.
    """
    if crash.parameters is None:
        return ""
    code, *parameters = crash.parameters
    if _is_linux(crash):
        return f"LINUX-{code:X}"
    known = _known(code)
    limit = NO_ADDRESS if known is None else NO_KERNEL_ADDRESS
    words = [
        _word(value, limit) if known is None or position in known.telling else "x"
        for position, value in enumerate(parameters, 1)
    ]
    while words and words[-1] == "x":
        words.pop()
    return "-".join([f"{code:08X}", *words])


def report(crash: Crash) -> tuple[str, ...]:
    """The crash in lines for people."""
    if crash.parameters is None:
        return ("the guest crashed, and gave no parameters",)
    code, *parameters = crash.parameters
    known = _known(code)
    what = "a Linux guest's panic" if _is_linux(crash) else f"bug check {code:#010x}"
    if known and not _is_linux(crash):
        what += f" {known.name}"
    return (
        f"the guest crashed: {what}",
        f"crash parameters: {' '.join(f'{value:#018x}' for value in (code, *parameters))}",
        f"crash signature: {signature(crash)}",
    )


def _is_linux(crash: Crash) -> bool:
    return crash.parameters is not None and crash.parameters[1] >> 48 == LINUX_GUEST_ID


def _known(code: int) -> BugCheck | None:
    return BY_CODE.get(code) or BY_CODE.get(code & ~MINIDUMP)


def _word(value: int, limit: int) -> str:
    status = _status(value)
    if status is not None:
        return f"{status:X}"
    return "x" if value >= limit else f"{value:X}"


def _status(value: int) -> int | None:
    """An NTSTATUS of severity warning or error and facility 0 (0x8000xxxx, 0xC000xxxx), also sign-extended to 64 bits.

    Not an address: a 64-bit kernel has none there, and a 32-bit one has only its boot loader's pages there.
    """
    low = value & 0xFFFFFFFF
    if value >> 32 not in (0, 0xFFFFFFFF):
        return None
    return low if low >> 16 in (0x8000, 0xC000) else None


class BugCheck(NamedTuple):
    """One code: its name, and which of the four parameters (1 to 4) say what went wrong rather than where in memory.

    The reference describes the others as addresses, or as values that differ at each crash (ticks, sizes, stamps).
    """

    code: int
    name: str
    telling: tuple[int, ...] = ()


BUG_CHECKS = (
    BugCheck(0x0A, "IRQL_NOT_LESS_OR_EQUAL", (2, 3)),
    BugCheck(0x18, "REFERENCE_BY_POINTER"),
    BugCheck(0x19, "BAD_POOL_HEADER", (1,)),
    BugCheck(0x1A, "MEMORY_MANAGEMENT", (1,)),
    BugCheck(0x1E, "KMODE_EXCEPTION_NOT_HANDLED", (1,)),
    BugCheck(0x24, "NTFS_FILE_SYSTEM", (1,)),
    BugCheck(0x3B, "SYSTEM_SERVICE_EXCEPTION", (1,)),
    BugCheck(0x3D, "INTERRUPT_EXCEPTION_NOT_HANDLED"),
    BugCheck(0x4E, "PFN_LIST_CORRUPT", (1,)),
    BugCheck(0x50, "PAGE_FAULT_IN_NONPAGED_AREA", (2, 4)),
    BugCheck(0x5C, "HAL_INITIALIZATION_FAILED"),
    BugCheck(0x5D, "UNSUPPORTED_PROCESSOR"),
    BugCheck(0x6B, "PROCESS1_INITIALIZATION_FAILED", (1,)),
    BugCheck(0x74, "BAD_SYSTEM_CONFIG_INFO", (4,)),
    BugCheck(0x77, "KERNEL_STACK_INPAGE_ERROR", (1,)),
    BugCheck(0x7A, "KERNEL_DATA_INPAGE_ERROR", (2,)),
    BugCheck(0x7B, "INACCESSIBLE_BOOT_DEVICE", (2,)),
    BugCheck(0x7E, "SYSTEM_THREAD_EXCEPTION_NOT_HANDLED", (1,)),
    BugCheck(0x7F, "UNEXPECTED_KERNEL_MODE_TRAP", (1,)),
    BugCheck(0x8E, "KERNEL_MODE_EXCEPTION_NOT_HANDLED", (1,)),
    BugCheck(0x9F, "DRIVER_POWER_STATE_FAILURE", (1,)),
    BugCheck(0xA0, "INTERNAL_POWER_ERROR", (1,)),
    BugCheck(0xA5, "ACPI_BIOS_ERROR", (1,)),
    BugCheck(0xBE, "ATTEMPTED_WRITE_TO_READONLY_MEMORY"),
    BugCheck(0xC2, "BAD_POOL_CALLER", (1,)),
    BugCheck(0xC4, "DRIVER_VERIFIER_DETECTED_VIOLATION", (1,)),
    BugCheck(0xC5, "DRIVER_CORRUPTED_EXPOOL", (2, 3)),
    BugCheck(0xCA, "PNP_DETECTED_FATAL_ERROR", (1,)),
    BugCheck(0xD1, "DRIVER_IRQL_NOT_LESS_OR_EQUAL", (2, 3)),
    BugCheck(0xE2, "MANUALLY_INITIATED_CRASH"),
    BugCheck(0xED, "UNMOUNTABLE_BOOT_VOLUME", (2,)),
    BugCheck(0xEF, "CRITICAL_PROCESS_DIED", (2,)),
    BugCheck(0xF4, "CRITICAL_OBJECT_TERMINATION", (1,)),
    BugCheck(0xFC, "ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY"),
    BugCheck(0x101, "CLOCK_WATCHDOG_TIMEOUT"),
    BugCheck(0x109, "CRITICAL_STRUCTURE_CORRUPTION", (4,)),
    BugCheck(0x116, "VIDEO_TDR_FAILURE", (3,)),
    BugCheck(0x124, "WHEA_UNCORRECTABLE_ERROR", (1,)),
    BugCheck(0x133, "DPC_WATCHDOG_VIOLATION", (1,)),
    BugCheck(0x139, "KERNEL_SECURITY_CHECK_FAILURE", (1,)),
    BugCheck(0x13A, "KERNEL_MODE_HEAP_CORRUPTION", (1,)),
    BugCheck(0x154, "UNEXPECTED_STORE_EXCEPTION"),
    BugCheck(0x18B, "SECURE_KERNEL_ERROR"),
    BugCheck(0x1CA, "SYNTHETIC_WATCHDOG_TIMEOUT"),
    BugCheck(0x1DB, "IPI_WATCHDOG_TIMEOUT"),
    BugCheck(0x20001, "HYPERVISOR_ERROR", (1,)),
    BugCheck(0xC000021A, "WINLOGON_FATAL_ERROR", (2,)),
    BugCheck(0xC0000221, "STATUS_IMAGE_CHECKSUM_MISMATCH"),
    BugCheck(0xDEADDEAD, "MANUALLY_INITIATED_CRASH1"),
)
BY_CODE = {known.code: known for known in BUG_CHECKS}
