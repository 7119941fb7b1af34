"""The hypervisor's CPUID leaves that the guest of a plan will see, bit for bit.

Follows qemu:target/i386/kvm/kvm.c hyperv_fill_cpuids() and kvm_hyperv_expand_features(), from the catalog's columns.
Leaves beyond the highest announced one are not predicted: what a processor answers there depends on its vendor.
"""

from collections import defaultdict

from hvctl.catalog import BY_ID, ROWS, kvm, machines, parse_version
from hvctl.catalog.cpu_models import INVARIANT_TSC
from hvctl.catalog.types import Field, Kind, Property
from hvctl.model.guest import HOST_MODELS
from hvctl.model.host import CpuidLeaf, Host
from hvctl.model.plan import Plan

Registers = defaultdict[tuple[int, str], int]

_KVM_SIGNATURE = (0x4B4D564B, 0x564B4D56, 0x4D)  # "KVMKVMKVM\0\0\0"


def predict(plan: Plan, host: Host) -> tuple[CpuidLeaf, ...]:
    """The leaves 0x40000000 and up that a guest of the plan sees on a host, ascending.

    The host matters only for what takes its values from KVM: passthrough and the value `auto`. KVM's own leaf is
    predicted as far as its signature; `kvm_leaves` has those after it.
    """
    enabled = {decision.id: decision.value for decision in plan.enabled()}
    if not enables_hyperv(plan):
        if plan.cpu.hidden:
            return ()
        last = kvm.VMWARE_FREQUENCIES if _known_khz(plan, host) else kvm.KVM_CPUID_SIGNATURE + 1
        return (_kvm_leaf(kvm.KVM_CPUID_SIGNATURE, last),)
    registers: Registers = defaultdict(int)
    values = _property_values(plan)
    if passed := any(BY_ID[row_id].takes_all for row_id in enabled):
        _take_from_kvm(registers, host, values)
    else:
        registers[kvm.HV_CPUID_INTERFACE, "eax"] = kvm.HV_INTERFACE_SIGNATURE
        registers[kvm.HV_CPUID_IMPLEMENT_LIMITS, "ebx"] = kvm.HYPERV_LIMITS_EBX
        _write_fields(registers, values)
    on = {*enabled, *passed_through(host)} if passed else {*enabled}
    on |= {name for name, value in machines.compat(plan.machine.type).items() if value is True}
    _set_bits(registers, on, {row_id for row_id, value in enabled.items() if value == "auto"}, host)
    leaves = _leaves(registers, on)
    own = kvm.KVM_CPUID_SIGNATURE_NEXT
    return leaves if plan.cpu.hidden else (*leaves, _kvm_leaf(own, own + 1))


def enables_hyperv(plan: Plan) -> bool:
    """Whether something of the plan makes QEMU announce Hyper-V at all."""
    return any(BY_ID[decision.id].enables_hyperv for decision in plan.enabled())


def is_kvm(leaf: CpuidLeaf) -> bool:
    """Whether a leaf is the one with KVM's signature."""
    return leaf[2:] == _KVM_SIGNATURE


def kvm_leaves(plan: Plan, host: Host, *, irqchip: str = "on") -> tuple[CpuidLeaf, ...]:
    """The leaves after KVM's signature: its features, where the host file has what CPU model `host` has of them, and
    VMware's frequencies.

    Args:
        plan: as in `predict`.
        host: as in `predict`.
        irqchip: where the interrupt chip is: on (in KVM), split or off.
    """
    if plan.cpu.hidden:
        return ()
    found = []
    base = kvm.KVM_CPUID_SIGNATURE_NEXT if enables_hyperv(plan) else kvm.KVM_CPUID_SIGNATURE
    expansion = host.qemu[0].expansion if host.qemu else None
    if expansion is not None and plan.cpu.model in HOST_MODELS:
        # QEMU adds or takes away what depends on the interrupt chip (kvm_arch_get_supported_cpuid).
        chip = {"kvm-msi-ext-dest-id": irqchip == "split", **({"kvm-pv-unhalt": False} if irqchip == "off" else {})}
        has = {**dict(expansion), **chip}
        asked = {**has, **machines.compat(plan.machine.type, machines.KVM_COMPAT), **dict(plan.cpu.features)}
        on = [bit for name, bits in kvm.KVM_FEATURES.items() if has.get(name) and asked[name] for bit in bits]
        hint = int(dict(plan.cpu.features).get("kvm-hint-dedicated", False))
        found.append(CpuidLeaf(base + 1, sum(1 << bit for bit in on), 0, 0, hint))
    khz = _known_khz(plan, host)
    if khz and base == kvm.KVM_CPUID_SIGNATURE:
        found.append(CpuidLeaf(kvm.VMWARE_FREQUENCIES, khz, kvm.APIC_BUS_KHZ))
    return tuple(found)


