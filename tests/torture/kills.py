"""Signals that end hvctl at random moments while it writes: the files are old or new, and nothing is left."""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.paths import ROOT
from tests.torture.checks import CODES, TEMPORARY, Wrong, files_below, kept, of_the_output, of_the_process
from tests.torture.execute import Outcome, keep, make
from tests.torture.processes import Ended, ends, start
from tests.torture.runs import STATE
from tests.torture.writers import writers

_LIBC = ctypes.CDLL(None)
_IN_CREATE = 0x100
# Whoever kills is to run at the moment that he waits for.
_BEHIND = ("nice", "-n", "19")
_SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


class Reference(NamedTuple):
    """What a run does when nobody disturbs it: its seconds, and the files before and after."""

    seconds: float
    code: int
    before: Mapping[str, bytes]
    after: Mapping[str, bytes]


@functools.cache
def reference(number: int) -> Reference:
    """The undisturbed run of a writer."""
    run = writers()[number]
    with tempfile.TemporaryDirectory(prefix="hvctl-torture-reference-") as folder:
        make(run, Path(folder))
        before = _files(Path(folder))
        ended = start(run, Path(folder))
        return Reference(ended.seconds, ended.code, before, _files(Path(folder)))


@functools.cache
def possible() -> tuple[int, ...]:
    """The writers that write something on this machine."""
    return tuple(number for number in range(len(writers())) if reference(number).before != reference(number).after)


def reasons() -> Iterator[str]:
    """Why some cannot be killed here."""
    for number, run in enumerate(writers()):
        if number not in possible():
            yield f"kills of {run.name}: it writes nothing here, exit code {reference(number).code}"


def carry_out(number: int, seed: str, folder: Path, failures: Path) -> Outcome:
    """End a writer at a random moment, and look at what is left; after SIGKILL, at what the next run leaves."""
    random = Random(f"{seed}/kill/{number}")
    writer = possible()[number % len(possible())]
    run, known = writers()[writer]._replace(name=f"kill-{number:04}"), reference(writer)
    place = folder / run.name
    place.mkdir()
    make(run, place)
    which, send = random.choice(_SIGNALS), random.choice((os.kill, os.kill, os.killpg))
    wait = _moment(random, place, known.seconds)

    def meanwhile(pid: int) -> None:
        wait(pid)
        send(pid, which)

    ended = start(run, place, _BEHIND, meanwhile)
    wrong = [*of_the_process(ended, codes=(*CODES, -which)), *_of_the_files(place, known)]
    if not _before_hvctl(ended):
        wrong += of_the_output(run, ended, place)
    if which is signal.SIGKILL:  # which leaves its temporary file to the next run
        wrong += of_the_process(start(run, place))
    wrong += [("leaked files", path) for path in files_below(place) if path.endswith(TEMPORARY)]
    shutil.rmtree(place)
    outcome = Outcome(run.name, ended.code, ended.seconds, ended.megabytes, tuple(wrong))
    if wrong:
        detail = f"{writers()[writer].name}, by {which.name} of {send.__name__}"
        keep(run, outcome._replace(wrong=(*wrong, ("killed", detail))), ended, failures / run.name)
    return outcome


def _moment(random: Random, place: Path, seconds: float) -> Callable[[int], object]:
    """Waits for the moment: any in the run's time, or about when it makes a file, since to write it takes a moment."""
    delay = random.uniform(0, 1.1 * seconds)
    if random.random() < 0.3:
        return lambda pid: ends(pid, delay)
    made = os.fdopen(_LIBC.inotify_init1(os.O_CLOEXEC), "rb")
    for folder in (place / "cwd", place / STATE):
        _LIBC.inotify_add_watch(made.fileno(), bytes(folder), _IN_CREATE)
    after = random.choice((0.0, random.uniform(0, 0.001), random.uniform(0, 0.005), random.uniform(0, 0.05)))

    def writes(pid: int) -> None:
        with made:
            ends(pid, 3 * seconds, made.fileno())
        time.sleep(after)

    return writes


def _before_hvctl(ended: Ended) -> bool:
    """Whether Ctrl-C came before the first line of hvctl's ran, and was answered by Python."""
    return ended.err.rstrip().endswith(b"KeyboardInterrupt") and bytes(ROOT / "hvctl") not in ended.err


def _files(place: Path) -> dict[str, bytes]:
    return {path: (place / path).read_bytes() for path in files_below(place)}


def _of_the_files(place: Path, known: Reference) -> Iterator[Wrong]:
    """Each file of the user's is whole, old or new; one that apply keeps may have another number."""
    found = _files(place)
    for path, data in found.items():
        contents = {known.before.get(path), known.after.get(path)}
        if kept(path):
            contents |= set(known.after.values())
        if data not in contents and not path.endswith(TEMPORARY):
            yield "lost", f"{path} is neither old nor new, {len(data)} bytes"
        if path in known.before and not kept(path):
            mode = (place / path).stat().st_mode & 0o7777
            if mode != 0o640:
                yield "lost", f"{path} has the mode {mode:o}"
    for path in known.before.keys() - found.keys():
        if path in known.after:
            yield "lost", f"{path} is gone"
