"""The parts that rows of the catalog play in rules, told by their columns: no rule names an enlightenment."""

from hvctl.catalog import BY_ID, ROWS
from hvctl.catalog.placement import ClockTimer, HypervElement, HypervMode, PanicDevice
from hvctl.catalog.types import Advice, Blocks, Kind, Need, Row

PREFIXES = ("hv-", "x-hv-")
"""What the names of all properties of QEMU's that are enlightenments begin with."""

CLOCK = tuple(row for row in ROWS if row.reference_clock)
"""The clock that the guest reads without an exit."""

TIMERS = tuple(row for row in ROWS if any(BY_ID[needed].reference_clock for needed in row.requires))
"""The synthetic timers: what needs that clock."""

CONTROLLER = tuple(BY_ID[needed] for row in TIMERS for needed in row.requires if not BY_ID[needed].reference_clock)
"""The interrupt controller that the timers raise their interrupts by."""

HARDWARE_APIC = tuple(row for row in ROWS if Need.APICV in row.needs)
"""What tells the guest to leave the APIC to the hardware."""

VIRTUAL_APIC = tuple(row for row in ROWS if any(BY_ID.get(bits.unless) in HARDWARE_APIC for bits in row.adds))
"""The APIC's registers as MSRs: what is not recommended to the guest beside the former."""

FROM_THE_DEBUGGER = tuple(
    row for row in ROWS if row.advice is Advice.OFF and row.libvirt is None and not row.experimental
)
"""What is for debugging only, and so has no element."""

CRASH_REPORT = tuple(row for row in ROWS if isinstance(row.libvirt, PanicDevice))
"""What takes the guest's crash dump."""

POINTLESS = tuple(
    row for row in ROWS if row.advice is Advice.OFF and row.libvirt and not row.takes_all and row not in CRASH_REPORT
)
"""Elements from which no guest gains."""

NAMES = tuple(row for row in ROWS if row.kind is Kind.STRING)
"""Texts that the guest reads."""

NUMBERS = tuple(row for row in ROWS if row.kind is Kind.NUMBER and not row.experimental)
"""Numbers that the guest reads."""

ADVISED_NUMBER = 8191
"""What RHEL, KubeVirt, oVirt and virt-install write for them (qemu:docs/system/i386/hyperv.rst:311-313 says 4095)."""

EVERYTHING = tuple(row for row in ROWS if row.takes_all)
"""What turns on all that the host's KVM has."""

STUCK = tuple(row for row in ROWS if row.blocks_migration is Blocks.ALWAYS)
"""What QEMU never migrates."""

STUCK_BY_VALUE = tuple(row for row in ROWS if row.blocks_migration is Blocks.AUTO)
"""What QEMU does not migrate with one of its values."""

TIED_TO_THE_TSC = tuple(row for row in ROWS if Need.TSC_FREQUENCY in row.needs)
"""What a guest that migrates has only with tsc-frequency."""

PROMISES = tuple(row for row in ROWS if Need.PINNED in row.needs)
"""What is true only of pinned vCPUs."""

NOT_COMPARED = tuple(row for row in ROWS if row.libvirt and not row.libvirt.abi_checked)
"""What libvirt does not compare before a migration."""

FOR_NESTED = tuple(row for row in ROWS if row.for_nested)
"""What a guest should get that runs a hypervisor itself."""

RECOMMENDED = tuple(row for row in ROWS if row.advice is Advice.ON)
"""What every Windows guest should get."""

ELEMENTS = {row.libvirt.path: row for row in ROWS if isinstance(row.libvirt, HypervElement)}
"""The rows that are elements in `<hyperv>`, by their paths below it, such as `stimer/direct`."""

MODES = {row.libvirt.name: row for row in ROWS if isinstance(row.libvirt, HypervMode)}
"""The rows that are a mode of `<hyperv>`."""

CLOCK_TIMERS = {row.libvirt.name: row for row in ROWS if isinstance(row.libvirt, ClockTimer)}
"""The rows that are a timer of `<clock>`, by its name."""

PANIC_DEVICES = {row.libvirt.model: row for row in ROWS if isinstance(row.libvirt, PanicDevice)}
"""The rows that are a panic device, by its model."""

PROPERTIES = {
    name: row
    for row in ROWS
    for known in row.properties
    for name in (known.name, *(row.property_aliases if len(row.properties) == 1 else ()))
}
"""The rows by QEMU's names of their properties."""


def enclosing(row: Row) -> Row | None:
    """The row whose element another one's is written in."""
    return ELEMENTS[row.libvirt.inside] if isinstance(row.libvirt, HypervElement) and row.libvirt.inside else None
