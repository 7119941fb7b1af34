"""A function called in several processes, with its results in the order of what it is called with.

Not concurrent.futures: all its processes write to one pipe, and where one is killed while it writes, the others and
whoever reads wait for ever (seen with Python 3.11 to 3.13). Here each has a pipe of its own, which ends with it.
"""

import contextlib
import pickle
import signal
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from traceback import format_exc
from typing import Any, TypeVar

from hvctl.host.hostfs import die_with_parent
from hvctl.text.writing import signals_held

T = TypeVar("T")
R = TypeVar("R")

# For each process, how many results are kept while an earlier one is waited for.
_AHEAD = 3


class KilledError(Exception):
    """A process has ended before its time."""


def in_processes(work: Callable[[T], R], given: Iterator[T], count: int) -> Iterator[R]:
    """The result of `work` for each of what is given, as soon as those before it are there.

    Processes are copies of this one, which must have no other thread: a fork keeps for ever what other threads lock.

    Raises:
        KilledError: a process was killed.
        Exception: whatever `work` raises, with its traceback as a note.
    """
    context = get_context("fork")
    begin = die_with_parent(signal.SIGTERM)
    processes = []
    idle: list[Connection] = []
    busy: dict[Connection, int] = {}
    done: dict[int, R] = {}
    begun = finished = 0
    try:
        with signals_held():  # one that is interrupted before it begins shows that
            for _ in range(count):
                ours, theirs = context.Pipe()
                process = context.Process(target=_worker, args=(work, theirs, ours, begin), daemon=True)
                process.start()
                theirs.close()
                processes.append(process)
                idle.append(ours)
        while True:
            # One has nothing to do before it has given its result, so that neither side waits for the other.
            while idle and begun - finished < count * _AHEAD and (one := next(given, None)) is not None:
                _send(idle[-1], one)
                busy[idle.pop()] = begun
                begun += 1
            if not busy:
                return
            ready = wait(list(busy))
            for connection in [one for one in busy if one in ready]:
                done[busy.pop(connection)] = _receive(connection)
                idle.append(connection)
            while finished in done:
                yield done.pop(finished)
                finished += 1
    finally:
        for pipe in (*idle, *busy):  # the end for one that has not begun, too, and still holds signals
            pipe.close()
        for process in processes:
            process.terminate()
            process.join()


def _send(pipe: Connection, what: object) -> None:
    try:
        pipe.send(what)
    except OSError as error:
        raise KilledError from error


def _receive(pipe: Connection) -> Any:
    try:
        result, error = pipe.recv()
    except (EOFError, OSError) as failure:
        raise KilledError from failure
    if error is not None:
        raise error
    return result


def _worker(work: Callable[[T], R], pipe: Connection, other_end: Connection, begin: Callable[[], None]) -> None:
    """What a process does. It is its parent that is interrupted, whose end it hears by SIGTERM, so that files are
    written whole."""
    begin()
    other_end.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with contextlib.suppress(EOFError, OSError):  # its parent has ended
        while True:
            what = pipe.recv()
            answer, wrong = None, None
            try:
                answer = work(what)
            except Exception as error:
                wrong = _portable(error, format_exc())
            pipe.send((answer, wrong))


def _portable(error: Exception, traceback: str) -> Exception:
    """An error as it can be sent, with its traceback as a note."""
    error.add_note(traceback)
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(traceback)
    return error
