"""The domains of a libvirt beside what was put into them or is advised: a line each, and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from hvctl.guest.domain.identity import Identity
from hvctl.model.guest import Guest
from hvctl.plan.standing import Standing
from hvctl.report.paint import BOLD, Paint
from hvctl.report.wrap import wrapped

FORMAT_VERSION = 1
_MOST_NAME = 24
_LEGEND = (
    "on: how many it has; applied: beside what hvctl put in; advice: beside the shipped profile for its Windows; "
    "-x: it lacks x; +x: it has x as well; x=1(2): it has 1, not 2"
)
_VENDOR = "windows-"


class Seen(NamedTuple):
    """What was read of a domain. `profile` is the advised one, `standing` beside what was applied, else beside it."""

    guest: Guest
    identity: Identity
    profile: str | None
    standing: Standing | None


class Entry(NamedTuple):
    """A domain; `seen` is None, and `problem` says why, where its XML could not be understood."""

    name: str
    uuid: str
    running: bool
    seen: Seen | None
    problem: str = ""


def show_text(entries: Sequence[Entry], *, width: int = 80, color: bool = False) -> str:
    """A line for each domain, none longer than `width`; ends in a newline."""
    paint = Paint(color)
    column = max([len("domain"), *(min(len(one.name), _MOST_NAME) for one in entries)])
    lines = [paint(_line(column, _Cells("domain", "state", "Windows", "on", "beside"), width), BOLD)]
    lines += [_line(column, _cells(one), width) for one in entries]
    lines += ["", *wrapped(_LEGEND, width, 0, 0)]
    return "\n".join(lines) + "\n"


class _Cells(NamedTuple):
    """The cells of a line; of the last, `words` can be left out from the end."""

    name: str
    state: str
    system: str
    on: str
    against: str
    words: tuple[str, ...] = ()


def _line(column: int, cells: _Cells, width: int) -> str:
    head = f"{_cut(cells.name, column):<{column}}  {cells.state:<5}  {_cut(cells.system, 13):<13}  {cells.on:>2}  "
    return (head + _fit(cells.against, cells.words, width - len(head))).rstrip()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "~"


def _fit(text: str, words: tuple[str, ...], width: int) -> str:
    """As many words as fit behind a text, and how many do not."""
    whole = " ".join((text, *words))
    if len(whole) <= width:
        return whole
    for count in range(len(words) - 1, 0, -1):
        shown = " ".join((text, *words[:count], f"and {len(words) - count} more"))
        if len(shown) <= width:
            return shown
    return _cut(f"{text} {len(words)} differ" if words else text, width)


def _cells(entry: Entry) -> _Cells:
    state = "on" if entry.running else "off"
    name = entry.name if entry.name.isprintable() else ascii(entry.name)[1:-1]
    seen = entry.seen
    if seen is None:
        return _Cells(name, state, "?", "?", entry.problem)
    words = _words(seen.standing) if seen.standing else ()
    return _Cells(name, state, _system(seen.identity), str(len(seen.guest.enabled())), _against(seen), words)


def _system(identity: Identity) -> str:
    if identity.release:
        return identity.release.removeprefix(_VENDOR)
    return (identity.system or "").partition("://")[2].partition("/")[2] or "-"


def _against(seen: Seen) -> str:
    foreign = "" if seen.guest.accelerator == "kvm" else "not KVM; "
    applied = seen.identity.applied
    if applied:
        return f"{foreign}applied:" if applied.profile == seen.profile else f"{foreign}applied {applied.profile}:"
    if seen.standing:
        return f"{foreign}advice:"
    return f"{foreign}no advice" if seen.identity.system else f"{foreign}no advice: its system is not said"


def _words(standing: Standing) -> tuple[str, ...]:
    words = [f"-{row_id}" for row_id in standing.lacks]
    words += [f"{one.id}={one.value}({one.wanted})" for one in standing.differs]
    return tuple(words + [f"+{row_id}" for row_id in standing.beside]) or ("the same",)


def show_json(uri: str, entries: Sequence[Entry]) -> dict[str, Any]:
    """Everything that is known of the domains."""
    return {"format_version": FORMAT_VERSION, "uri": uri, "domains": [_entry_json(one) for one in entries]}


def _entry_json(entry: Entry) -> dict[str, Any]:
    about = {"name": entry.name, "uuid": entry.uuid, "running": entry.running}
    if entry.seen is None:
        return {**about, "problem": entry.problem}
    guest, identity, profile, standing = entry.seen
    applied = identity.applied
    return {
        **about,
        "problem": None,
        "system": identity.system,
        "release": identity.release,
        "accelerator": guest.accelerator,
        "enlightenments": [{"id": row_id, "value": value} for row_id, value in guest.enabled().items()],
        "applied": {"profile": applied.profile, "digest": applied.digest} if applied else None,
        "advised": profile,
        "beside": _standing_json(standing) if standing else None,
        "doubts": list(guest.doubts),
    }


def _standing_json(standing: Standing) -> dict[str, Any]:
    return {
        "same": standing.same,
        "lacks": list(standing.lacks),
        "beside": list(standing.beside),
        "differs": [one._asdict() for one in standing.differs],
    }
