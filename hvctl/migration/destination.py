"""What a target cannot give a guest that arrives, but for its TSC."""

from collections.abc import Iterable, Iterator

from hvctl.catalog import BY_ID, machines
from hvctl.catalog.cpu_models import NESTED_FEATURE, VENDOR_NAMES, lacking
from hvctl.catalog.roles import PREFIXES, enclosing
from hvctl.catalog.types import Need, Row
from hvctl.migration.differences import SAME, Effect, Journey, Reason, differences, leaves_apart
from hvctl.model.guest import HOST_MODELS, Guest
from hvctl.model.host import Host, Qemu
from hvctl.model.plan import Layer
from hvctl.plan.cpu import cannot, comparable, difference, propose
from hvctl.plan.support import NO_HYPERV, Answer, State, canonical, nested_on, support


def at_destination(journey: Journey, target: Host) -> tuple[Reason, ...]:
    """What is wrong with a target but for its TSC."""
    if not target.qemu:
        text, remedy = "no QEMU is known there", "record the host again with its QEMU"
        return (Reason(Effect.UNKNOWN, "qemu", text, Layer.QEMU, remedy),)
    machine = tuple(_machine(journey, target.qemu[0]))
    nested = tuple(_nested_state(journey, target))
    worse = {reason.id for reason in nested}
    cpu = (reason for reason in _cpu(journey, target) if reason.id not in worse)
    found = (*_enlightenments(journey.arriving, target), *cpu, *nested)
    changed = tuple(reason for reason in differences(journey) if reason.id not in worse)
    # A machine type of its own has defaults of its own, and such a migration comes to nothing.
    leaves = (
        ()
        if changed or nested or any(reason.effect is Effect.FAILS for reason in machine)
        else leaves_apart(journey, target)
    )
    return (*machine, *found, *changed, *leaves, *_unbootable(journey, target))


def _machine(journey: Journey, qemu: Qemu) -> Iterator[Reason]:
    here, there = journey.guest.machine, journey.arriving.machine
    if reason := journey.guest.unknown.get("machine"):
        text = f"the machine type is {here}: {reason}; whether the QEMU there has that type is not known"
        yield Reason(Effect.UNKNOWN, "machine", text, Layer.KUBEVIRT)
        return
    if here is None or there is None:
        text = "the guest has QEMU's default machine type"
        yield Reason(Effect.UNKNOWN, "machine", text, Layer.QEMU, "name a versioned one")
        return
    arrives_as = canonical(there, qemu)
    if arrives_as is None:
        text, remedy = f"its QEMU has no machine type {there}", "use a machine type that both QEMUs have"
        yield Reason(Effect.FAILS, "machine", text, Layer.QEMU, remedy, "unsupported machine type")
        return
    known = journey.source.qemu[0].machines if journey.source.qemu else ()
    if here in machines.FAMILIES and not known:
        text = f"which machine type {here} is at the source is not known"
        yield Reason(Effect.UNKNOWN, "machine", text, Layer.QEMU, "name a versioned one")
        return
    leaves_as = (canonical(here, journey.source.qemu[0]) if known else None) or here
    if leaves_as != arrives_as:
        text = f"{_named(here, leaves_as)} at the source and {_named(there, arrives_as)} there"
        remedy = "start the guest with a versioned machine type, on both hosts the same"
        error = f"Machine type received is '{leaves_as}' and local is '{arrives_as}'"
        yield Reason(Effect.FAILS, "machine", text, Layer.QEMU, remedy, error)


def _named(name: str, meant: str) -> str:
    return name if name == meant else f"{name}, which is {meant},"


def _enlightenments(guest: Guest, target: Host) -> Iterator[Reason]:
    on = [BY_ID[row_id] for row_id in guest.enabled()]
    alive = any(row.enables_hyperv for row in on)
    if alive and target.kvm.hyperv is False:
        yield _no_hyperv(on, target)
    # libvirt writes no property for what is off, QEMU looks for each that is written.
    written = on if guest.libvirt or guest.seen is not None else [setting.row for setting in guest.in_order()]
    enabled = guest.enabled()
    for row in written:
        layers = support(target, row, target.qemu[0])
        yield from _property(row, layers[2], target.qemu[0])
        if row.id in enabled and alive and target.kvm.hyperv is not False and layers[2].state is not State.NO:
            yield from _row(row, layers)
        if row.id in enabled and guest.libvirt and row.libvirt:
            yield from _libvirt(row, layers[3])
    known = dict(target.qemu[0].properties)
    for name, _ in guest.properties:
        # Of enlightenments that hvctl does not know a host file has the names.
        if name.startswith(PREFIXES) and name not in known and not target.qemu[0].partial:
            text = f"its QEMU does not know {name}"
            yield Reason(Effect.FAILS, name, text, Layer.QEMU, "", f".{name}' not found")