def _known_khz(plan: Plan, host: Host) -> int:
    """The guest's TSC frequency where QEMU announces it; 0 elsewhere."""
    features = dict(plan.cpu.features)
    compat = machines.compat(plan.machine.type, machines.KVM_COMPAT)
    announces = {"vmware-cpuid-freq": True, **compat, **features}["vmware-cpuid-freq"]
    hertz = plan.cpu.tsc_frequency or (host.hardware.tsc_hz if features.get(INVARIANT_TSC) else None) or 0
    return hertz // 1000 if announces else 0


def _kvm_leaf(base: int, last: int) -> CpuidLeaf:
    return CpuidLeaf(base, last, *_KVM_SIGNATURE)


def _property_values(plan: Plan) -> dict[str, int | str]:
    """The value of every property that has a CPUID field: QEMU's default, the machine type's, the plan's."""
    values: dict[str, int | str] = {
        known.name: known.default for row in ROWS for known in row.properties if known.field
    }
    values.update({name: value for name, value in machines.compat(plan.machine.type).items() if name in values})
    for decision in plan.enabled():
        row = BY_ID[decision.id]
        if decision.value is None:
            continue
        if row.kind is Kind.VERSION:
            parts = parse_version(str(decision.value))
            values.update({known.name: part for known, part in zip(row.properties, parts, strict=True)})
        else:
            values.update({known.name: decision.value for known in row.properties if known.field})
    return values


def _fields() -> list[tuple[Property, Field]]:
    return [(known, known.field) for row in ROWS for known in row.properties if known.field]


def _write_fields(registers: Registers, values: dict[str, int | str]) -> None:
    for known, field in _fields():
        value = values[known.name]
        if isinstance(value, str):  # the vendor id: EBX, ECX, EDX in this order
            text = value.encode().ljust(field.width // 8, b"\0")
            for position, register in enumerate(kvm.REGISTERS[1:]):
                registers[field.leaf, register] = int.from_bytes(text[4 * position : 4 * position + 4], "little")
        else:
            registers[field.leaf, field.register] |= (value & ((1 << field.width) - 1)) << field.shift


def _take_from_kvm(registers: Registers, host: Host, values: dict[str, int | str]) -> None:
    """Passthrough: vendor, interface, version, limits and spinlocks are KVM's own."""
    written: Registers = defaultdict(int)
    _write_fields(written, values)
    whole = {kvm.HV_CPUID_INTERFACE, kvm.HV_CPUID_IMPLEMENT_LIMITS}
    for leaf in host.kvm.leaves:
        for register in kvm.REGISTERS:
            if leaf.leaf in whole or (leaf.leaf, register) in written:
                registers[leaf.leaf, register] = leaf.register(register)


def passed_through(host: Host) -> set[str]:
    """The rows that passthrough turns on: what QEMU said when it was asked, else what KVM's bits say."""
    told = host.qemu[0].passthrough if host.qemu else None
    if told is not None:
        return set(told)
    leaves = {leaf.leaf: leaf for leaf in host.kvm.leaves}
    return {
        row.id
        for row in ROWS
        if row.in_passthrough
        and all(
            bits.leaf in leaves and leaves[bits.leaf].register(bits.register) & bits.mask == bits.mask
            for bits in row.checks
        )
    }


def _set_bits(registers: Registers, on: set[str], auto: set[str], host: Host) -> None:
    leaves = {leaf.leaf: leaf for leaf in host.kvm.leaves}
    registers[kvm.HV_CPUID_FEATURES, "eax"] |= kvm.HV_HYPERCALL_AVAILABLE
    registers[kvm.HV_CPUID_FEATURES, "edx"] |= kvm.HV_CPU_DYNAMIC_PARTITIONING_AVAILABLE
    for row in ROWS:
        if row.id not in on:
            continue
        for bits in (*row.checks, *row.adds):
            mask = bits.mask
            if row.id in auto:
                mask &= leaves[bits.leaf].register(bits.register) if bits.leaf in leaves else 0
            if not bits.unless or bits.unless not in on:
                registers[bits.leaf, bits.register] |= mask


def _leaves(registers: Registers, on: set[str]) -> tuple[CpuidLeaf, ...]:
    nested = registers[kvm.HV_CPUID_NESTED_FEATURES, "eax"]
    highest = kvm.HV_CPUID_NESTED_FEATURES if nested else kvm.HV_CPUID_IMPLEMENT_LIMITS
    fixed = [CpuidLeaf(*leaf) for row in ROWS if row.id in on for leaf in row.leaves]
    registers[kvm.HV_CPUID_VENDOR_AND_MAX_FUNCTIONS, "eax"] = max([highest, *(leaf.leaf for leaf in fixed)])
    ordinary = [
        CpuidLeaf(leaf, *(registers[leaf, register] for register in kvm.REGISTERS))
        for leaf in range(kvm.HV_CPUID_VENDOR_AND_MAX_FUNCTIONS, highest + 1)
    ]
    return (*ordinary, *fixed)
