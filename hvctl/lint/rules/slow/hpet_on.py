"""The guest has an HPET.

## What it does
Looks at `<timer name='hpet'>`, or at hpet= of `-machine`, of Windows and of what sees Hyper-V, unless libosinfo knows
another system. QEMU's machines have one unless it is turned off.

## Why it matters
Windows from Vista on prefers it to cheaper clocks: each read is an exit to QEMU itself, and its ticks load the host
when the guest is idle. Older ones are not known to use it, and with them it is an info.

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
  <timer name='hpet' present='yes'/>
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
Unsafe: a device goes.

## Sources
- qemu:docs/system/i386/hyperv.rst:100-103
- "Acquiring high-resolution time stamps" on Microsoft Learn: Vista and 2008 use it; KB 895980: Server 2003 does not
- virt-install, KubeVirt, oVirt and Proxmox turn it off
"""

from hvctl.lint.rule import Context, Findings
from hvctl.model.finding import Severity

SEVERITY = Severity.WARNING
_VISTA = 6000


def check(context: Context) -> Findings:
    guest = context.guest
    if not guest.concerned or guest.kvm is False:
        return
    timer = guest.timers.get("hpet")
    if timer.present is False if timer else guest.partial:
        return
    written = timer is not None and timer.present
    message = "the guest has an HPET" if written else "the guest has an HPET: QEMU gives one unless it is turned off"
    instead = f"write {guest.syntax_of('hpet.present', 'no')}"
    severity = None
    # Nothing says that it costs these anything.
    if guest.release and guest.release.build and guest.release.build < _VISTA:
        message += f"; {guest.release.title} is not known to use it"
        severity = Severity.INFO
    where = timer.where if timer else guest.clock_place
    fix = context.set_fact("hpet.present", "no", "turn it off")
    yield context.finding(where, message, instead, attribute="present", severity=severity, fix=fix)
