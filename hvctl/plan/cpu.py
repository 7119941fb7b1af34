"""The guest's CPU: which model and features the pool can give, and at which TSC frequency."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from hvctl.catalog.cpu_models import (
    NESTED_FEATURE,
    ON_REQUEST,
    PLAIN,
    PROPOSED,
    VENDOR_NAMES,
    lacking,
    level,
    turned_off,
    unknown_to_libvirt,
)
from hvctl.catalog.kvm import TSC_TOLERANCE_PPM
from hvctl.catalog.windows import USES, system_of
from hvctl.model.host import Hardware, Host, Scalar
from hvctl.model.plan import CpuPlan, Decision, Layer, Outcome
from hvctl.model.profile import Migration, Profile, cpu_in_profile
from hvctl.plan.support import nested_on

Features = tuple[tuple[str, bool], ...]

_ONE_VENDOR = "make a pool of the hosts of one vendor"
_NESTING = " or ".join(VENDOR_NAMES[vendor] for vendor in NESTED_FEATURE)


def choose_cpu(
    profile: Profile, pool: Sequence[Host], *, libvirt: bool = False
) -> tuple[CpuPlan, tuple[Decision, ...]]:
    """The CPU for a pool, and what refuses it; with `libvirt` also what a domain XML cannot say of it."""
    frequency, tsc = _tsc_frequency(profile, pool)
    features, nested = _nested_features(profile, pool)
    plan = CpuPlan(profile.cpu.model, profile.cpu.hidden, features, frequency)
    refusals = [*_needed_features(profile), *_unknown_features(profile, features, pool), *nested, *tsc]
    if libvirt:
        refusals += _not_libvirts(features)
    moves = len(pool) > 1 and profile.migration is Migration.REQUIRED
    if moves and frequency is None:
        refusals += apart(pool)
    vendors = vendors_apart(pool) if moves else []
    return plan, (*vendors, *_model(profile, pool, moves=moves), *refusals)


def refusal(what: str, reason: str, layer: Layer, host: str | None = None, remedy: str = "") -> Decision:
    """A refusal about something that is not a catalog row."""
    return Decision(what, Outcome.REFUSED, None, reason, layer, host, "on", remedy)


def within_tolerance(frequency: int, other: int) -> bool:
    """Whether KVM takes two TSC frequencies (Hz) for the same: 250 ppm (kvm_arch_set_tsc_khz)."""
    return abs(frequency - other) * 1_000_000 <= TSC_TOLERANCE_PPM * other


class Candidate(NamedTuple):
    """A named CPU model that every host can give. `level` is its x86-64 level, `lacks` the features that every host has
    and the model does not, sorted; None where that is not known."""

    model: str
    level: int | None
    lacks: tuple[str, ...] | None


def candidates(pool: Sequence[Host]) -> tuple[Candidate, ...]:
    """The named CPU models that the first QEMU of every host can give, the best first; QEMU's default only alone."""
    common = _common_models(pool)
    found = [model for model in common if model != PLAIN] or common
    if not found:
        return ()
    from hvctl.catalog.cpu_features import features_of, known_features

    expansions = [host.qemu[0].expansion for host in pool]
    known = None not in expansions
    every = set.intersection(*({name for name, value in one or () if value is True} for one in expansions))
    every &= known_features()
    return tuple(
        Candidate(model, level(model), tuple(sorted(every - has)) if known and has is not None else None)
        for model in found
        for has in [features_of(model)]
    )


def proposal(pool: Sequence[Host], least: int = 1) -> tuple[str, tuple[str, ...]] | None:
    """The best named CPU model that the first QEMU of every host can give, and the features that it lacks of an x86-64
    level and every host is known to give beside it; None where there is no such model."""
    common = _common_models(pool)
    for model in common:
        if not lacking(model, (), least):
            return model, ()
    for model in common:
        missing = lacking(model, (), least)
        if all(_gives(host, name) for host in pool for name in missing):
            return model, missing
    return None


def _gives(host: Host, feature: str) -> bool:
    return _expanded(dict(host.qemu[0].expansion or ()), feature) is True


