"""What a guest was promised against what it saw: the result of the comparison."""

from enum import StrEnum
from typing import NamedTuple

from hvctl.model.cpuid import CpuidLeaf
from hvctl.model.observation import MOST_VCPUS


class Evidence(NamedTuple):
    """One thing that was tried. `works` is None where it could not be judged; `text` says what was found."""

    works: bool | None
    text: str


class Verdict(StrEnum):
    """What became of one row."""

    WORKS = "works"
    """Announced, tried, and it works."""
    THERE = "there"
    """Announced; it is advice or a name, and there is nothing to try."""
    UNCHECKED = "unchecked"
    """Announced, or asked for; whether it works could not be tried."""
    MISSING = "missing"
    """Asked for and not announced: dropped without a word."""
    BROKEN = "broken"
    """Announced, and it does not work."""
    EXTRA = "extra"
    """Announced, and nobody asked for it."""
    REFUSED = "refused"
    """Asked for, and QEMU refuses to start with it; it was left out for this run."""
    OFF = "off"
    """Neither asked for nor announced."""


WRONG = (Verdict.MISSING, Verdict.BROKEN, Verdict.EXTRA, Verdict.REFUSED)


class Finding(NamedTuple):
    """One row of the catalog."""

    id: str
    asked: bool
    verdict: Verdict
    text: str


class Difference(NamedTuple):
    """One register of a leaf that is not as predicted; `seen` is what the vCPUs in `vcpus` have in common."""

    leaf: int
    register: str
    expected: int
    seen: int
    vcpus: tuple[int, ...]


class Verification(NamedTuple):
    """The whole comparison.

    `wanted` vCPUs were configured, `vcpus` were looked at. `leaves` are those that were compared, as predicted.
    `kvm_features` is KVM's own leaf as the first vCPU saw it, which is never compared; None where it is hidden.
    `hyperv` is whether every vCPU sees the interface of Hyper-V. `interface` is about the hypercall page.
    """

    wanted: int
    vcpus: int
    leaves: tuple[CpuidLeaf, ...]
    kvm_features: CpuidLeaf | None
    differences: tuple[Difference, ...]
    hyperv: bool
    interface: Evidence
    findings: tuple[Finding, ...]

    @property
    def agrees(self) -> bool:
        """Whether all is as promised, as far as it could be checked."""
        wrong = any(finding.verdict in WRONG for finding in self.findings)
        started = self.vcpus == min(self.wanted, MOST_VCPUS)
        return started and not wrong and not self.differences and self.interface.works is not False
