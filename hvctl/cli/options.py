"""Options that mean the same in every command."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from hvctl.errors import UsageError

F = TypeVar("F", bound="Callable[..., Any]")


def common(function: F) -> F:
    """Add --color, -v and -q. They do not reach the function: `say` and `hvctl.cli.use_color` look at the context."""
    for option in (
        click.option("-q", "--quiet", is_flag=True, expose_value=False, callback=_remember("quiet"), help="Say less."),
        click.option(
            "-v", "--verbose", count=True, expose_value=False, callback=_remember("verbose"), help="Say more."
        ),
        click.option(
            "--color",
            type=click.Choice(["auto", "always", "never"]),
            default="auto",
            expose_value=False,
            callback=_remember("color"),
            help="Colour the output (default: on a terminal; NO_COLOR and FORCE_COLOR are honoured).",
        ),
    ):
        function = option(function)
    return function


def _remember(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def callback(ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
        ctx.meta[f"hvctl.{name}"] = value
        return value

    return callback


def output_format(*choices: str) -> Callable[[F], F]:
    """The option --format with these choices; the first is the default."""
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        help="The form of the result on stdout; it never changes the exit code.",
    )


def check_name(name: str | None, *, forbidden: str = "") -> None:
    """Raise UsageError for a guest's name that is empty, or has a character that is not printable or is forbidden."""
    if name is None or (name and name.isprintable() and not set(name) & set(forbidden)):
        return
    from hvctl.errors import UsageError

    without = f" without {forbidden!r}" if forbidden else ""
    raise UsageError(f"--name is one printable line{without}, and not empty")


def no_such(what: str, names: Sequence[str], known: Sequence[str]) -> UsageError:
    """The error for names of what does not exist, with what may have been meant."""
    import difflib

    from hvctl.errors import UsageError

    close = {name: difflib.get_close_matches(name, known, 1) for name in names}
    hints = [f"did you mean {found[0]!r} for {name!r}?" for name, found in close.items() if found]
    return UsageError(f"no {what} is called {' or '.join(repr(name) for name in names)}", " ".join(hints))


def width() -> int:
    """The columns of tables on stdout: the terminal's, at most 100; 80 where it is none."""
    # Not shutil.get_terminal_size: shutil imports every compression module there is.
    try:
        return min(os.get_terminal_size(sys.stdout.fileno()).columns or 80, 100)
    except (OSError, ValueError):
        return 80


def say(message: str, *, level: int = 0) -> None:
    """Talk on stderr. Level 0 is silenced by -q, level 1 needs -v."""
    meta = click.get_current_context().meta
    if meta.get("hvctl.quiet") or level > meta.get("hvctl.verbose", 0):
        return
    click.echo(message, err=True)


def say_sentence(sentence: str) -> None:
    """Talk on stderr, in lines of 80 columns."""
    from hvctl.report.wrap import paragraph

    say(paragraph(sentence))
