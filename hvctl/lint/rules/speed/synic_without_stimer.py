"""The synthetic interrupt controller is on, and the synthetic timers are not.

## What it does
Finds the SynIC without what is built on it.

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

from __future__ import annotations

from collections.abc import Iterator

from hvctl.catalog import roles
from hvctl.lint.rule import Context
from hvctl.model.finding import Finding, Fix, Severity

SEVERITY = Severity.WARNING


def check(context: Context) -> Iterator[Finding]:
    """The controller without the timers."""
    guest = context.guest
    if guest.open or guest.kvm is False or guest.has(roles.TIMERS):
        return
    for row in roles.CONTROLLER:
        entry = guest.on.get(row.id)
        if entry is not None:
            wanted = roles.TIMERS[0]
            message = f"{guest.name_of(row)} is on, and {guest.name_of(wanted)} is not: alone it gains nothing"
            yield context.finding(entry.where, message, f"write {guest.syntax(wanted)}", fix=_fix(context))


def _fix(context: Context) -> Fix | None:
    rows = tuple(row for row in (*roles.CLOCK, *roles.TIMERS) if row.id not in context.guest.on)
    return context.turn_on(rows)
