"""A Windows guest with enlightenments has no synthetic timers.

## What it does
Looks for them in guests that see Hyper-V, unless libosinfo says that they are another system than Windows. That the
SynIC is on without them is a rule of its own. With hosts, not where one cannot give it.

## Why it matters
Windows then programs the RTC or HPET at a high rate even when idle: 30 to 50 percent of a CPU instead of one to three.

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
Unsafe: the guest gets other timers, and what they need.

## Sources
- qemu:docs/system/i386/hyperv.rst:96-105
- truenas/middleware PR 9247, OpenNebula/addon-storpool issue 79, virt-manager issues 154 and 205
"""

from hvctl.catalog import roles
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.WARNING
AFTER = ("args-replace-cpu",)


def check(context: Context) -> Findings:
    guest = context.guest
    if context.is_open() or not guest.alive or guest.kvm is False:
        return
    if guest.has(roles.TIMERS) or guest.has(roles.CONTROLLER):
        return
    wanted = roles.TIMERS[0]
    if not guest.concerned or not guest.uses(wanted) or not context.attainable(wanted):
        return
    message = f"the guest sees Hyper-V, and has no {guest.name_of(wanted)}"
    rows = context.with_all(*context.with_controllers((wanted,)))
    yield context.finding(guest.hyperv_place, message, context.write(*rows), fix=context.turn_on(rows))
