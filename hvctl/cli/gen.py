"""`hvctl gen`: the QEMU arguments or the libvirt XML for a profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hvctl.cli.options import common, output_format

if TYPE_CHECKING:
    from hvctl.model.host import Pool


@click.command()
@click.argument("profile")
@click.option("--qemu", "target", flag_value="qemu", default=True, help="Write QEMU arguments (default).")
@click.option("--libvirt", "target", flag_value="libvirt", help="Write a libvirt domain.")
@click.option("--both", "target", flag_value="both", help="Write both, for what QEMU and libvirt both can.")
@click.option(
    "--host", "hosts", multiple=True, metavar="FILE", help="A host file instead of this machine; may be repeated."
)
@click.option("--machine", metavar="TYPE", help="A machine type instead of the profile's.")
@click.option("--name", metavar="NAME", help="The domain's name (default: the profile's).")
@click.option(
    "--memory", type=click.IntRange(1), default=4096, show_default=True, metavar="MIB", help="The domain's memory."
)
@click.option("--fragment", is_flag=True, help="Print only the XML elements that the profile decides.")
@click.option("--explain", is_flag=True, help="Say on stderr why each enlightenment is on or off.")
@click.option("-0", "null", is_flag=True, help="End each QEMU argument with a NUL, for xargs -0.")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE instead of stdout.")
@output_format("text", "json")
@common
def command(
    profile: str,
    target: str,
    hosts: tuple[str, ...],
    machine: str | None,
    name: str | None,
    memory: int,
    fragment: bool,
    explain: bool,
    null: bool,
    output: str | None,
    output_format: str,
) -> int:
    """Write the QEMU arguments or the libvirt XML for PROFILE.

    PROFILE is the name of a shipped profile (see `hvctl profile list`) or a file. Without --host, this machine is
    asked what it can give.

    \b
    Examples:
      hvctl gen windows-11
      hvctl gen windows-11 --libvirt --host a.json --host b.json
      eval "qemu-system-x86_64 -accel kvm $(hvctl gen windows-11) ..."
    """
    from hvctl.cli.files import write_result
    from hvctl.cli.talk import refuse, say_plan
    from hvctl.errors import UsageError
    from hvctl.formats.profile import load_profile
    from hvctl.plan.resolve import resolve
    from hvctl.report import plan as report

    if null and (target != "qemu" or output_format != "text"):
        raise UsageError("-0 goes with --qemu and --format text only")
    wanted = load_profile(profile)
    pool = _pool(hosts, libvirt=target != "qemu")
    plan = resolve(wanted, pool, libvirt=target != "qemu", machine=machine)
    argv = xml = None
    if not plan.refusals:
        if target != "libvirt":
            from hvctl.render.qemu import arguments

            argv = arguments(plan)
        if target != "qemu":
            from hvctl.render.libvirt import domain

            xml = domain(plan, name=name, memory_mib=memory, fragment=fragment)
    say_plan(plan, explain=explain)
    if output_format == "json":
        from hvctl.plan.cpuid import predict

        leaves = () if plan.refusals else predict(plan, pool[0])
        write_result(report.dump(report.plan_json(plan, argv=argv, xml=xml, leaves=leaves)), output)
        return 1 if plan.refusals else 0
    refuse(plan)
    write_result(_text(argv, xml, null=null), output)
    return 0


def _pool(hosts: tuple[str, ...], *, libvirt: bool) -> Pool:
    from hvctl.cli.pool import read_pool, this_host

    return read_pool(hosts) if hosts else (this_host(libvirt=libvirt),)


def _text(argv: tuple[str, ...] | None, xml: str | None, *, null: bool) -> str:
    if null:
        return "".join(f"{word}\0" for word in argv or ())
    import shlex

    return (shlex.join(argv) + "\n" if argv else "") + (xml or "")
