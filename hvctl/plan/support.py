"""What one host can give of one catalog row, layer by layer: kernel, hardware, QEMU, libvirt."""

from enum import StrEnum
from typing import NamedTuple

from hvctl.catalog import ROWS
from hvctl.catalog.cpu_models import NESTED_FEATURE, VENDOR_NAMES
from hvctl.catalog.placement import HypervMode
from hvctl.catalog.types import Need, Row
from hvctl.model.host import LIBVIRT, Hardware, Host, Kvm, Libvirt, Qemu
from hvctl.model.plan import Layer


class State(StrEnum):
    """Whether a layer can."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Answer(NamedTuple):
    """One layer's answer. `reason` is empty for a plain yes; `remedy` says what would change a no."""

    layer: Layer
    state: State
    reason: str = ""
    remedy: str = ""


class Judged(NamedTuple):
    """One row on one host with one QEMU: the layers' answers, and the one that decides without libvirt."""

    row: Row
    answers: tuple[Answer, Answer, Answer, Answer]
    verdict: Answer


NO_HYPERV = Answer(
    Layer.KERNEL, State.NO, "its KVM has no Hyper-V emulation", "boot a kernel built with CONFIG_KVM_HYPERV=y"
)

NOT_KNOWN = Answer(
    Layer.KERNEL,
    State.UNKNOWN,
    "whether its KVM emulates Hyper-V is not known",
    "record that host on itself: hvctl check-host --record FILE",
)

ONLY = "use hosts with"
"""How a remedy begins that nothing on the same host can carry out: it is about the processors of other vendors."""

UNTOLD = "libvirt's domain capabilities do not tell"


def support(host: Host, row: Row, qemu: Qemu | None) -> tuple[Answer, Answer, Answer, Answer]:
    """The answers of kernel, hardware, QEMU and libvirt, in this order; `qemu` is the binary that would be used."""
    return _kernel(host, row), _hardware(host, row), _qemu(row, qemu), _libvirt(row, host.libvirt)


def verdict(answers: tuple[Answer, ...], *, libvirt: bool = False) -> Answer:
    """The answer that decides: the first no, else the first unknown, else yes. libvirt counts only if it is used."""
    counted = [answer for answer in answers if libvirt or answer.layer is not Layer.LIBVIRT]
    for state in (State.NO, State.UNKNOWN):
        for answer in counted:
            if answer.state is state:
                return answer
    return counted[0]


def canonical(name: str, qemu: Qemu) -> str | None:
    """The machine type that a QEMU makes of a type or an alias; None where it has neither."""
    for kind in qemu.machines:
        if name in (kind.name, kind.alias):
            return kind.name
    return None


def judge(host: Host, qemu: Qemu | None) -> tuple[Judged, ...]:
    """Every row of the catalog on a host; libvirt answers and does not decide."""
    judged = []
    for row in ROWS:
        answers = support(host, row, qemu)
        judged.append(Judged(row, answers, verdict(answers)))
    return tuple(judged)


def _kernel(host: Host, row: Row) -> Answer:
    kvm = host.kvm
    if not kvm.hyperv:
        return NOT_KNOWN if kvm.hyperv is None else NO_HYPERV
    unknown = row.id in kvm.unseen
    for name in row.caps:
        value = kvm.cap(name)
        if value == 0:
            return Answer(Layer.KERNEL, State.NO, f"KVM does not offer {name}", _kernel_remedy(host, row))
        unknown = unknown or value is None
    if unknown:
        return _cannot_tell(kvm)
    leaves = {leaf.leaf: leaf for leaf in kvm.leaves}
    for bits in row.checks:
        leaf = leaves.get(bits.leaf)
        have = leaf.register(bits.register) if leaf else 0
        if have & bits.mask != bits.mask:
            lacks = " and ".join(name for bit, name in zip(bits.bits, bits.names, strict=True) if not have & (1 << bit))
            return Answer(Layer.KERNEL, State.NO, f"KVM does not report {lacks}", _kernel_remedy(host, row))
    return Answer(Layer.KERNEL, State.YES)


