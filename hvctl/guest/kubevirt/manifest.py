"""A plan as KubeVirt's objects: a VirtualMachine, a patch of one, or a preference, which is a profile's twin there."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from hvctl.catalog import BY_ID, machines
from hvctl.catalog.kubevirt import FORCED, HYPERV, INTEL_NODE, NODE_LABELS, PANIC, label_of, preferred, value_key
from hvctl.catalog.placement import PanicDevice
from hvctl.catalog.types import Kind as ValueKind
from hvctl.catalog.types import Row
from hvctl.model.guest import HOST_MODELS
from hvctl.model.plan import Decision, Outcome, Plan
from hvctl.model.profile import Ask

Kind = Literal["patch", "vm", "preference", "cluster-preference"]
Select = Literal["none", "kubevirt", "nfd"]
Tree = dict[str, Any]

_KINDS = {
    "patch": ("kubevirt.io/v1", "VirtualMachine"),
    "vm": ("kubevirt.io/v1", "VirtualMachine"),
    "preference": ("instancetype.kubevirt.io/v1beta1", "VirtualMachinePreference"),
    "cluster-preference": ("instancetype.kubevirt.io/v1beta1", "VirtualMachineClusterPreference"),
}
_MODES = {HOST_MODELS[0]: "host-passthrough"}


class Options(NamedTuple):
    """How a plan is written. `kind` is that of the object, `machine` the type or family that is written."""

    kind: Kind = "patch"
    name: str | None = None
    timezone: str | None = None
    select: Select = "none"
    machine: str = "q35"
    memory_mib: int = 4096
    vcpus: int | None = None

    @property
    def preference(self) -> bool:
        """Whether it is one of the two kinds of preferences."""
        return self.kind in ("preference", "cluster-preference")


class Manifest(NamedTuple):
    """An object, and sentences about what of the plan it cannot say."""

    tree: Tree
    lost: tuple[str, ...]


def manifest(plan: Plan, options: Options) -> Manifest:
    """The object of a usable plan that was resolved for KubeVirt."""
    fields, lost = domain_fields(plan, options)
    api_version, kind = _KINDS[options.kind]
    tree: Tree = {"apiVersion": api_version, "kind": kind}
    if options.kind != "patch" or options.name:
        tree["metadata"] = {"name": options.name or plan.profile}
    if options.preference:
        spec: Tree = {}
        for path, value in fields:
            other = preferred(path)
            if other is None:
                lost.append(f"{path}: preferences have no field for it")
            elif path == PANIC:
                put(spec, "devices.preferredPanicDeviceModel", value[0]["model"])
            else:
                put(spec, other, value)
        return Manifest({**tree, "spec": spec}, tuple(lost))
    domain: Tree = {}
    for path, value in fields:
        put(domain, path, value)
    if options.kind == "vm":
        domain.setdefault("devices", {})
        domain["memory"] = {"guest": f"{options.memory_mib}Mi"}
        if options.vcpus:
            domain.setdefault("cpu", {}).update(sockets=1, cores=options.vcpus, threads=1)
    template: Tree = {"domain": domain}
    if selector := _selector(plan, options.select):
        template["nodeSelector"] = selector
    start = {"runStrategy": "Halted"} if options.kind == "vm" else {}
    return Manifest({**tree, "spec": {**start, "template": {"spec": template}}}, tuple(lost))


def domain_fields(plan: Plan, options: Options) -> tuple[list[tuple[str, Any]], list[str]]:
    """The fields below `domain` that a plan decides, by their paths; and what has none."""
    found: list[tuple[str, Any]] = []
    lost: list[str] = []
    for decision in plan.decisions:
        found += _fields(BY_ID[decision.id], decision, off=options.kind == "patch")
    found += _clock(plan, options.timezone, lost)
    if options.kind == "patch" and options.timezone is not None:
        # KubeVirt takes utc where both are there (kubevirt:pkg/virt-launcher/virtwrap/converter/compute/clock.go).
        found.append(("clock.utc", None))
    if plan.cpu.hidden:
        found.append(("features.kvm.hidden", True))
    found.append(("machine.type", options.machine if options.machine in machines.FAMILIES else plan.machine.type))
    found.append(("cpu.model", _MODES.get(plan.cpu.model, plan.cpu.model)))
    if features := [{"name": name, "policy": "require" if on else "disable"} for name, on in plan.cpu.features]:
        found.append(("cpu.features", features))
    if plan.cpu.tsc_frequency is not None:
        lost.append("tsc-frequency: KubeVirt has no field for it; it takes the node's where a guest needs one")
    return found, lost


def _fields(row: Row, decision: Decision, *, off: bool) -> Iterator[tuple[str, Any]]:
    """What is written of a row; with `off` also that it is off, where the profile turns it off."""
    on = decision.state is Outcome.ON
    if not row.kubevirt or not (on or (off and decision.asked == Ask.OFF)):
        return
    if isinstance(row.libvirt, PanicDevice):
        if on:
            yield PANIC, [{"model": row.libvirt.model}]
    elif row.kubevirt.startswith(f"{HYPERV}.") or row.takes_all:
        yield f"{row.kubevirt}.enabled", on
        if on and row.kind in (ValueKind.NUMBER, ValueKind.STRING) and decision.value is not None:
            yield f"{row.kubevirt}.{value_key(row.kubevirt)}", decision.value
    else:
        yield f"{row.kubevirt}.present", on


def _clock(plan: Plan, timezone: str | None, lost: list[str]) -> Iterator[tuple[str, Any]]:
    clock = plan.clock
    if timezone is not None:
        yield "clock.timezone", timezone
    else:
        if clock.offset != "utc":
            lost.append(
                f"clock {clock.offset}: KubeVirt has no field for it, and `utc` is written: Windows shows the wrong "
                "time unless it is told that its clock is UTC (RealTimeIsUniversal); name the guest's zone with "
                "--timezone"
            )
        yield "clock.utc", {}
    yield "clock.timer.hpet.present", clock.hpet
    yield "clock.timer.pit.tickPolicy", clock.pit
    yield "clock.timer.rtc.tickPolicy", clock.rtc


def put(tree: Tree, path: str, value: Any) -> None:
    """Set a value at a dotted path."""
    *parents, last = path.split(".")
    for name in parents:
        tree = tree.setdefault(name, {})
    tree[last] = value


def _selector(plan: Plan, select: Select) -> dict[str, str]:
    """Labels of nodes that can give what is on: KubeVirt's own, of what it has a label for, or hvctl's."""
    on = [decision.id for decision in plan.enabled()]
    match select:
        case "none":
            return {}
        case "kubevirt":
            found = {NODE_LABELS[row_id]: "true" for row_id in on if row_id in NODE_LABELS}
            return {**found, **({INTEL_NODE: "true"} if any(row_id in FORCED for row_id in on) else {})}
        case "nfd":
            return {label_of(row_id): "true" for row_id in on}


def to_yaml(tree: Mapping[str, Any]) -> str:
    """An object as YAML; ends in a newline."""
    import yaml

    text: str = yaml.safe_dump(dict(tree), sort_keys=False, default_flow_style=False, allow_unicode=True, width=120)
    return text
