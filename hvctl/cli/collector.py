"""`hvctl collector`: the program that records a machine on which hvctl is not installed."""

import click

from hvctl.cli.options import common
from hvctl.cli.output import write_result


@click.command()
@click.option("-o", "--output", metavar="FILE", help="Write to FILE, which becomes executable, instead of stdout.")
@common
def command(output: str | None) -> None:
    """Write the program that records machines on which hvctl is not installed.

    It is one file that needs Python 3.6 or later and nothing else, changes nothing, and prints a raw record: what KVM,
    QEMU and libvirt answered there. Every command takes raw records where it takes host files.

    \b
    Examples:
      hvctl collector | ssh root@node3 python3 - --name node3 >node3.json
      hvctl collector -o hvctl-collect
      hvctl pool node1.json node2.json node3.json
    """
    import hvctl

    with open(f"{hvctl.__path__[0]}/data/hvctl-collect", encoding="utf-8") as stream:
        write_result(stream.read(), output)
    if output not in (None, "-"):
        _make_executable(output)


def _make_executable(path: str) -> None:
    """Mode 0755; what is no regular file keeps its own."""
    import os

    if os.path.isfile(path):
        os.chmod(path, 0o755)
