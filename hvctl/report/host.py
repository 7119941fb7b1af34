"""A host and what it can give, for people and for programs."""

from collections.abc import Sequence
from typing import Any

from hvctl.model.host import LIBVIRT, Hardware, Host, Qemu
from hvctl.plan.support import UNTOLD, Answer, Judged, State, judge
from hvctl.report.console import BOLD, Paint, wrapped

_EMULATION = {
    True: "KVM with Hyper-V emulation",
    False: "KVM without Hyper-V emulation",
    None: "whether its KVM emulates Hyper-V is not known",
}
_COLUMNS = (("enlightenment", 24), ("kernel", 9), ("hardware", 10), ("QEMU", 9), ("libvirt", 9), ("verdict", 7))


def host_text(host: Host, *, width: int = 80, color: bool = False) -> str:
    """The whole report: header, table, notes; ends in a newline. Without Hyper-V in KVM the table is left out."""
    paint = Paint(color)
    lines = _header(host, width, paint)
    if host.kvm.hyperv:
        lines += ["", *_table(host, width, paint)]
    notes = [*warnings(host), *host.notes]
    lines += [""] if notes else []
    lines += [line for note in notes for line in wrapped(f"note: {note}", width, 0, 6)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def warnings(host: Host) -> tuple[str, ...]:
    """What about this host makes guests slow, or an answer doubtful."""
    found = []
    source = host.hardware.clocksource
    if source and source != "tsc":
        found.append(
            f"the clock source of this host is {source}, not tsc: the guest's reference TSC page is then not valid, "
            "and reading it is as slow as the MSR"
        )
    if host.kvm.unseen and host.kvm.how != LIBVIRT:
        found.append(
            f"this kernel cannot be asked what it supports (Linux before 5.0), so these are not known: "
            f"{', '.join(host.kvm.unseen)}"
        )
    return tuple(found)


def host_json(host: Host, document: dict[str, Any], profiles: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The object that `check-host --format json` prints.

    Args:
        host: the host.
        document: the same as a host file's object.
        profiles: one object for each named profile.
    """
    binaries: tuple[Qemu | None, ...] = host.qemu or (None,)
    return {
        "hyperv": host.kvm.hyperv,
        "host": document,
        "warnings": list(warnings(host)),
        "verdicts": [
            _judged_json(judged, qemu.path if qemu else None) for qemu in binaries for judged in judge(host, qemu)
        ],
        "profiles": list(profiles),
    }


def _judged_json(judged: Judged, qemu: str | None) -> dict[str, Any]:
    return {
        "id": judged.row.id,
        "qemu": qemu,
        "state": str(judged.verdict.state),
        "layer": str(judged.verdict.layer),
        "reason": judged.verdict.reason,
        "remedy": judged.verdict.remedy,
        "layers": {
            str(answer.layer): {"state": str(answer.state), "reason": answer.reason, "remedy": answer.remedy}
            for answer in judged.answers
        },
    }


def _header(host: Host, width: int, paint: Paint) -> list[str]:
    emulation = _EMULATION[host.kvm.hyperv]
    release = f"Linux {host.kvm.release}" if host.kvm.release else "an unknown kernel"
    facts = [
        ("KVM", dict(host.how).get("kvm", host.kvm.how)),
        ("processor", _processor(host.hardware)),
        ("nested", _switch(host.hardware.nested)),
        ("APICv/AVIC", _switch(host.hardware.apicv)),
        ("TSC", _tsc(host.hardware)),
        ("clock source", host.hardware.clocksource or "unknown"),
        ("SMT", host.hardware.smt or "unknown"),
        *(("QEMU", f"{qemu.version or 'unknown version'}  {qemu.path}") for qemu in host.qemu),
        ("libvirt", _libvirt(host)),
    ]
    if not host.qemu:
        facts.insert(-1, ("QEMU", "not asked, or none could be"))
    title = f"{host.label}: {release}, {emulation}"
    lines = [paint(line, BOLD) for line in wrapped(title, width, 0, 2)]
    for name, value in facts:
        lines += wrapped(f"{name:<13} {value}", width, 2, 16)
    return lines


def _processor(hardware: Hardware) -> str:
    numbers = [
        f"{name} {value}"
        for name, value in (("family", hardware.family), ("model", hardware.model), ("stepping", hardware.stepping))
        if value is not None
    ]
    behind = f" ({', '.join(numbers)})" if numbers else ""
    names = [name for name in (hardware.vendor, hardware.model_name) if name]
    return (", ".join(names) or "unknown") + behind


def _switch(value: bool | None) -> str:
    return "unknown" if value is None else "on" if value else "off"


def _tsc(hardware: Hardware) -> str:
    frequency = f"{hardware.tsc_hz} Hz" if hardware.tsc_hz else "frequency unknown"
    scaling = {True: "with scaling", False: "no scaling", None: "scaling unknown"}[hardware.tsc_scaling]
    return f"{frequency}, {scaling}"


def _libvirt(host: Host) -> str:
    if host.libvirt is None:
        return "not asked, or none is installed"
    return host.libvirt.version or "unknown version"


def _table(host: Host, width: int, paint: Paint) -> list[str]:
    lines = [paint("".join(f"{name:<{column}}" for name, column in _COLUMNS).rstrip(), BOLD)]
    first = host.qemu[0] if host.qemu else None
    judged = judge(host, first)
    for one in judged:
        if not one.row.experimental:
            lines += _row(host, one, width, paint)
    for qemu in host.qemu[1:]:
        lines += _difference(host, qemu, judged, width)
    if first is None:
        lines += ["", *wrapped("No QEMU was asked: a verdict is at best unknown.", width, 0, 0)]
    return lines


def _row(host: Host, judged: Judged, width: int, paint: Paint) -> list[str]:
    states = (*(answer.state for answer in judged.answers), judged.verdict.state)
    cells = [f"{judged.row.id:<{_COLUMNS[0][1]}}"]
    cells += [paint.state(state, column) for state, (_, column) in zip(states, _COLUMNS[1:], strict=True)]
    lines = ["".join(cells)]
    for answer in judged.answers:
        # What is unknown for all rows alike is said once, by the header or a note.
        said_once = (answer.layer == "qemu" and not host.qemu) or (answer.layer == "libvirt" and host.libvirt is None)
        said_once = said_once or answer.reason == UNTOLD
        if answer.reason and not (said_once and answer.state is State.UNKNOWN):
            lines += wrapped(_because(answer), width, 4, 6)
    return lines


def _because(answer: Answer) -> str:
    remedy = f"; {answer.remedy}" if answer.remedy else ""
    return f"{answer.layer}: {answer.reason}{remedy}"


def _difference(host: Host, qemu: Qemu, first: Sequence[Judged], width: int) -> list[str]:
    """Another binary in a sentence: where its verdicts are not those of the table."""
    others = [
        f"{other.row.id} {other.verdict.state}"
        for one, other in zip(first, judge(host, qemu), strict=True)
        if one.verdict.state is not other.verdict.state and not one.row.experimental
    ]
    same = "the same verdicts" if not others else f"other verdicts: {', '.join(others)}"
    return ["", *wrapped(f"With {qemu.path} ({qemu.version or 'unknown version'}): {same}", width, 0, 4)]