def _cannot_tell(kvm: Kvm) -> Answer:
    if kvm.how == LIBVIRT:
        return Answer(Layer.KERNEL, State.UNKNOWN, UNTOLD, NOT_KNOWN.remedy)
    return Answer(Layer.KERNEL, State.UNKNOWN, "this kernel has no way to tell (before 5.0)", "use a newer kernel")


def _kernel_remedy(host: Host, row: Row) -> str:
    if row.vendors and host.hardware.vendor and host.hardware.vendor not in row.vendors:
        return f"{ONLY} {_vendors(row)} processors for guests that need it"
    steps = [f"boot Linux {row.since_kvm.version} or newer"] if row.since_kvm else []
    if host.hardware.nested is False and row.nested_only:
        # KVM offers a capability where nested is on; CPUID bits it reports in any case, if it knows them.
        steps = [nested_on(host.hardware)] if row.caps else [*steps, nested_on(host.hardware)]
    return " and ".join(steps)


def nested_on(hardware: Hardware) -> str:
    """How nested virtualization is turned on."""
    vendor = hardware.vendor
    return f"load kvm_{vendor if vendor in NESTED_FEATURE else 'intel or kvm_amd'} with nested=1"


def _vendors(row: Row) -> str:
    return " and ".join(VENDOR_NAMES[vendor] for vendor in row.vendors)


def _hardware(host: Host, row: Row) -> Answer:
    facts = host.hardware
    if Need.APICV in row.needs:
        if facts.apicv is None:
            return Answer(Layer.HARDWARE, State.UNKNOWN, "whether APICv/AVIC is active is not known")
        if not facts.apicv:
            remedy = "use a processor with APICv/AVIC, and kvm_intel enable_apicv=1 or kvm_amd avic=1"
            return Answer(Layer.HARDWARE, State.NO, "APICv/AVIC is not active", remedy)
    if row.vendors and facts.vendor and facts.vendor not in row.vendors:
        return Answer(
            Layer.HARDWARE,
            State.NO,
            f"the processor is {VENDOR_NAMES.get(facts.vendor, facts.vendor)}'s",
            f"{ONLY} {_vendors(row)} processors for guests that need it",
        )
    if row.nested_only and facts.nested is False:
        return Answer(Layer.HARDWARE, State.YES, "of no use while nested virtualization is off")
    return Answer(Layer.HARDWARE, State.YES)


def _qemu(row: Row, qemu: Qemu | None) -> Answer:
    if qemu is None:
        return Answer(Layer.QEMU, State.UNKNOWN, "no QEMU binary is known", "name one")
    known = dict(qemu.properties)
    for wanted in row.properties:
        if wanted.name not in known and qemu.partial:
            return Answer(Layer.QEMU, State.UNKNOWN, UNTOLD, NOT_KNOWN.remedy)
        if wanted.name not in known:
            since = f"use QEMU {row.since_qemu.version} or newer" if row.since_qemu else ""
            return Answer(Layer.QEMU, State.NO, f"{qemu.path} does not know {wanted.name}", since)
    return Answer(Layer.QEMU, State.YES)


def _libvirt(row: Row, libvirt: Libvirt | None) -> Answer:
    if row.libvirt is None:
        return Answer(Layer.LIBVIRT, State.NO, "libvirt has no element for it", "use QEMU without libvirt")
    if libvirt is None:
        return Answer(Layer.LIBVIRT, State.UNKNOWN, "which elements its libvirt knows is not known")
    if row.libvirt.path not in libvirt.elements and libvirt.partial:
        return Answer(Layer.LIBVIRT, State.UNKNOWN, UNTOLD, NOT_KNOWN.remedy)
    if row.libvirt.path not in libvirt.elements:
        named = "hyperv mode=" if isinstance(row.libvirt, HypervMode) else row.libvirt.path
        remedy = f"use libvirt {row.libvirt.since} or newer"
        return Answer(Layer.LIBVIRT, State.NO, f"its libvirt does not know {named}", remedy)
    return Answer(Layer.LIBVIRT, State.YES)
