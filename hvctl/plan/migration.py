"""What in a plan prevents a live migration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvctl.catalog import BY_ID
from hvctl.catalog.types import Blocks, Need

if TYPE_CHECKING:
    from hvctl.model.plan import Plan


def obstacles(plan: Plan) -> tuple[str, ...]:
    """Why a guest with this plan does not migrate, or may be lost; empty for every plan with migration required."""
    found = []
    for decision in plan.enabled():
        row = BY_ID[decision.id]
        if row.blocks_migration is Blocks.ALWAYS or (row.blocks_migration is Blocks.AUTO and decision.value == "auto"):
            found.append(f"{row.id}: QEMU refuses to migrate a guest with it")
        if Need.TSC_FREQUENCY in row.needs and plan.cpu.tsc_frequency is None:
            found.append(f"{row.id}: without tsc-frequency a migration can lose the guest")
    if dict(plan.cpu.features).get("invtsc") and plan.cpu.tsc_frequency is None:
        # qemu:target/i386/kvm/kvm.c:2307-2319
        found.append("cpu feature invtsc: QEMU refuses to migrate a guest with it and without tsc-frequency")
    return tuple(found)
