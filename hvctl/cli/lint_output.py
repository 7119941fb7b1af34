"""The result of `hvctl lint`, put together file by file."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from hvctl.cli.files import write_result
from hvctl.cli.options import say
from hvctl.model.finding import Severity

if TYPE_CHECKING:
    from types import TracebackType

    from hvctl.cli.lint_outcome import Outcome
    from hvctl.cli.lint_run import Plan
    from hvctl.model.finding import Finding, Safety, Skipped, Unchecked
    from hvctl.report.json_frame import Frame

_EVERY = 200
# The forms that have something around all that is found.
_AROUND = ("json", "sarif")


class Output:
    """Collects outcomes; text goes out as it comes, unless it goes to a file."""

    def __init__(self, plan: Plan, options: dict[str, Any]) -> None:
        self.plan = plan
        self.fail_on: str = options["fail_on"]
        self.path: str | None = options["output"]
        self.quiet = bool(click.get_current_context().meta.get("hvctl.quiet"))
        self.seen = 0
        self.files = 0
        self.mended = 0
        self.changes = 0
        self.counts: dict[Severity, int] = {}
        self.fixes: dict[Safety, int] = {}
        self.findings: list[Finding] = []
        self.skipped: dict[Skipped, None] = {}
        self.unchecked: list[Unchecked] = []
        self.parts: list[str] = []
        self.progress = sys.stderr.isatty() and not self.quiet and os.environ.get("TERM") != "dumb"
        self.erasable = False
        self.between = ""

    def __enter__(self) -> Output:
        """Begin with what no file can change."""
        from hvctl.cli.lint_setup import lacks

        self.skipped.update(dict.fromkeys(lacks(self.plan)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write the rest, unless something went wrong."""
        self._erase()
        if kind is None:
            self._finish()

    def add(self, outcome: Outcome) -> None:
        """Take what came of the next file."""
        self.files += outcome.note is None and (outcome.unchecked is None or bool(outcome.counts))
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
            from hvctl.lint.output.text import note

            self._erase()
            say(note(*outcome.note))
        if outcome.diff:
            self.changes += 1
            self._write(outcome.diff, exact=True)
        elif not self._diff:
            self._show(outcome.shown)
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

    def _write(self, text: str, *, exact: bool = False) -> None:
        """Write a part; `exact` is for one that other programs read, with the bytes of the file that it is about."""
        if not text:
            return
        if self.path is not None:
            self.parts.append(text)
            return
        self._erase()
        if exact and not sys.stdout.isatty():
            click.echo(text.encode("utf-8", "surrogateescape"), nl=False)
        elif exact:
            from hvctl.report.problems import visible

            click.echo("\t".join(map(visible, text.split("\t"))), nl=False)
        else:
            click.echo(text, nl=False, color=self.plan.color or None)

    def _show(self, text: str) -> None:
        """Write what was found in a file."""
        if text and self.between:
            self._write(self.between)
        elif text and self.plan.form in _AROUND and (around := self._around()):
            self._write(around.head)
            self.between = around.between
        self._write(text)

    def _around(self) -> Frame | None:
        """What stands around all that is found, in the forms that have such."""
        from hvctl.model.finding import Report

        report = Report((), tuple(self.unchecked), tuple(self.skipped), self.files)
        if self.plan.form == "json":
            from hvctl.lint.output import json as lint_json

            return lint_json.around(report)
        if self.plan.form == "sarif":
            from hvctl.lint.output import sarif as lint_sarif

            return lint_sarif.around(report)
        return None

    def _finish(self) -> None:
        from hvctl.lint.output import text as lint_text

        form = self.plan.form
        if form in ("text", "concise"):
            self._write(lint_text.unchecked_lines(self.unchecked))
            if form == "text" and not self._diff:
                self._talk()
        elif form == "github":
            from hvctl.lint.output.github import unchecked

            self._write(unchecked(self.unchecked))
        elif around := self._around():
            self._write(around.tail if self.between else around.empty)
        else:
            self._write(self._junit())
        if self.path is not None:
            write_result("".join(self.parts).encode("utf-8", "surrogateescape"), self.path)

    def _talk(self) -> None:
        from hvctl.lint.output import text as lint_text

        if self.mended:
            say(f"mended: {self.mended}")
        say(lint_text.skipped_lines(tuple(self.skipped)).rstrip("\n")) if self.skipped else None
        say(lint_text.summary(self.counts, self.fixes, self.files, len(self.unchecked)).rstrip("\n"))

    def _junit(self) -> str:
        from hvctl.lint.output.junit import to_junit
        from hvctl.model.finding import Report

        return to_junit(Report(tuple(self.findings), tuple(self.unchecked), tuple(self.skipped), self.files))

    def _step(self) -> None:
        """How far it has come, on a terminal, behind all that is written there."""
        self.seen += 1
        if self.progress and self.seen % _EVERY == 0:
            click.echo(f"\rchecked {self.seen} files", err=True, nl=False, color=True)
            self.erasable = True

    def _erase(self) -> None:
        if self.erasable:
            click.echo("\r\x1b[K", err=True, nl=False, color=True)
            self.erasable = False
