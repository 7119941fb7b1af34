"""The forms of lint's result: a writer each, which turns findings into text and knows nothing of files or terminals.

Those for people are here: a page of a compiler's form, or a line each.

A result is written file by file, so that nobody has to wait for the last of many: `part` is what a writer says of one
file, and may be called in another process; `frame` is what belongs around all parts.
"""

import functools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal, NamedTuple

from hvctl.model.finding import Finding, Fix, Safety, Severity, Skipped, Unchecked
from hvctl.report.console import BOLD, painted, wrapped
from hvctl.report.problems import WIDTH, located
from hvctl.text.problems import counted, printable, visible

Format = Literal["text", "concise", "json", "sarif", "github", "junit"]
"""The words of --format."""


class Report(NamedTuple):
    """What came of a run: the numbers of judged files, of those with findings, of shown findings, and of those of
    them that are failures.

    `config` is the path of the configuration that was used.
    """

    files: int = 0
    flawed: int = 0
    findings: int = 0
    failed: int = 0
    unchecked: tuple[Unchecked, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    config: str | None = None


class Frame(NamedTuple):
    """What is before the first part, between two parts, and after the last; `empty` is the whole text without any."""

    head: str
    between: str
    tail: str
    empty: str


class Writer(ABC):
    """One form. `with_edits`: it shows the edits of fixes. `late`: what is before the parts depends on all of them."""

    with_edits: ClassVar[bool] = False
    late: ClassVar[bool] = False
    with_summary: ClassVar[bool] = False
    """Whether people read it, who also want the sums."""

    @abstractmethod
    def part(self, findings: Sequence[Finding]) -> str:
        """The findings of one file; not called for a file without any."""

    def fails(self, finding: Finding) -> bool:  # noqa: ARG002 - most forms do not tell them apart
        """Whether a finding is a failure in this form."""
        return True

    @abstractmethod
    def frame(self, report: Report) -> Frame:
        """What is around the parts. Unless the writer is late, the head does not depend on the report."""


_COLORS = {Severity.ERROR: "1;31", Severity.WARNING: "1;33", Severity.INFO: "1;34"}
_OPTIONS = {Safety.SAFE: "--fix", Safety.UNSAFE: "--unsafe-fixes"}


class TextWriter(Writer):
    """A block for each finding, as compilers print it."""

    with_summary = True

    def __init__(self, color: bool) -> None:
        self._color = color

    def part(self, findings: Sequence[Finding]) -> str:
        """Every finding with its line, an empty line after each."""
        return "".join(_block(finding, self._color) + "\n" for finding in findings)

    def frame(self, report: Report) -> Frame:
        """Nothing but the unchecked files, at the end."""
        lines = "".join(f"{printable(path)}: not checked: {printable(why)}\n" for path, why in report.unchecked)
        return Frame("", "", lines, lines)


class ConciseWriter(TextWriter):
    """A line for each finding."""

    with_summary = False

    def part(self, findings: Sequence[Finding]) -> str:
        """One line for each finding."""
        return "".join(_concise(finding, self._color) for finding in findings)


def _concise(finding: Finding, color: bool) -> str:
    span = finding.span
    place = f"{printable(span.path)}:{span.line}:{span.column}"
    return f"{place}: {_severity(finding, color)}: {_line(finding.message)}{_mark(finding.fix)}\n"


def skipped_lines(skipped: Sequence[Skipped]) -> str:
    """Which rules could not judge, those with one reason together."""
    reasons: dict[str, list[str]] = {}
    for one in skipped:
        reasons.setdefault(one.reason, []).append(one.rule)
    lines = [line for reason, rules in reasons.items() for line in wrapped(f"skipped, {reason}: {', '.join(rules)}")]
    return "".join(f"{line}\n" for line in lines)


def note(path: str, reason: str) -> str:
    """Why a file was passed over."""
    return f"skipped {printable(path)}: {printable(reason)}"


def summary(counts: dict[Severity, int], fixes: dict[Safety, int], files: int, unchecked: int) -> str:
    """One line that counts: what is found, in how many files, and how many were not checked."""
    total = sum(counts.values())
    where = counted(files, "file") + (f", {unchecked} not checked" if unchecked else "")
    if not total:
        return f"{where}: nothing found\n"
    infos = {Severity.INFO: "info"}
    parts = ", ".join(counted(counts[one], one.value, infos.get(one, "")) for one in Severity if counts.get(one))
    can = [f"{_OPTIONS[one]} fixes {fixes[one]}" for one in Safety if fixes.get(one)]
    return "; ".join([f"{where}: {parts}", *can]) + "\n"


def _block(finding: Finding, color: bool) -> str:
    head = f"{_severity(finding, color)}: {painted(_line(finding.message), BOLD, color)}\n"
    places, gutter = located(finding.span, finding.related, color)
    notes = [("why", finding.why), ("instead", finding.instead), ("fix", _fix(finding.fix))]
    return head + places + "".join(note_line(gutter, name, said, color) for name, said in notes if said)


@functools.lru_cache(maxsize=1024)
def note_line(gutter: str, name: str, said: str, color: bool) -> str:
    """A named sentence below an excerpt, folded."""
    first = f"{gutter} = {name}: "
    lines = wrapped(_line(said), WIDTH, len(first), len(first))
    head = painted(f"{gutter} = {name}:", "36", color) + " "
    return "".join((head + line[len(first) :] if number == 0 else line) + "\n" for number, line in enumerate(lines))


def _fix(fix: Fix | None) -> str:
    return f"{_OPTIONS[fix.safety]} will {fix.title}" if fix else ""


def _mark(fix: Fix | None) -> str:
    return f" [{_OPTIONS[fix.safety]}]" if fix else ""


def _severity(finding: Finding, color: bool) -> str:
    return painted(f"{finding.severity}[{finding.rule}]", _COLORS[finding.severity], color)


def _line(said: str) -> str:
    return visible(" ".join(said.split()))
