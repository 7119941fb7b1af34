"""The tick policy of the RTC or PIT does not suit Windows.

## What it does
Looks at the tick policies of Windows and of what sees Hyper-V, unless libosinfo knows another system: the RTC's should
be catchup (driftfix=slew), the PIT's delay, which is QEMU's default, or discard.

## Why it matters
Windows counts the ticks of the RTC: where those that came late are dropped, its clock loses time. Where it has the
reference clock and synthetic timers, which it uses from Windows 8 and Server 2012 on, it counts none, and the rule says
nothing of them.

## Example
```xml
<features>
  <hyperv>
    <relaxed state='on'/>
    <vapic state='on'/>
    <vpindex state='on'/>
  </hyperv>
</features>
<clock offset='localtime'>
  <timer name='rtc' tickpolicy='delay'/>
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
Unsafe: the guest's timers behave differently.

## Sources
- libvirt:docs/formatdomain.rst, "Time keeping"
- qemu:qemu-options.hx, -rtc driftfix
"""

from hvctl.catalog import roles
from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity
from hvctl.model.guest import Guest
from hvctl.text.problems import quoted

SEVERITY = Severity.WARNING


def check(context: Context) -> Findings:
    guest = context.guest
    if not guest.concerned or guest.kvm is False:
        return
    rtc, pit = guest.timers.get("rtc"), guest.timers.get("pit")
    if (rtc.policy != "catchup" if rtc else not guest.partial) and _counts_ticks(guest):
        instead = f"write {guest.syntax_of('rtc.policy', 'catchup')}"
        where = rtc.where if rtc else context.place("offset")
        done = f"not caught up with ({quoted(rtc.policy)})" if rtc and rtc.policy else "dropped"
        message = f"lost ticks of the RTC are {done}: Windows counts them"
        fix = context.set_fact("rtc.policy", "catchup", "let it catch up")
        yield context.finding(where, message, instead, attribute="tickpolicy", fix=fix)
    if pit is not None and pit.policy not in (None, "delay", "discard"):
        message = f"lost ticks of the PIT are delivered at once ({quoted(pit.policy)}): Windows does not expect that"
        fix = context.set_fact("pit.policy", "delay", "make it delay")
        yield context.finding(pit.where, message, "write delay or discard", attribute="tickpolicy", fix=fix)


def _counts_ticks(guest: Guest) -> bool:
    """Whether Windows counts the RTC's: with the reference clock and synthetic timers it counts neither clock's."""
    return not (guest.has(roles.TIMERS) and guest.has(roles.CLOCK) and guest.uses(roles.TIMERS[0]))
