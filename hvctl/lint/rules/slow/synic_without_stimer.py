"""The synthetic interrupt controller is on, and the synthetic timers are not.

## What it does
Finds the SynIC without what is built on it. With hosts, not where one cannot give it; and not in a Windows older than
8, which does not use the timers.

## Why it matters
The SynIC alone gains nothing, and without the timers Windows programs the RTC or HPET at a high rate even when idle:
30 to 50 percent of a CPU.

## Example
```xml
<features>
  <hyperv>
    <vapic state='on'/>
    <vpindex state='on'/>
    <synic state='on'/>
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

## Fix safety
Unsafe: the guest gets other timers.

## Sources
- qemu:docs/system/i386/hyperv.rst:96-105
- nova writes it so
"""

from hvctl.catalog import roles
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.WARNING


def check(context: Context) -> Findings:
    guest = context.guest
    if context.is_open() or not guest.alive or guest.kvm is False or guest.has(roles.TIMERS):
        return
    wanted = roles.TIMERS[0]
    if not context.attainable(wanted):
        return
    for setting in context.on(roles.CONTROLLER):
        message = f"{guest.name_of(setting.row)} is on, and {guest.name_of(wanted)} is not: alone it gains nothing"
        fix = context.turn_on(context.with_all(wanted))
        yield context.finding(setting.where, message, context.write(wanted), fix=fix)
