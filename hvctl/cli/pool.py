"""`hvctl pool`: what the hosts of a pool have in common."""

import sys

import click

from hvctl.cli.options import PageFormat, check_stdin, common, no_such, output_format
from hvctl.cli.output import use_color, width, write_result
from hvctl.errors import UsageError
from hvctl.model.host import Pool
from hvctl.plan.pool import Survey, survey
from hvctl.report.pool import Gain, pool_text


@click.command()
@click.argument("hosts", nargs=-1, required=True, metavar="HOST...")
@click.option("--without", multiple=True, metavar="NAME", help="Show what leaving a host out gains; may be repeated.")
@click.option("--all-names", is_flag=True, help="Name every host, not only the first 20 of a class.")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE instead of stdout.")
@output_format(PageFormat)
@common
def command(
    hosts: tuple[str, ...], without: tuple[str, ...], all_names: bool, output: str | None, output_format: PageFormat
) -> int:
    """Show which enlightenments every host of a pool supports, and which host and layer prevents the others.

    HOST is a host file of `hvctl check-host --record`, a raw record of the program that `hvctl collector` writes, a
    directory of them, or - for stdin. Hosts with equal facts are shown as one class; only their names and TSC
    frequencies may differ.

    Exit code 1 if no guest can be planned for the pool: a KVM without Hyper-V, no QEMU, no common machine type.

    \b
    Examples:
      hvctl pool node1.json node2.json
      hvctl pool hosts/ --without old-node
      hvctl pool hosts/ --format html -o pool.html
    """
    from hvctl.cli.inputs.hosts import read_hosts

    check_stdin(*hosts)
    pool = read_hosts(hosts)
    surveyed = survey(pool)
    gain = _gain(pool, surveyed, without) if without else None
    text = output_format == "text"
    write_result(_report(surveyed, gain, output_format, output, all_names=all_names), output, people=text)
    return 1 if surveyed.unusable or not any(kind for _, kind in surveyed.machines) else 0


def _gain(pool: Pool, surveyed: Survey, without: tuple[str, ...]) -> Gain:
    """What the pool would have without the named hosts; raises UsageError for names that it does not have."""
    known = set(pool.names())
    unknown = [name for name in without if name not in known]
    if unknown:
        raise no_such("host of the pool", unknown, sorted(known))
    left = pool.without(frozenset(without))
    if not left.classes:
        raise UsageError("--without names every host of the pool")
    return Gain(tuple(dict.fromkeys(without)), surveyed, survey(left))


def _report(surveyed: Survey, gain: Gain | None, form: PageFormat, output: str | None, *, all_names: bool) -> str:
    match form:
        case "text":
            color = output in (None, "-") and use_color(sys.stdout)
            return pool_text(surveyed, gain, width=width(), color=color, all_names=all_names)
        case "json":
            from hvctl.report.pool_json import pool_json
            from hvctl.text.json_document import dump

            return dump(pool_json(surveyed, gain))
        case "html":
            from hvctl.report.pool_html import pool_html

            return pool_html(surveyed, gain, all_names=all_names)
