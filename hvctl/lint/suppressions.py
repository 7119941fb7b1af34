"""Findings that a file itself suppresses.

`<!-- hvctl: ignore[RULE, ...] reason -->` concerns the element after it. libvirt drops comments, so that the same
can be said in `<metadata>`, for the whole domain: `<hvctl:ignore rule='RULE' reason='...'/>` in `<hvctl:guest>`. In a
shell script, and in a configuration of Proxmox VE, a comment `# hvctl: ignore[RULE] reason` concerns the whole file,
in YAML the key after it and what is below that. One without a reason, and one that suppresses nothing, is itself a
finding.
"""

import functools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from hvctl.errors import Span
from hvctl.guest.syntax import Lines, Remark
from hvctl.lint.rule import all_rules, find_rule
from hvctl.model.finding import Finding, Severity
from hvctl.text.problems import did_you_mean, quoted

WITHOUT_REASON = "suppression-without-reason"
UNUSED = "suppression-unused"

_FORM = r"(?s)hvctl:\s*ignore\s*\[([^\]]*)\]\s*:?\s*(.*)"
_HINT = "write <!-- hvctl: ignore[RULE] reason -->"


class Suppression(NamedTuple):
    """Rules that are to be silent about the lines from `start` up to `end`, both with their columns."""

    rules: tuple[str, ...]
    reason: str
    span: Span
    start: tuple[int, int]
    end: tuple[int, int]


def suppressions(remarks: Sequence[Remark]) -> tuple[Suppression, ...]:
    """The suppressions among a text's remarks, in its order."""
    return tuple([_suppression(remark.text, remark.span, remark.about) for remark in remarks])


def apply(
    found: Sequence[Suppression], findings: Sequence[Finding], severities: Mapping[str, Severity]
) -> list[Finding]:
    """The findings that are left, and those about the suppressions."""
    asked: dict[Lines, set[str]] = {}
    for one in found:
        asked.setdefault((one.start, one.end), set()).update(one.rules)
    left: list[Finding] = []
    used: set[tuple[Lines, str]] = set()
    for finding, around in _around(findings, sorted(asked)):
        covering = [(extent, finding.rule) for extent in around if finding.rule in asked[extent]]
        used.update(covering)
        if not covering:
            left.append(finding)
    for one in found:
        left += _about(one, {rule for rule in one.rules if ((one.start, one.end), rule) in used}, severities)
    return left


def _around(findings: Sequence[Finding], extents: Sequence[Lines]) -> Iterator[tuple[Finding, list[Lines]]]:
    """Each finding with the extents that it is in. Elements are nested, so that few are open at a time: to
    look at all of them for each finding would take hours where a file has many of both."""
    opened: list[Lines] = []
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
        yield _finding(WITHOUT_REASON, severities, message, one.span, "write the reason after the ]")
    # A rule that is not asked finds nothing, so that its suppression may still have its use.
    idle = [rule for rule in one.rules if find_rule(rule) is None or (rule in severities and rule not in used)]
    if UNUSED not in severities or (one.rules and not idle):
        return
    if not one.rules:
        yield _finding(UNUSED, severities, "this suppression names no rule", one.span, _HINT)
        return
    unknown = [rule for rule in idle if find_rule(rule) is None]
    if unknown:
        message = f"unknown rule {' or '.join(quoted(rule) for rule in unknown)}"
        yield _finding(UNUSED, severities, message, one.span, _guess(unknown[0]))
        return
    verb = "finds" if len(idle) == 1 else "find"
    yield _finding(UNUSED, severities, f"{', '.join(idle)} {verb} nothing here", one.span, "remove it")


@functools.lru_cache(maxsize=64)
def _guess(name: str) -> str:
    return did_you_mean(name, [rule.id for rule in all_rules()])


def _finding(rule: str, severities: Mapping[str, Severity], message: str, span: Span, instead: str) -> Finding:
    known = find_rule(rule)
    return Finding(rule, severities[rule], message, span, known.why if known else "", instead)


def _suppression(text: str, span: Span, extent: Lines) -> Suppression:
    match = re.match(_FORM, text)
    names = match[1].split(",") if match else []
    return Suppression(_rules(names), " ".join(match[2].split()) if match else "-", span, *extent)


def _rules(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name.strip().lower().replace("_", "-") for name in names if name.strip())
