"""The RTC or the PIT does with lost ticks what Windows does not expect.

## What it does
Looks at the tick policies of Windows and of what sees Hyper-V, unless libosinfo knows another system: the RTC's should
be catchup (driftfix=slew), the PIT's delay, which is QEMU's default, or discard.

## Why it matters
Windows counts the ticks of the RTC: where those that came late are dropped, its clock loses time.

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
Unsafe: the guest's timers behave otherwise.

## Sources
- libvirt:docs/formatdomain.rst, "Time keeping"
- qemu:qemu-options.hx, -rtc driftfix
"""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.guest.guest import Kind, Timer
from hvctl.lint.rule import Context
from hvctl.model.finding import Finding, Fix, Severity
from hvctl.text.problems import quoted

SEVERITY = Severity.WARNING

_RTC = "write <timer name='rtc' tickpolicy='catchup'/> in <clock>"


def check(context: Context) -> Iterator[Finding]:
    """Policies that are not Windows'; the RTC's default is none of its."""
    guest = context.guest
    if not guest.concerned or guest.kvm is False:
        return
    rtc, pit = guest.timers.get("rtc"), guest.timers.get("pit")
    if rtc.policy != "catchup" if rtc else not guest.partial:
        instead = "write -rtc driftfix=slew" if guest.kind is Kind.COMMAND_LINE else _RTC
        where = rtc.where if rtc else guest.offset_where
        where = guest.root if where is None else where
        message = f"lost ticks of the RTC are {_done(rtc)}: Windows counts them"
        yield context.finding(where, message, instead, attribute="tickpolicy", fix=_fix(context, "rtc", "catchup"))
    if pit is not None and pit.policy not in (None, "delay", "discard"):
        instead = "write delay or discard"
        message = f"lost ticks of the PIT are delivered at once ({quoted(pit.policy)}): Windows does not expect that"
        yield context.finding(pit.where, message, instead, attribute="tickpolicy", fix=_fix(context, "pit", "delay"))


def _done(rtc: Timer | None) -> str:
    return f"not caught up with ({quoted(rtc.policy)})" if rtc and rtc.policy else "dropped"


def _fix(context: Context, name: str, policy: str) -> Fix | None:
    if not context.guest.can_set_timer(name):
        return None
    title = "let it catch up" if policy == "catchup" else f"make it {policy}"
    return context.unsafe(title, lambda changes: changes.set_timer(name, "tickpolicy", policy))
