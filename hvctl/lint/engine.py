"""Files to findings: parse once, read each guest once, ask each rule, keep what is not suppressed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from hvctl.catalog.windows import system_of
from hvctl.errors import InputError
from hvctl.guest.syntax import DOMAIN, Reading, Syntax
from hvctl.lint.rule import NOTHING_KNOWN, Chosen, Context, Fact, Facts, Group, Rule, find_rule
from hvctl.lint.suppressions import UNUSED, WITHOUT_REASON, apply, suppressions
from hvctl.model.finding import Finding, Severity, Skipped, Unchecked
from hvctl.model.guest import Guest
from hvctl.model.profile import Migration
from hvctl.text.files import UnreadableError

# Of one file's: a hostile one can have a hundred thousand. With more it is neither shown in full nor fixed.
MOST_FINDINGS = 1000
# Of one file's: every rule looks at each.
_MOST_GUESTS = 1000
NOT_WELL_FORMED = "not-well-formed"
# The engine itself makes their findings.
_NOT_ASKED = (NOT_WELL_FORMED, WITHOUT_REASON, UNUSED)
# The `guest.os` of a profile that is not for Windows.
_OTHER = "other"


class Job:
    """How files are judged: by which rules, with what known; `with_edits` whether fixes are to be worked out."""

    __slots__ = ("_able", "_asked", "after", "chosen", "facts", "with_edits")

    def __init__(self, chosen: tuple[Chosen, ...], facts: Facts = NOTHING_KNOWN, *, with_edits: bool = False) -> None:
        self.chosen = chosen
        self.facts = facts
        self.with_edits = with_edits
        self.after = {one.rule.id: one.rule.after for one in chosen if one.rule.after}
        able = [one for one in chosen if (facts.hosts or not one.rule.needs) and one.rule.id not in _NOT_ASKED]
        if facts.profile is not None and facts.profile.migration is Migration.NONE:
            able = [one for one in able if one.rule.group is not Group.MIGRATE]
        self._able = able
        self._asked: dict[type[Guest], tuple[Chosen, ...]] = {}

    def asked(self, kind: type[Guest]) -> tuple[Chosen, ...]:
        """The rules for a class of guests."""
        if kind not in self._asked:
            self._asked[kind] = tuple(one for one in self._able if issubclass(kind, one.rule.guests))
        return self._asked[kind]

    def editing(self) -> "Job":
        """The same, with fixes worked out."""
        return self if self.with_edits else Job(self.chosen, self.facts, with_edits=True)


class Result(NamedTuple):
    """What came of one file: findings in its order, rules that could not judge, why it was not looked at.

    `codec` is the encoding of its edits, and what to do with what that cannot say.
    """

    findings: tuple[Finding, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    unchecked: Unchecked | None = None
    note: str = ""
    codec: tuple[str, str] = ("utf-8", "strict")


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
    syntax: Syntax


def lint(data: bytes, path: str, syntax: Syntax, job: Job) -> Result:
    """Judge one file.

    Args:
        data: the whole file.
        path: its name, for spans.
        syntax: what it is taken for.
        job: rules and facts.
    """
    return lint_all([Text(data, path, syntax)], job)[0]


def lint_all(texts: Sequence[Text], job: Job, *, many: bool = False) -> list[Result]:
    """Judge a handful of files, one step after the other: all are read, then each rule looks at all of them.

    That takes two thirds of the time that one file after the other takes (`parse_all` says why, and what `many` is).
    """
    readings: dict[Syntax, Iterator[Reading | InputError]] = {}
    for syntax in dict.fromkeys(text.syntax for text in texts):
        files = [(text.data, text.path) for text in texts if text.syntax is syntax]
        readings[syntax] = iter(syntax.read_all(files, many=many))
    read = [_bounded(next(readings[text.syntax]), text) for text in texts]
    subjects = [
        [_context(guest, job, text.syntax) for guest in found.guests] if isinstance(found, Reading) else []
        for found, text in zip(read, texts, strict=True)
    ]
    _ask([context for contexts in subjects for context in contexts], job)
    return [
        _broken(found, text, job) if isinstance(found, InputError) else _result(found, contexts, job)
        for found, contexts, text in zip(read, subjects, texts, strict=True)
    ]


def _bounded(found: Reading | InputError, text: Text) -> Reading | InputError:
    if isinstance(found, Reading) and len(found.guests) > _MOST_GUESTS:
        return UnreadableError(text.path, f"it has more than {_MOST_GUESTS} guests")
    return found


def _context(guest: Guest, job: Job, syntax: Syntax) -> Context:
    profile = job.facts.profile
    if job.facts.hosts:
        guest = guest.on_hosts(job.facts.hosts)
    if profile is not None and profile.os == _OTHER:
        guest.other = not guest.windows
    elif profile is not None:
        guest.windows = not guest.other
        if not guest.windows:
            guest.release = None
        elif guest.release is None or not guest.system:  # what the guest itself says of its release is surer
            guest.release = system_of(profile.os)
    return Context(guest, job.facts, syntax.change if job.with_edits else None)


def _ask(contexts: Sequence[Context], job: Job) -> None:
    """Let each rule look at all guests of its classes."""
    kinds: dict[type[Guest], list[Context]] = {}
    for context in contexts:
        kinds.setdefault(type(context.guest), []).append(context)
    for kind, asked in kinds.items():
        for chosen in job.asked(kind):
            check, rows, of = chosen.rule.check, chosen.rule.rows, chosen.rule.of
            concerned = [one for one in asked if getattr(one.guest, of)] if of else asked
            concerned = [one for one in concerned if not rows.isdisjoint(one.guest.on)] if rows else concerned
            for context in concerned:
                context.chosen = chosen
                # Most find nothing, and `+=` of a generator asks it for a length first.
                for finding in check(context):
                    context.findings.append(finding)


def _result(reading: Reading, contexts: Sequence[Context], job: Job) -> Result:
    findings = [finding for context in contexts for finding in context.findings]
    skipped = tuple(one for context in contexts for one in context.skipped)
    if reading.remarks:
        findings = apply(suppressions(reading.remarks), findings, {rule.id: severity for rule, severity in job.chosen})
    if len(findings) > 1:
        findings = in_order(_one_a_fault(findings, job.after))
    if reading.document is not None:
        reading.document.release()
    return Result(tuple(findings), skipped, note=reading.note, codec=(reading.codec, reading.errors))


def _one_a_fault(findings: Sequence[Finding], after: Mapping[str, tuple[str, ...]]) -> Sequence[Finding]:
    """Without those of which another rule says the same at their place, and no milder."""
    if after.keys().isdisjoint(one.rule for one in findings):
        return findings
    said = {(one.rule, one.span.line, one.span.column): one.severity.rank for one in findings}
    return [
        one
        for one in findings
        if not any(
            said.get((rule, one.span.line, one.span.column), -1) >= one.severity.rank
            for rule in after.get(one.rule, ())
        )
    ]


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """By place, and at one place by rule."""
    return sorted(set(findings), key=lambda one: (one.span.line, one.span.column, one.rule, one.message))


def _broken(error: InputError, text: Text, job: Job) -> Result:
    """What cannot be read: a finding at its place, or, where it has none, a file that is not checked."""
    problem = error.problems[0]
    severity = next((one.severity for one in job.chosen if one.rule.id == NOT_WELL_FORMED), None)
    if problem.span is None or severity is None:
        reason = error.reason if isinstance(error, UnreadableError) else problem.message
        return Result(unchecked=Unchecked(text.path, reason))
    rule = find_rule(NOT_WELL_FORMED)
    why = rule.why if rule and text.syntax is DOMAIN else ""  # a page on XML
    finding = Finding(
        NOT_WELL_FORMED, severity, problem.message, problem.span, why, problem.hint, None, problem.related
    )
    return Result((finding,))
