"""One input for lint and its fixes, and what must hold of any: its first byte is how it is judged."""

from __future__ import annotations

from hvctl.guest.syntax import COMMAND_LINE, DOMAIN, Syntax
from hvctl.host.host_file import read_host
from hvctl.lint.engine import MOST_FINDINGS, Job, Text, choose, lint, lint_all
from hvctl.lint.fixes import apply_fixes
from hvctl.lint.output import TextWriter
from hvctl.lint.rule import Facts, all_rules
from hvctl.model.finding import Finding, Safety
from tests.paths import HOSTS

HOST = read_host(str(HOSTS / "debian-12.json"))
OTHER = b"<domain type='kvm'><name>win11</name><features><hyperv><ipi state='on'/></hyperv></features></domain>"
JOBS = [Job(choose(all_rules()), Facts(hosts), with_edits=True) for hosts in ((), (HOST,))]


def one_input(data: bytes) -> None:
    """Judge the bytes after the first as the kind of text that it names, and fix them."""
    if data:
        judge(data[1:], (DOMAIN, COMMAND_LINE)[data[0] & 1], JOBS[data[0] >> 1 & 1])


def judge(body: bytes, kind: Syntax, job: Job) -> None:
    """Judge a text, and fix it."""
    result = lint(body, "x", kind, job)
    among = [Text(OTHER, "y", DOMAIN), Text(body, "x", kind), Text(OTHER, "y", DOMAIN)]
    assert lint_all(among, job, many=True)[1] == result, "among many files something else is found"
    for finding in result.findings:
        _sound(finding, body)
    assert TextWriter(color=False).part(result.findings).isprintable() or result.findings
    for allowed in ((Safety.SAFE,), tuple(Safety)):
        once = apply_fixes(body, "x", kind, job, allowed)
        assert apply_fixes(once.data, "x", kind, job, allowed).data == once.data, "a second time changes something"
        left = [one.rule for one in once.result.findings if one.fix and one.fix.edits and one.fix.safety in allowed]
        assert not left or len(result.findings) > MOST_FINDINGS, "something that could be fixed is left"
        if result.unchecked is None and not any(one.rule == "not-well-formed" for one in result.findings):
            assert not any(one.rule == "not-well-formed" for one in once.result.findings), "a fix broke the file"


def _sound(finding: Finding, data: bytes) -> None:
    span = finding.span
    assert span.line >= 1, "lines are 1-based"
    assert span.column >= 1, "columns are 1-based"
    assert (span.end_line, span.end_column) >= (span.line, span.column), "the end is not before the start"
    assert len(finding.message) < 2000, "messages are short"
    for edit in finding.fix.edits if finding.fix else ():
        assert 0 <= edit.start <= edit.end <= len(data), "edits are inside of the file"
