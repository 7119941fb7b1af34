"""Guests, of a libvirt or of processes, beside what was put into them or is advised: a line each, and as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hvctl.catalog import BY_ID, ROWS
from hvctl.guest.domain.identity import Identity
from hvctl.model.guest import Guest
from hvctl.model.profile import Ask, Profile, Value
from hvctl.report.console import BOLD, Paint, wrapped
from hvctl.text.problems import printable

Enabled = dict[str, "Value | None"]


class Difference(NamedTuple):
    """A value that is another than the wanted one."""

    id: str
    value: Value | None
    wanted: Value | None


class Standing(NamedTuple):
    """What a guest lacks of a list, what it has beside it, and in which values it differs; in the catalog's order."""

    lacks: tuple[str, ...]
    beside: tuple[str, ...]
    differs: tuple[Difference, ...]

    @property
    def same(self) -> bool:
        """Whether nothing is different."""
        return not (self.lacks or self.beside or self.differs)


def standing(guest: Guest, wanted: Mapping[str, Value | None]) -> Standing:
    """Compare a guest with a list of enlightenments; a wanted value of None is any."""
    has = guest.enabled()
    all_of_them = any(BY_ID[row_id].takes_all for row_id in has)
    return Standing(
        tuple(
            row.id
            for row in ROWS
            if row.id in wanted and row.id not in has and not (all_of_them and row.in_passthrough)
        ),
        tuple(row.id for row in ROWS if row.id in has and row.id not in wanted),
        tuple(
            Difference(row.id, has[row.id], wanted[row.id])
            for row in ROWS
            if row.id in has and wanted.get(row.id) not in (None, has[row.id])
        ),
    )


def advised(profile: Profile) -> Enabled:
    """What a profile turns on or prefers, with the values that it names."""
    return {wish.id: wish.value for wish in profile.wishes if wish.ask is not Ask.OFF}


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
    """A guest: a domain with its UUID, or a process with its id (`pid`). `seen` is None, and `problem` says why, where
    what describes it could not be understood."""

    name: str
    uuid: str
    running: bool
    seen: Seen | None
    problem: str = ""
    pid: int | None = None


def show_text(entries: Sequence[Entry], *, processes: bool = False, width: int = 80, color: bool = False) -> str:
    """A line for each domain or process, none longer than `width`; ends in a newline."""
    paint = Paint(color)
    head = _Cells(*(("guest", "pid") if processes else ("domain", "state")), "Windows", "on", "beside")
    rows = [head, *map(_cells, entries)]
    columns = min(max(len(one.name) for one in rows), _MOST_NAME), max(5, *(len(one.state) for one in rows))
    first, *others = (_line(columns, one, width) for one in rows)
    return "\n".join([paint(first, BOLD), *others, "", *wrapped(_LEGEND, width, 0, 0)]) + "\n"


class _Cells(NamedTuple):
    """The cells of a line; of the last, `words` can be left out from the end."""

    name: str
    state: str
    system: str
    on: str
    against: str
    words: tuple[str, ...] = ()


def _line(columns: tuple[int, int], cells: _Cells, width: int) -> str:
    name, state = columns
    head = f"{_cut(cells.name, name):<{name}}  {cells.state:<{state}}  {_cut(cells.system, 13):<13}  {cells.on:>2}  "
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
    state = str(entry.pid) if entry.pid is not None else "on" if entry.running else "off"
    name = printable(entry.name)
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
    if applied := seen.identity.applied:
        return f"{foreign}applied:" if applied.profile == seen.profile else f"{foreign}applied {applied.profile}:"
    if seen.standing:
        return f"{foreign}advice:"
    return f"{foreign}no advice" if seen.identity.system else f"{foreign}no advice: its system is not said"


def _words(standing: Standing) -> tuple[str, ...]:
    found = [f"-{row_id}" for row_id in standing.lacks]
    found += [f"{one.id}={one.value}({one.wanted})" for one in standing.differs]
    return tuple(found + [f"+{row_id}" for row_id in standing.beside]) or ("the same",)


def show_json(uri: str, entries: Sequence[Entry]) -> dict[str, Any]:
    """Everything that is known of the domains."""
    return {"uri": uri, "domains": [_entry_json(one) for one in entries]}


def processes_json(entries: Sequence[Entry], doubts: Sequence[str]) -> dict[str, Any]:
    """The same of processes, and sentences about those that may be guests."""
    return {"processes": [_entry_json(one) for one in entries], "doubts": list(doubts)}


def _entry_json(entry: Entry) -> dict[str, Any]:
    process = {"name": entry.name, "pid": entry.pid}
    about = {"name": entry.name, "uuid": entry.uuid, "running": entry.running} if entry.pid is None else process
    if entry.seen is None:
        return {**about, "problem": entry.problem}
    enabled = entry.seen.guest.enabled()
    return {
        **about,
        "problem": None,
        **about_json(entry.seen),
        "accelerator": entry.seen.guest.accelerator,
        "enlightenments": [{"id": row_id, "value": value} for row_id, value in enabled.items()],
    }


def about_json(seen: Seen) -> dict[str, Any]:
    """What a guest is, what it is compared with, and how it differs from that."""
    guest, identity, profile, standing = seen
    applied = identity.applied
    return {
        "system": identity.system,
        "release": identity.release,
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