def _common_models(pool: Sequence[Host]) -> list[str]:
    if not pool:
        return []
    common = set.intersection(*(set(host.qemu[0].models or ()) for host in pool))
    vendors = {host.hardware.vendor or "" for host in pool}
    ranked = PROPOSED.get(vendors.pop(), ()) if len(vendors) == 1 else ()
    return [model for model in (*ranked, PLAIN) if model in common]


def vendors_apart(pool: Sequence[Host]) -> list[Decision]:
    """With KVM every CPU model, a named one too, has the host's vendor (qemu:target/i386/host-cpu.c)."""
    vendors = sorted({host.hardware.vendor or "unknown" for host in pool})
    if vendors in (["amd"], ["intel"]) or (len(vendors) == 1 and vendors != ["unknown"]):
        return []
    named = " and ".join(VENDOR_NAMES.get(vendor, vendor) for vendor in vendors)
    reason = f"the processors are from {named}, and no CPU model hides that from a guest that migrates"
    return [refusal("cpu", reason, Layer.MIGRATION, None, _ONE_VENDOR)]


def _model(profile: Profile, pool: Sequence[Host], *, moves: bool) -> list[Decision]:
    model, least = profile.cpu.model, system_of(profile.os).level
    # A domain's own model stays: whoever runs it may have an older one, and a note says what this one needs.
    if "cpu.model" in dict(profile.spans) and (reason := unbootable(profile)):
        return [refusal("cpu", reason, Layer.GUEST, None, instead_of_model(profile, pool))]
    if model != "host":
        reason = f"it cannot give all features of CPU model {model}"
        return [
            refusal("cpu", reason, Layer.HARDWARE, host.label, propose(pool, least))
            for host in pool
            if host.qemu[0].models is not None and model not in host.qemu[0].models
        ]
    reason = difference(pool) if moves else ""
    return [refusal("cpu", reason, Layer.MIGRATION, None, propose(pool, least))] if reason else []


def instead_of_model(profile: Profile, pool: Sequence[Host]) -> str:
    """What to write instead of a named CPU model on which the profile's system does not boot, as a sentence."""
    moves = len(pool) > 1 and profile.migration is Migration.REQUIRED
    if moves and difference(pool):
        return propose(pool, system_of(profile.os).level)
    return f"write {cpu_in_profile('host')}"


def unbootable(profile: Profile) -> str:
    """Why the profile's system does not boot on its CPU model, as a sentence; empty where it does or nobody knows."""
    system, model = system_of(profile.os), profile.cpu.model
    missing = lacking(model, profile.cpu.features, system.level)
    return f"{system.title} does not boot on CPU model {model}, which lacks {' and '.join(missing)}" if missing else ""


def propose(pool: Sequence[Host], least: int = 1, write: Callable[[str, Sequence[str]], str] = cpu_in_profile) -> str:
    """What to write instead of a CPU model that a pool cannot give, or that lacks something, as a sentence.

    Args:
        pool: the hosts.
        least: the x86-64 level that the guest needs to boot.
        write: what names a model, and features to turn on, where the guest's is written.
    """
    found = proposal(pool, least)
    if found is None:
        return "name a CPU model that every host can give; hvctl knows of none to propose"
    few = ", though it has few features" if found[0] == PLAIN else ""
    return f"write {write(*found)}: every host can give it{few}"


def comparable(host: Host) -> bool:
    """Whether enough is known of a host to say what CPU model `host` is there."""
    return host.qemu[0].expansion is not None and None not in _identity(host.hardware)


def difference(pool: Sequence[Host]) -> str:
    """Why CPU model `host` is not the same CPU on all hosts; empty if it is."""
    first = pool[0]
    for host in pool:
        if not comparable(host):
            return f"CPU model host cannot be compared: the CPU facts of {host.label} are not known"
        if _identity(host.hardware) != _identity(first.hardware):
            return f"CPU model host is another CPU on {host.label} than on {first.label}"
    expansions = [dict(host.qemu[0].expansion or ()) for host in pool]
    names = _unlike(expansions)
    if not names:
        return ""
    values = [expansion.get(names[0], False) for expansion in expansions]
    one = next(place for place, value in enumerate(values) if value is not False)
    others = [place for place, value in enumerate(values) if value != values[one]]
    counted = (place for place in others if isinstance(values[one], bool) or values[place] is not False)
    other = next(counted, others[0])
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    between = " and ".join(pool[place].label for place in sorted((one, other)))
    return f"CPU model host differs between {between}: {shown}"


