"""A surveyed pool for a terminal; its parts serve the HTML page too."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hvctl.catalog.cpu_models import VENDOR_NAMES, lacking
from hvctl.catalog.windows import SYSTEMS
from hvctl.model.host import HostClass, Pool
from hvctl.model.plan import Decision, Layer
from hvctl.model.profile import cpu_in_profile
from hvctl.plan.cpu import Candidate
from hvctl.plan.pool import Common, Removal, Survey
from hvctl.plan.support import Answer, Judged, State
from hvctl.report.console import BOLD, Paint, wrapped
from hvctl.text.problems import counted

MOST_NAMES = 20
# Named CPU models, the best first.
_MOST_MODELS = 4
_MOST_COLUMNS = 26
_NAME_COLUMN = 24
_EMULATION = {True: "", False: ", KVM without Hyper-V emulation", None: ", whether KVM emulates Hyper-V is not known"}
_LAYERS = {Layer.KERNEL: "kernel", Layer.HARDWARE: "hw", Layer.QEMU: "qemu", Layer.LIBVIRT: "libvirt"}


class Gain(NamedTuple):
    """What a pool would have without some hosts, beside what it has with them."""

    hosts: tuple[str, ...]
    with_them: Survey
    without: Survey

    def ids(self, *, libvirt: bool) -> list[str]:
        """The enlightenments that would be gained."""
        has, would = (one.libvirt if libvirt else one.qemu for one in (self.with_them, self.without))
        return [row_id for row_id in would.ids if row_id not in has.ids]


def letter(position: int) -> str:
    """How a class is called: A to Z, AA, AB, ..."""
    name, position = "", position + 1
    while position:
        position, rest = divmod(position - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def names_text(names: Sequence[str], *, all_names: bool) -> str:
    """Names of hosts, at most 20 of them unless all are wanted."""
    shown = names if all_names or len(names) <= MOST_NAMES else names[:MOST_NAMES]
    return ", ".join(shown) + (f" and {len(names) - len(shown)} more" if len(shown) < len(names) else "")


def title(pool: Pool) -> str:
    """How many hosts, in how many classes."""
    hosts = sum(len(group.members) for group in pool.classes)
    return f"{counted(hosts, 'host')} in {counted(len(pool.classes), 'class', 'classes')}"


def pool_text(
    survey: Survey, gain: Gain | None, *, width: int = 80, color: bool = False, all_names: bool = False
) -> str:
    """The whole report; ends in a newline."""
    paint = Paint(color)
    lines = [paint(f"{title(survey.pool)} of equal facts", BOLD)]
    for position, group in enumerate(survey.pool.classes):
        lines += ["", *_class(position, group, width, paint, all_names=all_names)]
    lines += ["", *_matrix(survey, width, paint)]
    lines += ["", paint("Every host can give", BOLD), *wrapped(_ids(survey.qemu.ids), width, 2, 2)]
    lines += _with_libvirt(survey, width)
    if survey.qemu.removals:
        lines += ["", paint("What falls out, and why", BOLD)]
        lines += [line for text in removals_text(survey, survey.qemu) for line in wrapped(text, width, 2, 4)]
    lines += ["", paint("A guest that moves among these hosts", BOLD)]
    lines += [line for name, text in companions(survey) for line in wrapped(f"{name:<13} {text}", width, 2, 16)]
    if gain:
        lines += ["", paint(f"Without {names_text(gain.hosts, all_names=all_names)}", BOLD)]
        lines += [line for text in gains(gain) for line in wrapped(text, width, 2, 4)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def facts(group: HostClass) -> tuple[tuple[str, str], ...]:
    """What the hosts of a class are, as name and text."""
    host = group.facts
    emulation = _EMULATION[host.kvm.hyperv]
    return (
        ("kernel", (f"Linux {host.kvm.release}" if host.kvm.release else "unknown") + emulation),
        ("processor", host.hardware.model_name or host.hardware.vendor or "unknown"),
        ("TSC", _tsc(group)),
        ("QEMU", host.qemu[0].version or "unknown version" if host.qemu else "not known"),
        ("libvirt", (host.libvirt.version or "unknown version") if host.libvirt else "not known"),
    )


def companions(survey: Survey) -> Iterator[tuple[str, str]]:
    """What else the hosts have in common, or not: machine types, CPU, TSC; as name and text."""
    for decision in survey.unusable:
        yield "no plan", decision_text(decision)
    if survey.machines:
        yield "machine types", ", ".join(f"{kind or f'no common {family}'}" for family, kind in survey.machines)
    vendors = sorted({group.facts.hardware.vendor or "unknown" for group in survey.pool.classes})
    yield "CPU vendor", ", ".join(VENDOR_NAMES.get(vendor, vendor) for vendor in vendors)
    yield "CPU host", survey.cpu_apart or "is the same CPU on all of them"
    for place, candidate in enumerate(survey.cpu_models[:_MOST_MODELS]):
        best = "best: " if not place and len(survey.cpu_models) > 1 else ""
        yield "CPU model", best + _model_text(candidate)
    if not survey.cpu_models:
        yield "CPU model", "none that hvctl would propose is known to be on every host"
    scaling = {group.facts.hardware.tsc_scaling for group in survey.pool.classes}
    words = {True: "all can scale it", False: "none can scale it", None: "whether they can scale it is not known"}
    can = words[scaling.pop()] if len(scaling) == 1 else "not every host can scale it"
    ends = [end for group in survey.pool.classes for end in group.frequencies or ()]
    yield "TSC", f"{_megahertz(min(ends), max(ends))}; {can}" if ends else f"frequencies unknown; {can}"
    for decision in survey.obstacles:
        yield "but", decision_text(decision)


def _model_text(candidate: Candidate) -> str:
    """A named CPU model, its x86-64 level, what does not boot on it, and what a guest loses by it."""
    text = f"{candidate.model} (x86-64-v{candidate.level})" if candidate.level else candidate.model
    if candidate.lacks is None:
        text += ": what it lacks of the hosts' features is not known"
    elif candidate.lacks:
        text += f" lacks, of what every host has: {names_text(candidate.lacks, all_names=False)}"
    else:
        text += " lacks nothing that other models have"
    stranded = [system.title for system in SYSTEMS if lacking(candidate.model, (), system.level)]
    if not stranded:
        return text
    needed = {name: None for system in SYSTEMS for name in lacking(candidate.model, (), system.level)}
    if candidate.lacks is not None and needed.keys() <= set(candidate.lacks):
        return f"{text}; for {' and '.join(stranded)} write {cpu_in_profile(candidate.model, tuple(needed))}"
    return f"{text}; on it {' and '.join(stranded)} cannot boot"


def gains(gain: Gain) -> list[str]:
    """What would be gained without the hosts, in sentences."""
    found = []
    if gain.with_them.unusable and not gain.without.unusable:
        found.append("gained: a plan that holds for every host")
    if ids := gain.ids(libvirt=False):
        found.append(f"gained: {', '.join(ids)}")
    if only := [row_id for row_id in gain.ids(libvirt=True) if row_id not in ids]:
        found.append(f"gained with libvirt: {', '.join(only)}")
    for (_, old), (_, new) in zip(gain.with_them.machines or gain.without.machines, gain.without.machines, strict=True):
        if new and (old != new or not gain.with_them.machines):
            found.append(f"machine type {new}" + (f" instead of {old}" if old and old != new else ""))
    if gain.with_them.cpu_apart and not gain.without.cpu_apart:
        found.append("CPU model host is the same CPU on all of them")
    if gain.without.cpu_model and gain.without.cpu_model != gain.with_them.cpu_model:
        found.append(f"CPU model {gain.without.cpu_model} instead of {gain.with_them.cpu_model or 'none'}")
    # The same obstacle may have another reason: it names other hosts.
    kept = {decision.id for decision in gain.without.obstacles}
    found += [f"no more: {_reason(one)}" for one in gain.with_them.obstacles if one.id not in kept]
    return found or ["nothing would be gained"]


def _class(position: int, group: HostClass, width: int, paint: Paint, *, all_names: bool) -> list[str]:
    names = names_text([member.name for member in group.members], all_names=all_names)
    count = f" ({len(group.members)})" if len(group.members) > 1 else ""
    lines = wrapped(f"{letter(position)}{count}: {names}", width, 0, 3)
    lines[0] = paint(lines[0], BOLD)
    return lines + [line for name, text in facts(group) for line in wrapped(f"{name:<10} {text}", width, 3, 14)]


def _matrix(survey: Survey, width: int, paint: Paint) -> list[str]:
    shown = survey.judged[:_MOST_COLUMNS]
    cells = [[_cell(one) for one in rows] for rows in shown]
    columns = [max(len(text) for text, _ in column) + 2 for column in cells]
    lines: list[str] = []
    start = 0
    while start < len(cells):
        end, used = start, _NAME_COLUMN
        while end < len(cells) and (end == start or used + columns[end] - 2 <= width):
            used += columns[end]
            end += 1
        lines += ([""] if lines else []) + _block(cells, columns, range(start, end), survey, paint)
        start = end
    if more := len(survey.judged) - len(shown):
        lines += wrapped(f"{counted(more, 'more class', 'more classes')}: see --format json or html", width, 0, 0)
    return [*lines, *wrapped("no: the layers that cannot; `?`: cannot tell; libvirt counts with libvirt only", width)]


def _block(
    cells: list[list[tuple[str, State]]], columns: list[int], of: range, survey: Survey, paint: Paint
) -> list[str]:
    head = f"{'enlightenment':<{_NAME_COLUMN}}" + "".join(f"{letter(one):<{columns[one]}}" for one in of)
    lines = [paint(head.rstrip(), BOLD)]
    for number, judged in enumerate(survey.judged[0]):
        if not judged.row.experimental:
            row = "".join(paint.state(cells[one][number][1], columns[one], cells[one][number][0]) for one in of)
            lines.append(f"{judged.row.id:<{_NAME_COLUMN}}{row}")
    return lines


def _cell(judged: Judged) -> tuple[str, State]:
    """The word of a matrix cell, and the state that colours it; an unknown libvirt is no news in every row."""
    wrong = [
        one
        for one in judged.answers
        if one.state is State.NO or (one.state is State.UNKNOWN and one.layer is not Layer.LIBVIRT)
    ]
    if not wrong:
        return "yes", State.YES
    text = ",".join(f"{'?' if one.state is State.UNKNOWN else ''}{_LAYERS[one.layer]}" for one in wrong)
    return text, State.UNKNOWN if judged.verdict.state is State.YES else judged.verdict.state


def _with_libvirt(survey: Survey, width: int) -> list[str]:
    unknown = [letter(at) for at, group in enumerate(survey.pool.classes) if group.facts.libvirt is None]
    if unknown:
        have = "has" if len(unknown) == 1 else "have"
        named = names_text(unknown, all_names=False)
        return wrapped(f"With libvirt: not known, since {named} {have} none recorded", width, 2)
    lost = [row_id for row_id in survey.qemu.ids if row_id not in survey.libvirt.ids]
    return wrapped(f"With libvirt all of these but: {', '.join(lost)}" if lost else "With libvirt the same", width, 2)


class Loss(NamedTuple):
    """What falls out for one reason, and the positions of the classes that have it; none for a missing requirement."""

    ids: tuple[str, ...]
    groups: tuple[int, ...]
    answer: Answer


def losses(removals: Sequence[Removal]) -> tuple[Loss, ...]:
    """The removals with the same reason in the same classes, together."""
    same: dict[tuple[str, Answer], list[int]] = {}
    for removal in removals:
        groups = same.setdefault((removal.id, removal.answer), [])
        groups += [] if removal.group is None else [removal.group]
    together: dict[tuple[Answer, tuple[int, ...]], list[str]] = {}
    for (row_id, answer), groups in same.items():
        together.setdefault((answer, tuple(groups)), []).append(row_id)
    return tuple(Loss(tuple(ids), groups, answer) for (answer, groups), ids in together.items())


def removals_text(survey: Survey, common: Common) -> Iterator[str]:
    """A sentence for each reason and the hosts that have it, with all that it takes away."""
    for ids, groups, answer in losses(common.removals):
        where = f"{removers(survey, groups)}, " if groups else ""
        unknown = "not known: " if answer.state is State.UNKNOWN else ""
        remedy = f"; {answer.remedy}" if answer.remedy else ""
        yield f"{', '.join(ids)}: {where}{answer.layer}: {unknown}{answer.reason}{remedy}"


def removers(survey: Survey, positions: Sequence[int]) -> str:
    """The hosts of some classes: the first one by name, and how many are like it."""
    groups = [survey.pool.classes[position] for position in positions]
    count = sum(len(group.members) for group in groups)
    first = groups[0].members[0].name
    return first if count == 1 else f"{first} and {count - 1} more"


def decision_text(decision: Decision) -> str:
    """What a decision says of a host or the pool, and its remedy."""
    return _reason(decision) + (f"; {decision.remedy}" if decision.remedy else "")


def _reason(decision: Decision) -> str:
    return f"{decision.host}: {decision.reason}" if decision.host else decision.reason


def _tsc(group: HostClass) -> str:
    scaling = {True: "with scaling", False: "no scaling", None: "scaling unknown"}[group.facts.hardware.tsc_scaling]
    if group.frequencies is None:
        return f"frequency unknown, {scaling}"
    some = " where known" if any(member.tsc_hz is None for member in group.members) else ""
    return f"{_megahertz(*group.frequencies)}{some}, {scaling}"


def _megahertz(*ends: int) -> str:
    low, high = (f"{frequency / 1e6:.3f}" for frequency in ends)
    return f"{low if low == high else f'{low} to {high}'} MHz"


def _ids(ids: Sequence[str]) -> str:
    return ", ".join(ids) or "nothing"
