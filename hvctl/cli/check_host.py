"""`hvctl check-host`: what this host's kernel, hardware, QEMU and libvirt give."""

import re
import sys
from collections.abc import Sequence
from typing import Any, Literal, get_args

import click

from hvctl.cli.options import check_stdin, common, connect, only_with_connect, output_format
from hvctl.cli.output import echo, spinner, use_color, width, write_result
from hvctl.errors import NO_QMP, HostError, InputError, NoKvmError, NoQmpError, UsageError
from hvctl.model.host import Host
from hvctl.model.plan import Plan
from hvctl.model.profile import Profile

HostFormat = Literal["text", "json", "nfd", "nodefeature", "nova-provider"]
"""The words of --format."""
NfdGroup = Literal["nfd.k8s-sigs.io", "nfd.openshift.io"]
"""The API groups of NodeFeature: Node Feature Discovery's own, and that of OpenShift's operator for it."""

# The value of a label, by which a NodeFeature names its node, has no more characters.
_MOST_NODE_NAME = 63


@click.command()
@click.argument("profiles", nargs=-1, metavar="[PROFILE]...")
@click.option("--qemu", "binaries", multiple=True, metavar="BIN", help="A QEMU binary to ask; may be repeated.")
@click.option("--no-qemu", is_flag=True, help="Do not ask any QEMU.")
@click.option("--record", metavar="FILE", help="Write the facts to a host file, for 'hvctl gen --host FILE'.")
@click.option("--raw", metavar="FILE", help="Take the answers of a raw record instead of this machine's.")
@click.option("--name", metavar="NAME", help="Name of the host in messages and in the host file.")
@click.option("--root", metavar="DIR", help="Take /dev, /proc, /sys and libvirt's schema from below DIR.")
@connect("Ask the libvirt at URI about its host instead of this machine.")
@click.option("--domcapabilities", metavar="FILE", help="Take QEMU and libvirt from virt-launcher's answer.")
@output_format(HostFormat)
@click.option(
    "--nfd-group",
    type=click.Choice(get_args(NfdGroup)),
    help="API group of the NodeFeature: OpenShift's is another (default: nfd.k8s-sigs.io).",
)
@click.option("-o", "--output", metavar="FILE", help="Write to FILE instead of stdout.")
@common
def command(
    profiles: tuple[str, ...],
    binaries: tuple[str, ...],
    no_qemu: bool,
    record: str | None,
    raw: str | None,
    name: str | None,
    root: str | None,
    uri: str | None,
    timeout: float | None,
    domcapabilities: str | None,
    output_format: HostFormat,
    nfd_group: NfdGroup | None,
    output: str | None,
) -> int:
    """Show which enlightenments this host supports, layer by layer.

    With PROFILEs (shipped names or files), also check whether this host supports each of them. Needs access to
    /dev/kvm, not root.

    With --connect a libvirt is asked instead, also one on another host (qemu+ssh://, qemu+tls://, ...). Its domain
    capabilities are incomplete: what they leave out is reported as unknown, never guessed.

    With --raw the answers are those of a raw record: what the program that `hvctl collector` writes printed on a
    machine where hvctl is not installed. --record then writes the same host file as there.

    On a node of KubeVirt guests get the QEMU and libvirt of virt-launcher: --domcapabilities reads what virt-handler
    keeps in /var/lib/kubevirt-node-labeller/virsh_domcapabilities.xml. With --format nfd the result is a feature file
    for Node Feature Discovery (below /etc/kubernetes/node-feature-discovery/features.d/), with nodefeature its object
    for the node NAME; `hvctl gen --for kubevirt --select nfd` selects nodes by these labels.

    On a compute node of OpenStack, --format nova-provider writes traits for /etc/nova/provider_config/FILE.yaml, which
    nova-compute reads when it starts: of the provider NAME, or without --name of each node that reads the file. No two
    files may name the same provider. `hvctl gen --for nova --select traits` selects nodes by these traits.

    \b
    Examples:
      hvctl check-host
      hvctl check-host windows-11
      hvctl check-host --record node1.json --name node1
      hvctl check-host --raw node3.raw.json --record node3.json
      hvctl check-host --connect qemu+ssh://root@node2/system
    """
    if binaries and no_qemu:
        raise UsageError("--qemu and --no-qemu do not go together")
    if profiles and no_qemu:
        raise UsageError("whether a profile can be had depends on QEMU too: --no-qemu does not go with a PROFILE")
    if name is not None and not (name.isprintable() and 0 < len(name) <= 100):
        raise UsageError("--name is one printable line of 1 to 100 characters")
    if output_format in ("nfd", "nodefeature", "nova-provider") and profiles:
        raise UsageError(f"--format {output_format} does not go with a PROFILE")
    _check_node_feature(output_format, name, nfd_group)
    if domcapabilities is not None and (uri or binaries):
        raise UsageError("--domcapabilities does not go with --connect and --qemu: it tells of another QEMU")
    if raw is not None and (uri or binaries or no_qemu or root):
        raise UsageError("--raw does not go with --connect, --qemu, --no-qemu and --root: the record has the answers")
    if uri is None:
        only_with_connect(timeout=timeout)
    elif binaries or no_qemu or root:
        raise UsageError("--connect does not go with --qemu, --no-qemu and --root: libvirt answers for its own QEMU")
    check_stdin(*profiles, raw or "", domcapabilities or "")
    wanted = _load(profiles) if profiles else []
    with_qemu = not no_qemu and domcapabilities is None
    if raw is not None:
        host = _decode(raw, name)
    else:
        host = _ask(uri, timeout, name) if uri else _probe(root, binaries, name, with_qemu=with_qemu)
    if domcapabilities is not None:
        host = _of_launcher(host, domcapabilities)
    if record:
        _record(host, record)
    plans = _resolve(wanted, host) if wanted and host.kvm.hyperv and host.qemu else []
    if record != "-" and output is None and output_format in ("text", "json"):
        echo(_report(host, plans, output_format))
    elif record != "-":
        launcher = domcapabilities is not None
        group = nfd_group or "nfd.k8s-sigs.io"
        text = _report(host, plans, output_format, launcher=launcher, name=name, group=group)
        write_result(text, output)
    if not host.kvm.hyperv:
        raise _no_hyperv(host)
    if wanted and not host.qemu:
        raise _no_qemu(host, raw)
    return 1 if any(plan.refusals for plan in plans) else 0


