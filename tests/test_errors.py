"""Every error of hvctl's survives the way between two processes, which lint has."""

from __future__ import annotations

import copy
import errno
import importlib
import pickle
import pkgutil
from collections.abc import Iterator

import pytest

import hvctl
from hvctl.cli.lint.workers import in_processes
from hvctl.errors import (
    HostError,
    HvctlError,
    InputError,
    NoKvmError,
    NoQmpError,
    Problem,
    RefusedError,
    Span,
    UsageError,
)
from hvctl.host.kvm_device import IoctlError
from hvctl.text.files import UnreadableError
from hvctl.text.recognition import FileKind, MisplacedError
from hvctl.text.writing import UnwritableError

SPAN = Span("a.xml", 1, 2, 3, 4, "<a/>")
ERRORS: tuple[HvctlError, ...] = (
    HvctlError("wrong", "do this"),
    UsageError("wrong", "do this"),
    InputError([Problem("wrong", SPAN, "do this", (("here", SPAN),)), Problem("this, too")], "do that"),
    RefusedError("wrong", "do this"),
    HostError("wrong", "do this"),
    NoKvmError("wrong", "do this"),
    NoQmpError("do this"),
    UnwritableError("a.xml", "it is a pipe", "write to a file"),
    MisplacedError("a.xml", FileKind.DOMAIN, FileKind.HOST, "gen"),
    UnreadableError("a.xml", "it is a socket", "name a file"),
    IoctlError("/dev/kvm", "KVM_CREATE_VM", OSError(errno.EBUSY, "busy")),
)


def _subclasses(of: type[HvctlError]) -> Iterator[type[HvctlError]]:
    yield of
    for one in of.__subclasses__():
        yield from _subclasses(one)


def test_none_is_left_out() -> None:
    for module in pkgutil.walk_packages(hvctl.__path__, "hvctl."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    own = {one for one in _subclasses(HvctlError) if one.__module__.startswith("hvctl.")}
    assert own == {type(error) for error in ERRORS}


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_it_can_be_sent(error: HvctlError) -> None:
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is type(error)
        assert (vars(again), again.args, str(again)) == (vars(error), error.args, str(error))


def _fail(number: int) -> None:
    raise ERRORS[number]


@pytest.mark.parametrize("number", range(len(ERRORS)), ids=lambda number: type(ERRORS[number]).__name__)
def test_a_process_sends_it(number: int) -> None:
    with pytest.raises(type(ERRORS[number])) as raised:
        list(in_processes(_fail, iter([number]), 1))
    assert str(raised.value) == str(ERRORS[number])
    assert "in _fail" in raised.value.__notes__[0]
