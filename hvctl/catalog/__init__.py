"""The catalog: data only, and the only place that names an enlightenment.

One row for each enlightenment and option, in an order that is also libvirt's (domain_conf.c:199-218). Generation,
host check, explanation, JSON Schema and man pages are derived from it: a new enlightenment is a new row.
"""

from __future__ import annotations

from hvctl.catalog.rows import basic, hypercalls, nested, options, system, timing
from hvctl.catalog.types import Row

ROWS: tuple[Row, ...] = (
    *basic.ROWS,
    *timing.ROWS,
    *system.ROWS,
    *hypercalls.ROWS,
    *nested.ROWS,
    *options.ROWS,
)
BY_ID: dict[str, Row] = {row.id: row for row in ROWS}
ORDER: dict[str, int] = {row.id: position for position, row in enumerate(ROWS)}


def _normal(name: str) -> str:
    return name.strip().lower().replace("_", "-")


def _names(row: Row) -> list[str]:
    names = [row.id, *row.aliases, *row.property_aliases, *(known.name for known in row.properties)]
    if row.libvirt:
        names.append(row.libvirt.path)
    names += [name.removeprefix("hv-") for name in names]
    return [_normal(name) for name in names]


_BY_NAME: dict[str, Row] = {}
for _row in ROWS:
    for _name in _names(_row):
        _BY_NAME.setdefault(_name, _row)


def find(name: str) -> Row | None:
    """The row that any of its names means: id, QEMU's `hv-x` or `hv_x`, libvirt's, KubeVirt's; case is ignored."""
    return _BY_NAME.get(_normal(name))


def rank(name: str) -> tuple[int, str]:
    """A key to sort names by: the catalog's order, then the alphabet; what the catalog does not know is last."""
    row = find(name)
    return (ORDER[row.id] if row else len(ROWS), name)


def names() -> tuple[str, ...]:
    """Every name that `find` understands, ids first."""
    return tuple(dict.fromkeys((*BY_ID, *_BY_NAME)))
