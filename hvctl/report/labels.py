"""What a host can give in the words of schedulers: labels of a Kubernetes node, for Node Feature Discovery to write,
and traits of a compute node of OpenStack.

Labels never under hyperv.node.kubevirt.io: KubeVirt's virt-handler removes there what it did not write
(kubevirt:pkg/virt-handler/node-labeller/node_labeller.go).
"""

from collections.abc import Iterator

from hvctl.catalog import ROWS
from hvctl.catalog.kubevirt import label_of
from hvctl.catalog.nova import ANY_NODE, SCHEMA_VERSION, trait_of
from hvctl.catalog.placement import HypervElement
from hvctl.catalog.types import Row
from hvctl.model.host import Host
from hvctl.plan.support import State, support

NODE_NAME = "nfd.node.kubernetes.io/node-name"
# Of the raw values, which are no labels.
_DOMAIN = "hvctl"


def labels(host: Host, *, launcher: bool) -> tuple[str, ...]:
    """The labels, in the catalog's order: of what kernel and hardware are known to give; with the launcher's QEMU also
    what that is known to give, as far as its libvirt lists such things."""
    return tuple(label_of(row.id) for row in ROWS if row.kubevirt and _gives(host, row, launcher=launcher))


def _gives(host: Host, row: Row, *, launcher: bool) -> bool:
    if not host.kvm.hyperv or (row.nested_only and host.hardware.nested is False):
        return False
    kernel, hardware, qemu, _ = support(host, row, host.qemu[0] if host.qemu else None)
    listed = isinstance(row.libvirt, HypervElement) and not row.libvirt.inside
    counted = (kernel, hardware, qemu) if launcher and listed else (kernel, hardware)
    return all(answer.state is State.YES for answer in counted)


def _raw(host: Host) -> Iterator[tuple[str, str]]:
    """Facts that rules of a cluster may use."""
    if host.kvm.release:
        yield "kernel", host.kvm.release
    for name in ("vendor", "tsc_hz"):
        if (value := getattr(host.hardware, name)) is not None:
            yield name.replace("_", "-"), str(value)
    for name in ("apicv", "nested", "tsc_scaling"):
        if (value := getattr(host.hardware, name)) is not None:
            yield name.replace("_", "-"), "true" if value else "false"


def nfd_text(host: Host, *, launcher: bool) -> str:
    """A feature file of Node Feature Discovery (docs/usage/customization-guide.md, "Input format")."""
    lines = [f"# {_DOMAIN}: what this node's KVM gives of Hyper-V"]
    lines += [f"{label}=true" for label in labels(host, launcher=launcher)]
    for name, value in _raw(host):
        lines += ["# +no-label", f"{_DOMAIN}.{name}={value}"]
    return "\n".join(lines) + "\n"


def node_feature(host: Host, node: str, group: str = "nfd.k8s-sigs.io", *, launcher: bool) -> str:
    """A NodeFeature object of Node Feature Discovery, for a node, as YAML. nfd-master takes it from any namespace, by
    its label (node-feature-discovery:docs/usage/customization-guide.md, "A NodeFeature example")."""
    import yaml

    tree = {
        "apiVersion": f"{group}/v1alpha1",
        "kind": "NodeFeature",
        "metadata": {"name": f"{_DOMAIN}-{node}", "labels": {NODE_NAME: node}},
        "spec": {
            "features": {
                "attributes": {f"{_DOMAIN}.host": {"elements": dict(_raw(host))}},
                "flags": {},
                "instances": {},
            },
            "labels": dict.fromkeys(labels(host, launcher=launcher), "true"),
        },
    }
    text: str = yaml.safe_dump(tree, sort_keys=False, width=120)
    return text


def traits(host: Host) -> tuple[str, ...]:
    """The traits, in the catalog's order: of what kernel, hardware, QEMU and libvirt are all known to give."""
    qemu = host.qemu[0] if host.qemu else None
    rows = (row for row in ROWS if row.libvirt and not row.takes_all and host.kvm.hyperv)
    return tuple(trait_of(row.id) for row in rows if all(one.state is State.YES for one in support(host, row, qemu)))


def nova_provider(host: Host, name: str | None) -> str:
    """A provider file of nova's (openstack/nova doc/source/admin/managing-resource-providers.rst): for the provider of
    a name, or for each compute node that reads it."""
    import yaml

    who = {"uuid": ANY_NODE} if name is None else {"name": name}
    tree = {
        "meta": {"schema_version": SCHEMA_VERSION},
        "providers": [{"identification": who, "traits": {"additional": list(traits(host))}}],
    }
    text: str = yaml.safe_dump(tree, sort_keys=False, width=120)
    return f"# {_DOMAIN}: what this compute node's KVM, QEMU and libvirt give of Hyper-V\n{text}"
