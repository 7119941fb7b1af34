"""`hvctl convert`: a guest's enlightenments in another form."""

import os
from typing import get_args

import click

from hvctl import api
from hvctl.api import Described, Form
from hvctl.cli.options import common, host_files
from hvctl.cli.output import say_sentence, write_result


@click.command()
@click.argument("guest", metavar="IN")
@click.option(
    "--to",
    "form",
    type=click.Choice(get_args(Form)),
    help="Form of the result (default: qemu; of QEMU's own, libvirt).",
)
@host_files("A host file of where the guest runs, for what a configuration leaves to it.")
@click.option("--strict", is_flag=True, help="Exit code 1 where something could not be carried over.")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE instead of stdout.")
@common
def command(guest: str, form: Form | None, hosts: tuple[str, ...], strict: bool, output: str | None) -> int:
    """Translate a guest's enlightenments, CPU, clock and machine into another form.

    IN is a domain XML, a KubeVirt object, a VMID.conf of Proxmox VE, a QEMU command line or a -cpu value (in a file, on
    stdin as `-`, or as the argument), the /proc/PID/cmdline or process id of a running QEMU, a plan file, or a profile.
    Switches, `+` and `-`, -global and repeated options count as they do for QEMU.

    Nothing is resolved: no host is asked, no requirement added, nothing refused; `prefer` counts as on. Only of a
    VMID.conf the guest is what Proxmox VE makes of it, on the node that --host names. What the other form has no place
    for is named on stderr. Carried over are the machine type, the accelerator, the interrupt chip, the CPU with its
    features, the topology, the clock with its timers, the kind of the firmware, the operating system and the
    enlightenments.

    \b
    Examples:
      hvctl convert win11.xml --to qemu
      hvctl convert 'host,hv_relaxed,hv_time,hv_synic,hv_stimer,hv_vpindex'
      hvctl convert /proc/4711/cmdline --to profile -o mine.yaml
    """
    named = _find(guest)
    if hosts and named.guest is not None:
        from hvctl.cli.inputs.hosts import read_hosts

        named = named._replace(guest=named.guest.on_hosts(tuple(read_hosts(hosts).hosts())))
    source = named.guest
    text, lost = api.convert(named, form or ("libvirt" if _from_qemu(named) else "qemu"))
    write_result(text, output)
    doubts: tuple[str, ...] = tuple(source.doubts) if source else ()
    if source and source.seen is not None:
        doubts = (*doubts, "a running QEMU does not report which CPU features it was asked for")
    for sentence in (*doubts, *lost):
        say_sentence(f"not carried over: {sentence}")
    if source and source.accelerator not in (None, "kvm"):
        say_sentence(f"note: the guest uses {source.accelerator}, not KVM: enlightenments have no effect there")
    return int(strict and bool(doubts or lost))


def _find(word: str) -> Described:
    """What IN means: a -cpu value or a command line as it is, where there is no such file."""
    from hvctl.cli.inputs.guests import find_guest
    from hvctl.text.recognition import FileKind, kind_of

    if word != "-" and not os.path.exists(word) and kind_of(word) in (FileKind.CPU, FileKind.COMMAND_LINE):
        return api.read_text(word, "<argument>")
    return find_guest(word)


def _from_qemu(named: Described) -> bool:
    return named.guest is not None and not named.guest.libvirt and named.lock is None