def _check_node_feature(form: HostFormat, name: str | None, group: NfdGroup | None) -> None:
    if form != "nodefeature":
        if group is not None:
            raise UsageError("--nfd-group: only with --format nodefeature")
    elif not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", name or ""):
        raise UsageError("--format nodefeature needs the node", "name it with --name, as `kubectl get nodes` prints it")
    elif name and len(name) > _MOST_NODE_NAME:
        raise UsageError(
            f"a NodeFeature can name no node with more than {_MOST_NODE_NAME} characters",
            "use --format nfd on the node",
        )


def _resolve(profiles: Sequence[Profile], host: Host) -> list[Plan]:
    from hvctl import api

    return [api.resolve(profile, (host,)) for profile in profiles]


def _load(names: Sequence[str]) -> list[Profile]:
    """All profiles, or every mistake in all of them."""
    from hvctl import api

    loaded = []
    errors = []
    for name in names:
        try:
            loaded.append(api.load_profile(name))
        except InputError as error:
            errors.append(error)
    if errors:
        raise InputError([problem for error in errors for problem in error.problems], errors[0].hint)
    return loaded


def _probe(root: str | None, binaries: Sequence[str], name: str | None, *, with_qemu: bool) -> Host:
    from hvctl.host.probe import probe_host

    with spinner("asking QEMU", sys.stderr, quiet=not with_qemu):
        return probe_host(root, list(binaries) or None, with_qemu=with_qemu, name=name)


def _decode(path: str, name: str | None) -> Host:
    from hvctl.host.host_file import read_record

    host = read_record(path)
    return host._replace(name=name) if name is not None else host


def _ask(uri: str, timeout: float | None, name: str | None) -> Host:
    from hvctl.cli.inputs.domains import libvirt_host
    from hvctl.libvirt.connection import SECONDS, connected

    with spinner("asking libvirt", sys.stderr), connected(uri, write=True, seconds=timeout or SECONDS) as connection:
        return libvirt_host(connection, name)


def _no_hyperv(host: Host) -> HostError:
    from hvctl.host.kvm import NO_HYPERV

    if host.kvm.hyperv is False:
        return NoKvmError(*NO_HYPERV)
    from hvctl.plan.support import NOT_KNOWN

    why = "libvirt lists no enlightenment that KVM has to support, as on a KVM without Hyper-V"
    return HostError(f"{host.label}: {NOT_KNOWN.reason}: {why}", NOT_KNOWN.remedy)


def _no_qemu(host: Host, raw: str | None) -> HostError:
    if any(note.startswith(NO_QMP) for note in host.notes):
        return NoQmpError()
    remedy = (
        "name a binary with --qemu" if raw is None else "name a binary with the collector's --qemu, and record again"
    )
    return HostError("no usable QEMU was found", f"install qemu-system-x86, or {remedy}")


def _record(host: Host, path: str) -> None:
    from hvctl.host.host_file import dump_host

    write_result(dump_host(host), path)


def _of_launcher(host: Host, path: str) -> Host:
    from hvctl.host.libvirt_capabilities import with_launcher
    from hvctl.text.files import LARGEST_XML, decode, name_of, read

    return with_launcher(host, decode(read(path, LARGEST_XML), name_of(path)), name_of(path))


def _report(
    host: Host,
    plans: Sequence[Plan],
    form: HostFormat,
    *,
    launcher: bool = False,
    name: str | None = None,
    group: NfdGroup = "nfd.k8s-sigs.io",
) -> str:
    from hvctl.report import host as report

    match form:
        case "nfd":
            from hvctl.report.labels import nfd_text

            return nfd_text(host, launcher=launcher)
        case "nodefeature":
            from hvctl.report.labels import node_feature

            return node_feature(host, host.label, group, launcher=launcher)
        case "nova-provider":
            from hvctl.report.labels import nova_provider

            return nova_provider(host, name)
        case "text":
            columns = width()
            text = report.host_text(host, width=columns, color=use_color(sys.stdout))
            return text + "".join(_plan_text(plan, columns) for plan in plans)
        case "json":
            from hvctl.host.host_file import host_json
            from hvctl.text.json_document import dump

            return dump(report.host_json(host, host_json(host), [_plan_json(plan) for plan in plans]))


def _plan_json(plan: Plan) -> dict[str, Any]:
    from hvctl.report.plan import plan_json

    return {
        "profile": plan.profile,
        "resolves": not plan.refusals,
        "plan": plan_json(plan, argv=None, xml=None, leaves=())["plan"],
    }


def _plan_text(plan: Plan, columns: int) -> str:
    from hvctl.report import plan as report

    if plan.refusals:
        return f"\nprofile {plan.profile}: refused\n{report.refusal_text(plan, width=columns)}\n"
    lines = [f"\nprofile {plan.profile}: yes, {len(plan.enabled())} enlightenments on"]
    lines += [report.decision_line(decision, width=columns) for decision in report.left_out(plan)]
    return "\n".join(lines) + "\n"
