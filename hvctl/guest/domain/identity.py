"""What a domain's `<metadata>` says of the guest: its system, by libosinfo's id, and the plan that hvctl has put in."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hvctl.catalog import BY_ID
from hvctl.catalog.types import Kind
from hvctl.catalog.windows import GUESTS
from hvctl.guest.domain.strict_reading import whole_number
from hvctl.text.json_fields import is_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hvctl.model.profile import Value
    from hvctl.xml.source import Element

# Of what hvctl writes into <metadata>, where libvirt keeps one element of each namespace.
NAMESPACE = "urn:hvctl:domain:1.0"
LIBOSINFO = "http://libosinfo.org/xmlns/libvirt/domain/1.0"
_WINDOWS = "http://microsoft.com/win/"
_RELEASES = {f"{_WINDOWS}{short}": guest.id for guest in GUESTS for short in guest.libosinfo}


class Applied(NamedTuple):
    """A plan that was put into a domain: its profile's name, its digest, and its enlightenments with their values."""

    profile: str
    digest: str
    enlightenments: tuple[tuple[str, Value | None], ...]


class Identity(NamedTuple):
    """`system` is libosinfo's id, `release` the Windows release that the catalog knows by it; None where not said."""

    system: str | None = None
    release: str | None = None
    applied: Applied | None = None


def read_identity(domain: Element) -> Identity:
    """What the metadata say; what cannot be understood counts as not said."""
    metadata = [child for found in domain.named("metadata") for child in found.children]
    systems = [one.get("id") or "" for child in metadata if child.namespace == LIBOSINFO for one in child.children]
    system = next((one for one in systems if one and is_line(one)), None)
    plans = [plan for child in metadata if child.namespace == NAMESPACE for plan in child.children]
    applied = next((_applied(plan) for plan in plans if plan.local == "plan"), None)
    return Identity(system, _RELEASES.get(system or ""), applied)


def _applied(plan: Element) -> Applied | None:
    profile, digest = plan.get("profile") or "", plan.get("digest") or ""
    if not (profile and is_line(profile) and is_line(digest)):
        return None
    return Applied(profile, digest, tuple(_enlightenments(plan)))


def _enlightenments(plan: Element) -> Iterator[tuple[str, Value | None]]:
    for child in plan.children:
        row = BY_ID.get(child.get("id") or "")
        if row:
            value = child.get("value")
            yield row.id, whole_number(value) if value and row.kind is Kind.NUMBER else value
