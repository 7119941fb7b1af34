"""A function in several processes: in order, with its errors, and never waiting for one that was killed."""

from __future__ import annotations

import os
import random
import signal
import time
from multiprocessing import active_children

import pytest

from hvctl.cli.lint.workers import KilledError, in_processes
from hvctl.errors import HostError

# The threads of other tests may still be there, such as those of libvirt's connections, which wait.
pytestmark = pytest.mark.filterwarnings("ignore:.*is multi-threaded:DeprecationWarning")
MORE_THAN_A_PIPE_HOLDS = bytes(1 << 20)


def test_the_results_have_the_order_of_what_is_given() -> None:
    def work(number: int) -> tuple[int, int]:
        time.sleep(random.random() / 100)
        return number, os.getpid()

    results = list(in_processes(work, iter(range(1, 60)), 3))
    assert [number for number, _ in results] == list(range(1, 60))
    assert len({process for _, process in results} - {os.getpid()}) == 3
    assert not active_children()


def test_more_processes_than_there_is_to_do() -> None:
    assert list(in_processes(str, iter([7]), 4)) == ["7"]
    assert list(in_processes(str, iter([]), 2)) == []


def test_results_larger_than_a_pipe() -> None:
    given = [MORE_THAN_A_PIPE_HOLDS] * 5
    assert list(in_processes(len, iter(given), 2)) == [len(MORE_THAN_A_PIPE_HOLDS)] * 5
    assert list(in_processes(bytes, iter([1 << 20] * 5), 2)) == given


@pytest.mark.parametrize("late", [False, True])
def test_one_that_is_killed(*, late: bool) -> None:
    """While it works, or while it writes: then part of its result is there already."""

    def work(first: bool) -> bytes:
        if not first:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, 0.4)
            time.sleep(0.2 if late else 60)
        return MORE_THAN_A_PIPE_HOLDS

    results = in_processes(work, iter([True, False]), 2)
    assert next(results) == MORE_THAN_A_PIPE_HOLDS
    time.sleep(0.8)
    with pytest.raises(KilledError):
        next(results)
    assert not active_children()


def test_an_error_is_raised_with_its_traceback() -> None:
    def work(number: int) -> int:
        if number == 5:
            raise HostError("there is no five", "take six")
        return number

    with pytest.raises(HostError) as raised:
        list(in_processes(work, iter(range(1, 9)), 2))
    assert (raised.value.message, raised.value.hint) == ("there is no five", "take six")
    assert "in work" in raised.value.__notes__[0]
    assert not active_children()


def test_an_error_that_cannot_be_sent_is_told_all_the_same() -> None:
    class OwnError(Exception):
        pass

    def work(_: int) -> int:
        raise OwnError("of its own")

    with pytest.raises(RuntimeError, match="OwnError: of its own"):
        list(in_processes(work, iter([1]), 2))
