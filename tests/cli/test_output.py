"""The sign of life: on a terminal only, and gone afterwards."""

import io
import time

import pytest

from hvctl.cli.output import spinner


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_it_turns_on_a_terminal_and_leaves_nothing() -> None:
    stream = Terminal()
    with spinner("asking", stream):
        time.sleep(0.35)
    assert stream.getvalue().startswith("\r| asking\r/ asking")
    assert stream.getvalue().endswith("\r\x1b[K")


def test_it_is_erased_when_the_work_fails() -> None:
    stream = Terminal()
    with pytest.raises(KeyError), spinner("asking", stream):
        _fail_after(0.15)
    assert stream.getvalue().endswith("\r\x1b[K")


@pytest.mark.parametrize(("stream", "quiet"), [(io.StringIO(), False), (Terminal(), True)], ids=["a file", "quiet"])
def test_elsewhere_it_writes_nothing(stream: io.StringIO, quiet: bool) -> None:
    with spinner("asking", stream, quiet=quiet):
        time.sleep(0.15)
    assert stream.getvalue() == ""


def _fail_after(seconds: float) -> None:
    time.sleep(seconds)
    raise KeyError
