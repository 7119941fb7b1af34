"""What other tools and documents turn on for a Windows guest, read in their sources, for `hvctl bench --set`."""

from collections.abc import Iterator
from typing import NamedTuple

from hvctl.catalog import proxmox, roles
from hvctl.catalog.windows import SYSTEMS


class Member(NamedTuple):
    """One row of a set. `build` is the NT build from which a guest gets it, `vendor` the only host processors;
    `apicv` and `scaling` limit it to hosts with APICv or AVIC active, and with TSC scaling."""

    id: str
    value: int | str | None = None
    build: int = 0
    vendor: str = ""
    apicv: bool = False
    scaling: bool = False


class PlatformSet(NamedTuple):
    """What a platform gives a Windows guest that nobody has configured further.

    `releases` are the systems that it has a default for, by their ids; empty is every Windows. `probed` says that only
    what the host's KVM and QEMU have is turned on; else the whole set is written, and QEMU may refuse it. `note` is
    what must be so beside the release, as a part of a sentence.
    """

    id: str
    title: str
    members: tuple[Member, ...] = ()
    sources: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()
    probed: bool = False
    note: str = ""


NONE = "none"
"""The guest without any."""


def _rows(*ids: str, build: int = 0) -> tuple[Member, ...]:
    return tuple(Member(row_id, build=build) for row_id in ids)


def _added_by_proxmox() -> Iterator[Member]:
    """What Proxmox VE adds with its newest machine type; a release's ostype is what it goes by."""
    for added in proxmox.ENLIGHTENMENTS:
        if added.before is None:
            builds = [one.build for one in SYSTEMS if one.build and proxmox.windows_of(one.id) >= added.windows]
            value = int(added.value, 16) if added.value else None
            yield Member(roles.PROPERTIES[added.name].id, value, min(builds), added.vendor or "")


_BASE = (*_rows("relaxed", "vapic"), Member("spinlocks", 8191), *_rows("vpindex", "runtime", "time", "synic"))

_ENGINE = "oVirt/ovirt-engine"

SETS = (
    PlatformSet(
        "proxmox",
        "Proxmox VE, ostype by release",
        tuple(_added_by_proxmox()),
        (
            "proxmox/qemu-server src/PVE/QemuServer/CPUConfig.pm, get_hyperv_enlightenments()",
            "proxmox/qemu-server commit e6352be67f70: evmcs from machine version 11.0+pve2 on",
        ),
        note="with its newest machine version; tlbflush is an option, and with OVMF older Windows than 8 gets nothing",
    ),
    PlatformSet(
        "kubevirt",
        "KubeVirt, preferences of common-instancetypes",
        (*_BASE, *_rows("stimer", "stimer-direct", "tlbflush", "frequencies", "reenlightenment", "ipi", "reset")),
        (
            "kubevirt/common-instancetypes preferences/components/hyperv/hyperv.yaml",
            "kubevirt/common-instancetypes preferences/windows/base/kustomization.yaml, which all releases include",
        ),
        (
            "windows-xp",
            "windows-server-2003",
            "windows-server-2008",
            "windows-7",
            "windows-server-2008r2",
            "windows-server-2012",
            "windows-10",
            "windows-server-2016",
            "windows-server-2019",
            "windows-server-2022",
            "windows-11-23h2",
            "windows-11",
            "windows-server-2025",
        ),
    ),
    PlatformSet(
        "nova",
        "OpenStack nova, os_type windows",
        (*_BASE, *_rows("reset", "frequencies", "tlbflush", "ipi")),
        (
            "openstack/nova 34.0.0 nova/virt/libvirt/driver.py, _set_features()",
            "openstack/nova 34.0.0 nova/virt/libvirt/driver.py, the timer hypervclock for os_type windows",
        ),
    ),
    PlatformSet(
        "ovirt",
        "oVirt, cluster level 4.7",
        (*_BASE, *_rows("stimer", "stimer-direct", "reset", "frequencies", "reenlightenment", "tlbflush", "ipi")),
        (
            f"{_ENGINE} backend/manager/modules/vdsbroker, LibvirtVmXmlBuilder.java, writeFeatures() and writeClock()",
            f"{_ENGINE} packaging/conf/osinfo-defaults.properties: hyperv is on for all derived from windows_xp",
        ),
    ),
    PlatformSet(
        "virt-install",
        "virt-install and virt-manager 5.0",
        (
            *_BASE,
            *_rows("stimer", "stimer-direct", "frequencies", "tlbflush", "ipi"),
            Member("evmcs", vendor="intel"),
            # It looks at libvirt's list of what QEMU and KVM have, and KVM has this on any hardware.
            Member("avic"),
        ),
        ("virt-manager/virt-manager 5.0.0 virtinst/domain/features.py, _set_hyperv_defaults()",),
        probed=True,
        note="where libvirt lists them; before 5.0 relaxed, vapic, spinlocks and the clock only",
    ),
    PlatformSet(
        "qemu-docs",
        "QEMU's documentation, Recommendations",
        (
            *_rows("relaxed", "vapic"),
            Member("spinlocks", 4095),
            *_rows("vpindex", "runtime", "time", "synic", "stimer", "stimer-direct", "frequencies"),
            Member("reenlightenment", scaling=True),
            *_rows("tlbflush", "tlbflush-direct", "tlbflush-ext", "ipi"),
            Member("evmcs", vendor="intel"),
            Member("avic", apicv=True),
            *_rows("emsr-bitmap", "xmm-input"),
        ),
        ("qemu:docs/system/i386/hyperv.rst, Recommendations",),
        probed=True,
        note="all that is implemented, but for what is listed there; spinlocks as for an overcommitted host",
    ),
    PlatformSet(NONE, "no enlightenment at all"),
)
SETS_BY_ID = {platform.id: platform for platform in SETS}
"""The sets by their ids."""
