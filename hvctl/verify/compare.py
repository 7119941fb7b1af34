"""What a guest is promised against what it saw: every CPUID leaf bit for bit, and every row of the catalog.

A leaf counts as Hyper-V's only where leaf 0x40000001 says "Hv#1" and leaf 0x40000000 announces it: what a processor
answers elsewhere is anything, on Intel the leaf of another subject.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from hvctl.catalog import BY_ID, ROWS, kvm
from hvctl.catalog.types import Bits, Field, Row
from hvctl.guest.command.cpu import SUFFIX, assignments, drivers
from hvctl.guest.command.options import global_property, scan
from hvctl.guest.command.reader import read_command_line
from hvctl.guest.plan import plan_of
from hvctl.model.host import CpuidLeaf, Hardware, Host, Kvm, Qemu
from hvctl.model.plan import Machine
from hvctl.model.verification import Difference, Evidence, Finding, Observation, Vcpu, Verdict, Verification
from hvctl.plan.cpuid import is_kvm
from hvctl.plan.start import Assigned, Circumstances, Start, predict_start
from hvctl.plan.support import canonical
from hvctl.verify.calls import interface
from hvctl.verify.functions import enforced, evidence

# TCG emulates an AMD processor with SVM (qemu:target/i386/cpu.c, max_x86_cpu_initfn). The TSC's frequency is nominal.
_PROCESSOR = Hardware("amd", nested=True, apicv=True, tsc_hz=1_000_000_000, tsc_scaling=True)


def predict_command(words: Sequence[str], label: str, host: Host, doubts: Sequence[str] = ()) -> Start:
    """The prediction for a command line without the program; machine, accelerator and CPU are judged.

    Args:
        words: QEMU's arguments; without an accelerator it is KVM.
        label: their name, for messages.
        host: where they are to be started.
        doubts: sentences about what could not be read of the text that they come from.

    Raises:
        InputError: a value is invalid.
    """
    guest = read_command_line("\0".join(words) + "\0", label)
    plan = plan_of(guest)
    name = plan.machine.type
    kind = canonical(name, host.qemu[0]) if host.qemu and name else None
    around = Circumstances(
        guest.accelerator or "kvm",
        guest.irqchip or "on",
        guest.enforce,
        tuple(_assigned(words, guest.cpu or "")),
        (*doubts, *guest.doubts),
    )
    return predict_start(plan._replace(machine=Machine(kind or name, None)), host, around)


def _assigned(words: Sequence[str], model: str) -> Iterator[Assigned]:
    """Every property of the CPU as QEMU sets it: those of -global, those of the last -cpu, those with a sign."""
    options = scan(words)
    for option in options:
        found = global_property(option.value) if option.name == "global" and option.value else None
        if found and found[0] in drivers(model):
            driver, name, value = found
            yield Assigned(name, f"{driver}.{name}={value}")
    values = [option.value for option in options if option.name == "cpu" and option.value]
    for one in assignments(part for part in (values or [""])[-1].split(",")[1:] if part):
        yield Assigned(one.name, f"{model}{SUFFIX}.{one.name}={one.value}", one.signed)


def host_without_kvm(qemu: tuple[Qemu, ...] = ()) -> Host:
    """This machine without KVM: TCG accepts every enlightenment, so it is a KVM that has the whole catalog."""
    registers: defaultdict[tuple[int, str], int] = defaultdict(int)
    for row in ROWS:
        for bits in (*row.checks, *row.adds):
            registers[bits.leaf, bits.register] |= bits.mask
    leaves = tuple(
        CpuidLeaf(leaf, *(registers[leaf, register] for register in kvm.REGISTERS))
        for leaf in sorted({leaf for leaf, _ in registers})
    )
    answers = Kvm(None, "system-ioctl", tuple(dict.fromkeys(kvm.KVM_CAPS, 1).items()), leaves)
    return Host("TCG", answers, _PROCESSOR, qemu)


_ENFORCES = "KVM_CAP_HYPERV_ENFORCE_CPUID"


class Registers:
    """The announced Hyper-V leaves of one vCPU, or of a prediction."""

    def __init__(self, leaves: Iterable[CpuidLeaf]) -> None:
        by_number = {leaf.leaf: leaf for leaf in leaves}
        first = by_number.get(kvm.HV_CPUID_VENDOR_AND_MAX_FUNCTIONS)
        second = by_number.get(kvm.HV_CPUID_INTERFACE)
        self.hyperv = first is not None and second is not None and second.eax == kvm.HV_INTERFACE_SIGNATURE
        most = first.eax if first and self.hyperv else 0
        self._leaves = {number: leaf for number, leaf in by_number.items() if number <= most}

    def get(self, leaf: int, register: str) -> int:
        """The value of a register; 0 where the leaf is not announced."""
        found = self._leaves.get(leaf)
        return found.register(register) if found else 0

    def field(self, field: Field) -> int:
        """The value of a property's field; a text's is the number that its bytes are."""
        if field.width <= 32:
            return self.get(field.leaf, field.register) >> field.shift & (1 << field.width) - 1
        parts = [self.get(field.leaf, register) for register in kvm.REGISTERS[1:]]
        return sum(part << 32 * place for place, part in enumerate(parts))


def verify(
    expected: Sequence[CpuidLeaf], asked: Iterable[str], seen: Observation, *, refused: Sequence[str] = ()
) -> Verification:
    """Compare a prediction with an observation.

    Args:
        expected: the leaves that `plan.cpuid.predict` gives.
        asked: the ids of the rows that the guest is configured with.
        seen: what the probe guest reported.
        refused: ids that were asked for and left out of the run, since QEMU does not start with them.
    """
    wanted = Registers(expected)
    vcpus = [Registers(vcpu.leaves) for vcpu in seen.vcpus]
    judge = _Judge(wanted, vcpus, _asked(asked, wanted), seen, frozenset(refused))
    return Verification(
        wanted=seen.wanted,
        vcpus=len(seen.vcpus),
        leaves=tuple(expected),
        kvm_features=_kvm_features(expected, seen.vcpus[0]) if vcpus[0].hyperv else None,
        differences=tuple(_differences(expected, seen.vcpus)),
        hyperv=all(vcpu.hyperv for vcpu in vcpus),
        interface=interface(seen) if vcpus[0].hyperv else Evidence(None, "there is no Hyper-V interface"),
        findings=tuple(judge.finding(row) for row in ROWS),
    )


def _asked(ids: Iterable[str], wanted: Registers) -> frozenset[str]:
    """The ids, and what comes with the row that takes all that KVM has: what is predicted then."""
    found = set(ids)
    if any(BY_ID[row_id].takes_all for row_id in found):
        found |= {row.id for row in ROWS if row.in_passthrough and all_set(row.checks, wanted)}
    return frozenset(found)


def _kvm_features(expected: Sequence[CpuidLeaf], vcpu: Vcpu) -> CpuidLeaf | None:
    """The leaf after KVM's signature."""
    base = next((leaf.leaf for leaf in expected if is_kvm(leaf)), None)
    return next((leaf for leaf in vcpu.leaves if base is not None and leaf.leaf == base + 1), None)


