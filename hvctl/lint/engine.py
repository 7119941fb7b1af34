"""Files to findings: parse once, read each guest once, ask each rule, keep what is not suppressed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hvctl.errors import InputError
from hvctl.lint.context import NOTHING_KNOWN, Context
from hvctl.lint.domain import read_domain
from hvctl.lint.elements import named
from hvctl.lint.registry import find_rule
from hvctl.lint.rule import Fact, Kind
from hvctl.lint.suppressions import apply, in_text, in_xml
from hvctl.lint.xml_reading import read_xml
from hvctl.model.finding import Finding, Skipped, Unchecked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hvctl.formats.xml_source import Document, Element
    from hvctl.lint.context import Facts
    from hvctl.lint.guest import Guest
    from hvctl.lint.rule import Rule
    from hvctl.lint.suppressions import Suppression
    from hvctl.model.finding import Severity

# Snapshots, checkpoints and the state files in /run/libvirt/qemu hold the domain they are about.
AROUND = ("domainsnapshot", "domaincheckpoint", "domstatus")
NOT_WELL_FORMED = "not-well-formed"
_INSIDE = ("domain", "inactiveDomain")
# The `guest.os` of a profile that is not for Windows.
_OTHER = "other"


class Chosen(NamedTuple):
    """A rule that is to be asked, with the severity that its findings have."""

    rule: Rule
    severity: Severity


class Job:
    """How files are judged: by which rules, with what known; `with_edits` whether fixes are to be worked out.

    `asked` has the rules that can judge each kind of guest with these facts, sorted out once for all files.
    """

    __slots__ = ("asked", "chosen", "facts", "with_edits")

    def __init__(self, chosen: tuple[Chosen, ...], facts: Facts = NOTHING_KNOWN, *, with_edits: bool = False) -> None:
        self.chosen = chosen
        self.facts = facts
        self.with_edits = with_edits
        able = [one for one in chosen if facts.hosts or not one.rule.needs]
        self.asked = {kind: tuple(one for one in able if kind in one.rule.guests) for kind in Kind}

    def editing(self) -> Job:
        """The same, with fixes worked out."""
        return self if self.with_edits else Job(self.chosen, self.facts, with_edits=True)


class Result(NamedTuple):
    """What came of one file: findings in its order, rules that could not judge, and why it was not looked at."""

    findings: tuple[Finding, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    unchecked: Unchecked | None = None
    note: str = ""


def choose(rules: Iterable[Rule], severities: dict[str, Severity] | None = None) -> tuple[Chosen, ...]:
    """Rules with their own severities, or others."""
    changed = severities or {}
    return tuple(Chosen(rule, changed.get(rule.id, rule.severity)) for rule in rules)


def lacking(chosen: Sequence[Chosen], facts: Facts) -> tuple[Skipped, ...]:
    """The rules that cannot judge for want of facts, whatever the file."""
    reasons = {Fact.HOSTS: "no host is given (--host)"} if not facts.hosts else {}
    return tuple(Skipped(rule.id, reasons[need]) for rule, _ in chosen for need in rule.needs if need in reasons)


def lint(data: bytes, path: str, kind: Kind, job: Job) -> Result:
    """Judge one file.

    Args:
        data: the whole file.
        path: its name, for spans.
        kind: what it is taken for.
        job: rules and facts.
    """
    try:
        if kind is Kind.COMMAND_LINE:
            return _lint_text(data, path, job)
        return _lint_xml(data, path, job)
    except InputError as error:
        return _broken(error, path, job)


def _lint_xml(data: bytes, path: str, job: Job) -> Result:
    read = read_xml(data, path)
    domains = list(_domains(read.document))
    if not domains:
        return Result(note=f"its root is {named(read.document.root.tag)}, not a domain")
    suppressions = in_xml(read, domains)
    result = _judged([read_domain(domain) for domain in domains], suppressions, job)
    read.release()
    return result


def _domains(document: Document) -> Iterator[Element]:
    root = document.root
    if root.tag == "domain" and root.namespace is None:
        yield root
    elif root.tag in AROUND:
        yield from (child for child in root.children if child.tag in _INSIDE)


def _lint_text(data: bytes, path: str, job: Job) -> Result:
    from hvctl.lint.command_line import read_command_lines

    text = data.decode("utf-8", "surrogateescape")
    guests = read_command_lines(text, path)
    if not guests:
        return Result(note="it holds no QEMU command line")
    return _judged(guests, in_text(text, path), job)


def _judged(guests: Sequence[Guest], suppressions: Sequence[Suppression], job: Job) -> Result:
    findings: list[Finding] = []
    skipped: list[Skipped] = []
    is_windows = job.facts.profile is not None and job.facts.profile.os != _OTHER
    for guest in guests:
        guest.windows = guest.windows or is_windows
        context = Context(guest, job.facts, with_edits=job.with_edits)
        for rule, severity in job.asked[guest.kind]:
            if rule.rows and rule.rows.isdisjoint(guest.on):
                continue
            context.rule, context.severity = rule, severity
            findings += rule.check(context)
            if context.skipped:
                skipped += [Skipped(rule.id, reason) for reason in context.skipped]
                context.skipped.clear()
    if suppressions:
        findings = apply(suppressions, findings, {rule.id: severity for rule, severity in job.chosen})
    if len(findings) > 1:
        findings = in_order(findings)
    return Result(tuple(findings), tuple(skipped))


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """By place, and at one place by rule."""
    return sorted(set(findings), key=lambda one: (one.span.line, one.span.column, one.rule, one.message))


def _broken(error: InputError, path: str, job: Job) -> Result:
    """What cannot be read: a finding at its place, or, where it has none, a file that is not checked."""
    problem = error.problems[0]
    if problem.span is None:
        return Result(unchecked=Unchecked(path, problem.message))
    severity = next((one.severity for one in job.chosen if one.rule.id == NOT_WELL_FORMED), None)
    if severity is None:
        return Result(unchecked=Unchecked(path, problem.message))
    rule = find_rule(NOT_WELL_FORMED)
    why = rule.why if rule else ""
    finding = Finding(
        NOT_WELL_FORMED, severity, problem.message, problem.span, why, problem.hint, None, problem.related
    )
    return Result((finding,))
