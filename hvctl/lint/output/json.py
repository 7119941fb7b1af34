"""Findings as JSON: one object, its schema in lint.schema.json."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hvctl.model.finding import Finding, Fix, Report
from hvctl.report.json_frame import MARK, Frame, frame, parts

FORMAT_VERSION = 1
_DEPTH = 4


def around(report: Report) -> Frame:
    """What stands around the findings; what is before them is the same for every report."""
    findings = [MARK]
    document = {
        "format_version": FORMAT_VERSION,
        "findings": findings,
        "unchecked": [one._asdict() for one in report.unchecked],
        "skipped": [one._asdict() for one in report.skipped],
    }
    return frame(document, findings)


def elements(findings: Sequence[Finding]) -> str:
    """Findings as they stand in there."""
    return parts(map(_finding, findings), _DEPTH)


def _finding(finding: Finding) -> dict[str, Any]:
    """One finding; lines and columns are 1-based, columns count code points, ends are exclusive."""
    span = finding.span
    return {
        "path": span.path,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
        "rule": finding.rule,
        "severity": finding.severity.value,
        "message": finding.message,
        "fix": _fix(finding.fix) if finding.fix else None,
    }


def _fix(fix: Fix) -> dict[str, Any]:
    edits = [
        {
            "line": edit.span.line,
            "column": edit.span.column,
            "end_line": edit.span.end_line,
            "end_column": edit.span.end_column,
            "text": edit.text,
        }
        for edit in fix.edits
    ]
    return {"safety": fix.safety.value, "title": fix.title, "edits": edits}