def _differences(expected: Sequence[CpuidLeaf], vcpus: Sequence[Vcpu]) -> Iterable[Difference]:
    for leaf in expected:
        answers = [{own.leaf: own for own in vcpu.leaves}.get(leaf.leaf, CpuidLeaf(leaf.leaf)) for vcpu in vcpus]
        for register in kvm.REGISTERS:
            by_value: dict[int, list[int]] = {}
            for vcpu, answer in zip(vcpus, answers, strict=True):
                by_value.setdefault(answer.register(register), []).append(vcpu.number)
            by_value.pop(leaf.register(register), None)
            for value, numbers in by_value.items():
                yield Difference(leaf.leaf, register, leaf.register(register), value, tuple(numbers))


def all_set(all_bits: Sequence[Bits], registers: Registers) -> bool:
    """Whether there are bits, and each of them is set."""
    return bool(all_bits) and all(registers.get(bits.leaf, bits.register) & bits.mask == bits.mask for bits in all_bits)


class _Judge:
    """Judges each row from what was predicted and what each vCPU saw."""

    def __init__(
        self,
        wanted: Registers,
        vcpus: Sequence[Registers],
        asked: frozenset[str],
        seen: Observation,
        refused: frozenset[str],
    ) -> None:
        self.wanted = wanted
        self.vcpus = vcpus
        self.asked = asked
        self.seen = seen
        self.refused = refused

    def finding(self, row: Row) -> Finding:
        if row.id in self.refused:
            return Finding(row.id, True, Verdict.REFUSED, "QEMU refuses to start with it here")
        verdict, text = self.of_asked(row) if row.id in self.asked else self.of_others(row)
        return Finding(row.id, row.id in self.asked, verdict, text)

    def of_asked(self, row: Row) -> tuple[Verdict, str]:
        if lacks := self.lacks(row):
            return Verdict.MISSING, lacks
        if (row.checks or row.adds) and not any(self.promised(bits) for bits in (*row.checks, *row.adds)):
            return Verdict.OFF, "left to the host, whose KVM does not report it"
        if _ENFORCES in row.caps:
            return _sum_up([enforced([other for other in ROWS if not self.announced(other)], self.seen)])
        if found := evidence(row, self.seen):
            return _sum_up(found)
        if row.nested_only:
            return Verdict.UNCHECKED, "not checked here: only a hypervisor inside the guest uses it"
        return Verdict.THERE, "the guest sees it; there is nothing to try"

    def of_others(self, row: Row) -> tuple[Verdict, str]:
        """Bits or values that are not the prediction's, and belong to a row that nobody asked for."""
        if any(self.unexpected(row.checks or row.adds, vcpu) for vcpu in self.vcpus):
            return Verdict.EXTRA, "announced, though not asked for"
        for known in row.properties:
            for vcpu in self.vcpus:
                if known.field and self.wanted.hyperv and vcpu.hyperv:
                    have, expected = vcpu.field(known.field), self.wanted.field(known.field)
                    if have != expected:
                        return Verdict.EXTRA, f"{known.name} is {have:#x}, expected {expected:#x}"
        return Verdict.OFF, ""

    def announced(self, row: Row) -> bool:
        return any(all_set(row.checks, vcpu) for vcpu in self.vcpus)

    def promised(self, bits: Bits) -> int:
        """What is predicted of them; less than all where another row clears some, or the host decides."""
        return self.wanted.get(bits.leaf, bits.register) & bits.mask

    def unexpected(self, all_bits: Sequence[Bits], vcpu: Registers) -> bool:
        return all_set(all_bits, vcpu) and not all_set(all_bits, self.wanted)

    def lacks(self, row: Row) -> str:
        """What a vCPU does not see of a row; empty if it sees all."""
        if not self.wanted.hyperv:
            return "ignored: nothing that is asked for turns Hyper-V on"
        if not all(vcpu.hyperv for vcpu in self.vcpus):
            return "dropped without a word"
        for vcpu in self.vcpus:
            for bits in (*row.checks, *row.adds):
                absent = self.promised(bits) & ~vcpu.get(bits.leaf, bits.register)
                if names := bit_names(bits.leaf, bits.register, absent):
                    return f"dropped without a word: {' and '.join(names)}"
            for known in row.properties:
                if known.field and vcpu.field(known.field) != self.wanted.field(known.field):
                    have, expected = vcpu.field(known.field), self.wanted.field(known.field)
                    return f"{known.name} is {have:#x}, expected {expected:#x}"
            for number, *values in row.leaves:
                if [vcpu.get(number, register) for register in kvm.REGISTERS] != values:
                    return f"leaf {number:#x} is not as expected"
        return ""


