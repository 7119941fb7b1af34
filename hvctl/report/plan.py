"""Plans for people and for programs."""

from collections.abc import Sequence
from typing import Any

from hvctl.catalog import BY_ID
from hvctl.catalog.cpu_models import INVARIANT_TSC
from hvctl.catalog.types import blocked, hazard
from hvctl.model.host import CpuidLeaf
from hvctl.model.plan import Decision, Layer, Outcome, Plan
from hvctl.report.console import paragraph


def decision_line(decision: Decision, *, word: str = "", width: int = 80) -> str:
    """One decision in as many lines as it needs: id, what became of it (`word` says it otherwise), why, the remedy."""
    value = "" if decision.value is None else f" {decision.value}"
    why = f"{decision.reason} ({_who(decision)})" if decision.layer else decision.reason
    text = f"{decision.id}: {word or decision.state}{value}: {why}"
    if decision.remedy:
        text += f"; {decision.remedy}"
    return paragraph(text, width)


def _who(decision: Decision) -> str:
    if decision.host:
        more = f" and {decision.more} more" if decision.more else ""
        return f"{decision.host}{more}, {decision.layer}"
    asked = f": {decision.asked}" if decision.asked and decision.layer is Layer.PROFILE else ""
    return f"{decision.layer}{asked}"


def explanation(plan: Plan, *, width: int = 80) -> str:
    """Every decision, and of a usable plan the machine, the migration verdict and the notes; ends in a newline.

    The refusals that are no row's are the error's to tell.
    """
    lines = [decision_line(decision, width=width) for decision in plan.decisions]
    if not plan.refusals:
        lines.append(f"machine: {plan.machine.type}")
        lines.append(paragraph(f"migration: {migration_text(plan)}", width))
    lines += [note_line(note, width=width) for note in plan.notes]
    return "\n".join(lines) + "\n"


def note_line(note: str, *, width: int = 80) -> str:
    """A note in as many lines as it needs."""
    return paragraph(f"note: {note}", width)


def left_out(plan: Plan) -> list[Decision]:
    """What was preferred and could not be had."""
    return [decision for decision in plan.decisions if decision.asked == "prefer" and decision.state is Outcome.OFF]


def refusal_text(plan: Plan, *, width: int = 80) -> str:
    """Every refusal, for stderr."""
    return "\n".join(decision_line(decision, width=width) for decision in plan.refusals)


def migration_text(plan: Plan) -> str:
    """The migration verdict as a sentence."""
    found = obstacles(plan)
    if not found:
        return "nothing in this plan prevents a live migration to a host that it was made for"
    return "; ".join(found)


def plan_json(
    plan: Plan, *, argv: Sequence[str] | None, xml: str | None, leaves: Sequence[CpuidLeaf]
) -> dict[str, Any]:
    """The object that `gen --format json` prints; `argv` and `xml` are None where they were not asked for."""
    return {
        "plan": {
            "profile": plan.profile,
            "decisions": [_decision_json(decision) for decision in plan.decisions],
            "refusals": [_decision_json(decision) for decision in plan.refusals],
            "machine": plan.machine.type,
            "companions": {
                "cpu": {
                    "model": plan.cpu.model,
                    "hidden": plan.cpu.hidden,
                    "features": dict(plan.cpu.features),
                    "tsc_frequency": plan.cpu.tsc_frequency,
                },
                "clock": plan.clock._asdict(),
                "hpet_option": plan.machine.hpet_option,
            },
            "migration": {
                "wanted": str(plan.migration),
                "obstacles": [
                    *obstacles(plan),
                    *(f"{one.id}: {one.reason}" for one in plan.refusals if one.layer is Layer.MIGRATION),
                ],
            },
            "notes": list(plan.notes),
        },
        "argv": None if argv is None else list(argv),
        "xml": xml,
        "leaves": [{name: f"{value:#010x}" for name, value in leaf._asdict().items()} for leaf in leaves],
    }


def _decision_json(decision: Decision) -> dict[str, Any]:
    return {
        "id": decision.id,
        "state": str(decision.state),
        "value": decision.value,
        "reason": decision.reason,
        "host": decision.host,
        "more_hosts": decision.more,
        "layer": str(decision.layer),
        "asked": decision.asked or None,
        "remedy": decision.remedy or None,
    }


def obstacles(plan: Plan) -> tuple[str, ...]:
    """Why a guest with this plan does not migrate, or may be lost; empty for every usable plan that must migrate."""
    fixed = plan.cpu.tsc_frequency is not None
    found = [
        f"{decision.id}: {danger.reason}"
        for decision in plan.enabled()
        if (danger := hazard(BY_ID[decision.id], decision.value, fixed_tsc=fixed))
    ]
    if dict(plan.cpu.features).get(INVARIANT_TSC) and not fixed:
        found.append(f"cpu feature {INVARIANT_TSC}: {blocked('it and without tsc-frequency')}")
    return tuple(found)
