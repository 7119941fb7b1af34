"""Findings as SARIF 2.1.0 (OASIS), which GitHub's code scanning reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from hvctl import __version__
from hvctl.lint.rule import Rule, all_rules
from hvctl.model.finding import Finding, Report, Severity
from hvctl.model.span import Span
from hvctl.report.json_frame import MARK, Frame, frame, parts

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_DEPTH = 8
_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def around(report: Report) -> Frame:
    """What stands around the findings: one run, with every rule, so that a viewer can show the page of each."""
    results = [MARK]
    run = {
        "tool": {
            "driver": {
                "name": "hvctl",
                "semanticVersion": __version__,
                "rules": [_rule(rule) for rule in all_rules()],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": results,
        "invocations": [_invocation(report)],
    }
    return frame({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, results)


def elements(findings: Sequence[Finding]) -> str:
    """Findings as they stand in there."""
    places = {rule.id: place for place, rule in enumerate(all_rules())}
    return parts((_result(finding, places) for finding in findings), _DEPTH)


def _rule(rule: Rule) -> dict[str, Any]:
    body = rule.page.partition("\n")[2].strip("\n")
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.why or rule.summary},
        "help": {"text": rule.page.strip(), "markdown": body},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": ["hyper-v", rule.group.name.lower()]},
    }


def _result(finding: Finding, places: dict[str, int]) -> dict[str, Any]:
    said = ". ".join(part.rstrip(".") for part in (finding.message, finding.instead) if part)
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": places[finding.rule],
        "level": _LEVELS[finding.severity],
        "message": {"text": said},
        "locations": [{"physicalLocation": _location(finding.span)}],
    }
    if finding.related:
        result["relatedLocations"] = [
            {"message": {"text": text}, "physicalLocation": _location(span)} for text, span in finding.related
        ]
    if finding.fix and finding.fix.edits:
        replacements = [
            {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.text}} for edit in finding.fix.edits
        ]
        changes = [{"artifactLocation": {"uri": _uri(finding.span.path)}, "replacements": replacements}]
        result["fixes"] = [{"description": {"text": finding.fix.title}, "artifactChanges": changes}]
    return result


def _invocation(report: Report) -> dict[str, Any]:
    notes = [
        {
            "level": "error",
            "message": {"text": f"not checked: {one.reason}"},
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": _uri(one.path)}}}],
        }
        for one in report.unchecked
    ]
    notes += [{"level": "note", "message": {"text": f"{one.rule} was skipped: {one.reason}"}} for one in report.skipped]
    return {"executionSuccessful": not report.unchecked, "toolExecutionNotifications": notes}


def _location(span: Span) -> dict[str, Any]:
    return {"artifactLocation": {"uri": _uri(span.path)}, "region": _region(span)}


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }


def _uri(path: str) -> str:
    """A relative path stays relative, so that GitHub finds it in the repository."""
    if re.match(r"[a-z+]+://", path):
        return quote(path, safe=":/#+")
    # Names are bytes: what is not UTF-8 is kept.
    quoted = quote(path.encode("utf-8", "surrogateescape"))
    return f"file://{quoted}" if path.startswith("/") else quoted
