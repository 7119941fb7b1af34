"""All hosts have APICv or AVIC, and the guest does not use it.

## What it does
Finds the SynIC without avic, where every host's KVM has the hardware's APIC active; with a profile only if it wants
avic.

## Why it matters
A synthetic interrupt that Windows sets up with AutoEOI switches APICv or AVIC off for the whole guest; avic
prevents that.

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

from hvctl.catalog import roles
from hvctl.lint.rule import Context, Fact, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.INFO
NEEDS = (Fact.HOSTS,)


def check(context: Context) -> Findings:
    guest = context.guest
    if context.is_open() or not guest.alive or guest.kvm is False or guest.has(roles.HARDWARE_APIC):
        return
    setting = next(context.on(roles.CONTROLLER), None)
    for row in roles.HARDWARE_APIC:
        if setting is None or row.id in guest.settings or (context.profile is not None and not context.asked(row)):
            continue
        if not context.supported(row) or not context.attainable(row):
            continue
        message = f"every host has APICv or AVIC, and {guest.name_of(row)} is not on"
        fix = context.turn_on((row,))
        yield context.finding(setting.where, message, context.write(row), fix=fix)
