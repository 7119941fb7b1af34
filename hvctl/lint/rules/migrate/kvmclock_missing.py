"""KVM is hidden on a machine type that then has no kvmclock device.

## What it does
Finds guests with a reference clock, with `kvm=off` or `<hidden state='on'/>`, and with a machine type up to 5.1.

## Why it matters
QEMU makes no kvmclock device there, and KVM's clock, on which the reference clock is built, is not carried: the
guest's time jumps back when it is migrated, restored from a snapshot or resumed.

## Example
```sh
qemu-system-x86_64 -accel kvm -machine pc-q35-5.1 -cpu host,kvm=off,hv_relaxed,hv_time
```

## Use instead
```sh
qemu-system-x86_64 -accel kvm -machine pc-q35-5.2 -cpu host,kvm=off,hv_relaxed,hv_time
```

## Fix safety
There is no fix: another machine type is another machine for Windows.

## Sources
- qemu:hw/i386/kvm/clock.c, kvmclock_create(): `create_always`; hw/i386/pc.c, pc_machine_5_1_options()
- Observed with QEMU 7.2 by `info qtree`
"""

from hvctl.catalog import machines, roles
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.WARNING


def check(context: Context) -> Findings:
    guest = context.guest
    if guest.lacks_kvmclock and guest.has(roles.CLOCK):
        message = f"KVM is hidden, and machine type {guest.machine} then has no kvmclock: the guest's time jumps back"
        yield context.finding(guest.places["machine"], message, machines.WITH_KVMCLOCK, attribute="machine")
