"""The catalog: data only, and the only place that names an enlightenment.

One row for each enlightenment and option, in an order that is also libvirt's (domain_conf.c:199-218). Generation,
host check, explanation, JSON Schema and man pages are derived from it: a new enlightenment is a new row.
"""

import re

from hvctl.catalog.rows import basic, hypercalls, options, system
from hvctl.catalog.types import Kind, Row

ROWS: tuple[Row, ...] = (*basic.ROWS, *system.ROWS, *hypercalls.ROWS, *options.ROWS)
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


VERSION_SHAPE = "MAJOR.MINOR.BUILD or MAJOR.MINOR.BUILD.SPACK-SBRANCH-SNUMBER"
"""How a profile writes the hypervisor version that a guest reads: `10.0.14393` or `10.0.14393.0-0-0`."""
_VERSION = r"([0-9]+)\.([0-9]+)\.([0-9]+)(?:\.([0-9]+)-([0-9]+)-([0-9]+))?"


def version_limits() -> dict[str, int]:
    """The largest number of each part of a version: what its CPUID field holds, narrower than some property types.

    By the names of its properties, which are in the order of CPUID leaf 0x40000002: major, minor, build, service pack,
    service branch, service number (qemu:docs/system/i386/hyperv.rst, "hv-version-id-*").
    """
    row = next(row for row in ROWS if row.kind is Kind.VERSION)
    return {known.name: (1 << known.field.width) - 1 if known.field else 0 for known in row.properties}


def parse_version(text: str) -> tuple[int, ...]:
    """The six numbers of a version, in the order of the catalog's properties; parts left out are 0.

    Raises:
        ValueError: the text has another shape, or a part does not fit into its field; the message says which.
    """
    match = re.fullmatch(_VERSION, text, re.ASCII)
    if match is None:
        raise ValueError(f"a version is written {VERSION_SHAPE}")
    numbers = []
    for (name, limit), digits in zip(version_limits().items(), match.groups("0"), strict=True):
        if len(digits) > 1 and digits.startswith("0"):
            raise ValueError(f"{digits[:20]} is not a number without leading zeros")
        # int() of a very long text is slow, and refused beyond 4300 digits.
        if len(digits) > 10 or int(digits) > limit:
            raise ValueError(f"the part {name.rpartition('-')[2]} is {digits[:20]}, and at most {limit}")
        numbers.append(int(digits))
    return tuple(numbers)
