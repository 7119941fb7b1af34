"""Findings that a file itself says are meant so.

`<!-- hvctl: ignore[RULE, ...] reason -->` concerns the element behind it. libvirt drops comments, so that the same
can be said in `<metadata>`, for the whole domain: `<hvctl:ignore rule='RULE' reason='...'/>` in `<hvctl:guest>`. In a
shell script a comment `# hvctl: ignore[RULE] reason` concerns the whole file. One without a reason, and one that
suppresses nothing, is itself a finding.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from hvctl.formats.domain_identity import NAMESPACE
from hvctl.formats.profile_problems import did_you_mean, quoted
from hvctl.formats.words import Word, place
from hvctl.lint.registry import all_rules, find_rule
from hvctl.model.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hvctl.formats.xml_source import Document, Element
    from hvctl.model.finding import Severity
    from hvctl.model.span import Span

WITHOUT_REASON = "suppression-without-reason"
UNUSED = "suppression-unused"

_FORM = re.compile(r"hvctl:\s*ignore\s*\[([^\]]*)\]\s*:?\s*(.*)", re.DOTALL)
_COMMENT = re.compile(r"(?:^|[ \t;])(#[ \t]*hvctl:[^\n]*)", re.MULTILINE)
_HINT = "write <!-- hvctl: ignore[RULE] reason -->"


class Suppression(NamedTuple):
    """Rules that are to be silent about the lines from `start` up to `end`, both with their columns."""

    rules: tuple[str, ...]
    reason: str
    span: Span
    start: tuple[int, int]
    end: tuple[int, int]

    def covers(self, finding: Finding) -> bool:
        """Whether a finding is one of those that are meant."""
        return finding.rule in self.rules and self.start <= (finding.span.line, finding.span.column) < self.end


def in_xml(document: Document, domains: Sequence[Element]) -> tuple[Suppression, ...]:
    """The suppressions of an XML file, in its order."""
    ours = NAMESPACE.encode(document.codec) in document.data
    if not document.comments and not ours:
        return ()
    found = [
        _suppression(comment.text, _comment_span(document, comment.start), _extent(document, comment.element))
        for comment in document.comments
    ]
    for domain in domains if ours else ():
        found += _metadata(domain)
    return tuple(found)


def in_text(text: str, path: str) -> tuple[Suppression, ...]:
    """The suppressions of a shell script: they concern all of it."""
    whole = ((1, 0), (text.count("\n") + 2, 0))
    found = []
    for match in _COMMENT.finditer(text):
        span = place(text, path, Word(match[1], range(match.start(1), match.end(1) + 1)))
        found.append(_suppression(match[1].removeprefix("#").strip(), span, whole))
    return tuple(found)


def apply(
    suppressions: Sequence[Suppression], findings: Sequence[Finding], severities: Mapping[str, Severity]
) -> list[Finding]:
    """The findings that are left, and those about the suppressions."""
    left: list[Finding] = []
    used: set[int] = set()
    for finding in findings:
        covering = [at for at, one in enumerate(suppressions) if one.covers(finding)]
        used.update(covering)
        if not covering:
            left.append(finding)
    for at, one in enumerate(suppressions):
        left += _about(one, used=at in used, severities=severities)
    return left


def _about(one: Suppression, *, used: bool, severities: Mapping[str, Severity]) -> Iterator[Finding]:
    if not one.reason and WITHOUT_REASON in severities:
        message = "this suppression gives no reason"
        yield _finding(WITHOUT_REASON, severities, message, one.span, "write behind the ] why it is meant so")
    # A rule that is not asked finds nothing, so that its suppression may still have its use.
    asked = [rule for rule in one.rules if find_rule(rule) is None or rule in severities]
    if used or UNUSED not in severities or (one.rules and not asked):
        return
    if not one.rules:
        yield _finding(UNUSED, severities, "this suppression names no rule", one.span, _HINT)
        return
    unknown = [rule for rule in one.rules if find_rule(rule) is None]
    if unknown:
        names = [rule.id for rule in all_rules()]
        message = f"no rule is called {' or '.join(quoted(rule) for rule in unknown)}"
        yield _finding(UNUSED, severities, message, one.span, did_you_mean(unknown[0], names))
        return
    yield _finding(UNUSED, severities, f"{', '.join(one.rules)} finds nothing here", one.span, "take it away")


def _finding(rule: str, severities: Mapping[str, Severity], message: str, span: Span, instead: str) -> Finding:
    known = find_rule(rule)
    return Finding(rule, severities[rule], message, span, known.why if known else "", instead)


def _suppression(text: str, span: Span, extent: tuple[tuple[int, int], tuple[int, int]]) -> Suppression:
    match = _FORM.match(text)
    names = match[1].split(",") if match else []
    rules = tuple(name.strip().lower().replace("_", "-") for name in names if name.strip())
    return Suppression(rules, " ".join(match[2].split()) if match else "-", span, *extent)


def _comment_span(document: Document, start: int) -> Span:
    end = document.find(">", start)
    mark = "-->"
    while document.text(end - document.width("--"), end + document.width(">")) != mark:
        end = document.find(">", end + document.width(">"))
    return document.span(start, end + document.width(">"))


def _extent(document: Document, element: Element | None) -> tuple[tuple[int, int], tuple[int, int]]:
    if element is None:
        return (0, 0), (0, 0)
    span = document.span(element.start, element.end)
    return (span.line, span.column), (span.end_line, span.end_column)


def _metadata(domain: Element) -> Iterator[Suppression]:
    for metadata in domain.named("metadata"):
        for guest in metadata.children:
            if guest.namespace != NAMESPACE:
                continue
            for element in guest.children:
                if element.local == "ignore":
                    rules = tuple(name.strip() for name in (element.get("rule") or "").split(",") if name.strip())
                    extent = _extent(domain.document, domain)
                    yield Suppression(rules, (element.get("reason") or "").strip(), element.span, *extent)
