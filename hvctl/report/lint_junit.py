"""Findings as JUnit XML, which GitLab and Jenkins read: a test case for each file with findings, or that is unchecked.

The form is that of the Ant task, as windyroad's JUnit.xsd describes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hvctl.model.finding import Finding, Report


def to_junit(report: Report) -> str:
    """One suite; a file without findings is counted as a test and has no case of its own."""
    cases = [*_failures(report), *_errors(report)]
    failures, errors = len(report.findings), len(report.unchecked)
    tests = max(report.files + errors, len(cases))
    head = f'<testsuite name="hvctl lint" tests="{tests}" failures="{failures}" errors="{errors}"'
    body = "".join(cases)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n{head}>\n{body}</testsuite>\n</testsuites>\n'


def _failures(report: Report) -> Iterator[str]:
    for finding in report.findings:
        span = finding.span
        name = f"{span.path}:{span.line}:{span.column} {finding.rule}"
        kind = quoteattr(_clean(f"{finding.severity.value}[{finding.rule}]"))
        message = quoteattr(_clean(finding.message))
        yield (
            f"<testcase classname={quoteattr(_clean(span.path))} name={quoteattr(_clean(name))}>"
            f"<failure type={kind} message={message}>{escape(_clean(_text(finding)))}</failure></testcase>\n"
        )


def _errors(report: Report) -> Iterator[str]:
    for one in report.unchecked:
        path, reason = quoteattr(_clean(one.path)), quoteattr(_clean(one.reason))
        yield f'<testcase classname={path} name={path}><error type="unchecked" message={reason}/></testcase>\n'


def _text(finding: Finding) -> str:
    span = finding.span
    lines = (f"{span.path}:{span.line}:{span.column}: {finding.message}", finding.why, finding.instead)
    return "\n".join(line for line in lines if line)


def _clean(text: str) -> str:
    """Without what XML cannot hold."""
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)
