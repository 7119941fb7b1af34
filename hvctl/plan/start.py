"""Whether a guest starts on a host, and what it then sees: QEMU's checks, in its own order and words.

Followed are, one after the other, object_apply_global_props(), x86_cpu_pre_plug(), x86_cpu_realizefn() with
kvm_hyperv_expand_features(), kvm_arch_init_vcpu() and kvm_put_msrs() in qemu:target/i386 and qemu:hw/i386. The texts
were seen from QEMU 7.2 and 10.0, whose words are the same where they are given here.
"""

from collections.abc import Iterator
from typing import NamedTuple

from hvctl.catalog import BY_ID, ROWS, machines
from hvctl.catalog.cpu_models import EVERYWHERE
from hvctl.catalog.roles import PREFIXES
from hvctl.catalog.types import Row
from hvctl.model.guest import HOST_MODELS
from hvctl.model.host import CpuidLeaf, Host, Qemu
from hvctl.model.plan import Plan
from hvctl.plan.cpu import cannot, within_tolerance
from hvctl.plan.cpuid import enables_hyperv, kvm_leaves, passed_through, predict
from hvctl.plan.support import State, canonical, support

_LAST_LEAF = 0x400001FF
# What the CPU of every QEMU has; the others are known from the expansion of CPU model `host`.
_ALWAYS = ("kvm", "enforce", "check", "migratable", "tsc-frequency")
_SYSTEM_IOCTL = "KVM_CAP_SYS_HYPERV_CPUID"
_NO_APIC = "KVM does not support userspace APIC"


class Assigned(NamedTuple):
    """A property that a command line gives to the CPU: its name, how QEMU names the assignment, whether by + or -."""

    name: str
    text: str
    signed: bool = False


class Circumstances(NamedTuple):
    """What decides a start beside the plan.

    `irqchip` is on, split or off; `enforce` whether CPU features that are missing prevent the start; `assigned` are
    QEMU's CPU properties in the order in which it sets them; `doubts` are sentences about what could not be read.
    """

    accelerator: str = "kvm"
    irqchip: str = "on"
    enforce: bool = False
    assigned: tuple[Assigned, ...] = ()
    doubts: tuple[str, ...] = ()


class Start(NamedTuple):
    """A prediction.

    `starts` is None where it cannot be told; `why` says so then, and where QEMU refuses in words that are not known.
    `error` is QEMU's first error message, without the program's name. `leaves` are those with a register that is not
    zero, from 0x40000000 to 0x400001ff, of a guest that starts.
    """

    starts: bool | None
    error: str | None = None
    why: str | None = None
    leaves: tuple[CpuidLeaf, ...] = ()


class _Refusal(NamedTuple):
    error: str | None
    why: str | None = None


_PLAIN = Circumstances()


def predict_start(plan: Plan, host: Host, circumstances: Circumstances = _PLAIN) -> Start:
    """Whether QEMU starts a guest that is configured as the plan says, with the host's first QEMU.

    Args:
        plan: what is written, right or wrong: it need not be resolved for the host.
        host: the host that the guest is to start on.
        circumstances: what else is written.
    """
    doubts: list[str] = []
    for found in _checks(plan, host, circumstances):
        if isinstance(found, str):
            doubts.append(found)
        elif doubts and found.error:
            return Start(False, None, f"QEMU refuses with {found.error!r}, or sooner: {doubts[0]}")
        else:
            return Start(False, found.error, found.why)
    if doubts:
        return Start(None, None, doubts[0])
    return Start(True, leaves=_leaves(plan, host, circumstances))


