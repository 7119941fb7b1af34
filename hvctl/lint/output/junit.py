"""Findings as JUnit XML, which GitLab and Jenkins read: a test case for each finding and for each unchecked file.

No standard describes the form. This is what Jenkins' xunit-plugin takes by its junit-10.xsd; hvctl's own schema of it,
tests/lint/junit.rng, takes less.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from hvctl.model.finding import Finding, Report
from hvctl.report.problems import on_one_line


def to_junit(report: Report) -> str:
    """One suite; the files without findings are one case, since Jenkins refuses a suite without any."""
    cases = [*_failures(report), *_errors(report), *_passed(report)]
    counts = f'tests="{len(cases)}" failures="{len(report.findings)}" errors="{len(report.unchecked)}"'
    body = "".join(cases)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n'
        f'<testsuite name="hvctl lint" {counts}>\n{body}</testsuite>\n</testsuites>\n'
    )


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


def _passed(report: Report) -> Iterator[str]:
    if report.files > len({finding.span.path for finding in report.findings}):
        yield '<testcase classname="hvctl lint" name="files without findings"/>\n'


def _text(finding: Finding) -> str:
    span = finding.span
    lines = (f"{on_one_line(span.path)}:{span.line}:{span.column}: {finding.message}", finding.why, finding.instead)
    return "\n".join(line for line in lines if line)


def _clean(text: str) -> str:
    """Without what XML cannot hold."""
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)
