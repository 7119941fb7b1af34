"""The I/O APIC is QEMU's own, in a guest that runs a hypervisor on an Intel processor.

## What it does
Looks at kernel-irqchip=split and `<ioapic driver='qemu'/>` in a guest that runs a hypervisor itself: its CPU is
required to have vmx, or the profile says so (`uses: [vbs]`, nested-hyperv, wsl2) and a host is Intel's. For a guest
that is not known to be Windows it is an info.

## Why it matters
KVM then announces directed EOI to the guest and broadcasts each EOI all the same: a Windows with Credential Guard gets
storms of interrupts, and takes hours to boot. Since Linux 7.0 a QEMU can ask KVM for the right behaviour; whether yours
does is not visible here.

## Example
```sh
qemu-system-x86_64 -machine pc-q35-9.2,accel=kvm,kernel-irqchip=split -cpu host,+vmx
```

## Use instead
```sh
qemu-system-x86_64 -machine pc-q35-9.2,accel=kvm,kernel-irqchip=on -cpu host,+vmx
```

## Fix safety
There is no fix: interrupt remapping by an emulated IOMMU (`intel-iommu,intremap=on`) works with split only.

## Sources
- kernel bug 220549; linux commit 6517dfbcc918, "KVM: x86: Add x2APIC "features" to control EOI broadcast suppression"
- qemu-devel, 9 March 2026, "hw/i386: kvm: suppress EOI broadcast in split irqchip mode" (RFC)
"""

from hvctl.catalog.cpu_models import NESTED_FEATURE
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.WARNING

_INTEL = "intel"


def check(context: Context) -> Findings:
    guest = context.guest
    if guest.irqchip != "split" or guest.kvm is False or guest.other or not context.nests:
        return
    switch = guest.switches.get(NESTED_FEATURE[_INTEL])
    vendors = {host.hardware.vendor for host in context.hosts}
    if _INTEL not in vendors and not (switch is not None and switch.on):
        if not vendors or None in vendors:
            context.skip("whether the processor is Intel's is not known (--host)")
        return
    message = "the I/O APIC is QEMU's, and the guest runs a hypervisor itself: with VBS it can take hours to boot"
    what = "<ioapic driver='kvm'/> in <features>" if guest.libvirt else "kernel-irqchip=on"
    instead = f"write {what}, unless interrupt remapping by an emulated IOMMU needs it"
    severity = None if guest.windows else Severity.INFO
    yield context.finding(guest.places["irqchip"], message, instead, attribute="driver", severity=severity)
