"""The guest's CPU: which model the pool can give, and at which TSC frequency."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvctl.catalog import cpu_models
from hvctl.catalog.kvm import TSC_TOLERANCE_PPM
from hvctl.catalog.windows import USES
from hvctl.model.plan import CpuPlan, Decision, Layer, Outcome
from hvctl.model.profile import Migration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hvctl.model.host import Hardware, Host
    from hvctl.model.profile import Profile

NESTED_FEATURE = {"intel": "vmx", "amd": "svm"}


def choose_cpu(profile: Profile, pool: Sequence[Host]) -> tuple[CpuPlan, tuple[Decision, ...]]:
    """The CPU for a pool, and what refuses it."""
    frequency, tsc_refusals = _tsc_frequency(profile, pool)
    features, nested_refusals = _features(profile, pool)
    plan = CpuPlan(profile.cpu.model, profile.cpu.hidden, features, frequency)
    return plan, (*_model(profile, pool), *nested_refusals, *tsc_refusals)


def refusal(what: str, reason: str, layer: Layer, host: str | None = None, remedy: str = "") -> Decision:
    """A refusal about something that is not a catalog row."""
    return Decision(what, Outcome.REFUSED, None, reason, layer, host, "on", remedy)


def within_tolerance(frequency: int, other: int) -> bool:
    """Whether KVM takes two TSC frequencies (Hz) for the same: 250 ppm (kvm_arch_set_tsc_khz)."""
    return abs(frequency - other) * 1_000_000 <= TSC_TOLERANCE_PPM * other


def proposal(pool: Sequence[Host]) -> str | None:
    """The best named CPU model that the first QEMU of every host can give; None where none is known."""
    usable = [set(host.qemu[0].models or ()) for host in pool]
    common = set.intersection(*usable)
    vendors = {host.hardware.vendor or "" for host in pool}
    ranked = cpu_models.PROPOSED.get(vendors.pop(), ()) if len(vendors) == 1 else ()
    return next((model for model in (*ranked, *cpu_models.ANY_VENDOR) if model in common), None)


def _model(profile: Profile, pool: Sequence[Host]) -> tuple[Decision, ...]:
    model = profile.cpu.model
    if model != "host":
        return tuple(
            refusal(
                "cpu",
                f"it cannot give all features of CPU model {model}",
                Layer.HARDWARE,
                host.label,
                _propose(pool),
            )
            for host in pool
            if host.qemu[0].models is not None and model not in host.qemu[0].models
        )
    if len(pool) == 1 or profile.migration is Migration.NONE:
        return ()
    reason = _difference(pool)
    return (refusal("cpu", reason, Layer.MIGRATION, None, _propose(pool)),) if reason else ()


def _propose(pool: Sequence[Host]) -> str:
    model = proposal(pool)
    if model:
        return f"write `cpu: {model}` in the profile: every host can give it"
    return "write a named CPU model in the profile; which ones these hosts can give is not known"


def _difference(pool: Sequence[Host]) -> str:
    """Why CPU model `host` is not the same CPU on all hosts; empty if it is."""
    first = pool[0]
    for host in pool:
        if host.qemu[0].expansion is None or None in _identity(host.hardware):
            return f"CPU model host cannot be compared: the CPU facts of {host.label} are not known"
        if _identity(host.hardware) != _identity(first.hardware):
            return f"CPU model host is another CPU on {host.label} than on {first.label}"
        if host.qemu[0].expansion != first.qemu[0].expansion:
            names = sorted(name for name, _ in {*host.qemu[0].expansion} ^ {*(first.qemu[0].expansion or ())})
            shown = ", ".join(dict.fromkeys(names[:8])) + (", ..." if len(names) > 8 else "")
            return f"CPU model host differs between {first.label} and {host.label}: {shown}"
        if not _same_tsc(host.hardware, first.hardware):
            return f"the TSC frequencies of {first.label} and {host.label} differ and not both can scale"
    return ""


def _identity(hardware: Hardware) -> tuple[object, ...]:
    return hardware.vendor, hardware.family, hardware.model, hardware.stepping


def _same_tsc(one: Hardware, other: Hardware) -> bool:
    if one.tsc_scaling and other.tsc_scaling:
        return True
    return one.tsc_hz is not None and other.tsc_hz is not None and within_tolerance(one.tsc_hz, other.tsc_hz)


def _features(profile: Profile, pool: Sequence[Host]) -> tuple[tuple[tuple[str, bool], ...], tuple[Decision, ...]]:
    features = dict(profile.cpu.features)
    nested = [use.id for use in USES if use.nested and use.id in profile.uses]
    if not nested:
        return tuple(features.items()), ()
    refusals = []
    for host in pool:
        if not host.hardware.nested:
            reason = (
                "nested virtualization is off" if host.hardware.nested is False else "whether nested is on is not known"
            )
            module = f"kvm_{host.hardware.vendor or 'intel or kvm_amd'}"
            remedy = f"load {module} with nested=1"
            refusals.append(refusal("guest.uses", f"{nested[0]}: {reason}", Layer.HARDWARE, host.label, remedy))
    vendors = {host.hardware.vendor for host in pool}
    if profile.cpu.model != "host" and len(vendors) == 1:
        feature = NESTED_FEATURE.get(vendors.pop() or "")
        if feature:
            features.setdefault(feature, True)
    return tuple(features.items()), tuple(refusals)


def _tsc_frequency(profile: Profile, pool: Sequence[Host]) -> tuple[int | None, tuple[Decision, ...]]:
    wanted = profile.tsc_frequency
    if wanted is None:
        return None, ()
    if wanted == "auto":
        first = pool[0].hardware.tsc_hz
        if first is None:
            return None, (
                refusal(
                    "tsc-frequency", "its TSC frequency is not known", Layer.HARDWARE, pool[0].label, "write it in Hz"
                ),
            )
        wanted = first // 1000 * 1000
    return wanted, tuple(
        refusal(
            "tsc-frequency",
            f"it cannot run a guest at {wanted} Hz: {_tsc_state(host.hardware)}",
            Layer.HARDWARE,
            host.label,
            "use hosts with TSC scaling or with the same frequency (within 250 ppm)",
        )
        for host in pool
        if not _can_run_at(host.hardware, wanted)
    )


def _can_run_at(hardware: Hardware, frequency: int) -> bool:
    if hardware.tsc_scaling:
        return True
    return hardware.tsc_hz is not None and within_tolerance(frequency, hardware.tsc_hz)


def _tsc_state(hardware: Hardware) -> str:
    own = f"its own is {hardware.tsc_hz} Hz" if hardware.tsc_hz else "its own frequency is not known"
    return f"{own}, without TSC scaling" if hardware.tsc_scaling is False else f"{own}, TSC scaling is not known"
