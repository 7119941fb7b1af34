"""The known messages: what QEMU, KVM, libvirt, KubeVirt and Windows say about enlightenments, and what it means.

Data only, as the rows. Texts that a row has are derived from it. `hvctl diagnose` looks for all of them in a text,
`hvctl launch` in what QEMU says where it does not start a guest.
"""

from hvctl.catalog.messages import host, libvirt, migration, qemu, windows
from hvctl.catalog.messages.types import Layer, Message

MESSAGES: tuple[Message, ...] = (
    *qemu.MESSAGES,
    *migration.MESSAGES,
    *host.MESSAGES,
    *libvirt.MESSAGES,
    *windows.MESSAGES,
)

LAYER_NAMES = {
    Layer.QEMU: "QEMU",
    Layer.KVM: "KVM",
    Layer.LIBVIRT: "libvirt",
    Layer.KUBEVIRT: "KubeVirt",
    Layer.WINDOWS: "Windows",
    Layer.SYMPTOM: "symptoms",
}
