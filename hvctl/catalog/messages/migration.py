"""What QEMU says where a guest cannot be migrated, and so neither saved nor snapshotted with its memory."""

from hvctl.catalog import ROWS
from hvctl.catalog.messages.types import Layer, Message

_KVM_C = "qemu:target/i386/kvm/kvm.c"
_MACHINE_C = "qemu:target/i386/machine.c"
_ALL = "The same blocks `virsh save`, managedsave and snapshots with memory."
_LOST = "The source may already report that the migration is complete: then the guest is lost, and restarts cold."
_SAME = "Start both ends with the same arguments; `hvctl check-migration` compares the hosts before the next try."

MESSAGES = (
    Message(
        "flag-blocks-migration",
        Layer.QEMU,
        f"QEMU does not migrate a guest with {{row}} ({{title}}). {_ALL}",
        "{unblock} The change takes effect at the next cold start.",
        f"{_KVM_C}:1685-1708",
        ("'{row}' CPU flag prevents migration",),
        rules=("passthrough-blocks-migration", "coresharing-auto"),
    ),
    Message(
        "invtsc-blocks-migration",
        Layer.QEMU,
        f"The guest's CPU has invtsc and no tsc-frequency, so its TSC could run at another speed elsewhere. {_ALL} "
        "migratable=off, and libvirt's migratable='off', bring invtsc with them.",
        "Leave invtsc and migratable=off out; or keep invtsc and write tsc-frequency (libvirt: <timer name='tsc' "
        "frequency='HZ'/>), on every host the same. The change takes effect at the next cold start.",
        f"{_KVM_C}:2307-2319",
        ("State blocked by non-migratable CPU device (invtsc flag)",),
        rules=("invtsc-without-frequency", "migratable-off"),
    ),
    Message(
        "device-blocks-migration",
        Layer.QEMU,
        f"The state of the device {{value}} cannot be saved. {_ALL} It is not an enlightenment.",
        "Detach the device before, and attach it again afterwards.",
        "qemu:migration/savevm.c",
        ("State blocked by non-migratable device '{value}'",),
    ),
    Message(
        "assigned-device-blocks-migration",
        Layer.QEMU,
        f"An assigned device, such as a graphics card, has no driver in the host's kernel that can save its state. "
        f"{_ALL}",
        "Detach the device before, or shut the guest down and move it cold. A few network cards and vGPUs have a "
        "driver that can (mlx5_vfio_pci and other VFIO variant drivers).",
        "qemu:hw/vfio/migration.c; linux:Documentation/driver-api/vfio.rst",
        (
            "VFIO migration is not supported in kernel",
            "VFIO device doesn't support migration",
            "Migration is disabled for VFIO device",
            "VFIO device doesn't support device and IOMMU dirty tracking",
            "Migration is currently not supported with vIOMMU enabled",
        ),
    ),
    *(
        Message(
            f"{row.id}-loses-the-guest",
            Layer.QEMU,
            "The guest uses {row} ({title}), and this end was started without tsc-frequency. It dies while the source "
            "reports that the migration is complete: the guest is lost, and restarts cold.",
            "Leave {row} out: it is of use only to a Hyper-V inside the guest; or start both ends with the same "
            "tsc-frequency (libvirt: <timer name='tsc' frequency='HZ'/>).",
            f"{_MACHINE_C}:904-921",
            (row.migration_error,),
            row=row.id,
            rules=("reenlightenment-without-frequency",),
        )
        for row in ROWS
        if row.migration_error and "CPU flag" not in row.migration_error
    ),
    Message(
        "tsc-frequency-differs",
        Layer.QEMU,
        f"tsc-frequency of the destination is not that of the guest that arrives. {_LOST}",
        f"Write the same tsc-frequency on both. {_SAME}",
        f"{_MACHINE_C}:320; observed with QEMU 10.0",
        ("Mismatch between user-specified TSC frequency and migrated TSC frequency",),
    ),
    *(
        Message(
            f"{row.id}-missing-at-the-destination",
            Layer.QEMU,
            "The source has {row} ({title}), and the destination was started without it. The source goes on.",
            _SAME,
            "qemu:migration/ram.c; observed with QEMU 7.2 and 10.0",
            (f'Unknown ramblock "{row.ramblock.partition("-")[0]}-{{value}}", cannot accept migration',),
            row=row.id,
        )
        for row in ROWS
        if row.ramblock
    ),
    Message(
        "machine-type-differs",
        Layer.QEMU,
        "The two ends have different machine types. `pc` and `q35` mean the newest one that each QEMU has.",
        "Give the guest a versioned machine type that both QEMUs have, as pc-q35-9.2, before its next cold start.",
        "qemu:migration/savevm.c, configuration_post_load()",
        ("Machine type received is '{value}' and local is '{value}'",),
        rules=("unversioned-machine",),
    ),
    Message(
        "device-missing-at-the-destination",
        Layer.QEMU,
        "The source sent the state of {value}, and the destination has no such device. It is kvmclock's if one end "
        f"hides KVM (kvm=off) on a machine type up to 5.1. {_LOST}",
        _SAME,
        "qemu:migration/savevm.c; qemu:hw/i386/kvm/clock.c, create_always; observed with QEMU 7.2 and 10.0",
        ("Unknown savevm section or instance '{value}'",),
        rules=("kvmclock-missing",),
    ),
    Message(
        "nested-state-refused",
        Layer.QEMU,
        "The guest runs a hypervisor (Hyper-V, VBS, WSL2), and the other host cannot take over the state of its nested "
        "guests: nested virtualization is off there, or the enlightened VMCS is missing.",
        "Load kvm_intel or kvm_amd with nested=1 on both hosts, and give both ends the same enlightenments; or take "
        "vmx or svm out of the guest's CPU.",
        f"{_MACHINE_C}; linux:arch/x86/kvm/vmx/nested.c:6978-6981",
        (
            "Failed to set nested state",
            "vmstate_load_state: Assertion `first_elem || !n_elems || !size' failed",
            "Received nested state when kernel cannot restore it",
            "Received unsupported nested state size",
            "vCPU set in guest-mode inconsistent with migrated kernel nested state",
            "Guest maybe enabled nested virtualization but kernel does not support required capabilities",
        ),
        rules=("evmcs-without-nested-intel",),
    ),
    Message(
        "firmware-variables-block-snapshots",
        Layer.QEMU,
        "The UEFI variables are in a raw file, which has no room for a snapshot. Without a snapshot of them QEMU saves "
        "none of the guest's memory.",
        "Shut the guest down and convert the variables to qcow2 (`qemu-img convert -O qcow2`), and say format=qcow2 "
        "for them; or take snapshots of the disks only, with the guest shut down.",
        "qemu:migration/savevm.c; quickemu issue 1261",
        ("Device '{value}' is writable but does not support snapshots",),
    ),
    Message(
        "migration-under-way",
        Layer.QEMU,
        "Something that blocks migration was asked for while a migration or a snapshot was running.",
        "Wait for its end, and try again.",
        "qemu:migration/migration.c",
        ("disallowing migration blocker (migration/snapshot in progress)",),
    ),
    Message(
        "state-not-loaded",
        Layer.QEMU,
        "The destination could not load the guest's state; the lines before say why. For the device `cpu` it is "
        "often a CPU or an enlightenment that the destination lacks.",
        _SAME,
        "qemu:migration/savevm.c",
        (
            "error while loading state for instance {hex} of device '{value}'",
            "Failed to load {cpu}:",
            "load of migration failed",
        ),
        vague=True,
    ),
)
