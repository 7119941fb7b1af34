"""Findings as JSON: hvctl's own object, its schema in lint.schema.json; and SARIF 2.1.0 (OASIS), for code scanning.

A document with one long list is made in parts.
"""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from hvctl import __version__
from hvctl.errors import Span
from hvctl.lint.output import Frame, Report, Writer
from hvctl.lint.rule import Rule, all_rules
from hvctl.model.finding import Finding, Fix, Severity
from hvctl.text.json_fields import FORMAT_VERSION

# Instead of the elements; no text of the document's own contains it.
_MARK = "\0"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


class JsonWriter(Writer):
    """The object of `lint --format json`."""

    with_edits = True

    def part(self, findings: Sequence[Finding]) -> str:
        """Findings as they are in that object."""
        return _elements(map(finding_json, findings), depth=4)

    def frame(self, report: Report) -> Frame:
        """The object around the findings."""
        findings = [_MARK]
        document = {
            "format_version": FORMAT_VERSION,
            "findings": findings,
            "unchecked": [one._asdict() for one in report.unchecked],
            "skipped": [one._asdict() for one in report.skipped],
            "configuration": report.config,
        }
        return _frame(document, findings)


def _frame(document: dict[str, Any], marked: list[str]) -> Frame:
    """The frame of a document whose list `marked` is `[_MARK]`; that list is empty afterwards."""
    head, _, tail = _text(document).partition(json.dumps(_MARK))
    marked.clear()
    return Frame(head, f",{head[head.rindex(chr(10)) :]}", f"{tail}\n", f"{_text(document)}\n")


def _elements(values: Iterable[dict[str, Any]], depth: int) -> str:
    """Elements of a list that are indented by `depth` spaces, with what is between them."""
    line = f"\n{' ' * depth}"
    return f",{line}".join(_text(value).replace("\n", line) for value in values)


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2).replace("\x7f", "\\u007f")


def finding_json(finding: Finding) -> dict[str, Any]:
    """One finding; lines and columns are 1-based, columns count code points, ends are exclusive."""
    return {
        "path": finding.span.path,
        **finding.span.position(),
        "rule": finding.rule,
        "severity": finding.severity.value,
        "message": finding.message,
        "fix": _fix(finding.fix) if finding.fix else None,
    }


def _fix(fix: Fix) -> dict[str, Any]:
    edits = [{**edit.span.position(), "text": edit.text} for edit in fix.edits]
    return {"safety": fix.safety.value, "title": fix.title, "edits": edits}


class SarifWriter(Writer):
    """One run, with every rule, so that a viewer can show the page of each."""

    with_edits = True

    def part(self, findings: Sequence[Finding]) -> str:
        """Findings as results of that run."""
        places = {rule.id: place for place, rule in enumerate(all_rules())}
        return _elements((_result(finding, places) for finding in findings), depth=8)

    def frame(self, report: Report) -> Frame:
        """The log around the results."""
        results = [_MARK]
        driver = {"name": "hvctl", "semanticVersion": __version__, "rules": [_rule(rule) for rule in all_rules()]}
        run = {
            "tool": {"driver": driver},
            "columnKind": "unicodeCodePoints",
            "results": results,
            "invocations": [_invocation(report)],
        }
        return _frame({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, results)


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
    return {"startLine": span.line, "startColumn": span.column, "endLine": span.end_line, "endColumn": span.end_column}


def _uri(path: str) -> str:
    """A relative path stays relative, so that GitHub finds it in the repository."""
    if re.match(r"[a-z+]+://", path):
        return quote(path, safe=":/#+")
    # Names are bytes: what is not UTF-8 is kept.
    quoted = quote(path.encode("utf-8", "surrogateescape"))
    return f"file://{quoted}" if path.startswith("/") else quoted
