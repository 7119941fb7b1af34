"""Every error that a user can do something about, and the places in a user's file that some are about.

One subclass for each kind of remedy. The core raises them and never prints; `hvctl.cli.main` alone
turns one into text on stderr and an exit code.
"""

import copyreg
from collections.abc import Sequence
from typing import Any, NamedTuple

MOST_PROBLEMS = 100
"""Of one error: a file of 1 MiB can hold 300,000 mistakes, and nobody reads more than these."""
FIRST_ONLY = f"only the first {MOST_PROBLEMS} problems are shown"


class Span(NamedTuple):
    """A place in a text file: 1-based, columns count Unicode code points, the end is exclusive.

    `excerpt` is the text of the line `line`, kept so that a report needs no second look at the file.
    """

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    excerpt: str = ""

    def position(self) -> dict[str, int]:
        """Lines and columns, as JSON output names them."""
        names = ("line", "column", "end_line", "end_column")
        return dict(zip(names, self[1:5], strict=True))


class Problem(NamedTuple):
    """One mistake in a file: what is wrong, where, what to do, and the other places it concerns."""

    message: str
    span: Span | None = None
    hint: str = ""
    related: tuple[tuple[str, Span], ...] = ()


class HvctlError(Exception):
    """Root of all errors: one sentence that says what is wrong, and one that says what to do."""

    exit_code = 70

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        """How lint's processes send it. Python's own way is to call `__init__` again with `args`: the message, and not
        what a subclass was made of."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]  # not in its stub

    def within(self, _command: str) -> "HvctlError":
        """The same error, with what can be done by a command of hvctl's, such as `verify`."""
        return self


class UsageError(HvctlError):
    """The command line asks for something that does not exist or does not go together."""

    exit_code = 2


class InputError(HvctlError):
    """A file of the user's is wrong; `problems` holds the mistakes found in it, in file order: at most
    `MOST_PROBLEMS`."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem], hint: str = "") -> None:
        self.problems = tuple(problems[:MOST_PROBLEMS])
        more = len(problems) > MOST_PROBLEMS
        super().__init__("; ".join(problem.message for problem in self.problems), FIRST_ONLY if more else hint)


class RefusedError(HvctlError):
    """A host, or a pool, cannot give what was asked for with `on`."""

    exit_code = 1


class HostError(HvctlError):
    """The environment lacks something: KVM, its Hyper-V emulation, QEMU, libvirt, a permission."""

    exit_code = 3


class NoKvmError(HostError):
    """This machine has no KVM that is of use; many commands can do without."""

    def within(self, command: str) -> "NoKvmError":
        """The same error, with how that command does without."""
        other = _WITHOUT_KVM.get(command)
        return NoKvmError(self.message, f"{self.hint}; or {other}") if other else self


class NoQmpError(HostError):
    """The library that asks QEMU is missing: hvctl's wheel brings it, but Debian 12 and 13 have no package of it."""

    def __init__(self, hint: str = "") -> None:
        super().__init__(NO_QMP, hint or _GET_QMP)

    def within(self, command: str) -> "NoQmpError":
        """The same error, with how that command does without."""
        other = _WITHOUT_QMP.get(command)
        return NoQmpError(f"{self.hint}; or {other}") if other else self


NO_QMP = "QEMU was not asked: the Python module qemu.qmp is missing"
_GET_QMP = "install it: `pip install qemu.qmp`, or the package python3-qemu-qmp where the distribution has it"
_COLLECT = "record this machine with `hvctl collector`, which needs no module, and"
_WITHOUT_QMP = {
    "gen": f"{_COLLECT} name the record by --host FILE",
    "apply": f"{_COLLECT} name the record by --host FILE",
    "check-migration": f"{_COLLECT} name the record by --from FILE",
    "check-host": f"{_COLLECT} name the record by --raw FILE",
    "launch": f"{_COLLECT} write the arguments by `hvctl gen PROFILE --host FILE`",
    "verify": f"{_COLLECT} predict the start by --dry-run --host FILE",
}

_HOST_FILE = "name the host that will run the guest by --host FILE, which `hvctl check-host --record FILE` writes there"
_WITHOUT_KVM = {
    "gen": _HOST_FILE,
    "apply": _HOST_FILE,
    "check-migration": "name the host that the guest runs on by --from FILE, which `hvctl check-host --record FILE` "
    "writes there",
    "check-host": "ask a libvirt about its host by --connect URI, or run it on the host that will run the guest",
    "bench": "measure on a host that has one; what each enlightenment is good for, `hvctl explain` says anywhere",
    "launch": "write the arguments for a host that has one by `hvctl gen PROFILE --host FILE`",
    "verify": "add --accel tcg to try the guest without KVM, or --dry-run --host FILE to try nothing",
}
