"""`python -m tests.torture`: hostile inputs, kills, odd environments and lying programs, until something gives way.

Prints counts, and the seed with which the same is tried again. Each failure gets a directory with its input, what came
of it, and a script `again`; what it is named, such as kill-0012, is tried again by --only with that seed. Exit code 1
if there is one.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from tests.paths import ROOT
from tests.torture import environments, kills, liars
from tests.torture.checks import DIED_IN_LIBVIRT
from tests.torture.execute import Outcome, execute
from tests.torture.processes import adopt_orphans
from tests.torture.runs import made

WRONG = (
    *("lost", "leaked files", "leaked processes", "exit 70", "other exit codes", "tracebacks", "control characters"),
    *("invalid JSON", "hangs", "over 300 MB", "over 10 s"),
)
_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNS, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000


class Job(NamedTuple):
    """Something to try: a kind of things, and the number of one."""

    kind: str
    number: int
    seed: str
    failures: Path


def main(words: list[str]) -> int:
    """Try everything; the exit code."""
    asked = _options(words)
    failures = Path(tempfile.mkdtemp(prefix="hvctl-torture-"))
    failures.chmod(0o755)  # other users run in it, too
    if environments.may_mount():
        _have_own_mounts(failures)
    adopt_orphans()  # of the runs that are made for reference
    jobs = list(_jobs(asked, failures))
    print(f"seed {asked.seed}: {len(jobs)} runs, {asked.jobs} at a time", flush=True)
    for reason in (*environments.reasons(), *kills.reasons()):
        print(f"skipped: {reason}", flush=True)
    began, counts = time.monotonic(), Counter[str]()
    for done, outcome in enumerate(_outcomes(jobs, asked.jobs, asked.seconds), 1):
        _count(outcome, counts, failures)
        if sys.stderr.isatty():
            print(f"\r{done}/{len(jobs)}, {_failed(counts)} wrong\x1b[K", end="", file=sys.stderr, flush=True)
    _report(counts, time.monotonic() - began)
    if not _failed(counts):
        shutil.rmtree(failures)
        return 0
    print(f"seed {asked.seed}; failures are in {failures}")
    return 1


def _options(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--runs", type=int, default=4000, help="hostile inputs (default 4000)")
    parser.add_argument("--kills", type=int, default=300, help="kills of each command that writes (default 300)")
    parser.add_argument("--all-kills", type=int, help="kills of all such commands together, instead")
    parser.add_argument("--lies", type=int, default=300, help="random lies of other programs (default 300)")
    parser.add_argument("--sample", type=int, help="so many of the odd environments and known lies (default: all)")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin nothing after so many seconds")
    parser.add_argument("--seed", default=str(random.randrange(1 << 32)))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", help="the name of one failure, as kill-0012")
    return parser.parse_args(words)


def _jobs(asked: argparse.Namespace, failures: Path) -> Iterator[Job]:
    """Everything that is asked for, mixed, so that what takes long does not come last."""
    numbers = {
        "input": list(range(asked.runs)),
        "kill": list(range(asked.kills * len(kills.possible()) if asked.all_kills is None else asked.all_kills)),
        "environment": list(range(len(environments.cases()))),
        "lie": list(range(len(liars.cases()))),
        "random-lie": list(range(asked.lies)),
    }
    chosen = random.Random(asked.seed)
    if asked.sample is not None:
        for kind in ("environment", "lie"):
            numbers[kind] = chosen.sample(numbers[kind], min(asked.sample // 2, len(numbers[kind])))
    if asked.only:
        kind, _, number = asked.only.rpartition("-")
        numbers = {kind: [int(number)]}
    jobs = [Job(kind, number, asked.seed, failures) for kind, some in numbers.items() for number in some]
    chosen.shuffle(jobs)
    yield from jobs


def _outcomes(jobs: list[Job], processes: int, seconds: float) -> Iterator[Outcome]:
    end = time.monotonic() + seconds
    with ProcessPoolExecutor(processes, get_context("fork"), adopt_orphans) as pool:
        waiting = [pool.submit(_work, job) for job in jobs]
        try:
            for future in as_completed(waiting):
                if future.cancelled():
                    continue
                yield future.result()
                if time.monotonic() > end:
                    for other in waiting:
                        other.cancel()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _work(job: Job) -> Outcome:
    try:
        return _tried(job)
    except Exception as error:
        error.add_note(f"in {job.kind}-{job.number}, seed {job.seed}")
        raise


def _tried(job: Job) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="work-", dir=job.failures) as folder:
        os.chmod(folder, 0o755)
        match job.kind:
            case "kill":
                return kills.carry_out(job.number, job.seed, Path(folder), job.failures)
            case "environment":
                return environments.carry_out(job.number, Path(folder), job.failures)
            case "lie":
                return liars.carry_out(job.number, Path(folder), job.failures)
            case "random-lie":
                return liars.carry_out_random(job.number, job.seed, Path(folder), job.failures)
            case _:
                return execute(made(job.seed, job.number), Path(folder), job.failures)


def _have_own_mounts(failures: Path) -> None:
    """Have mounts that only this process and its children see, in which any user can read the checkout."""
    _must(_LIBC.unshare(_CLONE_NEWNS))
    _must(_LIBC.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None))
    closed = next((path for path in reversed(ROOT.parents) if not path.stat().st_mode & 0o001), None)
    if closed is None:
        return
    if failures.is_relative_to(closed):
        sys.exit(f"TMPDIR is below {closed}, which other users cannot read")
    # A file system of memory over that directory, with nothing but the checkout and its Python in it. Not by mount(8),
    # which would look for the names that the descriptors had.
    needed = {path for path in (ROOT, Path(sys.prefix), Path(sys.base_prefix)) if path.is_relative_to(closed)}
    opened = {path: os.open(path, os.O_PATH) for path in sorted(needed)}
    _must(_LIBC.mount(b"torture", bytes(closed), b"tmpfs", 0, b"mode=755"))
    for path, descriptor in opened.items():
        path.mkdir(parents=True, exist_ok=True)
        _must(_LIBC.mount(f"/proc/self/fd/{descriptor}".encode(), bytes(path), None, _MS_BIND, None))
        os.close(descriptor)
    os.chdir(ROOT)


def _must(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _count(outcome: Outcome, counts: Counter[str], failures: Path) -> None:
    counts["runs"] += 1
    counts[f"exit {outcome.code}"] += 1
    counts.update({what for what, _ in outcome.wrong} - {"exit 70"})  # which is counted already
    for what, detail in outcome.wrong:
        line = detail.strip().splitlines()[-1:] or [""]
        print(f"{failures / outcome.name}: {what}: {ascii(line[0])[1:-1][:200]}", flush=True)


def _failed(counts: Counter[str]) -> int:
    return sum(counts[what] for what in WRONG)


def _report(counts: Counter[str], seconds: float) -> None:
    codes = sorted((int(name[5:]), count) for name, count in counts.items() if name.startswith("exit "))
    print(f"{counts['runs']} runs in {seconds:.0f} s, exit codes: {', '.join(f'{code}: {n}' for code, n in codes)}")
    print(", ".join(f"{counts[what]} {what}" for what in (*WRONG, DIED_IN_LIBVIRT)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
