"""Findings that a file itself says are meant so.

`<!-- hvctl: ignore[RULE, ...] reason -->` concerns the element behind it. libvirt drops comments, so that the same
can be said in `<metadata>`, for the whole domain: `<hvctl:ignore rule='RULE' reason='...'/>` in `<hvctl:guest>`. In a
shell script a comment `# hvctl: ignore[RULE] reason` concerns the whole file. One without a reason, and one that
suppresses nothing, is itself a finding.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from hvctl.guest.domain.identity import NAMESPACE
from hvctl.lint.rule import all_rules, find_rule
from hvctl.model.finding import Finding, Severity
from hvctl.model.span import Span
from hvctl.text.problems import did_you_mean, quoted
from hvctl.text.shell_words import Word, place
from hvctl.xml.source import Document, Element

Extent = tuple[tuple[int, int], tuple[int, int]]
"""The line and column where lines begin that belong together, and those behind their end."""


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
    asked: dict[Extent, set[str]] = {}
    for one in suppressions:
        asked.setdefault((one.start, one.end), set()).update(one.rules)
    left: list[Finding] = []
    used: set[tuple[Extent, str]] = set()
    for finding, around in _around(findings, sorted(asked)):
        covering = [(extent, finding.rule) for extent in around if finding.rule in asked[extent]]
        used.update(covering)
        if not covering:
            left.append(finding)
    for one in suppressions:
        left += _about(one, {rule for rule in one.rules if ((one.start, one.end), rule) in used}, severities)
    return left


def _around(findings: Sequence[Finding], extents: Sequence[Extent]) -> Iterator[tuple[Finding, list[Extent]]]:
    """Each finding with the extents that it is in. Elements stand in each other, so that few are open at a time: to
    look at all of them for each finding would take hours where a file has many of both."""
    opened: list[Extent] = []
    following = 0
    for finding in sorted(findings, key=_place_of):
        place = _place_of(finding)
        while following < len(extents) and extents[following][0] <= place:
            opened.append(extents[following])
            following += 1
        opened = [extent for extent in opened if place < extent[1]]
        yield finding, opened


def _place_of(finding: Finding) -> tuple[int, int]:
    return finding.span.line, finding.span.column


def _about(one: Suppression, used: Collection[str], severities: Mapping[str, Severity]) -> Iterator[Finding]:
    if not one.reason and WITHOUT_REASON in severities:
        message = "this suppression gives no reason"
        yield _finding(WITHOUT_REASON, severities, message, one.span, "write behind the ] why it is meant so")
    # A rule that is not asked finds nothing, so that its suppression may still have its use.
    idle = [rule for rule in one.rules if find_rule(rule) is None or (rule in severities and rule not in used)]
    if UNUSED not in severities or (one.rules and not idle):
        return
    if not one.rules:
        yield _finding(UNUSED, severities, "this suppression names no rule", one.span, _HINT)
        return
    unknown = [rule for rule in idle if find_rule(rule) is None]
    if unknown:
        message = f"no rule is called {' or '.join(quoted(rule) for rule in unknown)}"
        yield _finding(UNUSED, severities, message, one.span, _guess(unknown[0]))
        return
    verb = "finds" if len(idle) == 1 else "find"
    yield _finding(UNUSED, severities, f"{', '.join(idle)} {verb} nothing here", one.span, "take it away")


@functools.lru_cache(maxsize=64)
def _guess(name: str) -> str:
    return did_you_mean(name, [rule.id for rule in all_rules()])


def _finding(rule: str, severities: Mapping[str, Severity], message: str, span: Span, instead: str) -> Finding:
    known = find_rule(rule)
    return Finding(rule, severities[rule], message, span, known.why if known else "", instead)


def _suppression(text: str, span: Span, extent: Extent) -> Suppression:
    match = _FORM.match(text)
    names = match[1].split(",") if match else []
    return Suppression(_rules(names), " ".join(match[2].split()) if match else "-", span, *extent)


def _rules(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name.strip().lower().replace("_", "-") for name in names if name.strip())


def _comment_span(document: Document, start: int) -> Span:
    end = document.find(">", start)
    mark = "-->"
    while document.text(end - document.width("--"), end + document.width(">")) != mark:
        end = document.find(">", end + document.width(">"))
    return document.span(start, end + document.width(">"))


def _extent(document: Document, element: Element | None) -> Extent:
    if element is None:
        return (0, 0), (0, 0)
    span = document.span(element.start, element.end)
    return (span.line, span.column), (span.end_line, span.end_column)


def _metadata(domain: Element) -> Iterator[Suppression]:
    extent = _extent(domain.document, domain)
    for metadata in domain.named("metadata"):
        for guest in metadata.children:
            if guest.local != "guest" or guest.namespace != NAMESPACE:  # the second takes much longer to find out
                continue
            for element in guest.children:
                if element.local == "ignore":
                    rules = _rules((element.get("rule") or "").split(","))
                    yield Suppression(rules, (element.get("reason") or "").strip(), element.span, *extent)
