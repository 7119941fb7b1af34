"""Options that mean the same in every command."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar, get_args

import click

from hvctl.errors import UsageError

F = TypeVar("F", bound="Callable[..., Any]")
_MOST_SECONDS = 3600


Format = Literal["text", "json"]
"""The words of --format."""

PageFormat = Literal["text", "json", "html"]
"""The same of commands that can also write a page for a browser."""


def common(function: F) -> F:
    """Add --color, -v and -q. They do not reach the function: those of `hvctl.cli.output` look at the context."""
    for option in (
        click.option(
            "-q", "--quiet", is_flag=True, expose_value=False, callback=_remember("quiet"), help="Print less."
        ),
        click.option(
            "-v", "--verbose", count=True, expose_value=False, callback=_remember("verbose"), help="Print more."
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


def output_format(formats: Any) -> Callable[[F], F]:
    """The option --format with the words of a Literal; the first is the default."""
    words = get_args(formats)
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(words),
        default=words[0],
        show_default=True,
        help="Form of the result on stdout; it never changes the exit code.",
    )


def host_files(help_text: str, *, hidden: bool = False) -> Callable[[F], F]:
    """The option --host, which may be repeated."""
    return click.option("--host", "hosts", multiple=True, metavar="FILE", hidden=hidden, help=help_text)


also_host = click.option(
    "--also-host",
    "also",
    multiple=True,
    metavar="FILE",
    help="A host file or a directory of them: machines that the guest may move to; may be repeated.",
)


def connect(help_text: str, *, default: str | None = None) -> Callable[[F], F]:
    """Add --connect and --timeout; the default is that of virsh, where there is one."""

    def add(function: F) -> F:
        function = click.option(
            "--timeout",
            type=click.FloatRange(0, _MOST_SECONDS, min_open=True),
            metavar="SECONDS",
            help="How long libvirt may take for each answer (default: 10, and 120 to start a guest).",
        )(function)
        return click.option(
            "--connect",
            "uri",
            metavar="URI",
            default=default,
            envvar="LIBVIRT_DEFAULT_URI" if default else None,
            callback=_not_empty,
            help=help_text,
        )(function)

    return add


def _not_empty(_context: click.Context, _option: click.Parameter, uri: str | None) -> str | None:
    if uri is not None and not uri.strip():
        raise UsageError("--connect is empty", "write a URI as virsh takes it, as qemu:///system")
    return uri


def only_with_connect(**options: object) -> None:
    """Raise UsageError for options that do nothing without --connect."""
    idle = [f"--{name.replace('_', '-')}" for name, value in options.items() if value not in (None, False)]
    if idle:
        raise UsageError(f"{' and '.join(idle)}: only with --connect")


def check_stdin(*inputs: str) -> None:
    """Raise UsageError where more than one input is `-`."""
    if inputs.count("-") > 1:
        raise UsageError("stdin can be read once only: a single input may be -")


def check_name(name: str | None, *, forbidden: str = "") -> None:
    """Raise UsageError for a guest's name that is empty, or has a character that is not printable or is forbidden."""
    if name is None or (name and name.isprintable() and not set(name) & set(forbidden)):
        return
    without = f" without {forbidden!r}" if forbidden else ""
    raise UsageError(f"--name is one printable line{without}, and not empty")


def no_such(what: str, names: Sequence[str], known: Sequence[str]) -> UsageError:
    """The error for names of what does not exist, with what may have been meant."""
    from hvctl.text.problems import did_you_mean, printable

    shown = {name: f"'{printable(name)}'" for name in names}  # whole: it may be a path
    hints = [f"{hint[:-1]} for {shown[name]}?" for name in names if (hint := did_you_mean(name, known))]
    return UsageError(f"unknown {what} {' or '.join(shown.values())}", " ".join(hints))
