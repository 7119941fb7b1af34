"""Files to findings: parse once, read each guest once, ask each rule, keep what is not suppressed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from hvctl.errors import InputError
from hvctl.guest.domain.elements import named
from hvctl.guest.domain.reader import read_domain
from hvctl.guest.guest import Guest, Kind
from hvctl.lint.rule import NOTHING_KNOWN, Chosen, Context, Fact, Facts, Rule, find_rule
from hvctl.lint.suppressions import UNUSED, WITHOUT_REASON, Suppression, apply, in_text, in_xml
from hvctl.lint.xml_reading import read_all
from hvctl.model.finding import Finding, Severity, Skipped, Unchecked
from hvctl.xml.source import Document, Element

# Snapshots, checkpoints and the state files in /run/libvirt/qemu hold the domain they are about.
AROUND = ("domainsnapshot", "domaincheckpoint", "domstatus")
# Of one file's: a hostile one can have a hundred thousand. With more it is neither told in full nor mended.
MOST_FINDINGS = 1000
NOT_WELL_FORMED = "not-well-formed"
# The engine itself makes their findings.
_NOT_ASKED = (NOT_WELL_FORMED, WITHOUT_REASON, UNUSED)
# Much that is XML and no domain begins with the one, and is passed over. In UTF-16 it counts as broken.
_DOCTYPE, _DOMAIN = b"<!DOCTYPE", b"<domain"
_INSIDE = ("domain", "inactiveDomain")
# The `guest.os` of a profile that is not for Windows.
_OTHER = "other"


class Job:
    """How files are judged: by which rules, with what known; `with_edits` whether fixes are to be worked out.

    `asked` has the rules that can judge each kind of guest with these facts, sorted out once for all files.
    """

    __slots__ = ("asked", "chosen", "facts", "with_edits")

    def __init__(self, chosen: tuple[Chosen, ...], facts: Facts = NOTHING_KNOWN, *, with_edits: bool = False) -> None:
        self.chosen = chosen
        self.facts = facts
        self.with_edits = with_edits
        able = [one for one in chosen if (facts.hosts or not one.rule.needs) and one.rule.id not in _NOT_ASKED]
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


class Text(NamedTuple):
    """A file that is to be judged: all of it, its name for spans, and what it is taken for."""

    data: bytes
    path: str
    kind: Kind


class _Subject(NamedTuple):
    """A file that was read: its guests, each with what is found, and its suppressions; the document is an XML's."""

    contexts: list[Context]
    suppressions: Sequence[Suppression] = ()
    document: Document | None = None


def lint(data: bytes, path: str, kind: Kind, job: Job) -> Result:
    """Judge one file.

    Args:
        data: the whole file.
        path: its name, for spans.
        kind: what it is taken for.
        job: rules and facts.
    """
    return lint_all([Text(data, path, kind)], job)[0]


def lint_all(texts: Sequence[Text], job: Job, *, many: bool = False) -> list[Result]:
    """Judge a handful of files, one step after the other: all are read, then each rule looks at all of them.

    That takes two thirds of the time that one file after the other takes (`xml_source.parse_all` says why, and what
    `many` is).
    """
    subjects = _subjects(texts, job, many=many)
    _ask([context for one in subjects if isinstance(one, _Subject) for context in one.contexts], job)
    return [_result(one, job) if isinstance(one, _Subject) else one for one in subjects]


def _subjects(texts: Sequence[Text], job: Job, *, many: bool) -> list[_Subject | Result]:
    """What the files hold; of those that hold nothing that can be judged, what came of them."""
    documents = iter(read_all(((text.data, text.path) for text in texts if text.kind is Kind.DOMAIN), many=many))
    found: list[_Subject | Result] = []
    for text in texts:
        try:
            if text.kind is Kind.DOMAIN:
                found.append(_domain_file(next(documents), job))
            else:
                found.append(_command_lines(text, job))
        except InputError as error:
            found.append(_broken(error, text, job))
    return found


def _domain_file(document: Document | InputError, job: Job) -> _Subject | Result:
    if isinstance(document, InputError):
        raise document
    domains = list(_domains(document))
    if not domains:
        return Result(note=f"its root is {named(document.root.tag)}, not a domain")
    return _Subject([_context(read_domain(one), job) for one in domains], in_xml(document, domains), document)


def _domains(document: Document) -> Iterator[Element]:
    root = document.root
    if root.tag == "domain" and root.namespace is None:
        yield root
    elif root.tag in AROUND:
        yield from (child for child in root.children if child.tag in _INSIDE)


def _command_lines(text: Text, job: Job) -> _Subject | Result:
    from hvctl.guest.command.reader import read_command_lines

    decoded = text.data.decode("utf-8", "surrogateescape")
    guests = read_command_lines(decoded, text.path)
    if not guests:
        return Result(note="it holds no QEMU command line")
    return _Subject([_context(guest, job) for guest in guests], in_text(decoded, text.path))


def _context(guest: Guest, job: Job) -> Context:
    profile = job.facts.profile
    if profile is not None and profile.os == _OTHER:
        guest.other = not guest.windows
    elif profile is not None:
        guest.windows = not guest.other
    return Context(guest, job.facts, with_edits=job.with_edits)


def _ask(contexts: Sequence[Context], job: Job) -> None:
    """Let each rule look at all guests of its kinds."""
    for kind in Kind:
        asked = [context for context in contexts if context.guest.kind is kind]
        for chosen in job.asked[kind] if asked else ():
            check, rows = chosen.rule.check, chosen.rule.rows
            concerned = [one for one in asked if not rows.isdisjoint(one.guest.on)] if rows else asked
            for context in concerned:
                context.chosen = chosen
                context.findings += check(context)


def _result(subject: _Subject, job: Job) -> Result:
    findings = [finding for context in subject.contexts for finding in context.findings]
    skipped = tuple(one for context in subject.contexts for one in context.skipped)
    if subject.suppressions:
        findings = apply(subject.suppressions, findings, {rule.id: severity for rule, severity in job.chosen})
    if len(findings) > 1:
        findings = in_order(findings)
    if subject.document is not None:
        subject.document.release()
    return Result(tuple(findings), skipped)


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """By place, and at one place by rule."""
    return sorted(set(findings), key=lambda one: (one.span.line, one.span.column, one.rule, one.message))


def _broken(error: InputError, text: Text, job: Job) -> Result:
    """What cannot be read: a finding at its place, or, where it has none, a file that is not checked."""
    problem = error.problems[0]
    path = text.path
    if problem.span is None:
        return Result(unchecked=Unchecked(path, problem.message))
    if text.kind is Kind.DOMAIN and _DOCTYPE in text.data and _DOMAIN not in text.data:
        return Result(note="it has a document type declaration, and no <domain>")
    severity = next((one.severity for one in job.chosen if one.rule.id == NOT_WELL_FORMED), None)
    if severity is None:
        return Result(unchecked=Unchecked(path, problem.message))
    rule = find_rule(NOT_WELL_FORMED)
    why = rule.why if rule else ""
    finding = Finding(
        NOT_WELL_FORMED, severity, problem.message, problem.span, why, problem.hint, None, problem.related
    )
    return Result((finding,))
