"""Options that mean the same in every command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

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


def say(message: str, *, level: int = 0) -> None:
    """Talk on stderr. Level 0 is silenced by -q, level 1 needs -v."""
    meta = click.get_current_context().meta
    if meta.get("hvctl.quiet") or level > meta.get("hvctl.verbose", 0):
        return
    click.echo(message, err=True)
