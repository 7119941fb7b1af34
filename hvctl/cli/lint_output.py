"""The result of `hvctl lint`, put together file by file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from hvctl.cli.files import write_result
from hvctl.cli.options import say
from hvctl.model.finding import Severity

if TYPE_CHECKING:
    from types import TracebackType

    from hvctl.cli.lint_run import Outcome, Plan
    from hvctl.model.finding import Finding, Safety, Skipped, Unchecked

_EVERY = 200


class Output:
    """Collects outcomes; text goes out as it comes, unless it goes to a file."""

    def __init__(self, plan: Plan, options: dict[str, Any]) -> None:
        self.plan = plan
        self.fail_on: str = options["fail_on"]
        self.path: str | None = options["output"]
        self.quiet = bool(click.get_current_context().meta.get("hvctl.quiet"))
        self.files = 0
        self.mended = 0
        self.changes = 0
        self.counts: dict[Severity, int] = {}
        self.fixes: dict[Safety, int] = {}
        self.findings: list[Finding] = []
        self.skipped: dict[Skipped, None] = {}
        self.unchecked: list[Unchecked] = []
        self.parts: list[str] = []
        self.progress = sys.stderr.isatty() and not self.quiet and not sys.stdout.isatty()

    def __enter__(self) -> Output:
        """Begin with what no file can change."""
        from hvctl.cli.lint_setup import lacks

        self.skipped.update(dict.fromkeys(lacks(self.plan)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write the rest, unless something went wrong."""
        self._step(last=True)
        if kind is None:
            self._finish()

    def add(self, outcome: Outcome) -> None:
        """Take what came of the next file."""
        self.files += outcome.note is None and outcome.unchecked is None
        self.mended += outcome.mended
        for severity, count in outcome.counts:
            self.counts[severity] = self.counts.get(severity, 0) + count
        for safety, count in outcome.fixes:
            self.fixes[safety] = self.fixes.get(safety, 0) + count
        self.findings += outcome.findings
        self.skipped.update(dict.fromkeys(outcome.skipped))
        if outcome.unchecked:
            self.unchecked.append(outcome.unchecked)
        if outcome.note:
            say(f"skipped {outcome.note[0]}: {outcome.note[1]}")
        self.changes += bool(outcome.diff)
        self._write(outcome.diff or ("" if self._diff else outcome.shown))
        self._step()

    def code(self) -> int:
        """The exit code."""
        if self.unchecked:
            return 1
        if self.fail_on == "never":
            return 0
        if self.changes:
            return 1
        least = Severity(self.fail_on).rank
        return int(any(severity.rank >= least for severity in self.counts))

    @property
    def _diff(self) -> bool:
        return bool(self.plan.allowed) and not self.plan.write

    def _write(self, text: str) -> None:
        if not text:
            return
        if self.path is None:
            click.echo(text, nl=False, color=self.plan.color or None)
        else:
            self.parts.append(text)

    def _finish(self) -> None:
        from hvctl.report import lint_text

        form = self.plan.form
        if form in ("text", "concise"):
            self._write(lint_text.unchecked_lines(self.unchecked))
            if form == "text" and not self._diff:
                self._talk()
        elif form == "github":
            from hvctl.report.lint_github import unchecked

            self._write(unchecked(self.unchecked))
        else:
            self._write(self._whole(form))
        if self.path is not None:
            write_result("".join(self.parts), self.path)

    def _talk(self) -> None:
        from hvctl.report import lint_text

        if self.mended:
            say(f"mended: {self.mended}")
        say(lint_text.skipped_lines(tuple(self.skipped)).rstrip("\n")) if self.skipped else None
        say(lint_text.summary(self.counts, self.fixes, self.files, len(self.unchecked)).rstrip("\n"))

    def _whole(self, form: str) -> str:
        from hvctl.model.finding import Report

        report = Report(tuple(self.findings), tuple(self.unchecked), tuple(self.skipped), self.files)
        if form == "json":
            from hvctl.report.lint_json import to_json

            return to_json(report)
        if form == "sarif":
            from hvctl.report.lint_sarif import to_sarif

            return to_sarif(report)
        from hvctl.report.lint_junit import to_junit

        return to_junit(report)

    def _step(self, *, last: bool = False) -> None:
        """How far it has come, on a terminal where nothing else is written."""
        if not self.progress or (not last and self.files % _EVERY):
            return
        click.echo("\r\x1b[K" if last else f"\rchecked {self.files} files", err=True, nl=False, color=True)
