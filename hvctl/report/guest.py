"""What one text says of a guest, each thing with its line, or with who added it; as text and as JSON."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from hvctl.catalog.cpu_models import HYPERVISOR
from hvctl.model.guest import Guest, Place
from hvctl.report.console import BOLD, Paint, wrapped
from hvctl.report.show import Seen, Standing, about_json
from hvctl.text.problems import printable

_DEFAULT = "default"
_FACTS = ("machine", "cpu", "accelerator", "irqchip", "vcpus", "offset")


class Item(NamedTuple):
    """A thing that a guest has: its name, its value, its line (None: it is not written), and who added it."""

    name: str
    value: str
    line: int | None
    origin: str = ""

    @property
    def source(self) -> str:
        """Where it is from, as people read it."""
        return self.origin or (_DEFAULT if self.line is None else f"line {self.line}")


def facts(guest: Guest) -> list[Item]:
    """What is known of the guest beside its enlightenments."""
    found = [_item(guest, name, getattr(guest, name), guest.places.get(name)) for name in _FACTS]
    firmware = guest.firmware.kind if guest.firmware else None
    found.append(_item(guest, "firmware", firmware, guest.places.get("firmware")))
    for name, timer in guest.timers.items():
        value = timer.policy or {True: "on", False: "off", None: None}[timer.present]
        found.append(_item(guest, name, value, timer.where))
    if guest.hidden:
        found.append(_item(guest, "KVM", "hidden", guest.places.get("hidden")))
    if (bit := guest.switches.get(HYPERVISOR)) is not None:
        found.append(_item(guest, HYPERVISOR, "on" if bit.on else "off", bit.where))
    return [one for one in found if one.value]


def enlightenments(guest: Guest) -> list[Item]:
    """The enlightenments that are written or added, in the catalog's order."""
    return [
        _item(guest, one.id, ("on" if one.value is None else str(one.value)) if one.on else "off", one.where)
        for one in guest.in_order()
    ]


def _item(guest: Guest, name: str, value: object, where: Place) -> Item:
    origin = "" if where is None else guest.origin(where)
    line = None if where is None or origin else guest.span(where).line
    return Item(name, "" if value is None else str(value), line, origin)


def guests_text(guests: Sequence[Seen], *, width: int = 80, color: bool = False) -> str:
    """A list for each guest; ends in a newline."""
    return "\n".join("\n".join(_lines(seen, width, Paint(color))) + "\n" for seen in guests)


def _lines(seen: Seen, width: int, paint: Paint) -> Iterator[str]:
    guest = seen.guest
    yield paint(printable(guest.label), BOLD)
    items = [*facts(guest), *enlightenments(guest)]
    names = max((len(one.name) for one in items), default=0)
    values = min(max((len(printable(one.value)) for one in items), default=0), 30)
    for one in items:
        yield f"  {one.name:<{names}}  {printable(one.value):<{values}}  {one.source}".rstrip()
    if seen.standing:
        beside = "what hvctl put in" if seen.identity.applied else f"profile {seen.profile}"
        yield from wrapped(f"beside {beside}: {_difference(seen.standing)}", width, 2, 4)
    for sentence in (*guest.doubts, *guest.platforms_own):
        yield from wrapped(f"note: {sentence}", width, 2, 4)


def _difference(standing: Standing) -> str:
    parts = [f"it lacks {' '.join(standing.lacks)}"] if standing.lacks else []
    parts += [f"{one.id} is {one.value}, not {one.wanted}" for one in standing.differs]
    parts += [f"it also has {' '.join(standing.beside)}"] if standing.beside else []
    return "; ".join(parts) or "the same"


def guests_json(guests: Sequence[Seen]) -> dict[str, Any]:
    """The same for programs."""
    return {
        "guests": [
            {
                "name": guest.label,
                **about_json(seen),
                "facts": [_json(one) for one in facts(guest)],
                "enlightenments": [_json(one) for one in enlightenments(guest)],
                "notes": list(guest.platforms_own),
            }
            for seen in guests
            for guest in (seen.guest,)
        ]
    }


def _json(item: Item) -> dict[str, Any]:
    return {"name": item.name, "value": item.value, "line": item.line, "origin": item.origin or None}
