"""The guest sees Hyper-V, and has no virtual APIC.

## What it does
Looks for vapic in guests with enlightenments; not beside avic, which tells them to use the hardware's. With hosts,
not where one cannot give it.

## Why it matters
The most frequent accesses to the APIC are then decoded memory accesses, instead of one short exit or none.

## Example
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
  </hyperv>
</features>
<clock offset='localtime'>
  <timer name='rtc' tickpolicy='catchup'/>
  <timer name='pit' tickpolicy='delay'/>
  <timer name='hpet' present='no'/>
  <timer name='hypervclock' present='yes'/>
</clock>
```

## Use instead
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
    <vapic state='on'/>
  </hyperv>
</features>
<clock offset='localtime'>
  <timer name='rtc' tickpolicy='catchup'/>
  <timer name='pit' tickpolicy='delay'/>
  <timer name='hpet' present='no'/>
  <timer name='hypervclock' present='yes'/>
</clock>
```

## Fix safety
Unsafe: the guest sees another machine.

## Sources
- qemu:docs/system/i386/hyperv.rst:45-48
"""

from hvctl.catalog import roles
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.INFO
AFTER = ("args-replace-cpu",)


def check(context: Context) -> Findings:
    guest = context.guest
    if context.is_open() or not guest.alive or guest.kvm is False or guest.has(roles.HARDWARE_APIC):
        return
    for row in roles.VIRTUAL_APIC:
        # Where it is required, that is an error already.
        if row.id in guest.on or any(needed == row.id for _, needed in guest.lacking):
            continue
        if not guest.uses(row) or not context.attainable(row):
            continue
        message = f"the guest sees Hyper-V, and {guest.name_of(row)} is not on"
        yield context.finding(guest.hyperv_place, message, context.write(row), fix=context.turn_on((row,)))
