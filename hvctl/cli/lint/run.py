"""Many files judged, in this process or in several, and what came of them in the order of the files."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby, repeat
from typing import NamedTuple

from hvctl.cli.lint.files import File, Unreadable, check_length, from_here, read_file, syntax_of
from hvctl.errors import HostError
from hvctl.guest.syntax import KUBEVIRT, Syntax
from hvctl.lint.engine import MOST_FINDINGS, Job, Result, Text, lint, lint_all
from hvctl.lint.output import Writer
from hvctl.lint.rule import Facts
from hvctl.lint.settings import Settings, chosen, matches, profile_of
from hvctl.model.finding import Safety, Severity, Skipped, Unchecked
from hvctl.model.host import Host
from hvctl.model.profile import Profile
from hvctl.text.files import UnreadableError

# Files that are judged in one go, and bytes after which no other is added to them.
_HANDFUL = 64
_MOST_AT_ONCE = 1 << 20
# What a process is given at a time: little at first, so that each gets a share of few files; later more, since whoever
# gives it and takes what comes of it needs a core for that.
_CHUNKS = range(_HANDFUL, 3 * _HANDFUL + 1, 8)
_WORTH_PROCESSES = 200
# An import of lxml takes as long as it saves for so many files.
_MANY = 500


class Texts(NamedTuple):
    """What stands for files that are none, by name: the domains of a libvirt, or processes."""

    syntax: Syntax
    by_name: Mapping[str, bytes]


class Outcome(NamedTuple):
    """What came of one file, or of several in a row of which there is no more to say, small enough to be sent from
    process to process.

    `shown` are the parts of the result, one for each file with findings, with so many of them in all as `found` says,
    of which `failed` are failures in the writer's form. `passed` is the name of a file that is nobody's kind.
    """

    counts: tuple[tuple[Severity, int], ...] = ()
    fixes: tuple[tuple[Safety, int], ...] = ()
    shown: tuple[str, ...] = ()
    found: int = 0
    failed: int = 0
    skipped: tuple[Skipped, ...] = ()
    unchecked: Unchecked | None = None
    note: tuple[str, str] | None = None
    fixed: int = 0
    diff: str = ""
    files: int = 1
    passed: str = ""


class Plan(NamedTuple):
    """How files are judged, and by whom the findings are written.

    `config` is the configuration file, `allowed` the fixes that are carried out, `kubevirt` how KubeVirt's objects are
    read, of which one file may need another.
    """

    settings: Settings
    hosts: tuple[Host, ...]
    profiles: Mapping[str, Profile]
    config: str | None
    writer: Writer
    qemu_args: bool
    allowed: tuple[Safety, ...] = ()
    write: bool = False
    texts: Texts | None = None
    kubevirt: Syntax = KUBEVIRT


def run(files: Iterable[File | Unreadable], plan: Plan, jobs: int) -> Iterator[Outcome]:
    """Judge files; with more than one job in as many processes, where there are many files and no other thread.

    Raises:
        HostError: one of the processes was killed.
    """
    import threading

    waiting = iter(files)
    first = _take(waiting, _MANY)
    judge = Judge(plan, many=len(first) == _MANY)
    # A fork keeps for ever the locks that other threads hold; there are some where a libvirt was asked.
    if jobs < 2 or len(first) < _WORTH_PROCESSES or threading.active_count() > 1:
        yield from judge(chain(first, waiting))
        return
    from hvctl.cli.lint.workers import KilledError, in_processes

    try:
        # They are copies of this process, with all rules and hosts read.
        for outcomes in in_processes(lambda chunk: list(judge(chunk)), _chunks(chain(first, waiting)), jobs):
            yield from outcomes
    except KilledError:
        raise HostError("a process that judged files was killed", "is there memory? try --jobs 1") from None


def _take(files: Iterator[File | Unreadable], count: int) -> list[File | Unreadable]:
    return [file for _, file in zip(range(count), files, strict=False)]


def _chunks(files: Iterator[File | Unreadable]) -> Iterator[list[File | Unreadable]]:
    for size in chain(_CHUNKS, repeat(_CHUNKS[-1])):
        if not (chunk := _take(files, size)):
            return
        yield chunk


class Judge:
    """Reads and judges files one by one, and writes what is fixed back."""

    def __init__(self, plan: Plan, *, many: bool = False) -> None:
        """`many` as in `parse_all`."""
        self.plan = plan
        self._many = many
        self._jobs: dict[tuple[bool, ...], Job] = {}

    def __call__(self, files: Iterable[File | Unreadable]) -> Iterator[Outcome]:
        """Judge files, a handful at a time, and tell of as many in one as can be."""
        taken: list[tuple[Text, Job] | Outcome] = []
        size = 0
        for file in files:
            taken.append(one := self._take(file))
            size += 0 if isinstance(one, Outcome) else len(one[0].data)
            if len(taken) == _HANDFUL or size > _MOST_AT_ONCE:
                yield from _together(self._judged(taken))
                taken, size = [], 0
        yield from _together(self._judged(taken))

    def _take(self, file: File | Unreadable) -> tuple[Text, Job] | Outcome:
        """A file with its bytes, and its job; what came of it where it is not judged, or fixed already."""
        if isinstance(file, Unreadable):
            return Outcome(unchecked=Unchecked(file.path, file.reason))
        plan = self.plan
        try:
            data = plan.texts.by_name[file.path] if plan.texts else read_file(file)
            kind = plan.texts.syntax if plan.texts else syntax_of(file, data, qemu_args=plan.qemu_args)
            if kind is None:
                return Outcome(passed=file.name)
            check_length(file, data, kind)
            kind = plan.kubevirt if kind is KUBEVIRT else kind
        except UnreadableError as error:
            return Outcome(unchecked=Unchecked(file.name, error.reason))
        job = self._job(file.name)
        if plan.allowed:
            return self._fixed(file, data, kind, job)
        return Text(data, file.name, kind), job

    def _judged(self, taken: Sequence[tuple[Text, Job] | Outcome]) -> Iterator[Outcome]:
        """What comes of files, in their order."""
        for job, group in groupby(taken, key=_job_of):
            if job is None:
                yield from (one for one in group if isinstance(one, Outcome))
                continue
            texts = [one[0] for one in group if not isinstance(one, Outcome)]
            results = lint_all(texts, job, many=self._many)
            for text, result in zip(texts, results, strict=True):
                yield outcome_of(text.path, result, self.plan.writer)

    def _fixed(self, file: File, data: bytes, kind: Syntax, job: Job) -> Outcome:
        from hvctl.lint.fixes import apply_fixes

        fixed = apply_fixes(data, file.name, kind, job, self.plan.allowed)
        outcome = outcome_of(file.name, fixed.result, self.plan.writer)._replace(fixed=len(fixed.titles))
        if fixed.data == data:
            return outcome
        if not self.plan.write:
            from hvctl.text.writing import patch

            return outcome._replace(diff=patch(data, fixed.data, from_here(file.name)))
        reason = _write(file, fixed.data, data)
        if not reason:
            return outcome
        # What is found is then what was.
        outcome = outcome_of(file.name, lint(data, file.name, kind, job), self.plan.writer)
        return outcome._replace(unchecked=Unchecked(file.name, reason))

    def _job(self, name: str) -> Job:
        settings = self.plan.settings
        if not settings.paths and () in self._jobs:
            return self._jobs[()]
        path = os.path.relpath(name, os.path.dirname(self.plan.config or "") or ".") if settings.paths else ""
        key = tuple(matches(one.pattern, path) for one in settings.paths)
        job = self._jobs.get(key)
        if job is None:
            facts = Facts(self.plan.hosts, self.plan.profiles.get(profile_of(settings, path) or ""))
            job = self._jobs[key] = Job(chosen(settings, path), facts, with_edits=self.plan.writer.with_edits)
        return job


def _job_of(taken: tuple[Text, Job] | Outcome) -> Job | None:
    return None if isinstance(taken, Outcome) else taken[1]


def _write(file: File, data: bytes, was: bytes) -> str:
    """Write a file anew; why it cannot be."""
    from hvctl.text.writing import UnwritableError, replace

    try:
        replace(file.path, data, was=was)
    except UnwritableError as error:
        return f"it cannot be written: {error.reason}"
    except OSError as error:
        return f"it cannot be written: {(error.strerror or str(error)).lower()}"
    return ""


def _together(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    """Outcomes, those in a row that are but counts and findings as one: whoever takes them has a tenth of the work."""
    row: list[Outcome] = []
    for one in outcomes:
        if one.unchecked or one.note or one.diff or one.passed:
            if row:
                yield _sum(row)
                row = []
            yield one
        else:
            row.append(one)
    if row:
        yield _sum(row)


def _sum(outcomes: Sequence[Outcome]) -> Outcome:
    counts: dict[Severity, int] = {}
    fixes: dict[Safety, int] = {}
    shown: list[str] = []
    skipped: dict[Skipped, None] = {}
    found = failed = fixed = 0
    for one in outcomes:
        if one is _NOTHING:
            continue
        for severity, count in one.counts:
            counts[severity] = counts.get(severity, 0) + count
        for safety, count in one.fixes:
            fixes[safety] = fixes.get(safety, 0) + count
        shown += one.shown
        found += one.found
        failed += one.failed
        fixed += one.fixed
        skipped.update(dict.fromkeys(one.skipped))
    return Outcome(
        tuple(counts.items()),
        tuple(fixes.items()),
        tuple(shown),
        found,
        failed,
        tuple(skipped),
        fixed=fixed,
        files=len(outcomes),
    )


def outcome_of(name: str, result: Result, writer: Writer) -> Outcome:
    """What came of a file of that name, with its part of the result."""
    if not result.findings:
        note = (name, result.note) if result.note else None
        return Outcome(skipped=result.skipped, unchecked=result.unchecked, note=note) if any(result) else _NOTHING
    counts: dict[Severity, int] = {}
    fixes: dict[Safety, int] = {}
    for finding in result.findings:
        counts[finding.severity] = counts.get(finding.severity, 0) + 1
        if finding.fix:
            fixes[finding.fix.safety] = fixes.get(finding.fix.safety, 0) + 1
    # As JSON a hundred thousand of them are a gigabyte; nobody reads more than these.
    findings, unchecked = result.findings[:MOST_FINDINGS], result.unchecked
    if len(findings) < len(result.findings):
        found = f"only the first {MOST_FINDINGS} of its {len(result.findings)} findings are shown, and none is fixed"
        unchecked = Unchecked(name, found)
    shown = (writer.part(findings),)
    failed = sum(map(writer.fails, findings))
    return Outcome(tuple(counts.items()), tuple(fixes.items()), shown, len(findings), failed, result.skipped, unchecked)


_NOTHING = Outcome()
