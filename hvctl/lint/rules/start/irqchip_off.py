"""What needs the interrupt controller in the kernel is on, and kernel-irqchip is off.

## What it does
Looks at `kernel-irqchip=off` beside the enlightenments that KVM gives only with an interrupt controller of its own.

## Why it matters
QEMU does not start: "failed to turn on HyperV SynIC in KVM: Invalid argument", or in newer versions "KVM does not
support userspace APIC".

## Example
```sh
qemu-system-x86_64 -machine pc-q35-7.2,accel=kvm,kernel-irqchip=off -cpu host,hv_vpindex,hv_time,hv_synic,hv_stimer
```

## Use instead
```sh
qemu-system-x86_64 -machine pc-q35-7.2,accel=kvm,kernel-irqchip=on -cpu host,hv_vpindex,hv_time,hv_synic,hv_stimer
```

## Fix safety
There is no fix: who turned the controller off may have a reason.

## Sources
- linux:arch/x86/kvm/x86.c, kvm_vcpu_ioctl_enable_cap(): `if (!irqchip_in_kernel(vcpu->kvm)) return -EINVAL;`
- Observed with QEMU 7.2 and 10.0
"""

from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.ERROR


def check(context: Context) -> Findings:
    guest = context.guest
    if guest.irqchip != "off" or guest.kvm is False:
        return
    names = [guest.name_of(setting.row) for setting in guest.on.values() if setting.row.irqchip]
    if names:
        message = f"the interrupt controller is not in the kernel, and {', '.join(names)} cannot work without it"
        yield context.finding(guest.places["irqchip"], message, "write kernel-irqchip=on, or leave them out")
