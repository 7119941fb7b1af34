"""What gen and launch say of a plan on stderr."""

from __future__ import annotations

import click

from hvctl.cli.options import say
from hvctl.model.plan import Plan


def say_plan(plan: Plan, *, explain: bool) -> None:
    """Every decision with its reason, or only what was preferred and left out, and the notes."""
    from hvctl.report import plan as report

    if explain:
        click.echo(report.explanation(plan), err=True, nl=False)
        return
    if plan.refusals:
        return  # what was merely preferred is no news then
    for decision in report.left_out(plan):
        say(report.decision_line(decision, word="left out"))
    for note in plan.notes:
        say(report.note_line(note))


def refuse(plan: Plan) -> None:
    """Raise RefusedError for a plan that must not be used."""
    if plan.refusals:
        from hvctl.errors import RefusedError
        from hvctl.report.plan import refusal_text

        raise RefusedError(f"profile {plan.profile} is refused:\n{refusal_text(plan)}")
