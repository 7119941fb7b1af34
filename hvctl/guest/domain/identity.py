"""What a domain's `<metadata>` says of the guest: its system, by libosinfo's id, and the plan that hvctl has put in."""

from collections.abc import Iterator
from typing import NamedTuple

from hvctl.catalog import BY_ID
from hvctl.catalog.types import Kind
from hvctl.catalog.windows import BY_LIBOSINFO
from hvctl.guest.domain import LIBOSINFO, NAMESPACE
from hvctl.model.profile import Value
from hvctl.text.c_numbers import whole_number
from hvctl.text.json_fields import is_line
from hvctl.xml.document import Element


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
    systems = (libosinfo_id(found) for found in domain.named("metadata"))
    system = next((one for one in systems if one and is_line(one)), None)
    plans = [plan for child in metadata if child.namespace == NAMESPACE for plan in child.children]
    applied = next((_applied(plan) for plan in plans if plan.local == "plan"), None)
    return Identity(system, BY_LIBOSINFO.get(system or ""), applied)


def libosinfo_id(metadata: Element) -> str:
    """The id of the operating system in libosinfo's metadata; empty where it has none."""
    return _known(metadata, {})


def _known(element: Element, bound: dict[str, str]) -> str:
    """`bound` are the prefixes that are declared inside the metadata: to ask each element for its namespace costs
    more."""
    for child in element.below:
        inside = {**bound, **own} if (own := child.written.declares) else bound
        prefix, _, name = child.tag.rpartition(":")
        if name == "os" and (inside.get(prefix) or child.namespace) == LIBOSINFO:
            return child.get("id") or ""
        if child.below and (found := _known(child, inside)):
            return found
    return ""


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
