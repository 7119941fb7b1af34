"""The CPU of a guest: its model, its features, and how many there are."""

from math import prod

from hvctl.catalog.cpu_models import is_name, qemu_name
from hvctl.guest.domain.cpu import POLICIES
from hvctl.guest.kubevirt.machine import Field, Machine, is_null
from hvctl.guest.kubevirt.objects import KubeObject
from hvctl.guest.kubevirt.values import MOST_VCPUS, read_boolean, read_size, read_text
from hvctl.model.guest import Switch, Topology
from hvctl.text.problems import quoted
from hvctl.text.yaml_tree import Items, Mapping, Scalar


def read_cpu(machine: Machine, source: KubeObject) -> None:
    model = machine.homes[0].find("cpu.model") if machine.homes and not source.is_preference else None
    text = read_text(machine, model)
    if model is not None:
        machine.places["cpu"] = model
    if text == "host-passthrough":
        machine.cpu = "host"
    elif text and text != "host-model" and is_name(text):
        machine.cpu = text
    elif source.is_preference or source.instancetype:
        machine.unknown["cpu"] = "the CPU model is the instance type's"
    else:
        machine.doubt("cpu.model host-model: libvirt chooses the CPU model when the guest starts", "cpu")
    for home in machine.homes:
        field = home.find("cpu.features")
        value = field.entry.value if field else None
        for item in value.items if isinstance(value, Items) else ():
            if field is not None and isinstance(item, Mapping):
                _cpu_feature(machine, field, item)
    if not source.is_preference:
        _vcpus(machine, source)


def _cpu_feature(machine: Machine, field: Field, item: Mapping) -> None:
    said = {entry.key.text: entry for entry in item.entries}
    name = said.get("name")
    if name is None or not isinstance(name.value, Scalar) or is_null(name.value) or not name.value.text:
        machine.wrong("a CPU feature has no name", item, "write `name: ...`")
        return
    policy = said.get("policy")
    word = policy.value.text if policy and isinstance(policy.value, Scalar) and not is_null(policy.value) else "require"
    key = qemu_name(name.value.text)
    if word not in POLICIES:
        where = Field(policy, field.home, field.path) if policy else field
        machine.wrong(f"the policy of a CPU feature cannot be {quoted(word)}", where, f"write {' or '.join(POLICIES)}")
    elif key not in machine.switches:  # a preference's does not count beside the VirtualMachine's
        machine.switches[key] = Switch(name.value.text, POLICIES[word], name)


def _vcpus(machine: Machine, source: KubeObject) -> None:
    if source.instancetype:
        reason = "the vCPUs are the instance type's"
        machine.unknown.update(vcpus=reason, topology=reason)
        return
    home = machine.homes[0] if machine.homes else None
    fields = {name: home.find(f"cpu.{name}") if home else None for name in ("sockets", "cores", "threads")}
    sizes = {name: read_size(machine, field) for name, field in fields.items() if field}
    if any(sizes.values()):
        machine.topology = Topology(sizes.get("sockets") or 1, None, sizes.get("cores") or 1, sizes.get("threads") or 1)
        machine.places["topology"] = machine.places["vcpus"] = next(field for field in fields.values() if field)
        machine.vcpus = prod(size for size in machine.topology if size)
    elif home and (field := home.find("resources.limits.cpu") or home.find("resources.requests.cpu")):
        value = field.entry.value
        if isinstance(value, Scalar) and value.text.isdecimal() and 0 < int(value.text[:6]) < MOST_VCPUS:
            machine.vcpus, machine.places["vcpus"] = int(value.text[:6]), field
            machine.topology = Topology(machine.vcpus, None, 1, 1)
    dedicated = home.find("cpu.dedicatedCpuPlacement") if home else None
    machine.pinned = bool(dedicated and read_boolean(machine, dedicated))
