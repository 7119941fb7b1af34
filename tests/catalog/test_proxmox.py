"""What Proxmox VE has and adds: as its own tables have it, as the reader finds it, and as `hvctl bench` has its set."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from hvctl.catalog import ROWS, proxmox
from hvctl.catalog.sets import SETS
from hvctl.catalog.windows import SYSTEMS, System
from hvctl.guest.proxmox.cpu import Facts
from hvctl.guest.proxmox.reader import read_guests

(SET,) = (one for one in SETS if one.id == "proxmox")
NEWEST = "pc-q35-11.0+pve2"


OWN = yaml.safe_load(Path(__file__).with_name("proxmox.yaml").read_text())


def test_the_tables_are_proxmoxs_own() -> None:
    vendors = {model: vendor for vendor, models in OWN["vendors"].items() for model in models}
    assert {model: vendor or "default" for model, vendor in proxmox.VENDORS.items()} == vendors
    assert list(proxmox.VM_FLAGS) == OWN["vm_flags"]
    assert {name: [model, set(flags.split(";"))] for name, (model, flags) in proxmox.MODELS.items()} == {
        name: [model, set(flags.split(";"))] for name, (model, flags) in OWN["models"].items()
    }


def test_the_enlightenments_are_proxmoxs_own() -> None:
    """Beside the one that is younger than the table (see `expected.py`), and what it writes for old machine types."""
    own = {(flag, one["windows"], (*one["machine"], 0)) for one in OWN["enlightenments"] for flag in one["flags"]}
    known = {(one.flag, one.windows, one.machine) for one in proxmox.ENLIGHTENMENTS if one.before is None}
    assert known - own == {("hv_evmcs", 11, (11, 0, 2))}
    assert own <= known


def test_every_row_that_takes_a_flag_has_a_name_that_a_flag_can_have() -> None:
    flags = {row.id for row in ROWS if proxmox.takes_flag(row)}
    assert all(proxmox.FLAG.fullmatch(f"+{row.properties[0].name}") for row in ROWS if row.id in flags)
    assert all(len(row.properties) == 1 and row.properties[0].type == "bool" for row in ROWS if row.id in flags)
    assert all(row.properties[0].type != "bool" for row in ROWS if row.id not in flags)


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
