"""The commonest Windows bug checks, from Microsoft's Bug Check Code Reference.

https://learn.microsoft.com/windows-hardware/drivers/debugger/bug-check-code-reference2
"""

from __future__ import annotations

from typing import NamedTuple


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
