"""The guest has an invariant TSC, and its frequency is not written.

## What it does
Finds the CPU feature invtsc that is required, without `<timer name='tsc' frequency='...'/>` or tsc-frequency=.

## Why it matters
QEMU refuses to migrate the guest, to save it (`virsh save`, managedsave) and to take a snapshot with its memory:
"State blocked by non-migratable CPU device (invtsc flag)". So does libvirt.

## Example
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
  </hyperv>
</features>
<cpu mode='host-passthrough'>
  <feature policy='require' name='invtsc'/>
</cpu>
```

## Use instead
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
  </hyperv>
</features>
<cpu mode='host-passthrough'>
  <feature policy='require' name='invtsc'/>
</cpu>
<clock offset='localtime'>
  <timer name='tsc' frequency='2600000000'/>
</clock>
```

## Fix safety
There is no fix: the frequency is that of your hosts.

## Sources
- qemu:target/i386/kvm/kvm.c:2307-2319
- libvirt:src/qemu/qemu_migration.c:1623-1646
"""

from hvctl.catalog.cpu_models import INVARIANT_TSC
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity
from hvctl.model.guest import HOST_MODELS

SEVERITY = Severity.WARNING
OF = "switches"


def check(context: Context) -> Findings:
    guest = context.guest
    switch = guest.switches.get(INVARIANT_TSC)
    if switch is None or not switch.on or guest.tsc_frequency or "tsc_frequency" in guest.unknown:
        return
    message = f"the guest has {INVARIANT_TSC}, and the frequency of its TSC is not written"
    instead = "write the frequency of the hosts' TSC in Hz, or leave the feature out"
    if not guest.migratable and guest.cpu in HOST_MODELS:  # these then have the feature by themselves
        instead = f"write the frequency of the hosts' TSC in Hz, or turn {INVARIANT_TSC} off"
    yield context.finding(switch.where, message, instead, attribute="name")