def _no_hyperv(rows: Iterable[Row], target: Host) -> Reason:
    """What QEMU does there depends on what it has to set for the guest: it stops at some, and ignores the rest."""
    stops = any(target.kvm.cap(cap) == 0 for row in rows if row.enables_hyperv for cap in row.caps)
    does = "does not start" if stops else "ignores what the guest has, or aborts"
    effect = Effect.FAILS if stops else Effect.CHANGES
    text = f"{NO_HYPERV.reason}: QEMU there {does}"
    return Reason(effect, "kvm", text, Layer.KERNEL, NO_HYPERV.remedy)


def _property(row: Row, answer: Answer, qemu: Qemu) -> Iterator[Reason]:
    """QEMU looks a property up before it asks KVM, and refuses."""
    if answer.state is State.NO:
        known = dict(qemu.properties)
        name = next(one.name for one in row.properties if one.name not in known)
        yield Reason(
            Effect.FAILS, row.id, f"its QEMU does not know {name}", Layer.QEMU, answer.remedy, f".{name}' not found"
        )


def _row(row: Row, layers: tuple[Answer, Answer, Answer, Answer]) -> Iterator[Reason]:
    """QEMU asks KVM for most rows by the CPUID bits, and refuses."""
    kernel, hardware, qemu, _ = layers
    if kernel.state is State.NO:
        error = f"Hyper-V {row.qemu_name} is not supported by kernel" if row.checks else ""
        yield Reason(Effect.FAILS, row.id, kernel.reason, Layer.KERNEL, kernel.remedy, error)
    if hardware.state is State.NO and Need.APICV in row.needs:
        text = f"{hardware.reason}: the guest relies on what is not there, and is slower"
        yield Reason(Effect.CHANGES, row.id, text, Layer.HARDWARE, hardware.remedy)
    for answer in (kernel, hardware, qemu):
        if answer.state is State.UNKNOWN:
            yield Reason(Effect.UNKNOWN, row.id, answer.reason, answer.layer, answer.remedy)


def _libvirt(row: Row, answer: Answer) -> Iterator[Reason]:
    inner = enclosing(row) is not None
    if answer.state is State.UNKNOWN:
        yield Reason(Effect.UNKNOWN, row.id, answer.reason, Layer.LIBVIRT, answer.remedy)
    elif answer.state is State.NO and inner:
        # libvirt's parser passes over elements inside others that it does not know (virDomainFeaturesHyperVDefParse()).
        text = f"{answer.reason}, and drops it without a word; its check of the ABI does not look at it"
        yield Reason(Effect.CHANGES, row.id, text, Layer.LIBVIRT, answer.remedy)
    elif answer.state is State.NO:
        error = "unsupported HyperV Enlightenment feature"
        yield Reason(Effect.FAILS, row.id, answer.reason, Layer.LIBVIRT, answer.remedy, error)


def _cpu(journey: Journey, target: Host) -> Iterator[Reason]:
    vendors = journey.source.hardware.vendor, target.hardware.vendor
    if None in vendors:
        text = "the vendor of a processor is not known"
        yield Reason(Effect.UNKNOWN, "cpu", text, Layer.HARDWARE, "record that host again")
    elif vendors[0] != vendors[1]:
        named = " and ".join(VENDOR_NAMES.get(vendor or "", vendor or "") for vendor in vendors)
        text = f"the processors are from {named}, and no CPU model hides that"
        yield Reason(Effect.CHANGES, "cpu", text, Layer.HARDWARE, "choose a host with a processor of the same vendor")
        return
    model = journey.arriving.cpu
    if model is None:
        yield Reason(Effect.UNKNOWN, "cpu", "the guest's CPU model is not known", Layer.PROFILE, "name one")
    elif model not in HOST_MODELS:
        yield from _named_model(journey, model, target)
    elif model == journey.guest.cpu:
        yield from _host_model(journey, model, target)