def _checks(plan: Plan, host: Host, around: Circumstances) -> Iterator[_Refusal | str]:
    """QEMU's checks that fail, in its order; a sentence where one cannot be told."""
    if around.accelerator != "kvm":
        yield f"the accelerator is {around.accelerator}, and hvctl predicts KVM guests only"
        return
    if not host.qemu:
        yield f"no QEMU of {host.label} is known"
        return
    qemu = host.qemu[0]
    enabled = [row for row in _IN_QEMU_ORDER if any(row.id == decision.id for decision in plan.enabled())]
    passed = any(row.takes_all for row in enabled)
    alive = enables_hyperv(plan)
    on = enabled
    if passed and host.kvm.hyperv:
        on = [row for row in _IN_QEMU_ORDER if row in enabled or row.id in passed_through(host)]
    yield from _machine(plan, qemu)
    yield from _named_model(plan, qemu)
    yield from _unknown_properties(plan, qemu, around, signed=False)
    yield from _without_caps(host, enabled, "board_error")
    yield from _unknown_properties(plan, qemu, around, signed=True)
    checks = [*_features(plan, host, on, passed=passed)] if alive and host.kvm.hyperv else []
    early = bool(host.kvm.cap(_SYSTEM_IOCTL))
    yield from checks if early else ()
    yield from _enforced(plan, host, around)
    yield from _irqchip(plan, host, on if alive else [], around)
    yield from _frequency(plan, host)
    yield from checks if not early else ()
    if alive and host.kvm.hyperv is None:
        yield f"whether the KVM of {host.label} emulates Hyper-V is not known"
    if alive and host.kvm.hyperv:
        yield from _without_caps(host, on, "vcpu_error")
    if plan.cpu.model in HOST_MODELS and qemu.expansion is None:
        yield f"whether the KVM of {host.label} can run CPU model {plan.cpu.model} is not known: QEMU was not asked"
    if host.kvm.hyperv is False:
        yield from _msrs(enabled)
    yield from around.doubts


_IN_QEMU_ORDER = tuple(sorted(ROWS, key=lambda row: (row.feature is None, row.feature or 0, row.id)))


def _machine(plan: Plan, qemu: Qemu) -> Iterator[_Refusal | str]:
    name = plan.machine.type
    if not name or canonical(name, qemu):
        return
    if qemu.partial:
        yield f"whether {qemu.path} has machine type {name} is not known"
        return
    told = f"{qemu.path} has no machine type {name}"
    yield _Refusal(None, f"{told}: unsupported machine type, in words that differ between versions of QEMU")


def _named_model(plan: Plan, qemu: Qemu) -> Iterator[_Refusal | str]:
    model = plan.cpu.model
    if model not in (*HOST_MODELS, *EVERYWHERE, *(qemu.models or ())):
        yield f"whether {qemu.path} has CPU model {model} is not known: recorded are those that the host fully supports"


def _unknown_properties(plan: Plan, qemu: Qemu, around: Circumstances, *, signed: bool) -> Iterator[_Refusal | str]:
    """What `-cpu` and `-global` set that this QEMU's CPU does not have; by + and - it is set last."""
    known = {*_ALWAYS, *(name for name, _ in (*qemu.properties, *(qemu.expansion or ())))}
    for one in around.assigned:
        if one.signed is not signed or one.name in known:
            continue
        if qemu.partial or not (qemu.expansion or one.name.startswith(PREFIXES)):
            yield f"whether {qemu.path} has the CPU property {one.name} is not known"
            continue
        missing = f"Property '{plan.cpu.model}-x86_64-cpu.{one.name}' not found"
        yield _Refusal(missing if signed else f"can't apply global {one.text}: {missing}")


def _without_caps(host: Host, on: list[Row], column: str) -> Iterator[_Refusal | str]:
    """The capabilities that QEMU asks for when it makes the board, or turns on in a vCPU."""
    for row in on:
        error = row.board_error if column == "board_error" else row.vcpu_error
        values = [host.kvm.cap(name) for name in row.caps] if error else []
        if 0 in values:
            yield _Refusal(error)
        elif None in values and host.kvm.hyperv is not None:
            yield f"whether the kernel of {host.label} offers {', '.join(row.caps)} is not known"
        elif column == "vcpu_error" and row.unlisted_error:
            yield from _unlisted(host, row)


def _unlisted(host: Host, row: Row) -> Iterator[_Refusal | str]:
    state = _listed(host, row)
    if state is State.NO:
        yield _Refusal(row.unlisted_error)
    if state is State.UNKNOWN:
        yield f"the kernel of {host.label} cannot tell about {row.id}"


def _listed(host: Host, row: Row) -> State:
    """Whether KVM lists a row among what it gives; the capabilities count only when the vCPU is made."""
    return support(host, row._replace(caps=()), None)[0].state


