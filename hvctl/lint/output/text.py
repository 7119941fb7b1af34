"""Findings for people: a page of a compiler's form, or a line each."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

from hvctl.model.finding import Finding, Fix, Safety, Severity, Skipped, Unchecked
from hvctl.report.problems import WIDTH, located, on_one_line, visible
from hvctl.report.wrap import wrapped

_COLORS = {Severity.ERROR: "1;31", Severity.WARNING: "1;33", Severity.INFO: "1;34"}
_OPTIONS = {Safety.SAFE: "--fix", Safety.UNSAFE: "--unsafe-fixes"}


def text(findings: Iterable[Finding], color: bool) -> str:
    """Every finding with its line, an empty line behind each."""
    return "".join(_block(finding, color) + "\n" for finding in findings)


def concise(findings: Iterable[Finding], color: bool) -> str:
    """One line a finding."""
    return "".join(
        f"{on_one_line(one.span.path)}:{one.span.line}:{one.span.column}: {_severity(one, color)}: {_line(one.message)}"
        f"{_mark(one.fix)}\n"
        for one in findings
    )


def skipped_lines(skipped: Sequence[Skipped]) -> str:
    """Which rules could not judge, those with one reason together."""
    reasons: dict[str, list[str]] = {}
    for one in skipped:
        reasons.setdefault(one.reason, []).append(one.rule)
    lines = [line for reason, rules in reasons.items() for line in wrapped(f"skipped, {reason}: {', '.join(rules)}")]
    return "".join(f"{line}\n" for line in lines)


def unchecked_lines(unchecked: Sequence[Unchecked]) -> str:
    """The files that could not be judged."""
    return "".join(f"{on_one_line(one.path)}: not checked: {on_one_line(one.reason)}\n" for one in unchecked)


def note(path: str, reason: str) -> str:
    """Why a file was passed over."""
    return f"skipped {on_one_line(path)}: {on_one_line(reason)}"


def summary(counts: dict[Severity, int], fixes: dict[Safety, int], files: int, unchecked: int) -> str:
    """One line that counts: what is found, in how many files, and how many were not checked."""
    total = sum(counts.values())
    where = _count(files, "file") + (f", {unchecked} not checked" if unchecked else "")
    if not total:
        return f"{where}: nothing found\n"
    parts = ", ".join(_count(counts[one], one.value) for one in Severity if counts.get(one))
    can = [f"{_OPTIONS[one]} mends {fixes[one]}" for one in Safety if fixes.get(one)]
    return "; ".join([f"{where}: {parts}", *can]) + "\n"


def _block(finding: Finding, color: bool) -> str:
    head = f"{_severity(finding, color)}: {_bold(_line(finding.message), color)}\n"
    places, gutter = located(finding.span, finding.related, color)
    notes = [("why", finding.why), ("instead", finding.instead), ("fix", _fix(finding.fix))]
    return head + places + "".join(_note(gutter, name, said, color) for name, said in notes if said)


@functools.lru_cache(maxsize=1024)
def _note(gutter: str, name: str, said: str, color: bool) -> str:
    first = f"{gutter} = {name}: "
    lines = wrapped(_line(said), WIDTH, len(first), len(first))
    head = _paint(f"{gutter} = {name}:", "36", color) + " "
    return "".join((head + line[len(first) :] if number == 0 else line) + "\n" for number, line in enumerate(lines))


def _fix(fix: Fix | None) -> str:
    return f"{_OPTIONS[fix.safety]} will {fix.title}" if fix else ""


def _mark(fix: Fix | None) -> str:
    return f" [{_OPTIONS[fix.safety]}]" if fix else ""


def _severity(finding: Finding, color: bool) -> str:
    return _paint(f"{finding.severity}[{finding.rule}]", _COLORS[finding.severity], color)


def _line(said: str) -> str:
    return visible(" ".join(said.split()))


def _bold(said: str, color: bool) -> str:
    return _paint(said, "1", color)


def _paint(said: str, code: str, color: bool) -> str:
    return f"\x1b[{code}m{said}\x1b[0m" if color else said


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 or what == Severity.INFO else 's'}"
