"""A guest with enlightenments has no reference clock.

## What it does
Looks for hv-time, libvirt's timer hypervclock, in guests that see Hyper-V. That the synthetic timers lack it is an
error of its own. With hosts, not where one cannot give it.

## Why it matters
Without it Windows reads the ACPI PM timer, an exit each time; with it a clock costs one instruction.

## Example
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
Unsafe: the guest gets another clock.

## Sources
- qemu:docs/system/i386/hyperv.rst:77-83
- libvirt:docs/formatdomain.rst:2425-2426
"""

from hvctl.catalog import BY_ID, roles
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.WARNING
AFTER = ("args-replace-cpu",)


def check(context: Context) -> Findings:
    guest = context.guest
    if context.is_open() or not guest.alive or guest.kvm is False or guest.has(roles.CLOCK):
        return
    # Timers without it are an error that names it, unless they are to be left out.
    if guest.has(roles.TIMERS) and context.attainable(*(BY_ID[needed] for _, needed in guest.lacking)):
        return
    for row in filter(guest.uses, roles.CLOCK):
        if not context.attainable(row):
            continue
        off = guest.settings.get(row.id)
        where = off.where if off else guest.hyperv_place
        fix = context.turn_on((row,))
        message = f"the guest sees Hyper-V, and has no reference clock ({guest.name_of(row)})"
        yield context.finding(where, message, context.write(row), fix=fix)