def _unlike(expansions: Sequence[dict[str, Scalar]]) -> list[str]:
    """The names in which expansions differ for a guest.

    A feature that is off is like one that an older QEMU does not know; a number or text counts where it is known.
    QEMU's own switches, `x-`, follow the machine type (qemu:hw/i386/pc.c, pc_compat_*), which is the same everywhere.
    """
    found = []
    for name in {name for expansion in expansions for name in expansion if not name.startswith("x-")}:
        values = {expansion[name] for expansion in expansions if name in expansion}
        if all(isinstance(value, bool) for value in values):
            values = {expansion.get(name, False) for expansion in expansions}
        if len(values) > 1:
            found.append(name)
    return sorted(found)


def _identity(hardware: Hardware) -> tuple[object, ...]:
    return hardware.vendor, hardware.family, hardware.model, hardware.stepping


def _needed_features(profile: Profile) -> list[Decision]:
    """Features that the guest's system does not boot without, and that are off."""
    system = system_of(profile.os)
    without = f"{system.title} does not boot without {{}}, which is off".format
    off = turned_off(profile.cpu.features, system.level)
    return [refusal("cpu.features", without(name), Layer.GUEST, None, _off(name)) for name in off]


def _off(feature: str) -> str:
    return f"leave `{feature}: off` out"


def _unknown_features(profile: Profile, features: Features, pool: Sequence[Host]) -> list[Decision]:
    """Features that a host's QEMU does not know, or its KVM cannot turn on, as far as `host` was expanded there."""
    found = []
    written, uses = dict(profile.cpu.features), " and ".join(_nested_uses(profile))
    for host in pool:
        known = dict(host.qemu[0].expansion or ())
        for name, on in features if known else ():
            remedy = "leave it out" if name in written else f"leave {uses} out of `guest.uses`"
            if _expanded(known, name) is None:
                reason = f"its QEMU knows no CPU feature {name}"
                found.append(refusal("cpu.features", reason, Layer.QEMU, host.label, remedy))
            elif on and cannot(host, name):
                reason = f"its KVM cannot give CPU feature {name}"
                found.append(refusal("cpu.features", reason, Layer.HARDWARE, host.label, remedy))
    return found


def _not_libvirts(features: Features) -> list[Decision]:
    """Switches of QEMU's -cpu that libvirt takes for no `<feature>`: it would not start the guest."""
    return [
        refusal("cpu.features", f"{name}: {why}", Layer.LIBVIRT, None, "leave it out")
        for name, _ in features
        if (why := unknown_to_libvirt(name))
    ]


def cannot(host: Host, feature: str) -> bool:
    """Whether a host's KVM is known not to give a feature: CPU model `host` was expanded there, and is without it."""
    known = dict(host.qemu[0].expansion or ()) if host.qemu else {}
    return _expanded(known, feature) is False and feature.replace("_", "-") not in ON_REQUEST


def _expanded(expansion: dict[str, Scalar], feature: str) -> Scalar | None:
    return expansion.get(feature, expansion.get(feature.replace("_", "-")))


def _nested_features(profile: Profile, pool: Sequence[Host]) -> tuple[Features, list[Decision]]:
    """The features with what nested uses add to a named model, and the hosts that cannot run nested guests."""
    features = dict(profile.cpu.features)
    nested = next(iter(_nested_uses(profile)), None)
    if nested is None:
        return tuple(features.items()), []
    refusals = [
        refusal("guest.uses", f"{nested}{reason}", Layer.HARDWARE, host.label, remedy)
        for host in pool
        for reason, remedy in _against_nesting(host.hardware, features)
    ]
    vendors = {host.hardware.vendor or "" for host in pool}
    if profile.cpu.model != "host":
        if len(vendors) > 1:
            reason = f"{nested}: the processors are from several vendors"
            refusals.append(refusal("guest.uses", reason, Layer.HARDWARE, None, _ONE_VENDOR))
        elif feature := NESTED_FEATURE.get(*vendors):
            features.setdefault(feature, True)
    return tuple(features.items()), refusals


