"""A plan as arguments of QEMU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvctl.catalog import BY_ID
from hvctl.catalog.types import Kind
from hvctl.model.profile import Migration
from hvctl.model.version_id import parse_version

if TYPE_CHECKING:
    from hvctl.model.plan import Decision, Plan


def arguments(plan: Plan) -> tuple[str, ...]:
    """The words of the command line, an option and its value being two words."""
    return (
        "-machine",
        ",".join([escape(plan.machine.type), *_hpet(plan)]),
        "-cpu",
        cpu(plan),
        "-rtc",
        f"base={plan.clock.offset}" + (",driftfix=slew" if plan.clock.rtc == "catchup" else ""),
        "-global",
        f"kvm-pit.lost_tick_policy={plan.clock.pit}",
    )


def cpu(plan: Plan) -> str:
    """The value of `-cpu`: the model, its features, then the enlightenments in the catalog's order."""
    parts = [escape(plan.cpu.model)]
    # Only `host` and `max` have the property migratable (cpu.c, max_x86_cpu): it leaves out what cannot migrate.
    if plan.cpu.model == "host" and plan.migration is Migration.REQUIRED:
        parts.append("migratable=on")
    if plan.cpu.hidden:
        parts.append("kvm=off")
    parts += [f"{name}={'on' if on else 'off'}" for name, on in plan.cpu.features]
    if plan.cpu.tsc_frequency is not None:
        parts.append(f"tsc-frequency={plan.cpu.tsc_frequency}")
    return ",".join([*parts, *hv_flags(plan)])


def hv_flags(plan: Plan) -> list[str]:
    """The enlightenments as `hv_x=value`, in the catalog's order."""
    return [flag for decision in plan.enabled() for flag in flags(decision)]


def escape(value: str) -> str:
    """A value inside a comma-separated QEMU option: a comma is written twice (QemuOpts)."""
    return value.replace(",", ",,")


def _hpet(plan: Plan) -> list[str]:
    if not plan.machine.hpet_option:
        return []
    return ["hpet=on" if plan.clock.hpet else "hpet=off"]


def flags(decision: Decision) -> list[str]:
    """The `hv_x=value` of one enabled enlightenment."""
    row = BY_ID[decision.id]
    names = [known.name.replace("-", "_") for known in row.properties]
    if row.kind is Kind.VERSION:
        return [f"{name}={part}" for name, part in zip(names, parse_version(str(decision.value)), strict=True)]
    if decision.value is None:
        return [f"{names[0]}=on"]
    value = hex(decision.value) if isinstance(decision.value, int) else escape(decision.value)
    return [f"{names[0]}={value}"]
