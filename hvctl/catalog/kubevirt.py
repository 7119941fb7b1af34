"""KubeVirt: the fields of its API that hvctl writes and reads, what it turns on by itself, its labels of nodes.

Paths are as below `domain` of a VirtualMachineInstance's spec, `[]` standing for the items of a list. A preference has
some of them under other names. Read in kubevirt:d923fdb815cd.
"""

from hvctl.catalog import BY_ID, ROWS
from hvctl.catalog.types import Row

RELEASE = "1.9"
"""The newest release that is known, whose fields `FIELDS` are."""

HYPERV = "features.hyperv"
TIMER = "clock.timer"
PANIC = "devices.panicDevices"
PASSTHROUGH = "features.hypervPassthrough"

LEAST_NUMBER = 4096
"""What it documents as the least number of a NUMBER (kubevirt:staging/src/kubevirt.io/api/core/v1/schema.go,
FeatureSpinlocks), and what it takes where none is written."""
LARGEST_NUMBER = 0x7FFFFFFF
"""`format: int32` in the CRD."""

# kubevirt:pkg/defaults/hyperv.go, getHypervFeatureDependencies(): leaves first. Where the second is not written, the
# webhook turns it on; where it is off, it refuses: "'...' requires '...', which was disabled."
TURNED_ON = (("evmcs", "vapic"), ("ipi", "vpindex"), ("tlbflush", "vpindex"), ("stimer", "synic"), ("synic", "vpindex"))
"""Rows, and what KubeVirt turns on for them."""

FORCED = {"evmcs": "vmx"}
"""Rows, and the feature of the CPU that KubeVirt requires for them, whatever is written (setEVMCSDependency())."""

NODE_LABEL = "hyperv.node.kubevirt.io/"
# kubevirt:pkg/virt-controller/services/nodeselectorrenderer.go, makeHVFeatureLabelTable()
NODE_LABELS = {
    row_id: f"{NODE_LABEL}{BY_ID[row_id].kubevirt.rpartition('.')[2]}"
    for row_id in (
        *("vpindex", "runtime", "reset", "synic", "stimer", "frequencies", "reenlightenment", "tlbflush", "ipi"),
    )
}
"""The labels that virt-handler gives to nodes, of those rows that its node selectors know."""
INTEL_NODE = "cpu-vendor.node.kubevirt.io/Intel"
"""The label of the nodes that can have what `FORCED` names."""

BY_FIELD = {row.kubevirt: row for row in ROWS if row.kubevirt}
"""The rows by their fields."""

_STATES = (
    *("relaxed", "vapic", "vpindex", "runtime", "synic", "reset", "frequencies", "reenlightenment", "ipi", "evmcs"),
    *("synictimer", "synictimer.direct", "tlbflush", "tlbflush.direct", "tlbflush.extended", "spinlocks", "vendorid"),
)
FIELDS = frozenset(
    (
        *(f"{HYPERV}.{name}.enabled" for name in _STATES),
        *(f"{HYPERV}.spinlocks.spinlocks", f"{HYPERV}.vendorid.vendorid", f"{PASSTHROUGH}.enabled"),
        *(f"{TIMER}.{name}.present" for name in ("hpet", "hyperv", "kvm", "pit", "rtc")),
        *(f"{TIMER}.{name}.tickPolicy" for name in ("hpet", "pit", "rtc")),
        *(f"{TIMER}.rtc.track", "clock.timezone", "clock.utc.offsetSeconds"),
        *("cpu.model", "cpu.features[].name", "cpu.features[].policy", "features.kvm.hidden", "machine.type"),
        f"{PANIC}[].model",
    )
)
"""The leaves of `RELEASE`'s CRD, virtualmachines.kubevirt.io, of the branches that hvctl writes."""


def has_field(path: str, *, leaf: bool) -> bool:
    """Whether `RELEASE` has a field without others below it (`leaf`), or with such."""
    return path in FIELDS if leaf else any(field.startswith(f"{path}.") for field in FIELDS)


def field_of(row: Row) -> str:
    """A row's field without what its value must be; empty where it has none."""
    return row.kubevirt.partition("[")[0]


def value_key(field: str) -> str:
    """The key of the value of a field in `HYPERV`, beside `enabled`: it has the field's name."""
    return field.rpartition(".")[2]


PREFERRED = (
    ("features.hyperv", "features.preferredHyperv"),
    ("features.kvm", "features.preferredKvm"),
    ("clock.timer", "clock.preferredTimer"),
    ("clock.utc", "clock.preferredClockOffset.utc"),
    ("clock.timezone", "clock.preferredClockOffset.timezone"),
    ("cpu.features", "cpu.preferredCPUFeatures"),
    ("machine.type", "machine.preferredMachineType"),
    (PANIC, "devices.preferredPanicDeviceModel"),
)
"""The fields of a VirtualMachinePreference, for those of a VirtualMachine that they stand for, or what is below them
(kubevirt:staging/src/kubevirt.io/api/instancetype/v1beta1/types.go)."""


def preferred(field: str) -> str | None:
    """A preference's field for one of a VirtualMachine; None where it has none."""
    for own, other in PREFERRED:
        if field == own or field.startswith(f"{own}."):
            return other + field[len(own) :]
    return None


def label_of(row_id: str) -> str:
    """hvctl's label of nodes that can give a row, as `hvctl check-host --format nfd` lets NFD write it."""
    return f"feature.node.kubernetes.io/hvctl-{row_id}"
