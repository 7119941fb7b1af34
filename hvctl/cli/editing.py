"""A file of the user's that is edited: where the edited one goes."""

from typing import NamedTuple

from hvctl.cli.output import echo, say_sentence, write_result
from hvctl.errors import UsageError
from hvctl.model.plan import EditOptions


class Target(NamedTuple):
    """A domain file and where the edited one goes."""

    path: str
    output: str | None
    in_place: bool
    diff: bool
    options: EditOptions


def check_target(target: Target, option: str = "--domain") -> None:
    """Raise UsageError for destinations that do not go together."""
    named = [
        word for word, on in (("-o", target.output), ("--in-place", target.in_place), ("--diff", target.diff)) if on
    ]
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named)} do not go together", "name one of them")
    if target.path == "-" and target.in_place:
        raise UsageError(f"--in-place needs a file: {option} - is stdin")


_WHEN = "this takes effect after `virsh define` and a cold start (see `hvctl explain changes`)"


def deliver(before: bytes, after: bytes, target: Target, name: str, when: str = _WHEN) -> int:
    """Write the edited file, or the difference; the exit code."""
    changes = before != after
    if target.diff:
        from hvctl.text.writing import unified

        echo(unified(before, after, name))
    elif not target.in_place:
        write_result(after, target.output)
    elif changes:
        write_result(after, target.path, before)
    if changes:
        say_sentence(when)
    return int(target.diff and changes)
