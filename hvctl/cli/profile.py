"""`hvctl profile`: list, show and check profiles."""

from __future__ import annotations

import sys

import click

from hvctl.cli.options import common, output_format
from hvctl.errors import HvctlError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """List, show and check profiles.

    A profile says in YAML what a Windows guest should get. Some come with hvctl; `hvctl schema profile` describes the
    format for editors.
    """


@command.command("list")
@output_format("text", "json")
@common
def list_profiles(output_format: str) -> None:
    """List the profiles that come with hvctl."""
    from hvctl.profile import shipped
    from hvctl.profile.reader import load_profile
    from hvctl.report.wrap import paragraph

    profiles = [(name, load_profile(name)) for name in shipped.names()]
    if output_format == "json":
        entries = [{"name": name, "os": known.os, "description": known.description} for name, known in profiles]
        _print_json({"profiles": entries})
        return
    width = max((len(name) for name, _ in profiles), default=0)
    for name, known in profiles:
        click.echo(paragraph(f"{name:<{width}}  {known.description}", following=width + 2))


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
        from hvctl.profile.writer import to_yaml

        click.echo(to_yaml(profile.load_profile(name)), nl=False)
    else:
        click.echo(profile.open_source(name).text, nl=False)


@command.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@output_format("text", "json")
@common
def check(files: tuple[str, ...], output_format: str) -> int:
    """Check profiles, and say everything that is wrong with them.

    FILE is a file, the name of a shipped profile, or - for stdin. Exit code 2 if any of them is wrong.
    """
    from hvctl.errors import HvctlError
    from hvctl.profile.reader import load_profile

    results: list[tuple[str, HvctlError | None]] = []
    for file in files:
        try:
            load_profile(file)
            results.append((file, None))
        except HvctlError as error:
            results.append((file, error))
    if output_format == "json":
        from hvctl.report.problems import error_json

        _print_json({"files": [{"path": file, **error_json(error)} for file, error in results]})
    else:
        _print_checks(results)
    return 2 if any(error for _, error in results) else 0


def _print_checks(results: list[tuple[str, HvctlError | None]]) -> None:
    from hvctl.cli import use_color
    from hvctl.report.problems import render_error, visible

    color = use_color(sys.stdout)
    texts = [render_error(error, color) + "\n" if error else f"{visible(file)}: ok\n" for file, error in results]
    click.echo("".join(texts).removesuffix("\n"), color=color)


def _print_json(content: dict[str, object]) -> None:
    import json

    click.echo(json.dumps({"format_version": 1, **content}, indent=2, ensure_ascii=False))
