"""What Proxmox VE itself expects of its configurations: the lines that decide, and the `-cpu` that they become.

Source: proxmox/qemu-server:src/test/cfg2cmd/NAME.conf and NAME.conf.cmd, in 2026, on a node that its tests mock: an
Intel processor unless the name says AMD, QEMU 11.0. The custom models are of src/test/run_config2command_tests.pl.
"""

from __future__ import annotations

from typing import NamedTuple

MODELS = """\
# "qemu64" is also a default CPU
cpu-model: qemu64
    reported-model athlon
    flags +aes;+avx;-kvm_pv_unhalt
    hv-vendor-id testvend
    phys-bits 40

cpu-model: alldefault

"""
_WINDOWS = "hv_ipi,hv_relaxed,hv_reset,hv_runtime,hv_spinlocks=0x1fff,hv_stimer,hv_synic,hv_time,hv_vapic"
_PV, _PV_OFF = "+kvm_pv_eoi,+kvm_pv_unhalt", "+kvm_pv_eoi,-kvm_pv_unhalt"


class Expected(NamedTuple):
    """A configuration, what PVE makes of it, and the vendor of the processor."""

    name: str
    conf: str
    cpu: str
    rest: tuple[str, ...] = ()
    vendor: str = "intel"


EXPECTED = (
    Expected(
        "win11-host-11.0+pve2",
        "cpu: host\nmachine: pc-q35-11.0+pve2\nostype: win11\n",
        f"host,-cet-ibt,-cet-ss,hv_evmcs,{_WINDOWS},hv_vpindex,{_PV}",
        ("driftfix=slew", "base=localtime", "hpet=off", "type=pc-q35-11.0"),
    ),
    Expected(
        "win11-amd-host-11.0+pve2",
        "cpu: host\nmachine: pc-q35-11.0+pve2\nostype: win11\n",
        f"host,-cet-ibt,-cet-ss,{_WINDOWS},hv_vpindex,{_PV}",
        vendor="amd",
    ),
    Expected(
        "startdate-win11",
        "ostype: win11\ntdf: 0\nstartdate: 2020-01-11\n",
        f"kvm64,-cet-ibt,-cet-ss,enforce,{_WINDOWS},hv_vpindex,{_PV},+lahf_lm,+sep",
        ("base=2020-01-11", "hpet=off", "type=pc-i440fx-5.1"),
    ),
    Expected(
        "q35-windows-pinning",
        "machine: q35\nmeta: creation-qemu=9.2.0\nostype: win11\n",
        f"kvm64,-cet-ibt,-cet-ss,enforce,{_WINDOWS},hv_vpindex,{_PV},+lahf_lm,+sep",
        ("type=pc-q35-9.2", "base=localtime"),
    ),
    Expected(
        "cpu-level",
        "cpu: host,level=30,flags=+md-clear;+pdpe1gb;-hv-tlbflush\nmachine: pc-i440fx-11.0\nostype: win11\n",
        f"host,level=30,-cet-ibt,-cet-ss,-hv-tlbflush,{_WINDOWS},hv_vpindex,{_PV},+md-clear,+pdpe1gb",
    ),
    Expected(
        "q35-win10-hostpci",
        "bios: ovmf\ncores: 1\nhostpci0: f0:42.0\nhostpci1: f0:43.0,pcie=1\nmachine: q35\nostype: win10\nsockets: 2\n",
        f"kvm64,enforce,{_WINDOWS},hv_vpindex,{_PV},+lahf_lm,+sep",
        ("2,sockets=2,cores=1,maxcpus=2", "type=pc-q35-5.1"),
    ),
    Expected(
        "q35-win7-hostpci",
        "bios: ovmf\nhostpci0: f0:42.0\nmachine: q35\nostype: win7\n",
        f"kvm64,enforce,{_PV},+lahf_lm,+sep",
        ("kvm-pit.lost_tick_policy=discard", "hpet=off"),
    ),
    Expected(
        "custom-cpu-model",
        "cores: 3\ncpu: custom-qemu64,flags=+virt-ssbd\nostype: win10\n",
        f"athlon,+aes,+avx,enforce,{_WINDOWS},hv_vendor_id=testvend,hv_vpindex,{_PV_OFF},vendor=AuthenticAMD,+virt-ssbd,"
        "phys-bits=40",
        ("3,sockets=1,cores=3,maxcpus=3",),
    ),
    Expected(
        "custom-cpu-model-host-phys-bits",
        "cpu: custom-qemu64,phys-bits=host\nostype: win10\n",
        f"athlon,+aes,+avx,enforce,{_WINDOWS},hv_vendor_id=testvend,hv_vpindex,{_PV_OFF},vendor=AuthenticAMD,"
        "host-phys-bits=true",
    ),
    Expected(
        "custom-cpu-model-defaults",
        "cpu: custom-alldefault\nmachine: pc-i440fx-11.0\nostype: l26\n",
        f"kvm64,enforce,{_PV},+lahf_lm,+sep",
    ),
    Expected(
        "cputype-icelake-client-deprecation",
        "cpu: Icelake-Client\nmachine: pc-i440fx-11.0\nostype: l26\n",
        f"Icelake-Server,enforce,{_PV},vendor=GenuineIntel",
    ),
    Expected("os-solaris", "machine: pc-i440fx-11.0\nostype: solaris\n", f"kvm64,enforce,{_PV},+lahf_lm,+sep,-x2apic"),
)
