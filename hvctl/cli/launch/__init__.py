"""`hvctl launch`: start a guest with QEMU, and stay with it."""

from collections.abc import Mapping

import click

from hvctl import api
from hvctl.cli.options import also_host, check_name, check_stdin, common, connect, host_files, only_with_connect
from hvctl.cli.output import show_line, write_result
from hvctl.errors import UsageError
from hvctl.model.host import Qemu

_MARK = "hvctl: "
_WIDTH = 80 - len(_MARK)


@click.command(context_settings={"ignore_unknown_options": False})
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[PROFILE] [-- QEMU-ARGS...]")
@click.option("--locked", metavar="FILE", help="Start with a plan of 'hvctl gen --lock' instead of a PROFILE's.")
@also_host
@host_files("", hidden=True)
@connect("Start a domain of the libvirt at URI instead of a QEMU of hvctl's own.")
@click.option("--domain", metavar="FILE|NAME", help="With --connect: a domain XML, or the name of a defined domain.")
@click.option(
    "--keep-others", is_flag=True, help="With --connect: leave enlightenments that the profile does not mention."
)
@click.option("--qemu-commandline", is_flag=True, help="With --connect: pass to QEMU what libvirt has no element for.")
@click.option("--qemu", metavar="BIN", help="The QEMU binary to start (default: the first one found).")
@click.option("--name", metavar="NAME", help="The guest's name.")
@click.option("--dry-run", is_flag=True, help="Print the command, quoted for the shell, and start nothing.")
@click.option("--exec", "replace", is_flag=True, help="Become QEMU instead of supervising it.")
@common
def command(
    words: tuple[str, ...],
    locked: str | None,
    also: tuple[str, ...],
    hosts: tuple[str, ...],
    uri: str | None,
    timeout: float | None,
    domain: str | None,
    keep_others: bool,
    qemu_commandline: bool,
    qemu: str | None,
    name: str | None,
    dry_run: bool,
    replace: bool,
) -> int:
    """Start a guest on this machine with the arguments that `hvctl gen PROFILE` writes and your own.

    With --locked, the guest gets the saved plan, or is refused where this machine lacks something of it.

    Give disks, memory, display and firmware after `--`. Options of -machine, -accel kvm and -rtc are merged with the
    generated ones; what would undo the plan is refused.

    hvctl stays until QEMU ends. SIGTERM, and Ctrl-C where no device of the guest reads the terminal, ask the guest to
    power down; the second one, or 60 seconds, ends it. QEMU never outlives hvctl. A crash that the guest reports
    (enlightenment crash) is shown with its bug check and a signature.

    With --connect libvirt starts the guest: a FILE with the profile put in, as a transient domain, or a defined domain
    that has it already (see hvctl apply). hvctl reports what happens to it until it stops. Ctrl-C and SIGTERM detach:
    the guest goes on. --dry-run prints the XML.

    \b
    Exit codes: 0 the guest ended, or hvctl was detached; 1 it crashed, QEMU
    failed, or the profile is refused; 2 an argument contradicts the plan;
    3 no KVM, no Hyper-V, no QEMU, libvirt cannot be asked, or KVM could
    not run the guest.

    \b
    Examples:
      hvctl launch windows-11 -- -m 4G -smp 4 -drive file=disk.qcow2,if=virtio
      hvctl launch windows-11 --dry-run -- -machine smm=on
      hvctl launch --locked win11.plan.json -- -m 4G -drive file=disk.qcow2
      hvctl launch windows-11 --connect qemu:///system --domain win11
    """
    from hvctl.cli.inputs.hosts import also_hosts, read_hosts

    hosts = also_hosts(also, hosts)
    if uri is not None:
        own = {"--locked": locked, "--qemu": qemu, "--name": name, "--exec": replace}
        return _by_libvirt(words, domain, own, uri, hosts, (keep_others, qemu_commandline), timeout, dry_run=dry_run)
    only_with_connect(timeout=timeout, domain=domain, keep_others=keep_others, qemu_commandline=qemu_commandline)
    from hvctl.cli.inputs.plans import resolver, say_plan, unlocker
    from hvctl.run.merge import merge, target

    check_name(name)
    profile, qemu_args = _profile(words, locked)
    check_stdin(profile or locked or "", *hosts)
    plan_for = resolver(profile) if profile else unlocker(locked or "")
    pool = read_hosts(hosts).representatives()
    here = api.this_host([qemu] if qemu else None, libvirt=False)
    plan, generated = plan_for((*pool, here))
    say_plan(plan, explain=bool(click.get_current_context().meta.get("hvctl.verbose")))
    binary = here.qemu[0]
    argv = (binary.path, *merge(generated, (*_name(name), *qemu_args), target(plan, binary, supervised=not replace)))
    if dry_run:
        import shlex

        write_result(shlex.join(argv) + "\n", None)
        return 0
    if replace:
        from hvctl.run.spawn import replace_process

        replace_process(argv)
    return _supervise(argv, binary)


def _by_libvirt(
    words: tuple[str, ...],
    domain: str | None,
    own: Mapping[str, object],
    uri: str,
    hosts: tuple[str, ...],
    edit: tuple[bool, bool],
    timeout: float | None,
    *,
    dry_run: bool,
) -> int:
    """The same with --connect; `own` are the options for a QEMU of hvctl's own."""
    from hvctl.cli.launch.by_libvirt import Wanted, launch
    from hvctl.model.plan import EditOptions

    idle = [name for name, value in own.items() if value not in (None, False)]
    if idle or len(words) > 1:
        what = " and ".join([*idle, *(["arguments of QEMU's"] if len(words) > 1 else [])])
        raise UsageError(f"{what}: not with --connect, where libvirt starts QEMU")
    if not words or domain is None:
        raise UsageError("write hvctl launch PROFILE --connect URI --domain FILE|NAME")
    return launch(words[0], Wanted(uri, domain, hosts, EditOptions(*edit), timeout, dry_run))


def _profile(words: tuple[str, ...], locked: str | None) -> tuple[str | None, tuple[str, ...]]:
    """The PROFILE, None with --locked, and QEMU's arguments."""
    named = words[:1] if words and (words[0] == "-" or not words[0].startswith("-")) else ()
    if locked is not None and named:
        raise UsageError(
            f"{named[0]!r}: a PROFILE and --locked do not go together",
            "if it is a disk image, write it with an option of QEMU's, as in -drive file=IMAGE",
        )
    if locked is None and not named:
        raise UsageError("a PROFILE is missing", "name one of `hvctl profile list`, a file, or a plan with --locked")
    return (named[0] if named else None), words[len(named) :]


def _name(name: str | None) -> tuple[str, ...]:
    if name is None:
        return ()
    from hvctl.guest.command.writer import escape

    # The key is written out: a name with `=` in it would be taken for another key.
    return ("-name", f"guest={escape(name)}")


def _supervise(argv: tuple[str, ...], binary: Qemu) -> int:
    from hvctl.guest.command.options import scan
    from hvctl.report.console import wrapped
    from hvctl.run.ending import verdict
    from hvctl.run.spawn import started
    from hvctl.run.supervise import watch
    from hvctl.run.terminal import default_monitor, uses_stdio

    options = scan(argv[1:])
    with started(
        (*argv, *default_monitor(options)),
        stdio=uses_stdio(options),
        exit_with_parent="run-with.exit-with-parent" in binary.options,
    ) as child:
        ending = watch(child, show_line)
    for said in verdict(ending):
        for line in wrapped(said, _WIDTH):
            show_line(f"{_MARK}{line}")
    return ending.exit_code
