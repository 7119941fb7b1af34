"""What the probe guest saw against what was asked for, for people and for programs."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from hvctl.model.host import CpuidLeaf
from hvctl.model.verification import MOST_VCPUS, WRONG, Difference, Finding, Verdict, Verification, VmxControls
from hvctl.plan.start import Start
from hvctl.report.console import BOLD, GREEN, RED, YELLOW, Paint, wrapped
from hvctl.text.json_document import dump
from hvctl.text.problems import counted, printable
from hvctl.verify.compare import bit_names

_COLORS = {
    Verdict.WORKS: GREEN,
    Verdict.THERE: GREEN,
    Verdict.UNCHECKED: YELLOW,
    Verdict.OFF: YELLOW,
    **dict.fromkeys(WRONG, RED),
}
_ID_COLUMN, _VERDICT_COLUMN = 24, 11


class Run(NamedTuple):
    """What was run: how messages call the guest, QEMU's path and arguments, the accelerator, and the seconds it took.

    `warnings` are lines that QEMU wrote. `uri` is the libvirt that ran it; QEMU's arguments are not known then.
    """

    label: str
    argv: tuple[str, ...]
    accelerator: str
    seconds: float
    warnings: tuple[str, ...] = ()
    uri: str | None = None


def verify_text(result: Verification, run: Run, *, width: int = 80, color: bool = False) -> str:
    """The whole report: verdict, what was run, CPUID, a line for each row that was asked for or is there."""
    paint = Paint(color)
    lines = [paint(line, BOLD) for line in wrapped(f"{run.label}: {headline(result)}", width, 0, 2)]
    for fact in (_what_ran(result, run), *_leaves(result), *_interface(result), *_vmx(result.vmx), *run.warnings):
        lines += wrapped(fact, width, 2, 6)
    lines.append("")
    for finding in result.findings:
        if finding.asked or finding.verdict in WRONG:
            lines += _row(finding, width, paint)
    return "\n".join(lines).rstrip() + "\n"


def headline(result: Verification) -> str:
    """The answer in half a sentence."""
    if result.vcpus < min(result.wanted, MOST_VCPUS):
        return f"only {result.vcpus} of {result.wanted} vCPUs started"
    asked = [finding for finding in result.findings if finding.asked]
    bad = sum(finding.verdict in WRONG for finding in asked)
    extra = sum(finding.verdict in WRONG for finding in result.findings) - bad
    if bad or extra:
        told = [f"{bad} of {len(asked)} enlightenments {'is' if bad == 1 else 'are'} not as asked for"] if bad else []
        return ", and ".join([*told, *([f"{extra} came unasked"] if extra else [])])
    if not result.agrees:
        return "CPUID is not as predicted" if result.differences else "hypercalls do not work"
    if not asked:
        return "no enlightenment was asked for, and none is there"
    untried = any(finding.verdict is Verdict.UNCHECKED for finding in asked)
    where = " where that could be tried" if untried else ""
    if len(asked) == 1:
        return f"the enlightenment asked for is there, and works{where}"
    return f"all {len(asked)} enlightenments asked for are there, and work{where}"


def _what_ran(result: Verification, run: Run) -> str:
    vcpus = counted(result.vcpus, "vCPU")
    of = f" of {result.wanted}" if result.wanted != result.vcpus else ""
    by = run.argv[0] if run.argv else f"libvirt at {run.uri}"
    return f"{by} with {run.accelerator.upper()}, {vcpus}{of}, {run.seconds:.1f} s"


def _leaves(result: Verification) -> list[str]:
    own = result.kvm_features
    ending = [f"{_leaf(own)} is KVM's own business, and not compared"] if own else []
    if any(finding.asked for finding in result.findings) and not result.hyperv:
        return ['CPUID: the guest sees no Hyper-V interface (leaf 0x40000001 is not "Hv#1")', *ending]
    if not result.differences:
        number = len(result.leaves)
        return [f"CPUID: {counted(number, 'leaf', 'leaves')}, bit for bit as predicted", *ending]
    return [f"CPUID: {_difference(one, result.vcpus)}" for one in result.differences] + ending


def _leaf(leaf: CpuidLeaf) -> str:
    return f"leaf {leaf.leaf:#x} ({' '.join(f'{value:08x}' for value in leaf[1:])})"


def _difference(one: Difference, vcpus: int) -> str:
    lacks = bit_names(one.leaf, one.register, one.expected & ~one.seen)
    more = bit_names(one.leaf, one.register, one.seen & ~one.expected)
    words = [f"{word} {' '.join(names)}" for word, names in (("lacks", lacks), ("has also", more)) if names]
    where = "" if len(one.vcpus) == vcpus else f" on vCPU {', '.join(map(str, one.vcpus))}"
    named = f": {'; '.join(words)}" if "bit " not in "".join(words) else ""
    return f"{one.leaf:#x}.{one.register.upper()} is {one.seen:08x}{where}, predicted {one.expected:08x}{named}"


def _interface(result: Verification) -> list[str]:
    return [result.interface.text] if result.hyperv else []


def _vmx(vmx: VmxControls | None) -> list[str]:
    if vmx is None:
        return []
    left = f"{len(vmx.limited)} of {counted(len(vmx.without), 'VMX control')}"
    lost = f"; missing are {', '.join(vmx.lost)}" if vmx.lost else ""
    return [f"{vmx.id} leaves a hypervisor in the guest {left}{lost}"]


def _row(finding: Finding, width: int, paint: Paint) -> list[str]:
    word = paint(str(finding.verdict), _COLORS[finding.verdict])
    head = f"{finding.id:<{_ID_COLUMN}}{word}{' ' * (_VERDICT_COLUMN - len(finding.verdict))}"
    indent = _ID_COLUMN + _VERDICT_COLUMN
    first, *rest = wrapped(finding.text, width, indent, indent)
    return [head + first[indent:], *rest]


def verify_json(result: Verification, run: Run) -> str:
    """The object that `verify --format json` prints, with a final newline."""
    document = {
        "agrees": result.agrees,
        "guest": run.label,
        "connect": run.uri,
        "argv": list(run.argv),
        "accelerator": run.accelerator,
        "seconds": round(run.seconds, 3),
        "vcpus": {"wanted": result.wanted, "seen": result.vcpus},
        "hyperv": result.hyperv,
        "leaves": [_leaf_json(leaf) for leaf in result.leaves],
        "differences": [_difference_json(one) for one in result.differences],
        "kvm_features": _leaf_json(result.kvm_features) if result.kvm_features else None,
        "hypercall_page": {"works": result.interface.works, "text": result.interface.text},
        "enlightenments": [
            {"id": one.id, "asked": one.asked, "verdict": str(one.verdict), "text": one.text} for one in result.findings
        ],
        "warnings": list(run.warnings),
        "vmx_controls": _vmx_json(result.vmx),
    }
    return dump(document)


def _vmx_json(vmx: VmxControls | None) -> dict[str, Any] | None:
    if vmx is None:
        return None
    return {"limited_by": vmx.id, "lost": list(vmx.lost), "with": list(vmx.limited), "without": list(vmx.without)}


def prediction_text(start: Start, label: str, host: str) -> str:
    """What `verify --dry-run` prints: the answer, its reason, and the CPUID leaves of a guest that starts."""
    if start.starts is None:
        return printable(f"{label}: cannot tell whether it starts on {host}: {start.why}") + "\n"
    if not start.starts:
        return printable(f"{label}: does not start on {host}: {start.error or start.why}") + "\n"
    lines = [printable(f"{label}: starts on {host}")]
    if start.leaves:
        lines += ["", "leaf        eax       ebx       ecx       edx"]
        lines += [f"{leaf.leaf:#x}  " + "  ".join(f"{value:08x}" for value in leaf[1:]) for leaf in start.leaves]
    return "\n".join(lines) + "\n"


def prediction_json(start: Start) -> str:
    """The object that `verify --dry-run --format json` prints, with a final newline."""
    document = {
        "starts": start.starts,
        "error": start.error,
        "why": start.why,
        "leaves": [_leaf_json(leaf) for leaf in start.leaves],
    }
    return dump(document)


def _leaf_json(leaf: CpuidLeaf) -> dict[str, str]:
    return {name: f"{value:#010x}" for name, value in leaf._asdict().items()}


def _difference_json(one: Difference) -> dict[str, Any]:
    return {
        "leaf": f"{one.leaf:#010x}",
        "register": one.register,
        "predicted": f"{one.expected:#010x}",
        "seen": f"{one.seen:#010x}",
        "vcpus": list(one.vcpus),
        "lacks": _named(one, one.expected & ~one.seen),
        "has_also": _named(one, one.seen & ~one.expected),
    }


def _named(one: Difference, mask: int) -> Sequence[str]:
    return list(bit_names(one.leaf, one.register, mask))
