"""`hvctl gen`: the QEMU arguments or the libvirt XML for a profile."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import click

from hvctl import api
from hvctl.catalog.proxmox import OS_TYPES
from hvctl.cli import platforms
from hvctl.cli.editing import Target, check_target, deliver
from hvctl.cli.inputs.hosts import pool_of
from hvctl.cli.inputs.plans import Wanted, check_lock, resolved, say_plan, unlocked, with_uses, write_lock
from hvctl.cli.options import Format, check_name, check_stdin, common, output_format
from hvctl.cli.output import write_result
from hvctl.errors import UsageError
from hvctl.guest.kubevirt.manifest import Kind
from hvctl.model.plan import EditOptions

MOST_VCPUS = 4096  # of one machine in QEMU (hw/i386/pc_q35.c, max_cpus)
MOST_MEMORY_MIB = 16 << 20  # 16 TiB


@click.command()
@click.argument("profile", required=False)
@click.option("--qemu", is_flag=True, help="Write QEMU arguments (default).")
@click.option("--libvirt", is_flag=True, help="Write a libvirt domain.")
@click.option("--both", is_flag=True, help="Write both, for what QEMU and libvirt both can.")
@click.option(
    "--for",
    "platform",
    type=click.Choice((*sorted(platforms.OPTIONS), "libvirt", "qemu")),
    help="Write for this platform.",
)
@click.option(
    "--kind",
    type=click.Choice(get_args(Kind)),
    help="With --for kubevirt: the object to write (default: patch, of a VirtualMachine).",
)
@click.option("--crd", metavar="FILE", help="With --for kubevirt: the cluster's CRD, as JSON, that says what it has.")
@click.option("--timezone", metavar="ZONE", help="With --for kubevirt: the guest's time zone, such as Europe/Berlin.")
@click.option(
    "--select",
    type=click.Choice(tuple(dict.fromkeys(word for words in platforms.SELECTS.values() for word in words))),
    help="With --for kubevirt or nova: the labels or traits that select nodes (default: none).",
)
@click.option(
    "--ostype",
    type=click.Choice(tuple(OS_TYPES)),
    metavar="TYPE",
    help="With --for proxmox: the guest's ostype, such as win11 (default: by the profile's guest.os).",
)
@click.option(
    "--bios", type=click.Choice(("seabios", "ovmf")), help="With --for proxmox: its firmware (default: seabios)."
)
@click.option("--vmid", type=click.IntRange(100, 999999999), metavar="N", help="With --for proxmox: the guest's VMID.")
@click.option(
    "--how",
    type=click.Choice(("custom-model", "args")),
    help="With --for proxmox: as a CPU model (default), or as args:, which replaces what Proxmox VE adds.",
)
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="FILE",
    help="A host file, or a directory of them, instead of this machine; may be repeated.",
)
@click.option("--qemu-binary", metavar="BIN", help="The QEMU binary to ask (default: the first one found).")
@click.option(
    "--uses",
    multiple=True,
    metavar="WORD,...",
    help="What the guest is used for beside what PROFILE says: wsl2, vbs, hyper-v, gpu; may be repeated.",
)
@click.option("--machine", metavar="TYPE", help="A machine type instead of the profile's.")
@click.option("--name", metavar="NAME", help="The name of the domain, object or CPU model (default: by the profile's).")
@click.option(
    "--memory",
    type=click.IntRange(1, MOST_MEMORY_MIB),
    metavar="MIB",
    help=f"The domain's memory (default: {api.MEMORY_MIB}).",
)
@click.option(
    "--vcpus",
    type=click.IntRange(1, MOST_VCPUS),
    metavar="N",
    help="The domain's vCPUs, as the cores of one socket (default: none is written, which is one).",
)
@click.option("--metadata", is_flag=True, help="Put the plan's name, digest and list into the domain's <metadata>.")
@click.option("--lock", metavar="FILE", help="Write the resolved plan to FILE too.")
@click.option("--locked", metavar="FILE", help="Use a saved plan instead of PROFILE.")
@click.option("--domain", metavar="FILE", help="Edit this domain XML; everything else stays byte for byte.")
@click.option("--into", metavar="FILE", help="With --for kubevirt: edit this VirtualMachine or preference.")
@click.option("--in-place", is_flag=True, help="With --domain or --into: replace FILE.")
@click.option("--diff", is_flag=True, help="With --domain or --into: print what would change; exit code 1 if anything.")
@click.option(
    "--keep-others", is_flag=True, help="With --domain or --into: leave enlightenments that PROFILE does not mention."
)
@click.option("--qemu-commandline", is_flag=True, help="With --domain: pass to QEMU what libvirt has no element for.")
@click.option(
    "--force", is_flag=True, help="With --domain: edit a domain that is not of type kvm, or hides its hypervisor, too."
)
@click.option("--fragment", is_flag=True, help="Print only the XML elements that the profile decides.")
@click.option("--explain", is_flag=True, help="Print on stderr why each enlightenment is on or off.")
@click.option("-0", "null", is_flag=True, help="End each QEMU argument with a NUL, for xargs -0.")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE instead of stdout.")
@output_format(Format)
@common
def command(
    profile: str | None,
    qemu: bool,
    libvirt: bool,
    both: bool,
    platform: str | None,
    hosts: tuple[str, ...],
    qemu_binary: str | None,
    uses: tuple[str, ...],
    machine: str | None,
    name: str | None,
    memory: int | None,
    vcpus: int | None,
    metadata: bool,
    lock: str | None,
    locked: str | None,
    domain: str | None,
    in_place: bool,
    diff: bool,
    keep_others: bool,
    qemu_commandline: bool,
    force: bool,
    fragment: bool,
    explain: bool,
    null: bool,
    output: str | None,
    output_format: Format,
    **own: Any,
) -> int:
    """Write the QEMU arguments or the libvirt XML for PROFILE, or what another platform takes.

    PROFILE is the name of a shipped profile (see `hvctl profile list`) or a file. Without --host, this machine is
    asked what it can give.

    With --domain an existing domain gets the plan's hyperv block, clock offset, timers and panic device, and what the
    profile sets of the CPU. Enlightenments that the plan does not have are removed; with --keep-others only the hyperv
    mode and those that the profile turns `off`, or prefers and cannot have. Every other byte stays.

    With --for kubevirt an object for kubectl is written. What KubeVirt has no field for is a decision of the layer
    kubevirt: refused where the profile says `on`, left out where it says `prefer`. So it is with nova and vagrant.

    With --for nova the commands are written that set an image's properties, for a shell with its name in IMAGE (and
    the flavor's in FLAVOR); with --for packer the qemuargs of a template; with --for vagrant the lines of a
    Vagrantfile's block for libvirt.

    With --for proxmox the section of cpu-models.conf is written that differs from what Proxmox VE adds, and the `qm
    set` command that gives it to a guest. What its flags cannot say is a decision of the layer proxmox; the values and
    timers that Proxmox VE chooses itself are named on stderr. With --machine only the difference to what it adds for
    this type is written, as for pc-q35-9.2+pve1; without, what is right with every type.

    With --for incus a profile of Incus is written. Its raw.qemu has a -cpu, beside which QEMU drops Incus's own.

    A guest that was given a plan should keep it: --lock writes the plan to a file, and --locked writes the same bytes
    again, on any later day and host, or reports what the host lacks.

    \b
    Examples:
      hvctl gen windows-11
      hvctl gen windows-11 --libvirt --host a.json --host b.json
      hvctl gen windows-11 --host pool/ --lock win11.plan.json
      hvctl gen windows-11 --domain win11.xml --diff
      hvctl gen windows-11 --uses wsl2,vbs
      hvctl gen windows-11 --for kubevirt --kind preference
      hvctl gen windows-11 --for kubevirt --into vm.yaml --diff
      hvctl gen windows-11 --for proxmox --vmid 100
      hvctl gen windows-11 --for incus --host server.json
      eval "qemu-system-x86_64 -accel kvm $(hvctl gen windows-11) ..."
    """
    from hvctl.report import plan as report

    named = _target(qemu=qemu, libvirt=libvirt, both=both) if platform is None else platform
    if platform is not None and (qemu or libvirt or both):
        raise UsageError("--for does not go with --qemu, --libvirt and --both", "name one of them")
    of_domain = {"name": name, "memory": memory, "vcpus": vcpus, "fragment": fragment, "metadata": metadata}
    of_edit = {
        "in-place": in_place,
        "diff": diff,
        "keep-others": keep_others,
        "qemu-commandline": qemu_commandline,
        "force": force,
    }
    wanted = Wanted(hosts, qemu_binary, machine, name, memory, vcpus, metadata, fragment, uses)
    platforms.check(platform, own)
    if platform is not None and platform in platforms.OPTIONS:
        forbidden = {"locked": locked, "lock": lock, "domain": domain, "0": null, "fragment": fragment}
        forbidden |= {"metadata": metadata, "force": force, "qemu-commandline": qemu_commandline}
        _check_idle(f"not with --for {platform}", forbidden)
        if own["into"] is None:
            _check_idle("only with --into", {"in-place": in_place, "diff": diff, "keep-others": keep_others})
        _check_input(hosts, qemu_binary, machine, platforms.upstream(platform, machine))
        target = Target(own["into"], output, in_place, diff, EditOptions(keep_others)) if own["into"] else None
        request = platforms.Request(profile, wanted, own, explain, output_format, output, target)
        return platforms.write(platform, request)
    if domain is not None:
        forbidden = {"qemu": qemu, "both": both, "locked": locked, "lock": lock, "machine": machine, "0": null}
        _check_idle("not with --domain", {**forbidden, **of_domain, "metadata": False})
        if output_format != "text":
            raise UsageError(f"--format {output_format}: not with --domain")
        target = Target(domain, output, in_place, diff, EditOptions(keep_others, qemu_commandline, metadata, force))
        return _edit(profile, uses, target, hosts, qemu_binary, explain=explain)
    _check_idle("only with --domain", of_edit)
    if locked is not None:
        _check_locked(profile, {"lock": lock, "machine": machine, "uses": uses or None, **of_domain})
    check_stdin(*(word for word in (profile, locked, *hosts) if word))
    _check_input(hosts, qemu_binary, machine)
    check_name(name, forbidden="/")
    check_lock(lock, locked, output)
    if locked is None:
        form = named or "qemu"
        _check_output(form, output_format, null=null, of_domain=of_domain)
        given = resolved(profile, form, wanted)
    else:
        given = unlocked(locked, named, hosts, qemu_binary)
        _check_output(given.target, output_format, null=null, of_domain={})
    say_plan(given.plan, explain=explain)
    if lock is not None and not given.plan.refusals:
        write_lock(given, lock)
    if output_format == "json":
        from hvctl.text.json_document import dump

        leaves = () if given.plan.refusals else api.predict_leaves(given.plan, given.pool[0])
        write_result(dump(report.plan_json(given.plan, argv=given.argv, xml=given.xml, leaves=leaves)), output)
        return 1 if given.plan.refusals else 0
    api.check(given.plan)
    write_result(_text(given.argv, given.xml, null=null), output)
    return 0


def _check_idle(why: str, options: Mapping[str, object]) -> None:
    """Raise UsageError for options that do not go with others."""
    idle = [f"-{'-' if len(option) > 1 else ''}{option}" for option, value in options.items() if value]
    if idle:
        raise UsageError(f"{' and '.join(idle)}: {why}")


def _edit(
    profile: str | None,
    uses: tuple[str, ...],
    target: Target,
    hosts: tuple[str, ...],
    qemu_binary: str | None,
    *,
    explain: bool,
) -> int:
    from hvctl.cli.inputs.domains import edit, open_domain

    check_target(target)
    check_stdin(*(word for word in (profile, target.path, *hosts) if word))
    _check_input(hosts, qemu_binary, None)
    loaded = with_uses(profile, uses)
    name = "<stdin>" if target.path == "-" else target.path
    document = open_domain(target.path, loaded)
    edited = edit(loaded, pool_of(hosts, qemu_binary, libvirt=True), document, target.options)
    say_plan(edited.plan, explain=explain)
    return deliver(edited.before, edited.after, target, name)


def _target(**named: bool) -> str | None:
    """The one target that is named; None where none is."""
    targets = [target for target, is_named in named.items() if is_named]
    if len(targets) > 1:
        raise UsageError(f"{' and '.join(f'--{target}' for target in targets)} do not go together", "name one of them")
    return targets[0] if targets else None


def _check_locked(profile: str | None, others: Mapping[str, object]) -> None:
    """Raise UsageError for what a plan file has decided."""
    if profile is not None:
        raise UsageError("a PROFILE and --locked do not go together: the plan file is used as it is")
    idle = [f"--{option}" for option, value in others.items() if value not in (None, False)]
    if idle:
        raise UsageError(f"{' and '.join(idle)}: not with --locked, which writes the same bytes again")


def _check_output(target: str, output_format: Format, *, null: bool, of_domain: Mapping[str, object]) -> None:
    """Raise UsageError for an option that would do nothing to what is written."""
    if null and (target != "qemu" or output_format != "text"):
        raise UsageError("-0 goes with --qemu and --format text only")
    idle = [f"--{option}" for option, value in of_domain.items() if value not in (None, False)]
    if idle and target == "qemu":
        raise UsageError(f"{' and '.join(idle)}: only with --libvirt or --both")


def _check_input(
    hosts: Sequence[str], qemu_binary: str | None, machine: str | None, upstream: str | None = None
) -> None:
    """Raise UsageError for sources that exclude each other, and for what cannot be a machine type, `upstream` being
    what QEMU names it."""
    if hosts and qemu_binary is not None:
        raise UsageError("--host and --qemu-binary do not go together: a host file describes its own QEMU")
    if machine is None:
        return
    from hvctl.profile.keys import ROOT, Text, shaped

    key = ROOT.keys["machine"]
    if isinstance(key, Text) and not shaped(key, upstream or machine):
        raise UsageError(f"--machine cannot be {machine!r}", f"write {key.shape}")


def _text(argv: tuple[str, ...] | None, xml: str | None, *, null: bool) -> str:
    if null:
        return "".join(f"{word}\0" for word in argv or ())
    import shlex

    return (shlex.join(argv) + "\n" if argv else "") + (xml or "")
