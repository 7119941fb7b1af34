"""`hvctl lint`: domain XML and QEMU command lines checked, with positions, reasons and fixes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from hvctl.cli.files import write_result
from hvctl.cli.lint_files import File, Unreadable
from hvctl.cli.options import common, output_format

STDIN_NAME = "<stdin>"
FORMATS = ("text", "concise", "json", "sarif", "github", "junit")
# All processes are made at once.
MOST_JOBS = 256
FAIL_ON = ("error", "warning", "info", "never")


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH|-]...")
@click.option("--host", "hosts", multiple=True, metavar="FILE", help="A host of the pool, by file or folder.")
@click.option("--profile", metavar="NAME", help="What the guests are meant to be: a profile's name or file.")
@click.option("--select", multiple=True, metavar="RULE", help="Ask these rules or groups only; may be repeated.")
@click.option("--ignore", multiple=True, metavar="RULE", help="Do not ask these rules or groups.")
@click.option("--fix", is_flag=True, help="Mend what can be mended and leaves the guest what it was meant to be.")
@click.option("--unsafe-fixes", is_flag=True, help="Mend also by what makes the guest see another machine.")
@click.option("--diff", is_flag=True, help="Show what would be mended, as a patch, and write nothing.")
@output_format(*FORMATS)
@click.option(
    "--fail-on",
    type=click.Choice(FAIL_ON),
    default="warning",
    show_default=True,
    help="The least severity that makes the exit code 1.",
)
@click.option("--connect", metavar="URI", help="Look at the domains of a libvirt instead of files.")
@click.option("--qemu-args", is_flag=True, help="Take every file that is named for a QEMU command line.")
@click.option("--stdin-filename", metavar="NAME", default=STDIN_NAME, help="What stdin is called in messages.")
@click.option(
    "--jobs", type=click.IntRange(1, MOST_JOBS), metavar="N", help="Processes for many files (default: the CPUs)."
)
@click.option("--config", metavar="FILE", help="Read this configuration instead of the one that is found.")
@click.option("--no-config", is_flag=True, help="Read no configuration.")
@click.option("--list-rules", is_flag=True, help="List the rules and leave.")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE instead of stdout.")
@common
def command(paths: tuple[str, ...], **options: Any) -> int:
    """Check domain XML and QEMU command lines beyond their schema.

    PATH is a domain XML, a QEMU command line (*.args, *.sh, or known by its content), a folder, of which the *.xml
    are taken, or - for stdin. Without --host, rules that need to know the hosts are skipped. Rules and their reasons
    are in hvctl-rules(7) and `hvctl explain RULE`.

    The configuration is in hvctl.toml, or [tool.hvctl.lint] of pyproject.toml, searched upwards to the repository's
    root.

    \b
    Exit codes: 0 nothing found as bad as --fail-on; 1 findings, or files
    that could not be checked; 2 usage or configuration error;
    3 environment (libvirt cannot be reached).

    \b
    Examples:
      hvctl lint win11.xml
      hvctl lint domains/ --host hosts/ --format sarif -o lint.sarif
      virsh dumpxml win11 | hvctl lint - --stdin-filename win11.xml
    """
    if options["list_rules"]:
        from hvctl.lint.output.rules import listing

        write_result(listing(options["output_format"]), options["output"])
        return 0
    from hvctl.cli.lint_setup import prepare

    return _run(*prepare(paths, options), options)


def _run(files: Iterator[File | Unreadable], plan: Any, jobs: int, options: dict[str, Any]) -> int:
    from hvctl.cli.lint_output import Output
    from hvctl.cli.lint_run import run

    with Output(plan, options) as output:
        for outcome in run(files, plan, jobs):
            output.add(outcome)
    return output.code()
