"""Fixes carried out: as many at a time as do not touch each other, then the file is judged again."""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from hvctl.guest.syntax import Syntax
from hvctl.lint.engine import MOST_FINDINGS, Job, Result, lint
from hvctl.model.finding import Finding, Fix, Safety, Severity
from hvctl.model.guest import Edit

MOST_ROUNDS = 100


class FixResult(NamedTuple):
    """A file after its fixes: its bytes, what is found in them, and the titles of the fixes in their order."""

    data: bytes
    result: Result
    titles: tuple[str, ...]


def apply_fixes(data: bytes, path: str, syntax: Syntax, job: Job, allowed: Collection[Safety]) -> FixResult:
    """Carry out the fixes that are allowed, until none is left; none in a file with more than `MOST_FINDINGS`.

    Args:
        data: the file.
        path: its name.
        syntax: what it is taken for.
        job: the rules and facts.
        allowed: which fixes may be carried out.
    """
    job = job.editing()
    result = lint(data, path, syntax, job)
    if len(result.findings) > MOST_FINDINGS:
        return FixResult(data, result, ())
    titles: list[str] = []
    refused: set[str] = set()
    for _ in range(MOST_ROUNDS):
        fixes = _together(result.findings, allowed, refused)
        if _applied(data, result.codec, fixes) == data:
            break
        for some in (fixes, fixes[:1]):
            after = _applied(data, result.codec, some)
            then = lint(after, path, syntax, job)
            if _no_worse(result, then, allowed, job.after):
                titles += [fix.title for fix in some]
                data, result = after, then
                break
        else:
            refused.add(fixes[0].title)
    return FixResult(data, result, tuple(titles))


def _no_worse(
    before: Result, after: Result, allowed: Collection[Safety], gives_way: Mapping[str, tuple[str, ...]]
) -> bool:
    """Whether a file can still be read, and has no error of a rule that it had none of before."""
    if after.unchecked or after.note:
        return False
    had = {finding.rule for finding in before.findings if finding.severity is Severity.ERROR}
    # What gives way to a rule may have been there behind it: stimer lacks its clock before and after it gets synic.
    had |= {rule for rule, others in gives_way.items() if not had.isdisjoint(others)}
    has = {finding.rule for finding in after.findings if finding.severity is Severity.ERROR}
    # What a fix adds may need more, for which there is another fix in the next round.
    soon = {one.rule for one in after.findings if one.fix and one.fix.safety in allowed}
    return not has - soon - had


def _together(findings: Iterable[Finding], allowed: Collection[Safety], refused: Collection[str]) -> list[Fix]:
    """The first fixes of a file that do not touch each other, less those of which nothing good comes."""
    chosen: list[Fix] = []
    taken: list[Edit] = []
    for finding in findings:
        fix = finding.fix
        if fix is None or fix.safety not in allowed or not fix.edits or fix.title in refused:
            continue
        if not any(_touch(edit, other) for edit in fix.edits for other in taken):
            chosen.append(fix)
            taken += fix.edits
    return chosen


def _touch(one: Edit, other: Edit) -> bool:
    """Whether two edits overlap, or meet: of two that add at one place each must see what the other has done."""
    return one.start <= other.end and other.start <= one.end


def _applied(data: bytes, codec: tuple[str, str], fixes: Iterable[Fix]) -> bytes:
    parts: list[bytes] = []
    at = 0
    for edit in sorted((edit for fix in fixes for edit in fix.edits), key=lambda edit: (edit.start, edit.end)):
        parts += [data[at : edit.start], edit.text.encode(*codec)]
        at = edit.end
    return b"".join([*parts, data[at:]])
