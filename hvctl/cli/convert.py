"""`hvctl convert`: a guest's enlightenments in another form."""

from __future__ import annotations

import os

import click

from hvctl.cli.guests import Named
from hvctl.cli.options import common
from hvctl.model.guest import Guest
from hvctl.model.profile import Profile

FORMS = ("qemu", "libvirt", "profile", "json")


@click.command()
@click.argument("guest", metavar="IN")
@click.option(
    "--to", "form", type=click.Choice(FORMS), help="The form of the result (default: qemu; of QEMU's, libvirt)."
)
@click.option("--strict", is_flag=True, help="Exit code 1 where something could not be carried over.")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE instead of stdout.")
@common
def command(guest: str, form: str | None, strict: bool, output: str | None) -> int:
    """Translate a guest's CPU and enlightenments from one form to another.

    IN is a domain XML, a QEMU command line or a -cpu value (in a file, on stdin as `-`, or as it stands), the
    /proc/PID/cmdline or process id of a running QEMU, a locked plan, or a profile. Switches, `+` and `-`, -global, and
    which of several wins are understood as QEMU does.

    Nothing is resolved: no host is asked, no requirement added, nothing refused; `prefer` counts as on. What the other
    form has no place for is named on stderr. Carried over are the machine type (not into `-cpu`), the CPU model, its
    features, kvm=off, enforce, tsc-frequency and the enlightenments.

    \b
    Examples:
      hvctl convert win11.xml --to qemu
      hvctl convert 'host,hv_relaxed,hv_time,hv_synic,hv_stimer,hv_vpindex'
      hvctl convert /proc/4711/cmdline --to profile -o mine.yaml
    """
    from hvctl.cli.files import write_result
    from hvctl.cli.options import say_sentence

    named = _find(guest)
    source, lost = _guest(named)
    text, more = _written(source, named.profile, form or ("libvirt" if _from_qemu(named) else "qemu"))
    write_result(text, output)
    for sentence in (*source.doubts, *lost, *more):
        say_sentence(f"not carried over: {sentence}")
    if source.accelerator not in (None, "kvm"):
        say_sentence(f"note: the guest runs by {source.accelerator}, not by KVM: enlightenments do nothing there")
    return int(strict and bool(source.doubts or lost or more))


def _find(word: str) -> Named:
    """What IN means: a -cpu value or a command line as it stands, where there is no such file."""
    from hvctl.cli.guests import Named, find_guest

    if word == "-" or os.path.exists(word):
        return find_guest(word)
    from hvctl.guest.command.strict import read_command_line, read_cpu
    from hvctl.guest.recognition import Description, description

    match description(word.encode(errors="surrogateescape")):
        case Description.CPU:
            return Named(read_cpu(word, "<argument>"))
        case Description.COMMAND_LINE:
            return Named(read_command_line(word, "<argument>"))
        case _:
            return find_guest(word)


def _from_qemu(named: Named) -> bool:
    return named.guest is not None and not named.guest.libvirt and named.lock is None


def _guest(named: Named) -> tuple[Guest, tuple[str, ...]]:
    if named.guest:
        running = named.guest.seen is not None
        return named.guest, ("a running QEMU does not tell which CPU features it was asked for",) if running else ()
    from hvctl.guest.plan import guest_of_profile

    assert named.profile is not None
    return guest_of_profile(named.profile)


def _written(guest: Guest, profile: Profile | None, form: str) -> tuple[str, tuple[str, ...]]:
    from hvctl.guest import convert

    if form == "profile":
        from hvctl.guest.plan import profile_of_guest
        from hvctl.profile.writer import to_yaml

        if profile is not None:
            return to_yaml(profile), ()
        found, lost = profile_of_guest(guest)
        return to_yaml(found), (*lost, *convert.lost_in_profile(guest))
    if form == "json":
        from hvctl.report.plan import dump

        return dump(convert.to_json(guest)), ()
    if form == "libvirt":
        return convert.to_libvirt(guest)
    import shlex

    text, lost = convert.to_qemu(guest)
    return f"-cpu {shlex.quote(text)}\n", lost
