"""Findings as GitHub's workflow commands, which become annotations of a pull request.

The form: "Workflow commands for GitHub Actions", docs.github.com; escapes as in actions/toolkit, command.ts.
"""

from __future__ import annotations

from collections.abc import Iterable

from hvctl.model.finding import Finding, Severity, Unchecked

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = {**_DATA, ":": "%3A", ",": "%2C"}


def commands(findings: Iterable[Finding]) -> str:
    """One command a finding."""
    return "".join(_annotation(finding) for finding in findings)


def unchecked(files: Iterable[Unchecked]) -> str:
    """One command for each file that could not be judged."""
    return "".join(
        f"::error file={_escaped(one.path, _PROPERTY)},title=hvctl lint::{_escaped(one.reason, _DATA)}\n"
        for one in files
    )


def _annotation(finding: Finding) -> str:
    span = finding.span
    place = f"file={_escaped(span.path, _PROPERTY)},line={span.line},col={span.column},endLine={span.end_line}"
    if span.end_line == span.line:
        # GitHub's columns are inclusive at the end.
        place += f",endColumn={max(span.column, span.end_column - 1)}"
    said = ". ".join(part.rstrip(".") for part in (finding.message, finding.why, finding.instead) if part)
    title = _escaped(f"hvctl {finding.rule}", _PROPERTY)
    return f"::{_COMMANDS[finding.severity]} {place},title={title}::{_escaped(said, _DATA)}\n"


def _escaped(text: str, escapes: dict[str, str]) -> str:
    return "".join(escapes.get(char, char if char.isprintable() else ascii(char)[1:-1]) for char in text)
