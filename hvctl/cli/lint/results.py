"""The result of `hvctl lint`, put together file by file."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import click

from hvctl.cli.lint.files import COMMON_ENDINGS
from hvctl.cli.lint.run import Outcome, Plan
from hvctl.cli.output import echo, is_quiet, say, write_result
from hvctl.lint.engine import lacking
from hvctl.lint.output import Report, note, skipped_lines, summary
from hvctl.lint.rule import Facts
from hvctl.lint.settings import chosen
from hvctl.model.finding import Safety, Severity, Skipped, Unchecked
from hvctl.text.problems import counted

_EVERY = 200
# Characters that are written at a time where nobody looks on.
_MUCH = 1 << 16


class Results:
    """Collects outcomes; text goes out as it comes, unless it goes to a file."""

    def __init__(self, plan: Plan, options: Mapping[str, Any]) -> None:
        self.plan = plan
        self.writer = plan.writer
        self.fail_on: str = options["fail_on"]
        self.path: str | None = options["output"]
        self.quiet = is_quiet()
        self.seen = 0
        self.files = 0
        self.passed = 0
        self.fixed = 0
        self.changes = 0
        self.counts: dict[Severity, int] = {}
        self.fixes: dict[Safety, int] = {}
        self.flawed = 0
        self.found = self.failed = 0
        self.skipped: dict[Skipped, None] = {}
        self.unchecked: list[Unchecked] = []
        self.parts: list[str] = []
        self.progress = sys.stderr.isatty() and not self.quiet and os.environ.get("TERM") != "dumb"
        self.erasable = False
        self.between: str | None = None
        self.held: list[str] = []
        self.waiting: list[str] = []
        self.size = 0

    def __enter__(self) -> Results:
        """Begin with what no file can change."""
        skipped = lacking(chosen(self.plan.settings, ""), Facts(self.plan.hosts))
        self.skipped.update(dict.fromkeys(skipped))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write the rest, unless something went wrong."""
        self._erase()
        if kind is None:
            self._finish()
        self._flush()

    def add(self, outcome: Outcome) -> None:
        """Take what came of the next file, or files."""
        if outcome.note is None and (outcome.unchecked is None or outcome.counts):
            self.files += outcome.files
        self.fixed += outcome.fixed
        for severity, count in outcome.counts:
            self.counts[severity] = self.counts.get(severity, 0) + count
        for safety, count in outcome.fixes:
            self.fixes[safety] = self.fixes.get(safety, 0) + count
        self.flawed += len(outcome.shown)
        self.found += outcome.found
        self.failed += outcome.failed
        self.skipped.update(dict.fromkeys(outcome.skipped))
        if outcome.unchecked:
            self.unchecked.append(outcome.unchecked)
        if outcome.note:
            self._erase()
            self._flush()
            name = outcome.note[0]
            common = name.endswith(COMMON_ENDINGS) and name not in self.plan.named
            self.passed += common
            say(note(*outcome.note), level=int(common))
        if outcome.diff:
            self.changes += 1
            self._write(outcome.diff, exact=True)
        elif not self._diff:
            for part in outcome.shown:
                self._show(part)
        self._step(outcome.files)

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
            self._flush()
            click.echo(text.encode("utf-8", "surrogateescape"), nl=False)
            return
        self.waiting.append(text)
        self.size += len(text)
        if self.size > _MUCH or sys.stdout.isatty():
            self._flush()

    def _flush(self) -> None:
        """Print what waits."""
        if self.waiting:
            echo("".join(self.waiting))
            self.waiting, self.size = [], 0

    def _show(self, part: str) -> None:
        """Write what was found in a file, at once unless its writer is a late one."""
        if self.writer.late:
            self.held.append(part)
            return
        if self.between is None:
            frame = self.writer.frame(self._report())
            self._write(frame.head)
            self.between = frame.between
        else:
            self._write(self.between)
        self._write(part)

    def _report(self) -> Report:
        unchecked, skipped = tuple(self.unchecked), tuple(self.skipped)
        return Report(self.files, self.flawed, self.found, self.failed, unchecked, skipped, self.plan.config)

    def _finish(self) -> None:
        frame = self.writer.frame(self._report())
        if self.held:
            self._write(frame.head + frame.between.join(self.held))
        self._write(frame.tail if self.held or self.between is not None else frame.empty)
        self._flush()
        if self._diff and self.counts:
            # Else an exit code of 1 beside an empty patch would have no reason.
            say(f"not fixed by this patch: {summary(self.counts, {}, self.files, 0).strip()}")
        elif self.writer.with_summary and not self._diff:
            self._talk()
        if self.path is not None:
            write_result("".join(self.parts).encode("utf-8", "surrogateescape"), self.path)

    def _talk(self) -> None:
        if self.fixed:
            say(f"fixed: {self.fixed}")
        if self.passed:
            say(f"passed over as no guest: {counted(self.passed, 'file')} (-v names each)")
        if self.skipped:
            say(skipped_lines(tuple(self.skipped)).rstrip("\n"))
        say(summary(self.counts, self.fixes, self.files, len(self.unchecked)).rstrip("\n"))

    def _step(self, files: int) -> None:
        """How far it has come, on a terminal, after all that is written there."""
        told = self.seen // _EVERY
        self.seen += files
        if self.progress and self.seen // _EVERY > told:
            click.echo(f"\rchecked {self.seen} files", err=True, nl=False, color=True)
            self.erasable = True

    def _erase(self) -> None:
        if self.erasable:
            click.echo("\r\x1b[K", err=True, nl=False, color=True)
            self.erasable = False
