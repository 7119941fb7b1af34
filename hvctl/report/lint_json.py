"""Findings as JSON: one object, its schema in lint.schema.json."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hvctl.model.finding import Finding, Fix, Report

FORMAT_VERSION = 1


def to_json(report: Report) -> str:
    """Everything that came of a run."""
    document = {
        "format_version": FORMAT_VERSION,
        "findings": [finding_json(finding) for finding in report.findings],
        "unchecked": [one._asdict() for one in report.unchecked],
        "skipped": [one._asdict() for one in report.skipped],
    }
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def finding_json(finding: Finding) -> dict[str, Any]:
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
