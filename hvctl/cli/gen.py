"""`hvctl gen`: the QEMU arguments or the libvirt XML for a profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hvctl.cli.options import check_name, common, output_format

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hvctl.model.host import Pool

MEMORY_MIB = 4096
MOST_MEMORY_MIB = 16 << 20  # 16 TiB


@click.command()
@click.argument("profile")
@click.option("--qemu", is_flag=True, help="Write QEMU arguments (default).")
@click.option("--libvirt", is_flag=True, help="Write a libvirt domain.")
@click.option("--both", is_flag=True, help="Write both, for what QEMU and libvirt both can.")
@click.option(
    "--host", "hosts", multiple=True, metavar="FILE", help="A host file instead of this machine; may be repeated."
)
@click.option("--qemu-binary", metavar="BIN", help="The QEMU binary to ask (default: the first one found).")
@click.option("--machine", metavar="TYPE", help="A machine type instead of the profile's.")
@click.option("--name", metavar="NAME", help="The domain's name (default: the profile's).")
@click.option(
    "--memory",
    type=click.IntRange(1, MOST_MEMORY_MIB),
    metavar="MIB",
    help=f"The domain's memory (default: {MEMORY_MIB}).",
)
@click.option("--fragment", is_flag=True, help="Print only the XML elements that the profile decides.")
@click.option("--explain", is_flag=True, help="Say on stderr why each enlightenment is on or off.")
@click.option("-0", "null", is_flag=True, help="End each QEMU argument with a NUL, for xargs -0.")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE instead of stdout.")
@output_format("text", "json")
@common
def command(
    profile: str,
    qemu: bool,
    libvirt: bool,
    both: bool,
    hosts: tuple[str, ...],
    qemu_binary: str | None,
    machine: str | None,
    name: str | None,
    memory: int | None,
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
    from hvctl.formats.profile import load_profile
    from hvctl.plan.resolve import resolve
    from hvctl.report import plan as report

    target = _target(qemu=qemu, libvirt=libvirt, both=both)
    _check_output(target, output_format, null=null, of_domain={"name": name, "memory": memory, "fragment": fragment})
    _check_input(profile, hosts, qemu_binary, machine)
    check_name(name, forbidden="/")
    wanted = load_profile(profile)
    pool = _pool(hosts, qemu_binary, libvirt=target != "qemu")
    plan = resolve(wanted, pool, libvirt=target != "qemu", machine=machine)
    argv = xml = None
    if not plan.refusals:
        if target != "libvirt":
            from hvctl.render.qemu import arguments

            argv = arguments(plan)
        if target != "qemu":
            from hvctl.render.libvirt import domain

            xml = domain(plan, name=name, memory_mib=memory or MEMORY_MIB, fragment=fragment)
    say_plan(plan, explain=explain)
    if output_format == "json":
        from hvctl.plan.cpuid import predict

        leaves = () if plan.refusals else predict(plan, pool[0])
        write_result(report.dump(report.plan_json(plan, argv=argv, xml=xml, leaves=leaves)), output)
        return 1 if plan.refusals else 0
    refuse(plan)
    write_result(_text(argv, xml, null=null), output)
    return 0


def _target(**named: bool) -> str:
    """The one target that is named; QEMU where none is."""
    targets = [target for target, is_named in named.items() if is_named]
    if len(targets) > 1:
        from hvctl.errors import UsageError

        raise UsageError(f"{' and '.join(f'--{target}' for target in targets)} do not go together", "name one of them")
    return targets[0] if targets else "qemu"


def _check_output(target: str, output_format: str, *, null: bool, of_domain: Mapping[str, object]) -> None:
    """Raise UsageError for an option that would do nothing to what is written."""
    from hvctl.errors import UsageError

    if null and (target != "qemu" or output_format != "text"):
        raise UsageError("-0 goes with --qemu and --format text only")
    idle = [f"--{option}" for option, value in of_domain.items() if value not in (None, False)]
    if idle and target == "qemu":
        raise UsageError(f"{' and '.join(idle)}: only with --libvirt or --both")


def _check_input(profile: str, hosts: Sequence[str], qemu_binary: str | None, machine: str | None) -> None:
    """Raise UsageError for sources that exclude each other, and for what cannot be a machine type."""
    from hvctl.cli.pool import check_stdin
    from hvctl.errors import UsageError
    from hvctl.formats.profile_keys import ROOT, Text, shaped

    check_stdin(profile, hosts)
    if hosts and qemu_binary is not None:
        raise UsageError("--host and --qemu-binary do not go together: a host file says what its own QEMU can")
    key = ROOT.keys["machine"]
    if machine is not None and isinstance(key, Text) and not shaped(key, machine):
        raise UsageError(f"--machine cannot be {machine!r}", f"write {key.shape}")


def _pool(hosts: Sequence[str], qemu_binary: str | None, *, libvirt: bool) -> Pool:
    from hvctl.cli.pool import read_pool, this_host

    if hosts:
        return read_pool(hosts)
    return (this_host(None if qemu_binary is None else [qemu_binary], libvirt=libvirt, option="--qemu-binary"),)


def _text(argv: tuple[str, ...] | None, xml: str | None, *, null: bool) -> str:
    if null:
        return "".join(f"{word}\0" for word in argv or ())
    import shlex

    return (shlex.join(argv) + "\n" if argv else "") + (xml or "")
