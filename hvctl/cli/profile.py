"""`hvctl profile`: list, show and check profiles."""

import sys
from typing import assert_never

import click

from hvctl import api
from hvctl.cli.options import Format, common, output_format
from hvctl.cli.output import echo, use_color, write_result
from hvctl.errors import HvctlError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """List, show and check profiles.

    A profile says in YAML what a Windows guest should get. Some come with hvctl; `hvctl schema profile` describes the
    format for editors.
    """


@command.command("list")
@output_format(Format)
@common
def list_profiles(output_format: Format) -> None:
    """List the profiles that come with hvctl."""
    from hvctl.profile.source import shipped_names
    from hvctl.report.console import paragraph

    profiles = [(name, api.load_profile(name)) for name in shipped_names()]
    match output_format:
        case "text":
            width = max((len(name) for name, _ in profiles), default=0)
            for name, known in profiles:
                click.echo(paragraph(f"{name:<{width}}  {known.description}", following=width + 2))
        case "json":
            from hvctl.text.json_document import dump

            entries = [{"name": name, "os": known.os, "description": known.description} for name, known in profiles]
            click.echo(dump({"profiles": entries}), nl=False)
        case _:
            assert_never(output_format)


@command.command()
@click.argument("name")
@click.option("--merged", is_flag=True, help="Print the whole profile: with its parents and the defaults.")
@common
def show(name: str, merged: bool) -> None:
    """Print a profile, the text of its file with all comments.

    NAME is the name of a shipped profile, a file, or - for stdin.
    """
    from hvctl.profile import reader as profile

    if merged:
        from hvctl.profile.reader import to_yaml

        write_result(to_yaml(profile.load_profile(name)), None)
    else:
        from hvctl.text.recognition import FileKind, check_kind

        source = profile.open_source(name)
        check_kind(source.text, source.path, FileKind.PROFILE)
        write_result(source.text, None)


@command.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@output_format(Format)
@common
def check(files: tuple[str, ...], output_format: Format) -> int:
    """Check profiles, and say everything that is wrong with them.

    FILE is a file, the name of a shipped profile, or - for stdin. Exit code 2 if any of them is wrong.
    """

    results: list[tuple[str, HvctlError | None]] = []
    for file in files:
        try:
            api.load_profile(file)
            results.append((file, None))
        except HvctlError as error:
            results.append((file, error))
    match output_format:
        case "text":
            _print_checks(results)
        case "json":
            from hvctl.report.problems import error_json
            from hvctl.text.json_document import dump

            write_result(dump({"files": [{"path": file, **error_json(error)} for file, error in results]}), None)
        case _:
            assert_never(output_format)
    return 2 if any(error for _, error in results) else 0


def _print_checks(results: list[tuple[str, HvctlError | None]]) -> None:
    from hvctl.report.problems import render_error

    color = use_color(sys.stdout)
    texts = [render_error(error, color) + "\n" if error else f"{file}: ok\n" for file, error in results]
    echo("".join(texts).removesuffix("\n") + "\n")