def _features(plan: Plan, host: Host, on: list[Row], *, passed: bool) -> Iterator[_Refusal | str]:
    """kvm_hyperv_expand_features(): for each feature KVM's support, then its requirements, lowest number first.

    Passthrough skips both, except for the requirement that is outside QEMU's table and checked last.
    """
    ids = {row.id for row in on}
    compat = machines.compat(plan.machine.type)
    features = [row for row in on if row.feature is not None]
    if passed and host.kvm.unseen and not (host.qemu and host.qemu[0].passthrough is not None):
        yield f"which enlightenments the kernel of {host.label} passes through is not known"
    for row in () if passed else features:
        state = _listed(host, row)
        if state is State.NO:
            yield _Refusal(f"Hyper-V {row.qemu_name} is not supported by kernel")
        if state is State.UNKNOWN:
            yield f"the kernel of {host.label} cannot tell about {row.id}"
        if not row.requires_unless:
            yield from _missing(row, ids)
    for row in features:
        if row.requires_unless and row.requires_unless not in compat and row.requires_unless not in ids:
            yield from _missing(row, ids)


def _missing(row: Row, ids: set[str]) -> Iterator[_Refusal]:
    lacking = [BY_ID[needed] for needed in row.requires if needed not in ids]
    if lacking:
        first = min(lacking, key=lambda needed: needed.feature or 0)
        yield _Refusal(f"Hyper-V {row.qemu_name} requires Hyper-V {first.qemu_name}")


def _enforced(plan: Plan, host: Host, around: Circumstances) -> Iterator[_Refusal | str]:
    if not around.enforce:
        return
    qemu = host.qemu[0]
    error = "Host doesn't support requested features"
    if any(on and cannot(host, name) for name, on in plan.cpu.features):
        yield _Refusal(error)
    elif plan.cpu.model in HOST_MODELS and not (plan.cpu.features and qemu.expansion is None):
        return
    elif qemu.models is None or qemu.expansion is None:
        yield f"whether the KVM of {host.label} has the CPU features that are asked for is not known"
    elif plan.cpu.model not in (*HOST_MODELS, *qemu.models):
        yield _Refusal(error)


def _irqchip(plan: Plan, host: Host, on: list[Row], around: Circumstances) -> Iterator[_Refusal | str]:
    """QEMU's own interrupt chip: old versions refuse what needs KVM's in a vCPU, after its TSC; newer ones lack it."""
    if around.irqchip != "off":
        return
    needing = (row.vcpu_error for row in on if host.kvm.hyperv and row.irqchip and row.vcpu_error)
    before = next(_frequency(plan, host), None)
    if error := before.error if isinstance(before, _Refusal) else None if before else next(needing, None):
        yield _Refusal(None, f"with kernel-irqchip=off QEMU says {error!r}, newer versions {_NO_APIC!r}")
    else:
        # With kvm-asyncpf-int QEMU 7.2 on Linux 6.1 ends by an assertion (MSR 0x4b564d06), without it it starts.
        yield f"with kernel-irqchip=off newer versions of QEMU say {_NO_APIC!r}, older ones may start"


def _frequency(plan: Plan, host: Host) -> Iterator[_Refusal | str]:
    """kvm_arch_set_tsc_khz(); what QEMU says of it is a warning, the first error is its caller's."""
    wanted, facts = plan.cpu.tsc_frequency, host.hardware
    if not wanted or facts.tsc_scaling:
        return
    if facts.tsc_hz is None:
        yield f"the TSC frequency of {host.label} is not known"
    elif not within_tolerance(wanted, facts.tsc_hz):
        if facts.tsc_scaling is None:
            yield f"whether {host.label} can scale the TSC is not known"
        else:
            yield _Refusal("kvm_init_vcpu: kvm_arch_init_vcpu failed (0): Operation not supported")


def _msrs(enabled: list[Row]) -> Iterator[_Refusal]:
    """What a KVM without Hyper-V does not have and QEMU writes at reset all the same: it ends by an assertion."""
    if writes := sorted(row.at_reset for row in enabled if row.at_reset):
        yield _Refusal(f"error: failed to set MSR {writes[0].msr:#x} to {writes[0].value:#x}")


def _leaves(plan: Plan, host: Host, around: Circumstances) -> tuple[CpuidLeaf, ...]:
    # Without Hyper-V emulation QEMU ignores what is left of the enlightenments.
    seen = plan if host.kvm.hyperv else plan._replace(decisions=())
    found = (*predict(seen, host), *kvm_leaves(seen, host, irqchip=around.irqchip))
    return tuple(leaf for leaf in found if any(leaf[1:]) and leaf.leaf <= _LAST_LEAF)
