"""What QEMU says at start to a set of enlightenments, in its own order and words.

Follows kvm_hyperv_expand_features() in qemu:target/i386/kvm/kvm.c: the features in the order of their numbers, for each
first KVM's support, then its dependencies, lowest number first; the dependency of the SynIC on the VP index comes last.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from hvctl.catalog import BY_ID, ROWS, machines
from hvctl.catalog.types import Row
from hvctl.model.host import Host
from hvctl.plan.support import State, support


class StartError(NamedTuple):
    """QEMU's refusal: the row it is about, the row that it misses (None: KVM does not support the first), the text."""

    id: str
    missing: str | None
    message: str


_IN_QEMU_ORDER = tuple(
    sorted((row for row in ROWS if row.feature is not None), key=lambda row: (row.feature or 0, row.id))
)


def predict_start(enabled: Collection[str], machine: str, host: Host) -> StartError | None:
    """The refusal of a set of row ids on a host, None if QEMU starts; passthrough is not judged.

    Raises:
        ValueError: the host's kernel cannot tell about one of the rows.
    """
    features = [row for row in _IN_QEMU_ORDER if row.id in enabled]
    for row in features:
        if _supported(row, host) is State.NO:
            return StartError(row.id, None, f"Hyper-V {row.qemu_name} is not supported by kernel")
        if not row.requires_unless:
            missing = _missing(row, enabled)
            if missing:
                return missing
    compat = machines.compat(machine)
    late = [_missing(row, enabled) for row in features if row.requires_unless and row.requires_unless not in compat]
    return next((found for found in late if found), None)


def _supported(row: Row, host: Host) -> State:
    """KVM's support by the CPUID bits alone: the capabilities are asked only when the vCPU is made."""
    state = support(host, row._replace(caps=()), None)[0].state
    if state is State.UNKNOWN:
        raise ValueError(f"the kernel of {host.label} cannot tell about {row.id}")
    return state


def _missing(row: Row, enabled: Collection[str]) -> StartError | None:
    lacking = [BY_ID[needed] for needed in row.requires if needed not in enabled]
    if not lacking:
        return None
    first = min(lacking, key=lambda needed: needed.feature or 0)
    return StartError(row.id, first.id, f"Hyper-V {row.qemu_name} requires Hyper-V {first.qemu_name}")
