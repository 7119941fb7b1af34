"""Many files judged, in this process or in several, and what came of them in the order of the files."""

from __future__ import annotations

import os
from collections import deque
from itertools import chain, groupby, repeat
from typing import TYPE_CHECKING, NamedTuple

from hvctl.cli.lint_files import Unreadable, UnreadableError, check_length, from_here, kind_of, read
from hvctl.cli.lint_outcome import Outcome, outcome_of
from hvctl.errors import HostError
from hvctl.lint.engine import Job, Text, lint, lint_all
from hvctl.lint.rule import Facts
from hvctl.lint.settings import chosen, matches, profile_of
from hvctl.model.finding import Unchecked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from hvctl.cli.lint_files import File
    from hvctl.guest.guest import Kind
    from hvctl.lint.settings import Settings
    from hvctl.model.finding import Safety
    from hvctl.model.host import Host
    from hvctl.model.profile import Profile

# Files that are judged in one go, and bytes after which no other is added to them.
_HANDFUL = 64
_MOST_AT_ONCE = 1 << 20
# What a process is given at a time: little at first, so that each gets a share of few files; later more, since whoever
# gives it and takes what comes of it needs a core for that.
_CHUNKS = range(_HANDFUL, 3 * _HANDFUL + 1, 8)
_WORTH_PROCESSES = 200
# From so many files on an import of lxml pays, which takes as long as it saves for a thousand of them.
_MANY = 500
# For each process, how much is given to it before what came of the first is waited for.
_AHEAD = 3
_WITH_EDITS = ("json", "sarif")

_NO_TEXTS: Mapping[str, bytes] = {}


class Plan(NamedTuple):
    """How files are judged.

    `folder` is the configuration file's, `allowed` the fixes that are carried out. `texts` are what stands for files
    that are none: the domains of a libvirt.
    """

    settings: Settings
    hosts: tuple[Host, ...]
    profiles: Mapping[str, Profile]
    folder: str
    form: str
    color: bool
    qemu_args: bool
    allowed: tuple[Safety, ...] = ()
    write: bool = False
    texts: Mapping[str, bytes] = _NO_TEXTS


def run(files: Iterable[File | Unreadable], plan: Plan, jobs: int) -> Iterator[Outcome]:
    """Judge files; with more than one job in as many processes, where there are many files.

    Raises:
        HostError: one of the processes was killed.
    """
    waiting = iter(files)
    first = _take(waiting, _WORTH_PROCESSES)
    judge = Judge(plan)
    if jobs < 2 or len(first) < _WORTH_PROCESSES:
        yield from judge(chain(first, waiting))
        return
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    from hvctl.host.pdeathsig import die_with_parent

    # Workers are copies of this process, with all rules and hosts read.
    pool = ProcessPoolExecutor(jobs, get_context("fork"), _begin, (judge, die_with_parent()))
    # No more than is waited for: what has come of many files can be larger than they are.
    given: deque[Future[list[Outcome]]] = deque()
    try:
        for chunk in _chunks(chain(first, waiting)):
            given.append(pool.submit(_judge_all, chunk))
            if len(given) == jobs * _AHEAD:
                yield from given.popleft().result()
        while given:
            yield from given.popleft().result()
    except BrokenProcessPool:
        raise HostError("a process that judged files was killed", "is there memory? try --jobs 1") from None
    finally:
        pool.shutdown(cancel_futures=True)


def _take(files: Iterator[File | Unreadable], count: int) -> list[File | Unreadable]:
    return [file for _, file in zip(range(count), files, strict=False)]


def _chunks(files: Iterator[File | Unreadable]) -> Iterator[list[File | Unreadable]]:
    for size in chain(_CHUNKS, repeat(_CHUNKS[-1])):
        if not (chunk := _take(files, size)):
            return
        yield chunk


_judge: Judge


