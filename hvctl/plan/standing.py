"""What a guest has, beside what was put into it or what is advised for its release."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from hvctl.catalog import BY_ID, ROWS
from hvctl.model.guest import Guest
from hvctl.model.profile import Ask, Profile, Value

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