def _sum_up(found: Sequence[Evidence]) -> tuple[Verdict, str]:
    """Broken if anything is; works if anything does; the texts of those that decide, and of what was not tried."""
    for state, verdict in ((False, Verdict.BROKEN), (True, Verdict.WORKS), (None, Verdict.UNCHECKED)):
        texts = [one.text for one in found if one.works is state]
        if texts:
            untried = [one.text for one in found if one.works is None and state is True]
            return verdict, "; ".join([*texts, *untried])
    return Verdict.THERE, ""


def bit_names(leaf: int, register: str, mask: int) -> tuple[str, ...]:
    """The names that QEMU has for bits of a register, `bit N` for those that it has no name for."""
    names = dict(_NAMED.get((leaf, register), ()))
    return tuple(names.get(bit, f"bit {bit}") for bit in range(32) if mask >> bit & 1)


def _names() -> Mapping[tuple[int, str], list[tuple[int, str]]]:
    found: dict[tuple[int, str], list[tuple[int, str]]] = {
        (kvm.HV_CPUID_FEATURES, "eax"): [(5, "HV_HYPERCALL_AVAILABLE")],
        (kvm.HV_CPUID_FEATURES, "edx"): [(3, "HV_CPU_DYNAMIC_PARTITIONING_AVAILABLE")],
    }
    for row in ROWS:
        for bits in (*row.checks, *row.adds):
            found.setdefault((bits.leaf, bits.register), []).extend(zip(bits.bits, bits.names, strict=True))
    return found


_NAMED = _names()
