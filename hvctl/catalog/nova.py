"""OpenStack nova: what its libvirt driver writes for a Windows guest, and what an image or a flavor can choose of it.

Read in openstack/nova 34.0.0.
"""

from hvctl.catalog.sets import SETS_BY_ID, Member

# openstack/nova nova/virt/libvirt/driver.py, _set_features() and _set_kvm_timers(): for os_type=windows, always.
GIVEN = SETS_BY_ID["nova"].members
"""The rows that every guest with os_type=windows gets."""

# openstack/nova nova/virt/libvirt/config.py, LibvirtConfigGuestFeatureHyperV.SPOOFED_VENDOR_ID
GIVEN_HIDDEN = (Member("vendor-id", "1234567890ab"),)
"""The rows that it gets beside them where its hypervisor is hidden."""

RTC, PIT = "catchup", "delay"
"""The tick policies of each guest (_set_kvm_timers())."""
OFFSETS = {True: "localtime", False: "utc"}
"""The clock of a guest with os_type=windows, and of any other (_set_clock())."""

CPU_TRAITS = {"vmx": "HW_CPU_X86_VMX", "svm": "HW_CPU_X86_SVM"}
"""The traits of hosts for features of a CPU that profiles demand (nova/virt/libvirt/utils.py, CPU_TRAITS_MAPPING)."""

SCHEMA_VERSION = "1.0"
"""Of a provider file (nova/compute/provider_config.py, SUPPORTED_SCHEMA_VERSIONS)."""
ANY_NODE = "$COMPUTE_NODE"
"""The uuid in it that stands for each compute node that reads it."""


def trait_of(row_id: str) -> str:
    """hvctl's trait of compute nodes that can give a row: only those that begin with CUSTOM_ may be added."""
    return f"CUSTOM_HVCTL_{row_id.upper().replace('-', '_')}"