def _nested_uses(profile: Profile) -> list[str]:
    return [use.id for use in USES if use.nested and use.id in profile.uses]


def _against_nesting(hardware: Hardware, features: dict[str, bool]) -> Iterator[tuple[str, str]]:
    """Each reason why a host runs no nested guests, and its remedy; all of them, so that none waits behind another."""
    feature = NESTED_FEATURE.get(hardware.vendor or "")
    if feature is None:
        known = hardware.vendor is not None
        yield ": unknown CPU vendor", f"use a host with a processor of {_NESTING}" if known else "record the host again"
    if not hardware.nested:
        state = "nested virtualization is off" if hardware.nested is False else "whether nested is on is not known"
        yield f": {state}", nested_on(hardware)
    if feature and features.get(feature) is False:
        yield f" needs CPU feature {feature}, which is off", _off(feature)


def _tsc_frequency(profile: Profile, pool: Sequence[Host]) -> tuple[int | None, list[Decision]]:
    wanted = profile.tsc_frequency
    if wanted is None:
        return None, []
    if wanted == "auto":
        # A host that may be unable to scale must tell it, whatever is written.
        unknown = sorted(
            (one for one in pool if one.hardware.tsc_hz is None), key=lambda one: one.hardware.tsc_scaling or False
        )
        if unknown:
            remedy = "write it in Hz" if unknown[0].hardware.tsc_scaling else _RECORD
            reason = "its TSC frequency is not known"
            return None, [refusal("tsc-frequency", reason, Layer.HARDWARE, unknown[0].label, remedy)]
        wanted = _common_frequency(pool)
    return wanted, [
        refusal(
            "tsc-frequency",
            f"it cannot run a guest at {wanted} Hz: {_tsc_state(host.hardware)}",
            Layer.HARDWARE,
            host.label,
            "use hosts with TSC scaling or with the same frequency (within 250 ppm)",
        )
        for host in pool
        if not _can_run_at(host.hardware, wanted)
    ]


def _common_frequency(pool: Sequence[Host]) -> int:
    """The middle of the frequencies of those hosts that cannot scale, in whole kHz as KVM counts; in Hz."""
    fixed = [host for host in pool if not host.hardware.tsc_scaling] or list(pool)
    known = [host.hardware.tsc_hz for host in fixed if host.hardware.tsc_hz is not None]
    return (min(known) + max(known)) // 2 // 1000 * 1000


def _can_run_at(hardware: Hardware, frequency: int) -> bool:
    if hardware.tsc_scaling:
        return True
    return hardware.tsc_hz is not None and within_tolerance(frequency, hardware.tsc_hz)


def apart(pool: Sequence[Host]) -> list[Decision]:
    """Without tsc-frequency a guest runs at the first host's frequency, whichever that is, on every other one."""
    if all(host.hardware.tsc_scaling for host in pool):
        return []
    known = [host for host in pool if host.hardware.tsc_hz is not None]
    unknown = next((host for host in pool if host.hardware.tsc_hz is None), None)
    if unknown:
        return [refusal("tsc-frequency", "its TSC frequency is not known", Layer.HARDWARE, unknown.label, _RECORD)]
    slow = min(known, key=lambda host: host.hardware.tsc_hz or 0)
    fast = max(known, key=lambda host: host.hardware.tsc_hz or 0)
    if within_tolerance(fast.hardware.tsc_hz or 0, slow.hardware.tsc_hz or 1):
        return []
    reason = f"the TSC frequencies of {slow.label} and {fast.label} differ, and not every host can scale"
    remedy = "write `tsc-frequency` where all hosts but those of that frequency can scale, or leave hosts out"
    return [refusal("tsc-frequency", reason, Layer.MIGRATION, None, remedy)]


_RECORD = "record the host again where KVM_GET_TSC_KHZ answers"


def _tsc_state(hardware: Hardware) -> str:
    own = f"its own is {hardware.tsc_hz} Hz" if hardware.tsc_hz else "its own frequency is not known"
    return f"{own}, without TSC scaling" if hardware.tsc_scaling is False else f"{own}, TSC scaling is not known"
