"""The hypervisor version that a guest reads, as a profile writes it: `10.0.14393` or `10.0.14393.0-0-0`.

The numbers are those of CPUID leaf 0x40000002, in the order of the catalog's properties: major, minor, build, service
pack, service branch, service number (qemu:docs/system/i386/hyperv.rst, "hv-version-id-*").
"""

from __future__ import annotations

import re

from hvctl.catalog import ROWS
from hvctl.catalog.types import Kind, Property

_SHAPE = re.compile(r"([0-9]+)\.([0-9]+)\.([0-9]+)(?:\.([0-9]+)-([0-9]+)-([0-9]+))?", re.ASCII)
SHAPE = "MAJOR.MINOR.BUILD or MAJOR.MINOR.BUILD.SPACK-SBRANCH-SNUMBER"


def properties() -> tuple[Property, ...]:
    """The properties that together make the version."""
    return next(row.properties for row in ROWS if row.kind is Kind.VERSION)


def limits() -> tuple[int, ...]:
    """The largest number of each part: what its CPUID field holds, which is narrower than some property types."""
    return tuple((1 << known.field.width) - 1 if known.field else 0 for known in properties())


def parse_version(text: str) -> tuple[int, ...]:
    """The six numbers of a version, in the order of the catalog's properties; parts left out are 0.

    Raises:
        ValueError: the text has another shape, or a part does not fit into its field; the message says which.
    """
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise ValueError(f"a version is written {SHAPE}")
    numbers = []
    for known, limit, digits in zip(properties(), limits(), match.groups("0"), strict=True):
        if len(digits) > 1 and digits.startswith("0"):
            raise ValueError(f"{digits[:20]} is not a number without leading zeros")
        # int() of a very long text is slow, and refused beyond 4300 digits.
        if len(digits) > 10 or int(digits) > limit:
            part = known.name.rpartition("-")[2]
            raise ValueError(f"the part {part} is {digits[:20]}, and at most {limit}")
        numbers.append(int(digits))
    return tuple(numbers)
