"""A surveyed pool as one HTML page that needs nothing else: no script, no font, no request.

What the layers say of an enlightenment is told once for all classes with the same answers; the matrix links to it.
"""

from collections.abc import Iterable
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from hvctl.catalog.types import Row
from hvctl.model.host import HostClass
from hvctl.model.plan import Layer
from hvctl.plan.pool import Removal, Survey
from hvctl.plan.support import Answer, Judged, State
from hvctl.report import pool

_MARKS = {State.YES: "\N{CHECK MARK}", State.NO: "\N{BALLOT X}", State.UNKNOWN: "?"}
_STYLES = {State.YES: "yes", State.NO: "no", State.UNKNOWN: "some"}


class _Class(NamedTuple):
    """A class of hosts; `names` are those that are shown."""

    letter: str
    size: int
    first: str
    names: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]


class _Variant(NamedTuple):
    """What the layers of some classes say of one enlightenment.

    `quiet` are the layers that say yes, and nothing else; `plain` says whether all of them do.
    """

    anchor: str
    groups: tuple[int, ...]
    answers: tuple[Answer, ...]
    verdict: Answer
    style: str
    quiet: tuple[Layer, ...]
    plain: bool


class _Entry(NamedTuple):
    """One enlightenment: what holds for every host, and the variant of each class."""

    row: Row
    state: State
    style: str
    note: str
    variants: tuple[_Variant, ...]
    cells: tuple[_Variant, ...]


class _Loss(NamedTuple):
    ids: tuple[str, ...]
    groups: tuple[int, ...]
    answer: Answer
    hosts: str


def pool_html(survey: Survey, gain: pool.Gain | None, *, all_names: bool) -> str:
    """The whole page, in ASCII: it is the same in every encoding."""
    environment = Environment(
        loader=PackageLoader("hvctl.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["layer_name"] = _layer_name
    known = set(survey.qemu.ids)
    only_libvirt = [removal for removal in survey.libvirt.removals if removal.id in known]
    page = environment.get_template("pool.html.j2").render(
        title=pool.title(survey.pool),
        survey=survey,
        classes=[_class(at, group, all_names=all_names) for at, group in enumerate(survey.pool.classes)],
        entries=_entries(survey),
        losses=_losses(survey, survey.qemu.removals),
        libvirt_losses=_losses(survey, only_libvirt),
        no_libvirt=[at for at, group in enumerate(survey.pool.classes) if group.facts.libvirt is None],
        no_plan=_no_plan(survey),
        obstacles=[pool.decision_text(one) for one in survey.obstacles],
        companions=tuple(pool.companions(survey)),
        gain=pool.gains(gain) if gain else [],
        gain_names=pool.names_text(gain.hosts, all_names=all_names) if gain else "",
        marks=_MARKS,
        most_names=pool.MOST_NAMES,
    )
    return page.encode("ascii", "xmlcharrefreplace").decode("ascii") + "\n"


def _no_plan(survey: Survey) -> list[str]:
    """Why `hvctl gen` refuses this pool whatever it is asked for."""
    if survey.machines and not any(kind for _, kind in survey.machines):
        return ["the QEMUs of all hosts share no machine type"]
    return [pool.decision_text(one) for one in survey.unusable]


def _class(position: int, group: HostClass, *, all_names: bool) -> _Class:
    shown = group.members if all_names else group.members[: pool.MOST_NAMES]
    names = tuple(member.name for member in shown)
    return _Class(pool.letter(position), len(group.members), names[0], names, pool.facts(group))


def _entries(survey: Survey) -> list[_Entry]:
    rows = zip(*survey.judged, strict=True)
    return [_entry(survey, judged) for judged in rows if not judged[0].row.experimental]


def _entry(survey: Survey, judged: tuple[Judged, ...]) -> _Entry:
    row = judged[0].row
    groups: dict[tuple[Answer, ...], list[int]] = {}
    for position, one in enumerate(judged):
        groups.setdefault(one.answers, []).append(position)
    variants = {
        answers: _variant(f"why-{row.id}.{number}", tuple(positions), judged[positions[0]])
        for number, (answers, positions) in enumerate(groups.items(), 1)
    }
    state = _state(row.id, survey.qemu.removals)
    with_libvirt = _state(row.id, survey.libvirt.removals)
    note = {State.YES: "", State.NO: "not with libvirt", State.UNKNOWN: "libvirt not known"}[with_libvirt]
    partly = state is State.YES and with_libvirt is State.NO
    style = "some" if partly else _STYLES[state]
    cells = tuple(variants[one.answers] for one in judged)
    return _Entry(row, state, style, note if state is State.YES else "", tuple(variants.values()), cells)


def _variant(anchor: str, groups: tuple[int, ...], judged: Judged) -> _Variant:
    quiet = tuple(answer.layer for answer in judged.answers if not answer.reason)
    partly = judged.verdict.state is State.YES and any(answer.state is State.NO for answer in judged.answers)
    style = "some" if partly else _STYLES[judged.verdict.state]
    return _Variant(anchor, groups, judged.answers, judged.verdict, style, quiet, len(quiet) == len(judged.answers))


def _state(row_id: str, removals: Iterable[Removal]) -> State:
    """What every host can: the worst of what takes a row away."""
    states = {removal.answer.state for removal in removals if removal.id == row_id}
    return State.NO if State.NO in states else State.UNKNOWN if states else State.YES


def _losses(survey: Survey, removals: Iterable[Removal]) -> list[_Loss]:
    return [
        _Loss(ids, groups, answer, pool.removers(survey, groups) if groups else "")
        for ids, groups, answer in pool.losses(tuple(removals))
    ]


def _layer_name(layer: Layer) -> str:
    """A layer's name as the page writes it."""
    return {Layer.QEMU: "QEMU", Layer.LIBVIRT: "libvirt"}.get(layer, str(layer).capitalize())
