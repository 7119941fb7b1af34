"""The command line: one file a command, imported only when that command runs.

`main` is the only place that turns an error into text on stderr and an exit code.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from hvctl import __version__
from hvctl.cli.output import NO_ROOM, echo, use_color

if TYPE_CHECKING:
    # Neither `--help` nor `--version` needs it.
    from hvctl.errors import HvctlError

# The lines of `hvctl --help`. The module of NAME is hvctl.cli.NAME (`-` as `_`), its `command` the click command.
COMMANDS = {
    "check-host": "Show which enlightenments this host supports, and what prevents the others.",
    "pool": "Show what all hosts of a pool support, and which host prevents the rest.",
    "collector": "Write the program that records machines on which hvctl is not installed.",
    "gen": "Write the QEMU arguments or the libvirt XML for a profile.",
    "check-migration": "Check whether a guest can move to other hosts, before it is tried.",
    "apply": "Put a profile into a domain of a running libvirt, or undo that.",
    "show": "Show which enlightenments libvirt's domains have, and which they should have.",
    "launch": "Start a guest with QEMU and the arguments that gen writes.",
    "verify": "Boot a tiny guest, and compare what it sees with what was asked for.",
    "bench": "Measure on this host what a guest gains from its enlightenments.",
    "convert": "Translate a guest's enlightenments between QEMU, libvirt and profiles.",
    "lint": "Check domain XML and QEMU command lines beyond their schema.",
    "diagnose": "Say what an error message means, why it came, and what to do.",
    "explain": "Explain an enlightenment, a subject beside them, or a rule of lint.",
    "profile": "List, show and check profiles.",
    "schema": "Print the JSON Schema of a file format.",
}


class ClosedPipeError(Exception):
    """The reader of stdout has gone. Not an OSError, since click ends the process itself at one with EPIPE."""


class LazyGroup(click.Group):
    """Knows its commands by name and imports one only when it is asked for; the signatures are click's."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command, its last output included."""
        try:
            result: object = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError as error:
            raise ClosedPipeError from error
        return result

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, in the order in which a new user meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Import the module of one command; None where there is no such command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"hvctl.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Add a suggestion to click's message for an unknown command."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from hvctl.text.problems import did_you_mean, quoted

            hint = did_you_mean(args[0], COMMANDS)
            ctx.fail(f"unknown command {quoted(args[0])}{hint and f': {hint}'}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hvctl", message="%(prog)s %(version)s")
def cli() -> None:
    """The right Hyper-V enlightenments for Windows guests on KVM.

    hvctl reads a profile, asks the host's KVM what it supports, writes the matching QEMU arguments or libvirt XML,
    and launches the guest.

    \b
    Exit codes: 0 fine; 1 a host cannot give what was asked, or findings;
    2 usage, profile or configuration error; 3 environment (no KVM, a KVM
    without Hyper-V, no QEMU, no room for the result); 70 a bug in hvctl;
    130 interrupted; 141 broken pipe.
    """


class _Talk(io.FileIO):
    """stderr: what cannot be heard, on a full disk or a closed pipe, keeps no result from stdout."""

    def write(self, data: Any, /) -> int:
        """Write, or drop it."""
        try:
            return super().write(data) or len(data)
        except OSError:
            return len(data)


def command_line() -> int:
    """Run the process's command line; its exit code."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # closed: the next file would become it, and get what QEMU and libvirt print
            with contextlib.suppress(OSError):
                os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    talk = io.BufferedWriter(_Talk(2, "w", closefd=False))
    encoding = sys.stderr.encoding if sys.stderr else "utf-8"
    sys.stderr = io.TextIOWrapper(talk, encoding, "backslashreplace", line_buffering=True)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the terminal's encoding does not have is no reason to say nothing.
        sys.stdout.reconfigure(errors="backslashreplace")
    return run(sys.argv[1:])


def run(arguments: list[str]) -> int:
    """Run one command line in this process.

    Args:
        arguments: the words after the program's name.

    Returns:
        The exit code, as `hvctl --help` lists them.
    """
    if sys.stdout is None:
        from hvctl.errors import HostError

        return _report(HostError("the result cannot be written: stdout is closed"))
    try:
        result = cli.main(args=arguments, prog_name="hvctl", standalone_mode=False)
    except Exception as error:
        return _failed(error, arguments)
    return result if isinstance(result, int) else 0


def _failed(error: Exception, arguments: list[str]) -> int:
    """Say why a command failed; its exit code."""
    from hvctl.errors import HostError, HvctlError

    if _is_interrupt(error):
        echo("interrupted\n", err=True)
        return 130
    match error:
        case click.ClickException():
            text = io.StringIO()
            error.show(text)
            echo(text.getvalue(), err=True)
            return error.exit_code
        case HvctlError():
            return _report(error, arguments[0])
        case ClosedPipeError():
            return 141
        case MemoryError() | ImportError() if _lacks_memory(error):
            # There may be none for the import of a module, either.
            os.write(2, b"error: there is not enough memory\n")
            return HostError.exit_code
        case OSError():  # one of stdout names no file
            full = "the result cannot be written" if error.errno in NO_ROOM else "the system refuses what is needed"
            what = full if error.filename is None else str(error.filename)
            return _report(HostError(f"{what}: {error.strerror or error}"))
    return _bug()


def _lacks_memory(error: Exception) -> bool:
    """Whether there is no memory, be it for a compiled module (glibc:elf/dl-load.c, N_("failed to map segment"))."""
    return isinstance(error, MemoryError) or "failed to map segment" in str(error)


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind an error: cleaning up may fail, and Python makes a RuntimeError of it in a class."""
    while error and not isinstance(error, KeyboardInterrupt | click.exceptions.Abort):
        error = error.__cause__ or error.__context__
    return error is not None


def _bug() -> int:
    import traceback

    echo(f"{traceback.format_exc()}hvctl: this is a bug in hvctl; please report it with the lines above\n", err=True)
    return 70


def _report(error: HvctlError, command: str = "") -> int:
    from hvctl.report.problems import render_error

    echo(render_error(error.within(command), color=use_color(sys.stderr)), err=True)
    return error.exit_code
