"""Findings for CI: as JUnit XML, which GitLab and Jenkins read, and as GitHub's workflow commands.

No standard describes JUnit's form. This is what Jenkins' xunit-plugin takes by its junit-10.xsd; hvctl's own schema of
it, tests/lint/junit.rng, takes less. Workflow commands become annotations of a pull request: "Workflow commands for
GitHub Actions", docs.github.com; escapes as in actions/toolkit, command.ts.
"""

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from hvctl.lint.output import Frame, Report, Writer
from hvctl.model.finding import Finding, Severity, Unchecked
from hvctl.text.problems import printable


class JunitWriter(Writer):
    """One suite; the files without findings are one case, because Jenkins refuses a suite without any.

    A finding that is milder than `least` does not fail the run, and so it is output of a case that passed: a CI fails
    the build for each failure, whatever the exit code. None is for runs that no finding fails.
    """

    late = True

    def __init__(self, least: Severity | None) -> None:
        self._least = least

    def part(self, findings: Sequence[Finding]) -> str:
        """A case for each finding."""
        return "".join(
            _case(finding, _failure(finding) if self.fails(finding) else _passed(finding)) for finding in findings
        )

    def fails(self, finding: Finding) -> bool:
        """Whether it is severe enough for exit code 1."""
        return self._least is not None and finding.severity.rank >= self._least.rank

    def frame(self, report: Report) -> Frame:
        """The suite with its sums, and the other cases."""
        others = [*map(_error, report.unchecked), *([_PASSED] if report.files > report.flawed else [])]
        tests, errors = report.findings + len(others), len(report.unchecked)
        counts = f'tests="{tests}" failures="{report.failed}" errors="{errors}"'
        head = f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n<testsuite name="hvctl lint" {counts}>\n'
        tail = f"{''.join(others)}</testsuite>\n</testsuites>\n"
        return Frame(head, "", tail, head + tail)


_PASSED = '<testcase classname="hvctl lint" name="files without findings"/>\n'


def _case(finding: Finding, result: str) -> str:
    span = finding.span
    name = f"{span.path}:{span.line}:{span.column} {finding.rule}"
    return f"<testcase classname={quoteattr(_clean(span.path))} name={quoteattr(_clean(name))}>{result}</testcase>\n"


def _failure(finding: Finding) -> str:
    kind, message = quoteattr(_kind(finding)), quoteattr(_clean(finding.message))
    return f"<failure type={kind} message={message}>{escape(_clean(_text(finding)))}</failure>"


def _passed(finding: Finding) -> str:
    return f"<system-out>{escape(f'{_kind(finding)}: {_clean(_text(finding))}')}</system-out>"


def _kind(finding: Finding) -> str:
    return _clean(f"{finding.severity.value}[{finding.rule}]")


def _error(file: Unchecked) -> str:
    path, reason = quoteattr(_clean(file.path)), quoteattr(_clean(file.reason))
    return f'<testcase classname={path} name={path}><error type="unchecked" message={reason}/></testcase>\n'


def _text(finding: Finding) -> str:
    span = finding.span
    lines = (f"{printable(span.path)}:{span.line}:{span.column}: {finding.message}", finding.why, finding.instead)
    return "\n".join(line for line in lines if line)


def _clean(text: str) -> str:
    """Without what XML cannot hold."""
    return printable(text, keep="\n")


_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = {**_DATA, ":": "%3A", ",": "%2C"}


class GithubWriter(Writer):
    """One command for each finding, and for each file that could not be judged."""

    def part(self, findings: Sequence[Finding]) -> str:
        """One command for each finding."""
        return "".join(_annotation(finding) for finding in findings)

    def frame(self, report: Report) -> Frame:
        """Nothing but the unchecked files, at the end."""
        unchecked = "".join(_unchecked(one) for one in report.unchecked)
        return Frame("", "", unchecked, unchecked)


def _annotation(finding: Finding) -> str:
    span = finding.span
    place = f"file={_escaped(span.path, _PROPERTY)},line={span.line},col={span.column},endLine={span.end_line}"
    if span.end_line == span.line:
        # GitHub's columns are inclusive at the end.
        place += f",endColumn={max(span.column, span.end_column - 1)}"
    said = ". ".join(part.rstrip(".") for part in (finding.message, finding.why, finding.instead) if part)
    title = _escaped(f"hvctl {finding.rule}", _PROPERTY)
    return f"::{_COMMANDS[finding.severity]} {place},title={title}::{_escaped(said, _DATA)}\n"


def _unchecked(file: Unchecked) -> str:
    return f"::error file={_escaped(file.path, _PROPERTY)},title=hvctl lint::{_escaped(file.reason, _DATA)}\n"


def _escaped(text: str, escapes: dict[str, str]) -> str:
    return "".join(escapes.get(char) or printable(char) for char in text)
