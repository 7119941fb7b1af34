"""The command line that is made of a configuration, beside the ones that Proxmox VE expects of itself."""

from __future__ import annotations

import pytest

from hvctl.guest.proxmox.config import read_models
from hvctl.guest.proxmox.cpu import Facts
from hvctl.guest.proxmox.reader import command_line, read_guests
from tests.guest.proxmox.expected import EXPECTED, MODELS, Expected

CUSTOM = read_models(MODELS, "cpu-models.conf")


@pytest.mark.parametrize("case", EXPECTED, ids=lambda case: case.name)
def test_it_is_what_proxmox_expects(case: Expected) -> None:
    (guest,) = read_guests(case.conf, "8006.conf", CUSTOM, Facts(case.vendor, (11, 0)))
    assert guest.added == case.cpu
    assert guest.doubts == ()
    assert guest.mistakes == []
    assert set(case.rest) <= set(command_line(guest))


def test_what_depends_on_the_node_is_a_doubt() -> None:
    text = "cpu: host\nmachine: pc-q35-11.0+pve2\nostype: win11\n"
    (guest,) = read_guests(text, "100.conf")
    (doubt,) = guest.doubts
    assert doubt == "Proxmox VE may add hv_evmcs: that depends on the processor's vendor, which --host gives"
    assert "evmcs" not in guest.on
    (older,) = read_guests(text.replace("11.0+pve2", "9.2"), "100.conf")
    assert older.doubts == (
        "Proxmox VE may add -cet-ibt, -cet-ss, -vmx-mbec: that depends on QEMU's version, which --host gives",
    )


@pytest.mark.parametrize(
    ("machine", "number"),
    [("2.2", 3), ("2.3", 5), ("2.6", 8), ("2.12", 10), ("3.1", 11), ("11.0", 11), ("11.0+pve2", 12), ("11.1", 12)],
)
def test_machine_types(machine: str, number: int) -> None:
    text = f"cpu: host,hv-vendor-id=me\nmachine: pc-q35-{machine}\nostype: win11\n"
    (guest,) = read_guests(text, "100.conf", facts=Facts("intel", (11, 1)))
    assert len(guest.on) == number


@pytest.mark.parametrize(("ostype", "number"), [("wxp", 0), ("w2k8", 6), ("win7", 10), ("win11", 10), ("l26", 0)])
def test_systems(ostype: str, number: int) -> None:
    (guest,) = read_guests(f"machine: pc-q35-9.2\nostype: {ostype}\n", "100.conf")
    assert len(guest.on) == number


def test_a_graphics_card() -> None:
    (guest,) = read_guests("cpu: host\nhostpci0: 01:00,x-vga=1\nmachine: pc-q35-9.2\nostype: win10\n", "100.conf")
    assert guest.hidden
    assert guest.settings["vendor-id"].value == "proxmox"
    (shown,) = read_guests("cpu: host,hidden=0\nhostpci0: 01:00,x-vga=1\nostype: win10\n", "100.conf")
    assert not shown.hidden


def test_nested_virtualization_is_the_vendors() -> None:
    text = "cpu: host,flags=+nested-virt\nostype: l26\n"
    for vendor, name in (("intel", "vmx"), ("amd", "svm")):
        (guest,) = read_guests(text, "100.conf", facts=Facts(vendor, (10, 0)))
        assert guest.switches[name].on
    (unknown,) = read_guests(text, "100.conf")
    assert "+nested-virt is vmx or svm: it depends on the processor's vendor, which --host gives" in unknown.doubts
