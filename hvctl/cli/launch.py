"""`hvctl launch`: start a guest with QEMU, and stay with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hvctl.cli.options import check_name, common

if TYPE_CHECKING:
    from hvctl.model.host import Host, Qemu
    from hvctl.model.plan import Plan


@click.command(context_settings={"ignore_unknown_options": False})
@click.argument("profile")
@click.argument("qemu_args", nargs=-1, type=click.UNPROCESSED, metavar="[-- QEMU-ARGS...]")
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="FILE",
    help="A host file: another machine that the guest may move to; may be repeated.",
)
@click.option("--qemu", metavar="BIN", help="The QEMU binary to start (default: the first one found).")
@click.option("--name", metavar="NAME", help="The guest's name.")
@click.option("--dry-run", is_flag=True, help="Print the command, quoted for the shell, and start nothing.")
@click.option("--exec", "replace", is_flag=True, help="Become QEMU instead of supervising it.")
@common
def command(
    profile: str,
    qemu_args: tuple[str, ...],
    hosts: tuple[str, ...],
    qemu: str | None,
    name: str | None,
    dry_run: bool,
    replace: bool,
) -> int:
    """Start a guest on this machine with the arguments that `hvctl gen PROFILE` writes and your own.

    Give disks, memory, display and firmware after `--`. Options of -machine, -accel kvm and -rtc are merged with the
    generated ones; what would undo the plan is refused.

    hvctl stays until QEMU ends. SIGTERM, and Ctrl-C where no device of the guest reads the terminal, ask the guest to
    power down; the second one, or 60 seconds, ends it. QEMU never outlives hvctl. A crash that the guest reports
    (enlightenment crash) is shown with its bug check and a signature.

    \b
    Exit codes: 0 the guest ended; 1 it crashed, QEMU failed, or the profile
    is refused; 2 an argument contradicts the plan; 3 no KVM, no Hyper-V, no QEMU.

    \b
    Examples:
      hvctl launch windows-11 -- -m 4G -smp 4 -drive file=disk.qcow2,if=virtio
      hvctl launch windows-11 --dry-run -- -machine smm=on
    """
    from hvctl.cli.pool import check_stdin
    from hvctl.cli.talk import say_plan
    from hvctl.guest.merge import merge, target
    from hvctl.render.qemu import arguments

    check_name(name)
    check_stdin(profile, hosts)
    here, plan = _resolve(profile, hosts, qemu)
    say_plan(plan, explain=bool(click.get_current_context().meta.get("hvctl.verbose")))
    binary = here.qemu[0]
    argv = (
        binary.path,
        *merge(arguments(plan), (*_name(name), *qemu_args), target(plan, binary, supervised=not replace)),
    )
    if dry_run:
        import shlex

        click.echo(shlex.join(argv))
        return 0
    if replace:
        from hvctl.guest.spawn import replace_process

        replace_process(argv)
    return _supervise(argv, binary)


def _resolve(profile: str, hosts: tuple[str, ...], qemu: str | None) -> tuple[Host, Plan]:
    """This machine, and a plan that holds here and on every named host."""
    from hvctl.cli.pool import read_pool, this_host
    from hvctl.cli.talk import refuse
    from hvctl.formats.profile import load_profile
    from hvctl.plan.resolve import resolve

    wanted = load_profile(profile)
    here = this_host([qemu] if qemu else None, libvirt=False)
    plan = resolve(wanted, (*read_pool(hosts), here))
    refuse(plan)
    return here, plan


def _name(name: str | None) -> tuple[str, ...]:
    if name is None:
        return ()
    from hvctl.render.qemu import escape

    # The key is written out: a name with `=` in it would be taken for another key.
    return ("-name", f"guest={escape(name)}")


def _supervise(argv: tuple[str, ...], binary: Qemu) -> int:
    from hvctl.guest.ending import verdict
    from hvctl.guest.qemu_args import scan
    from hvctl.guest.stdio import default_monitor, uses_stdio
    from hvctl.guest.supervise import run

    options = scan(argv[1:])
    ending = run(
        (*argv, *default_monitor(options)),
        _show,
        stdio=uses_stdio(options),
        exit_with_parent="run-with.exit-with-parent" in binary.options,
    )
    for line in verdict(ending):
        _show(f"hvctl: {line}")
    return ending.exit_code


def _show(line: str) -> None:
    """QEMU's words and the guest's end are the point of this command: -q does not silence them."""
    click.echo(line, err=True)
