"""`hvctl lint`: domain XML, QEMU command lines and KubeVirt's objects checked, with positions, reasons and fixes."""

from typing import Any

import click

from hvctl.cli.options import common, host_files, output_format
from hvctl.cli.output import write_result
from hvctl.lint.output import Format

# All processes are made at once.
MOST_JOBS = 256
FAIL_ON = ("error", "warning", "info", "never")


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH|-]...")
@host_files("A host file of the pool, or a directory of them; may be repeated.")
@click.option("--profile", metavar="NAME", help="The profile that the guests should match.")
@click.option("--select", multiple=True, metavar="RULE", help="Run only these rules or groups; may be repeated.")
@click.option("--ignore", multiple=True, metavar="RULE", help="Do not run these rules or groups; may be repeated.")
@click.option("--fix", is_flag=True, help="Apply safe fixes.")
@click.option("--unsafe-fixes", is_flag=True, help="Also apply fixes that change what the guest sees.")
@click.option("--diff", is_flag=True, help="Print the fixes as a patch; write no file.")
@output_format(Format)
@click.option(
    "--fail-on",
    type=click.Choice(FAIL_ON),
    default="warning",
    show_default=True,
    help="Lowest severity that causes exit code 1.",
)
@click.option("--connect", metavar="URI", help="Check the domains of a libvirt instead of files.")
@click.option("--running", is_flag=True, help="Check every QEMU process of this machine instead of files.")
@click.option("--qemu-args", is_flag=True, help="Read every named file as a QEMU command line.")
@click.option("--stdin-filename", metavar="NAME", help="Name to show for stdin.")
@click.option(
    "--jobs", type=click.IntRange(1, MOST_JOBS), metavar="N", help="Processes for many files (default: one per CPU)."
)
@click.option("--config", metavar="FILE", help="Use this configuration file.")
@click.option("--no-config", is_flag=True, help="Use no configuration file.")
@click.option("--list-rules", is_flag=True, help="List the rules and exit.")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE instead of stdout.")
@common
def command(paths: tuple[str, ...], **options: Any) -> int:
    """Check domain XML, QEMU command lines and KubeVirt objects beyond their schema.

    PATH is a domain XML, a QEMU command line (*.args, *.sh, *.bat, *.cmd, or recognized by its content), a *.conf of
    Proxmox VE, KubeVirt's objects (VirtualMachine, ...Instance, ...Pool, ...Preference, lists and templates of them), a
    directory with such files, or - for stdin. Other *.conf, *.yaml, *.yml and *.json of a directory are passed over; -v
    names them. With --running, the QEMU processes of this machine are checked, as `hvctl show --running` names them.
    Without --host, rules that depend on the hosts are skipped. The rules are explained in hvctl-rules(7)
    and by `hvctl explain RULE`.

    The configuration is the nearest hvctl.toml, or [tool.hvctl.lint] of pyproject.toml, above the files: up to the
    repository's root, the home directory, or the root of the file system. It is named on stderr. In a repository that
    belongs to you or root every file counts; elsewhere one that other users can have written or replaced does not,
    unless --config names it.

    \b
    Exit codes: 0 no finding as severe as --fail-on; 1 findings, or files
    that could not be checked; 2 usage or configuration error;
    3 environment (libvirt cannot be reached).

    \b
    Examples:
      hvctl lint win11.xml
      hvctl lint domains/ --host hosts/ --format sarif -o lint.sarif
      virsh dumpxml win11 | hvctl lint - --stdin-filename win11.xml
      hvctl lint --running
    """
    if options["list_rules"]:
        from hvctl.lint.output import rules

        text = rules.listing_json() if options["output_format"] == "json" else rules.listing()
        write_result(text, options["output"])
        return 0
    from hvctl.cli.lint.results import Results
    from hvctl.cli.lint.run import run
    from hvctl.cli.lint.setup import prepare

    files, plan, jobs = prepare(paths, options)
    with Results(plan, options) as results:
        for outcome in run(files, plan, jobs):
            results.add(outcome)
    return results.code()
