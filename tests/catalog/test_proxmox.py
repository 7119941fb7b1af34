"""What Proxmox VE adds, as the reader of its configurations has it, and as `hvctl bench` has its set: the same."""

from __future__ import annotations

import pytest

from hvctl.catalog import proxmox
from hvctl.catalog.sets import SETS
from hvctl.catalog.windows import SYSTEMS, System
from hvctl.guest.proxmox.cpu import Facts
from hvctl.guest.proxmox.reader import read_guests

(SET,) = (one for one in SETS if one.id == "proxmox")
NEWEST = "pc-q35-11.0+pve2"


def test_every_release_has_an_ostype() -> None:
    assert proxmox.RELEASES.keys() == {system.id for system in SYSTEMS}
    assert set(proxmox.RELEASES.values()) <= proxmox.OS_TYPES.keys()


@pytest.mark.parametrize("vendor", ["intel", "amd"])
@pytest.mark.parametrize("system", [one for one in SYSTEMS if one.build], ids=lambda system: system.id)
def test_the_set_is_what_the_reader_finds(system: System, vendor: str) -> None:
    text = f"cores: 1\nmachine: {NEWEST}\nostype: {proxmox.RELEASES[system.id]}\n"
    (guest,) = read_guests(text, "100.conf", facts=Facts(vendor, (11, 0)))
    wanted = {
        one.id: one.value for one in SET.members if (system.build or 0) >= one.build and one.vendor in ("", vendor)
    }
    assert guest.enabled() == wanted
