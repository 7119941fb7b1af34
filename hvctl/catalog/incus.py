"""Incus: what it puts on QEMU's command line itself, and loses to what follows in `raw.qemu`.

Read in lxc/incus: internal/server/instance/drivers/driver_qemu.go of 6.0.4, and driver_qemu_machine.go at 0c0a3ddf,
cpuType(), which has more. It splits `raw.qemu` as a shell splits words, and appends them; the machine,
its memory and its vCPUs come before, by `-readconfig`.
"""

from typing import NamedTuple

KEY = "raw.qemu"
MEMORY, VCPUS = "limits.memory", "limits.cpu"
FAMILY = "q35"
"""The machine type of its guests on x86_64 (driver_qemu_templates.go, qemuMachineType()); their devices are on root
ports of PCIe (qemuPCIe())."""
BIOS = {"security.csm": "true", "security.secureboot": "false"}
"""What gives a guest firmware that boots as a BIOS does; without it that is UEFI (internal/instance/config.go: the
first requires the second)."""


class Own(NamedTuple):
    """Words of Incus's own `-cpu`: when it has them, the feature by which a profile asks for them, and what to do."""

    words: str
    when: str
    feature: str
    instead: str


OWN_CPU = (
    # With migration.stateful 6.0.4 writes none of Hyper-V's; lxc/incus pull request 3442 added those that can migrate.
    Own(
        "hv_passthrough",
        "with migration.stateful nothing, or in newer releases a fixed list",
        "",
        "the enlightenments here take its place",
    ),
    Own(
        "topoext",
        "where limits.cpu pins several threads of a core",
        "topoext",
        "an AMD guest does not see these threads without it: write `topoext: on` into cpu.features of the profile",
    ),
    Own(
        "+invtsc",
        "in newer releases, where the guest cannot migrate",
        "invtsc",
        "for an invariant TSC write `invtsc: on` into cpu.features of the profile",
    ),
    Own(
        "kvm64 and the flags that all members have",
        "in a cluster, with migration.stateful",
        "",
        "where the guest is to move between members, name the host file of each with --host",
    ),
)
"""What a second `-cpu` drops: QEMU takes the last one, and nothing of those before it."""
