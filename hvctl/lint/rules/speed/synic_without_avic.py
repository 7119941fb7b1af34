"""All hosts have APICv or AVIC, and the guest is not told to use it.

## What it does
Finds the SynIC without avic, where every host's KVM has the hardware's APIC active.

## Why it matters
A synthetic interrupt that Windows sets up with AutoEOI switches APICv or AVIC off for the whole guest; avic tells it
not to.

## Example
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
    <vapic state='on'/>
    <vpindex state='on'/>
    <synic state='on'/>
    <stimer state='on'/>
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
    <vpindex state='on'/>
    <synic state='on'/>
    <stimer state='on'/>
    <avic state='on'/>
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
- linux:arch/x86/kvm/hyperv.c:107-153
- qemu:docs/system/i386/hyperv.rst:180-185
"""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.catalog import roles
from hvctl.lint.rule import Context, Fact
from hvctl.lint.rules.speed.recommended_missing import everywhere
from hvctl.model.finding import Finding, Severity

SEVERITY = Severity.INFO
NEEDS = (Fact.HOSTS,)


def check(context: Context) -> Iterator[Finding]:
    """The controller without the word about the hardware."""
    guest = context.guest
    if guest.open or guest.kvm is False or guest.has(roles.HARDWARE_APIC):
        return
    for row in roles.HARDWARE_APIC:
        entry = next((guest.on[one.id] for one in roles.CONTROLLER if one.id in guest.on), None)
        if entry is None or row.id in guest.written or not everywhere(context, row):
            continue
        message = f"every host has APICv or AVIC, and {guest.name_of(row)} is not on"
        fix = context.turn_on((row,))
        yield context.finding(entry.where, message, f"write {guest.syntax(row)}", fix=fix)