def _nested_state(journey: Journey, target: Host) -> Iterator[Reason]:
    """A CPU without vmx or svm has no room for what KVM keeps of a guest that runs a hypervisor, and QEMU does not
    check whether there is any (qemu:target/i386/machine.c, vmstate_nested_state; observed with QEMU 7.2 and 10.0). On
    AMD there is something to keep only while a guest of the hypervisor runs."""
    name = NESTED_FEATURE.get(journey.source.hardware.vendor or "")
    if name is None or not _has(journey.guest, journey.source, name):
        return
    there = journey.arriving
    refuses = there.enforce and dict(there.features).get(name) and cannot(target, name)
    if _has(there, target, name) is False and not refuses:
        text = "the guest's CPU has it, and not there: if the guest runs a hypervisor, the destination dies"
        layer, remedy = (Layer.HARDWARE, nested_on(target.hardware)) if cannot(target, name) else (Layer.QEMU, SAME)
        error = "vmstate_load_state: Assertion `first_elem || !n_elems || !size' failed"
        yield Reason(Effect.LOST, f"cpu.features.{name}", text, layer, remedy, error)


def _has(guest: Guest, host: Host, name: str) -> bool | None:
    """Whether a guest's CPU has vmx or svm on a host, which KVM adds to no named model; None if that is not known."""
    if guest.seen is not None:
        return {"on": True, "off": False}.get(dict(guest.seen).get(name, ""))
    if guest.cpu is None:
        return None
    return dict(guest.features).get(name, guest.cpu in HOST_MODELS) and not cannot(host, name)


def _propose(journey: Journey, pool: tuple[Host, ...]) -> str:
    guest = journey.arriving
    return propose(pool, guest.release.level if guest.release else 1, guest.cpu_syntax)


def _unbootable(journey: Journey, target: Host) -> Iterator[Reason]:
    """A guest that has booted has another release than is known of it, or was given this model for its next start."""
    guest = journey.arriving
    system = guest.release
    missing = lacking(guest.cpu, guest.features, system.level) if system else ()
    if system and missing:
        older = " (one older than 24H2 does)" if system.sockets else ""
        text = f"{system.title} does not boot on CPU model {guest.cpu}, which lacks {' and '.join(missing)}{older}"
        pool = tuple(host for host in (journey.source, target) if host.qemu)
        yield Reason(Effect.NOTE, "cpu", text, Layer.GUEST, _propose(journey, pool))


def _host_model(journey: Journey, model: str, target: Host) -> Iterator[Reason]:
    source = journey.source
    if not source.qemu:
        text = "no QEMU is known at the source"
        yield Reason(Effect.UNKNOWN, "cpu", text, Layer.QEMU, "record the host again with its QEMU")
        return
    pair = (source._replace(name="the source"), target._replace(name="the target"))
    if text := difference(pair):
        effect = Effect.CHANGES if all(comparable(host) for host in pair) else Effect.UNKNOWN
        text = text.replace("model host", f"model {model}")
        yield Reason(effect, "cpu", text, Layer.HARDWARE, _propose(journey, pair))


def _named_model(journey: Journey, model: str, target: Host) -> Iterator[Reason]:
    """Without enforce QEMU warns, and leaves out what the host does not have (x86_cpu_filter_features())."""
    enforce = journey.arriving.enforce
    effect = Effect.FAILS if enforce else Effect.CHANGES
    what = "and QEMU refuses to start" if enforce else "and QEMU leaves them out with a warning only"
    error = "Host doesn't support requested features" if enforce else "host doesn't support requested feature"
    models = target.qemu[0].models
    if models is None:
        text = f"whether it can give CPU model {model} is not known"
        yield Reason(Effect.UNKNOWN, "cpu", text, Layer.HARDWARE, "record the host again where QEMU can use KVM")
    elif model not in models:
        text = f"it cannot give all features of CPU model {model}, {what}"
        yield Reason(effect, "cpu", text, Layer.HARDWARE, _propose(journey, (target,)), error)
    seen = [name for name, value in journey.arriving.seen or () if value == "on"]
    for name in (*(name for name, on in journey.arriving.features if on), *seen):
        if cannot(target, name) and not cannot(journey.source, name):
            text = f"its KVM cannot give it, {what.replace('them', 'it')}"
            yield Reason(effect, f"cpu.features.{name}", text, Layer.HARDWARE, "leave it out", error)