def _begin(judge: Judge, die_with_parent: Callable[[], None]) -> None:
    """A worker begins; it is its parent that is interrupted."""
    import signal

    global _judge
    _judge = judge
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _judge_all(files: Sequence[File | Unreadable]) -> list[Outcome]:
    return list(_judge(files))


class Judge:
    """Reads and judges files one by one, and writes what is mended back."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._jobs: dict[tuple[bool, ...], Job] = {}
        self._seen = 0

    def __call__(self, files: Iterable[File | Unreadable]) -> Iterator[Outcome]:
        """Judge files, a handful at a time."""
        taken: list[tuple[Text, Job] | Outcome] = []
        size = 0
        for file in files:
            taken.append(one := self._take(file))
            size += 0 if isinstance(one, Outcome) else len(one[0].data)
            if len(taken) == _HANDFUL or size > _MOST_AT_ONCE:
                yield from self._judged(taken)
                taken, size = [], 0
        yield from self._judged(taken)

    def _take(self, file: File | Unreadable) -> tuple[Text, Job] | Outcome:
        """A file with its bytes, and its job; what came of it where it is not judged, or mended already."""
        if isinstance(file, Unreadable):
            return Outcome(unchecked=Unchecked(file.path, file.reason))
        plan = self.plan
        try:
            data = plan.texts[file.path] if plan.texts else read(file)
            kind = kind_of(file, data, qemu_args=plan.qemu_args)
            check_length(data, kind)
        except UnreadableError as error:
            return Outcome(unchecked=Unchecked(file.name, str(error)))
        job = self._job(file.name)
        if plan.allowed:
            return self._mended(file, data, kind, job)
        return Text(data, file.name, kind), job

    def _judged(self, taken: Sequence[tuple[Text, Job] | Outcome]) -> Iterator[Outcome]:
        """What comes of files, in their order."""
        for job, group in groupby(taken, key=_job_of):
            if job is None:
                yield from (one for one in group if isinstance(one, Outcome))
                continue
            texts = [one[0] for one in group if not isinstance(one, Outcome)]
            results = lint_all(texts, job, many=self._seen >= _MANY)
            self._seen += len(texts)
            for text, result in zip(texts, results, strict=True):
                yield outcome_of(text.path, result, self.plan)

    def _mended(self, file: File, data: bytes, kind: Kind, job: Job) -> Outcome:
        from hvctl.lint.fixes import mend

        mended = mend(data, file.name, kind, job, self.plan.allowed)
        outcome = outcome_of(file.name, mended.result, self.plan)._replace(mended=len(mended.titles))
        if mended.data == data:
            return outcome
        if not self.plan.write:
            from hvctl.lint.output.diff import patch

            return outcome._replace(diff=patch(data, mended.data, from_here(file.name)))
        reason = _write(file, mended.data)
        if not reason:
            return outcome
        # What is found is then what was.
        outcome = outcome_of(file.name, lint(data, file.name, kind, job), self.plan)
        return outcome._replace(unchecked=Unchecked(file.name, reason))

    def _job(self, name: str) -> Job:
        settings = self.plan.settings
        if not settings.paths and () in self._jobs:
            return self._jobs[()]
        path = os.path.relpath(name, self.plan.folder or ".") if settings.paths else ""
        key = tuple(matches(one.pattern, path) for one in settings.paths)
        job = self._jobs.get(key)
        if job is None:
            facts = Facts(self.plan.hosts, self.plan.profiles.get(profile_of(settings, path) or ""))
            job = self._jobs[key] = Job(chosen(settings, path), facts, with_edits=self.plan.form in _WITH_EDITS)
        return job


def _job_of(taken: tuple[Text, Job] | Outcome) -> Job | None:
    return None if isinstance(taken, Outcome) else taken[1]


def _write(file: File, data: bytes) -> str:
    """Write a file anew; why it cannot be."""

    from hvctl.text.files import replace

    try:
        replace(file.path, data)
    except OSError as error:
        return f"it cannot be written: {(error.strerror or str(error)).lower()}"
    return ""
