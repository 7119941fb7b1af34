"""What prevents a live migration, or makes one lose the guest."""

from typing import NamedTuple

from hvctl.catalog.types import Blocks, Need, Row


class Hazard(NamedTuple):
    """Why a guest with a row must not migrate; `remedy` is what would help beside `migration: none`, or empty."""

    reason: str
    remedy: str = ""


def hazard(row: Row, value: int | str | None, *, fixed_tsc: bool) -> Hazard | None:
    """The hazard of a row that is on with a value; `fixed_tsc` says whether tsc-frequency is set."""
    if row.blocks_migration is Blocks.ALWAYS:
        return Hazard("QEMU does not migrate a guest with it")
    if blocks(row, value):
        return Hazard("QEMU does not migrate a guest with the value auto", f"write `{row.id}: on`")
    if row.blocks_migration is Blocks.LOST:
        return Hazard("a migration loses its state")
    if Need.TSC_FREQUENCY in row.needs and not fixed_tsc:
        return Hazard("without tsc-frequency a migration can lose the guest", "write `tsc-frequency: auto`")
    return None


def blocks(row: Row, value: int | str | None) -> bool:
    """Whether QEMU refuses to migrate a guest with a row and a value."""
    return row.blocks_migration is Blocks.ALWAYS or (row.blocks_migration is Blocks.AUTO and value == "auto")
