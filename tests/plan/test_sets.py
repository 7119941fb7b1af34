"""The sets of platforms on recorded hosts: by release, by processor, and by what KVM and QEMU have."""

from __future__ import annotations

import pytest

from hvctl import api
from hvctl.catalog.sets import SETS, SETS_BY_ID
from hvctl.catalog.windows import BY_OS, SYSTEMS
from hvctl.guest.command.writer import arguments
from hvctl.model.host import Host
from hvctl.plan.sets import has_default, release_of, with_set


def host(name: str) -> Host:
    return api.load_hosts([f"tests/hosts/{name}.json"]).representatives()[0]


def ids(name: str, os: str, on: Host) -> set[str]:
    plan = api.resolve(api.load_profile("windows-11"), (on,))
    return {one.id for one in with_set(plan, SETS_BY_ID[name], BY_OS[os], on).enabled()}


def test_a_profile_without_a_release_is_compared_as_the_newest_client() -> None:
    assert release_of("other").id == "windows-11"
    assert release_of("windows-7").id == "windows-7"


def test_proxmox_tells_releases_apart() -> None:
    amd, intel = host("debian-13"), host("debian-12-intel")
    vista = {"spinlocks", "vapic", "time", "reset", "vpindex", "runtime"}
    seven = {*vista, "relaxed", "synic", "stimer", "ipi"}
    for os, expected in (
        ("windows-xp", set()),
        ("windows-server-2003", set()),
        ("windows-vista", vista),
        ("windows-server-2008", vista),
        ("windows-7", seven),
        ("windows-10", seven),
        ("windows-server-2019", seven),
    ):
        assert ids("proxmox", os, amd) == ids("proxmox", os, intel) == expected
    for os in ("windows-11", "windows-11-23h2", "windows-server-2022", "windows-server-2025"):
        assert ids("proxmox", os, amd) == seven
        assert ids("proxmox", os, intel) == {*seven, "evmcs"}


def test_only_what_is_probed_depends_on_kvm() -> None:
    """Proxmox VE writes evmcs on every Intel host: with nested off QEMU refuses it, which is not to be hidden."""
    without = host("debian-12-intel-not-nested")
    assert "evmcs" in ids("proxmox", "windows-11", without)
    assert "evmcs" not in ids("virt-install", "windows-11", without)
    assert "evmcs" not in ids("qemu-docs", "windows-11", without)
    assert "evmcs" in ids("virt-install", "windows-11", host("debian-12-intel"))
    assert "tlbflush-ext" not in ids("qemu-docs", "windows-11", host("debian-12"))
    assert "tlbflush-ext" in ids("qemu-docs", "windows-11", host("debian-13"))


def test_avic_is_for_the_hardware_in_the_document_and_for_any_in_virt_install() -> None:
    active, inactive = host("debian-12-intel"), host("debian-12-intel-no-apicv")
    assert "avic" in ids("qemu-docs", "windows-11", active)
    assert "avic" not in ids("qemu-docs", "windows-11", inactive)
    assert "avic" in ids("virt-install", "windows-11", inactive)


def test_kubevirt_has_no_preference_for_some_releases() -> None:
    without = {one.id for one in SYSTEMS if one.build and not has_default(SETS_BY_ID["kubevirt"], one)}
    assert without == {"windows-vista", "windows-8", "windows-8.1", "windows-server-2012r2"}
    assert all(has_default(platform, BY_OS["windows-8.1"]) for platform in SETS if platform.id != "kubevirt")


@pytest.mark.parametrize("name", ["debian-12", "debian-13", "debian-12-intel", "debian-13-intel"])
def test_a_set_changes_the_enlightenments_alone(name: str) -> None:
    here = host(name)
    plan = api.resolve(api.load_profile("windows-11"), (here,))
    for platform in SETS:
        other = with_set(plan, platform, BY_OS["windows-11"], here)
        assert other.machine == plan.machine
        assert other.cpu == plan.cpu
        assert [word.partition(",hv_")[0] for word in arguments(other)] == [
            word.partition(",hv_")[0] for word in arguments(plan)
        ]
        assert {one.id: one.value for one in other.enabled()}.get("spinlocks", 8191) in (8191, 4095)
