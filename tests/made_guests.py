"""Guests made up, and what guests have compared, wherever it is written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hvctl.catalog import BY_ID, roles
from hvctl.model.guest import Guest, Setting, Switch, Timer
from hvctl.model.profile import Value

FACTS = (
    "arch",
    "accelerator",
    "machine",
    "irqchip",
    "firmware",
    "cpu",
    "migratable",
    "enforce",
    "hidden",
    "tsc_frequency",
    "properties",
    "features",
    "offset",
    "vcpus",
    "topology",
    "system",
)


def setting(row_id: str, value: Value | None = None, *, on: bool = True) -> Setting:
    """A setting without a place."""
    return Setting(BY_ID[row_id], on, value)


def timer(policy: str | None = None, present: bool | None = None, mode: str | None = None) -> Timer:
    """A timer without a place."""
    return Timer(None, policy, present, mode)


def made_guest(
    *settings: Setting, features: Iterable[tuple[str, bool]] = (), label: str = "guest", **changes: Any
) -> Guest:
    """A guest with these settings, CPU features, and other attributes."""
    guest = Guest(label).replace(switches={name: Switch(name, on) for name, on in features}, **changes)
    guest.set_settings(settings)
    return guest


def facts(guest: Guest, *without: str) -> dict[str, Any]:
    """What a guest has, but for some of it, without places."""
    settings = [(one.id, one.on, one.value) for one in guest.in_order()]
    found = {name: getattr(guest, name) for name in FACTS} | {"settings": settings}
    # Not those that are enlightenments, and those that are only named.
    found["timers"] = {
        name: one[1:]
        for name, one in guest.timers.items()
        if name not in roles.CLOCK_TIMERS and any(part is not None for part in one[1:])
    }
    return {name: value for name, value in found.items() if name not in without}
