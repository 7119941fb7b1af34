"""What came of one file that `hvctl lint` looked at: small enough to be sent from process to process."""

from typing import TYPE_CHECKING, NamedTuple

from hvctl.lint.engine import MOST_FINDINGS
from hvctl.model.finding import Finding, Safety, Severity, Skipped, Unchecked

if TYPE_CHECKING:
    from hvctl.cli.lint_run import Plan
    from hvctl.lint.engine import Result


class Outcome(NamedTuple):
    """What came of one file. `shown` is its part of the output, `findings` are kept where the output is one piece."""

    counts: tuple[tuple[Severity, int], ...] = ()
    fixes: tuple[tuple[Safety, int], ...] = ()
    shown: str = ""
    findings: tuple[Finding, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    unchecked: Unchecked | None = None
    note: tuple[str, str] | None = None
    mended: int = 0
    diff: str = ""


def outcome_of(name: str, result: "Result", plan: "Plan") -> Outcome:
    """What came of a file of that name, with its part of the output."""
    if not result.findings:
        note = (name, result.note) if result.note else None
        return Outcome(skipped=result.skipped, unchecked=result.unchecked, note=note) if any(result) else _NOTHING
    counts: dict[Severity, int] = {}
    fixes: dict[Safety, int] = {}
    for finding in result.findings:
        counts[finding.severity] = counts.get(finding.severity, 0) + 1
        if finding.fix:
            fixes[finding.fix.safety] = fixes.get(finding.fix.safety, 0) + 1
    # As JSON a hundred thousand of them are a gigabyte; nobody reads more than these.
    findings, unchecked = result.findings[:MOST_FINDINGS], result.unchecked
    if len(findings) < len(result.findings):
        found = f"only the first {MOST_FINDINGS} of its {len(result.findings)} findings are given, and none is mended"
        unchecked = Unchecked(name, found)
    shown = _shown(findings, plan)
    kept = () if shown else findings
    return Outcome(tuple(counts.items()), tuple(fixes.items()), shown, kept, result.skipped, unchecked)


_NOTHING = Outcome()


def _shown(findings: tuple[Finding, ...], plan: "Plan") -> str:
    """A file's part of an output that is made file by file; empty for JUnit's, which begins with the sums."""
    if plan.form in ("text", "concise"):
        from hvctl.lint.output import text as lint_text

        return (lint_text.text if plan.form == "text" else lint_text.concise)(findings, plan.color)
    if plan.form == "github":
        from hvctl.lint.output.github import commands

        return commands(findings)
    if plan.form == "json":
        from hvctl.lint.output import json as lint_json

        return lint_json.elements(findings)
    if plan.form == "sarif":
        from hvctl.lint.output import sarif as lint_sarif

        return lint_sarif.elements(findings)
    return ""
